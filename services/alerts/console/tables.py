"""A plain table: headings, rows of texts, and perhaps a link or a button at the end of a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere."""

    words: str
    address: str


@dataclass(frozen=True)
class Press:
    """A cell with a button."""

    words: str
    act: Callable[[], Any]
    marker: str = ""


@dataclass(frozen=True)
class Strong:
    """A cell that wants to be seen."""

    words: str


Cell = str | Link | Press | Strong | None


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, marker: str, empty: str) -> None:
    """Draw it; numbers are put to the right."""
    if not rows:
        ui.label(empty).classes("fq-empty")
        return
    with ui.element("table").classes(f"fq-table {marker}"):
        with ui.element("thead"), ui.element("tr"):
            for head in heads:
                with ui.element("th").props('scope="col"'):
                    ui.label(head)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for cell in row:
                        _cell(cell)


def _cell(cell: Cell) -> None:
    words = cell.words if isinstance(cell, Strong) else cell if isinstance(cell, str) else ""
    number = bool(words) and all(character in "0123456789.%—" for character in words)
    with ui.element("td").classes("number" if number else ""):
        if isinstance(cell, Link):
            ui.link(cell.words, cell.address)
        elif isinstance(cell, Press):
            ui.button(cell.words, on_click=cell.act).props("flat dense no-caps").classes(cell.marker)
        else:
            ui.label(words).classes("strong" if isinstance(cell, Strong) else "")
