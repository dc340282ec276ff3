"""How a deadline came about, in words: "accepted 03-01 + 60 d (Art. 34) → 04-30"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from services.assessment.domain.rules import Clock, Deadline, Text

STARTS: Final = {
    "received": Text("收到", "received"),
    "transferred": Text("收到转送", "received on transfer"),
    "accepted": Text("受理", "accepted"),
    "reopened": Text("重新办理", "reopened"),
    "served": Text("送达", "served"),
}


def derivation(start: str, day: date, clock: Clock, deadline: Deadline, extended: int = 0) -> Text:
    """The line of one clock; `extended`: days added by an extension, `clock` being the one extended."""
    shown = _Days(day, deadline.due)
    word = STARTS[start]
    zh = f"{word.zh} {shown(day)} + {clock.days}{'个工作日' if clock.working else '日'}"
    en = f"{word.en} {shown(day)} + {clock.days} {'working days' if clock.working else 'd'}"
    if extended:
        zh, en = f"{zh} + 延期{extended}日", f"{en} + {extended} d extension"
    remarks = [clock.short, *_remarks(clock, deadline, shown)]
    due = shown(deadline.due)
    return Text(
        f"{zh}（{'；'.join(r.zh for r in remarks)}）→ {due}",
        f"{en} ({'; '.join(r.en for r in remarks)}) → {due}",
    )


class _Days:
    """Prints days without the year where all of the line lies in one year; the deadline itself is printed beside it."""

    def __init__(self, first: date, last: date) -> None:
        self._pattern = "%m-%d" if first.year == last.year else "%Y-%m-%d"

    def __call__(self, day: date) -> str:
        return day.strftime(self._pattern)


def _remarks(clock: Clock, deadline: Deadline, shown: _Days) -> list[Text]:
    remarks = []
    if deadline.skipped:
        spans = _spans(deadline.skipped, shown)
        remarks.append(Text(f"不计 {'、'.join(spans)}", f"not counting {', '.join(spans)}"))
    if deadline.rolled_from is not None:
        day = shown(deadline.rolled_from)
        remarks.append(Text(f"{day} 为休息日，顺延", f"{day} is no working day: moved on"))
    if deadline.assumed:
        remarks.append(
            Text(
                "当年节假日安排未公布，仅扣除周六周日", "no holiday calendar for that year: Saturdays and Sundays only"
            )
        )
    if clock.note.zh:
        remarks.append(clock.note)
    return remarks


def _spans(days: Sequence[date], shown: _Days) -> list[str]:
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1].append(day)
        else:
            spans.append([day])
    return [shown(s[0]) if len(s) == 1 else f"{shown(s[0])}…{shown(s[-1])}" for s in spans]
