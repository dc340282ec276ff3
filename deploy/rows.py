"""The rows of a message file for `link` and `backtest`: what can be used, and a word about what cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from shared.messages import BadRow, Message, MessageFileError, read_mapping, read_messages
from shared.yamlfile import ConfigError

MAX_REPORTED: Final = 50
Strict = Annotated[bool, typer.Option("--strict", help="end with 1, and write nothing, where a row cannot be used")]


Check = Callable[[Message], BadRow | None]
"""What else is wrong with a row."""


def petitions(
    path: Path, mapping: Mapping[str, str] | None = None, check: Check = lambda _: None
) -> tuple[list[Message], list[BadRow]]:
    """Rows of a file; an id that came before is a bad row. Raises `MessageFileError`."""
    good: dict[str, Message] = {}
    bad: list[BadRow] = []
    for row in read_messages(path, mapping=mapping):
        if isinstance(row, BadRow):
            bad.append(row)
        elif (wrong := check(row)) is not None:
            bad.append(wrong)
        elif row.id in good:
            bad.append(BadRow(row.row, "id-doubled", f"row {good[row.id].row} has the same id"))
        else:
            good[row.id] = row
    return list(good.values()), bad


def usable(
    file: Path, mapping: Path | None, console: Console, *, strict: bool, check: Check = lambda _: None
) -> tuple[list[Message], int]:
    """Messages, and how many rows were left out; these are told on `console`.

    Ends with 2 where the file cannot be read or no row of it be used, and with 1 where a row is left out and `strict`.
    """
    try:
        names = read_mapping(mapping) if mapping else None
        good, bad = petitions(file, names, check)
    except (MessageFileError, ConfigError) as error:
        console.print(f"{file.name}: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    for row in bad[:MAX_REPORTED]:
        console.print(f"row {row.row}: {row.code}: {row.detail}", style="yellow", markup=False, highlight=False)
    if len(bad) > MAX_REPORTED:
        console.print(f"… and {len(bad) - MAX_REPORTED} more bad rows", style="yellow")
    if bad:
        console.print(f"{file.name}: {len(bad)} rows left out, {len(good)} used", markup=False, highlight=False)
    if not good:
        console.print(f"{file.name}: no usable row", style="red", markup=False, highlight=False)
        raise typer.Exit(2)
    if bad and strict:
        console.print("--strict: nothing was written", style="red", markup=False, highlight=False)
        raise typer.Exit(1)
    return good, len(bad)
