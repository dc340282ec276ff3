"""`fengqiao link FILE --out matters.jsonl`: links a file of messages into matters, offline."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.outputs import check_outputs, writing
from deploy.rows import Strict, usable
from services.screening.domain.matters import LinkConfig
from services.screening.domain.matters import Message as Petition
from services.screening.domain.timeline import Timeline
from shared.messages import Message

BATCH = 200
YEARS = 3
MOST_YEARS = 100


def matters_of(
    messages: list[Message], config: LinkConfig, jurisdiction: str = "", console: Console | None = None
) -> dict[str, str]:
    """Message id → matter id after all merges; each county is linked by itself, in the order of event time."""
    found: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    lines: dict[str, Timeline] = {}
    rows = sorted(messages, key=lambda row: (row.submitted_at, row.id))
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    for batch in track(batches, "linking", console=console, transient=True, disable=console is None):
        by_county: dict[str, list[Petition]] = {}
        for row in batch:
            petition = Petition(
                row.id, row.petitioner or f"?{row.id}", row.submitted_at, row.title, row.text, row.more.get("topic")
            )
            by_county.setdefault(row.jurisdiction or jurisdiction, []).append(petition)
        for county, several in by_county.items():
            changes = lines.setdefault(county, Timeline(config)).add(several)
            for message, _, matter in changes.assigned:
                found[message] = matter
            for merge in changes.merges:
                # Members that are no longer live follow the matter that they were in.
                members.setdefault(merge.kept, []).append(merge.gone)
    gone = {matter: kept for kept, several in members.items() for matter in several}
    return {message: _last(matter, gone) for message, matter in found.items()}


def _last(matter: str, gone: dict[str, str]) -> str:
    while matter in gone:
        matter = gone[matter]
    return matter


def link(
    file: Annotated[Path, typer.Argument(help="messages: .jsonl, .csv or .xlsx", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", help="JSONL to write, `id` and `matter` a line", dir_okay=False)],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="YAML, our field: the file's column", exists=True, dir_okay=False)
    ] = None,
    jurisdiction: Annotated[str, typer.Option("--jurisdiction", help="county of rows that name none")] = "",
    window: Annotated[
        int,
        typer.Option(
            "--window", min=1, max=366 * MOST_YEARS, help="days a message stays live; a running county's policy says 90"
        ),
    ] = 366 * YEARS,
    strict: Strict = False,
) -> None:
    """Link a file of messages into matters, in the order of event time, with the linker that screening runs."""
    console = Console(stderr=True, soft_wrap=True)
    check_outputs({"--out": out}, file, mapping)
    good, left_out = usable(file, mapping, console, strict=strict)
    found = matters_of(good, LinkConfig(window=timedelta(days=window)), jurisdiction, console)
    with writing(out) as lines:
        for message in good:
            own = int(message.id) if message.numeric_id else message.id
            lines.write(orjson.dumps({"id": own, "matter": found[message.id]}) + b"\n")
    sizes = Counter(found.values())
    table = Table("messages", "matters", "of two or more", "of five or more", "largest", "bad rows")
    counts = [len(good), len(sizes), *(sum(n >= least for n in sizes.values()) for least in (2, 5))]
    table.add_row(*(f"{n:,}" for n in (*counts, max(sizes.values()), left_out)))
    console.print(table)
