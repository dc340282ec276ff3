"""What the rows of a message file become, whatever the file's kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class MessageFileError(ValueError):
    """The file cannot be read at all. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Message:
    """One row. `submitted_at` is aware; a time without zone was taken as Asia/Shanghai. `more` holds the other columns.

    `numeric_id` says that the file holds the id as a whole number, for output that must name the row as its file does.
    """

    row: int
    id: str
    petitioner: str
    submitted_at: datetime
    title: str
    text: str
    jurisdiction: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    numeric_id: bool = False


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used. `detail` quotes nothing of it."""

    row: int
    code: str
    detail: str
