"""`fengqiao link FILE --out matters.jsonl`: links a file of messages into matters, offline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.screening.domain.matters import LinkConfig
from services.screening.domain.matters import Message as Petition
from services.screening.domain.timeline import Timeline
from shared.messages import BadRow, Message, MessageFileError, kind_of, read_mapping, read_messages
from shared.yamlfile import ConfigError

MAX_REPORTED = 50
BATCH = 200
YEARS = 3


def petitions(path: Path, mapping: Mapping[str, str] | None = None) -> tuple[list[Message], list[BadRow]]:
    """Rows of a file; an id that came before is a bad row. Raises `MessageFileError`."""
    good: dict[str, Message] = {}
    bad: list[BadRow] = []
    for row in read_messages(path, mapping=mapping):
        if isinstance(row, BadRow):
            bad.append(row)
        elif row.id in good:
            bad.append(BadRow(row.row, "id-doubled", f"row {good[row.id].row} has the same id"))
        else:
            good[row.id] = row
    return list(good.values()), bad


def numeric_ids(path: Path, mapping: Mapping[str, str] | None = None) -> set[str]:
    """Ids that a JSONL file holds as numbers, so that they can be written as it has them."""
    if kind_of(path.name) != "jsonl":
        return set()
    field, found = (mapping or {}).get("id", "id"), set()
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict) and isinstance(row.get(field), int):
                found.add(str(row[field]))
    return found


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
        int, typer.Option("--window", min=1, help="days a message stays live; a running county's policy says 90")
    ] = 366 * YEARS,
) -> None:
    """Link a file of messages into matters, in the order of event time, with the linker that screening runs."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        names = read_mapping(mapping) if mapping else None
        good, bad = petitions(file, names)
        numbers = numeric_ids(file, names)
    except (MessageFileError, ConfigError) as error:
        console.print(f"{file.name}: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    for row in bad[:MAX_REPORTED]:
        console.print(f"row {row.row}: {row.code}: {row.detail}", style="yellow", markup=False, highlight=False)
    if len(bad) > MAX_REPORTED:
        console.print(f"… and {len(bad) - MAX_REPORTED} more bad rows", style="yellow")
    found = matters_of(good, LinkConfig(window=timedelta(days=window)), jurisdiction, console)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as lines:
        for message in good:
            own = int(message.id) if message.id in numbers else message.id
            lines.write(orjson.dumps({"id": own, "matter": found[message.id]}) + b"\n")
    part.replace(out)
    sizes = Counter(found.values())
    table = Table("messages", "matters", "of two or more", "of five or more", "largest", "bad rows")
    counts = [len(good), len(sizes), *(sum(n >= least for n in sizes.values()) for least in (2, 5))]
    table.add_row(*(f"{n:,}" for n in (*counts, max(sizes.values(), default=0), len(bad))))
    console.print(table)
    if bad and not good:
        raise typer.Exit(1)
