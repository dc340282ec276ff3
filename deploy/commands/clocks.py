"""`fengqiao clocks EVENTS --as-of T --out F`: the deadlines of a file of lifecycle events, offline."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from deploy.outputs import check_outputs, writing
from deploy.rows import Strict
from services.assessment.offline import Ledger, rows
from services.assessment.policy import load_rules
from shared.clock import BEIJING
from shared.instants import YEARS
from shared.yamlfile import ConfigError

MAX_REPORTED = 50
MAX_LINE = 2_000_000
_WEEK = re.compile(r"\d{4}-?W\d{2}", re.ASCII)
"""Python reads it as the week's Monday; nobody who writes it means that."""


def _moment(value: str) -> datetime:
    """RFC 3339, or a day (then the end of that day); no zone means Beijing."""
    try:
        moment = datetime.fromisoformat(value)
        if _WEEK.fullmatch(value):
            raise ValueError("a week is no day")
    except ValueError:
        raise typer.BadParameter("not a date or time, such as 2026-05-01 or 2026-05-01T12:00:00+08:00") from None
    if moment.year not in YEARS:
        raise typer.BadParameter(f"the year must lie between {YEARS[0]} and {YEARS[-1]}")
    if _is_day(value):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _is_day(value: str) -> bool:
    """A date in any form of ISO 8601 (2026-05-01, 20260501), with no time in it."""
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def clocks(
    events: Annotated[
        Path, typer.Argument(help="JSONL: one CloudEvent of petition.events.v1 a line", exists=True, dir_okay=False)
    ],
    as_of: Annotated[str, typer.Option("--as-of", help="the moment of judgement; a day means its end, Beijing time")],
    out: Annotated[Path, typer.Option("--out", help="JSONL to write, one obligation a line", dir_okay=False)],
    rules: Annotated[Path | None, typer.Option("--rules", help="folder or file of clock rules", exists=True)] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option("--lang", help="language of `derivation`")] = "en",
    strict: Strict = False,
) -> None:
    """Work out every obligation of the petitions in a file of lifecycle events, as of a moment."""
    console = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)
    moment = _moment(as_of)
    check_outputs({"--out": out}, events, rules)
    try:
        book = load_rules(rules)
    except ConfigError as error:
        console.print(str(error), style="red", highlight=False)
        raise typer.Exit(2) from None
    ledger, bad, written = Ledger(), 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        reading = progress.add_task("reading", total=events.stat().st_size)
        with events.open("rb") as source:
            number = 0
            while line := source.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE and not line.endswith(b"\n"):
                    line = _skip_rest(source)
                wrong = ledger.add(number, line)
                if wrong is not None:
                    bad += 1
                    if bad <= MAX_REPORTED:
                        console.print(f"line {wrong.number}: {wrong.reason}", highlight=False, markup=False)
                if number % 500 == 0:
                    progress.update(reading, completed=source.tell())
        progress.update(reading, completed=events.stat().st_size)
        if bad > MAX_REPORTED:
            console.print(f"… and {bad - MAX_REPORTED} more bad lines")
        if not len(ledger):
            console.print(f"{events} holds no event; each line is a CloudEvent of petition.events.v1", markup=False)
            raise typer.Exit(2)
        if bad and strict:
            console.print(f"--strict: {bad} bad lines, nothing was written", markup=False, highlight=False)
            raise typer.Exit(1)
        working = progress.add_task("working out", total=len(ledger))
        with writing(out) as sink:
            for _, found in ledger.obligations(book, moment):
                for row in rows(found, moment, lang):
                    sink.write(orjson.dumps(row) + b"\n")
                    written += 1
                progress.advance(working)
    console.print(f"{len(ledger)} petitions, {written} obligations → {out}; {bad} bad lines", highlight=False)


def _skip_rest(source: BinaryIO) -> bytes:
    """Read to the end of an overlong line; what is returned is no event, and is reported as such."""
    while (rest := source.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass
    return b"overlong line"
