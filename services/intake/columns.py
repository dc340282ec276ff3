"""What the columns of a ledger mean to a petition, beside those that every message file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from itertools import islice
from typing import BinaryIO, Final

from services.intake.domain.petition import Refused
from shared.clock import BEIJING
from shared.instants import YEARS
from shared.messages import ALIASES, FIELDS, BadRow, MessageFileError, read_time

WORDS: Final = ("channel", "external_id", "purpose", "topic", "town", "level_presented", "accused_unit", "joined")
COUNTS: Final = ("headcount", "representatives")
PERSONAL: Final = ("name", "phone", "id_number", "address")
THEIRS: Final[Mapping[str, tuple[str, ...]]] = {
    "received_at": ("收到时间", "收件时间", "登记时间"),
    "name": ("姓名", "信访人姓名"),
    "phone": ("电话", "联系电话", "电话号码", "手机", "手机号", "手机号码"),
    "id_number": ("身份证号", "身份证号码", "证件号码", "证件号"),
    "address": ("住址", "家庭住址", "联系地址"),
}
"""Names that a ledger may have for ours. Of several that a row fills the first one counts."""
OURS: Final[Mapping[str, str]] = {
    **{name: name for name in (*WORDS, *COUNTS, *THEIRS)},
    **{theirs: ours for ours, names in THEIRS.items() for theirs in names},
}
_ORDER: Final = {name: place for place, name in enumerate(name for ours in THEIRS for name in (ours, *THEIRS[ours]))}
_SHARED: Final = frozenset({*FIELDS, *(name for names in ALIASES.values() for name in names)})
_NOTHING: Final = frozenset({"无", "没有", "不详", "未知", "未留", "未提供", "匿名", "/", "-", "--", "—", "——"})
"""What a ledger writes where nobody said who they are."""
IGNORED_MAX: Final = 200
NAME_MAX: Final = 60


def understood(more: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """A row's further columns under our names, and the columns that nothing is made of."""
    found: dict[str, str] = {}
    ignored = []
    used: dict[str, str] = {}
    for column, said in more.items():
        ours = OURS.get(column)
        if ours in PERSONAL and said in _NOTHING:
            continue
        other = used.get(ours or "")
        if ours is None or (other is not None and _ORDER[other] < _ORDER[column]):
            ignored.append(column)
            continue
        if other is not None:
            ignored.append(other)
        found[ours], used[ours] = said, column
    return found, ignored


def receipt_time(text: str, submitted: datetime) -> datetime:
    """When a row was received, as a ledger writes it; raises `Refused`. Without a zone it is Asia/Shanghai.

    Ledgers often give the day alone: on the day of the submission it is then received when it was submitted.
    """
    moment = read_time(text)
    if moment is None or moment.year not in YEARS:
        detail = f"received_at is no date and time of {YEARS[0]} to {YEARS[-1]}; write 2026-03-01 09:30"
        raise Refused("received-at-invalid", detail, field="received_at")
    day = moment.astimezone(BEIJING)
    if moment < submitted and day.time() == time.min and day.date() == submitted.astimezone(BEIJING).date():
        return submitted
    return moment


class Sheet:
    """What the reader of message files passes over in a workbook: times beside `submitted_at`, and names of columns."""

    def __init__(self, receipts: Mapping[int, Mapping[str, str]], ignored: tuple[str, ...]) -> None:
        self.receipts = receipts
        """row → column → the time in it, where it is kept as a time"""
        self.ignored = ignored

    @classmethod
    def read(cls, stream: BinaryIO, mapping: Mapping[str, str], *, max_rows: int) -> Sheet:
        """Look through a workbook, which is left at its start. One that cannot be read has nothing: its reader says why."""
        from shared.sheets import sheet_rows  # its library takes 0.4 s to load: only where a workbook comes

        try:
            return cls._of(islice(sheet_rows(stream), max_rows + 1), mapping)
        except MessageFileError:
            return cls({}, ())
        finally:
            stream.seek(0)

    @classmethod
    def _of(cls, rows: Iterator[tuple[int, list[object] | BadRow]], mapping: Mapping[str, str]) -> Sheet:
        header = next(rows, (0, []))[1]
        if isinstance(header, BadRow):
            return cls({}, ())
        ours = {theirs: name for name, theirs in mapping.items()}
        names = [str(cell or "").strip() for cell in header]
        columns = [ours.get(name, name) for name in names]
        ignored = tuple(name for name in columns if name and name not in OURS and name not in _SHARED)
        timed = [(place, name) for place, name in enumerate(columns) if OURS.get(name) == "received_at"]
        receipts: dict[int, Mapping[str, str]] = {}
        for number, cells in rows if timed else ():
            if isinstance(cells, BadRow):
                continue
            found = {name: _written(cells[place]) for place, name in timed if place < len(cells)}
            kept = {name: text for name, text in found.items() if text}
            if kept:
                receipts[number] = kept
        return cls(receipts, ignored)


def _written(cell: object) -> str:
    """A cell that is no text, as text: a time, or what no reader takes for one. Empty for what the file's reader takes."""
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=BEIJING)).isoformat()
    return "" if cell is None or type(cell) in {str, int, float} else "no time"
