"""Handling (Art. 34): the sixty days of an accepted petition, its one extension, a second round after reopening."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from services.assessment.domain.life import Life, Step, day_of
from services.assessment.domain.obligation import Obligation, exempt, first_after, line_of, made, rules_of, running
from services.assessment.domain.rules import HANDLE, HANDLE_EXT, NOTHING, Clock, Rulebook, Rules, Text

_REOPENED: Final = frozenset({"reopened"})
_NO_APPEAL: Final = Text("非申诉求决类事项，不适用60日期限", "no appeal: the 60 days do not apply (Arts 29, 30)")


def handling(life: Life, book: Rulebook) -> Iterator[Obligation]:
    """The rounds of handling, each from an acceptance or a reopening to the written opinion."""
    filed = life.filed
    accepted = next((s for s in life.steps if s.kind == "accepted"), None)
    if accepted is None:
        return
    start, word, may_extend = accepted, "accepted", True
    while True:
        rules = rules_of(book, life, start)
        clock = None if rules is None else rules.clocks.get(HANDLE)
        if rules is None or clock is None:
            return
        if rules.elsewhere(accepted.route):
            yield exempt(life, HANDLE, clock, start, accepted.unit, _other_procedure(accepted.route))
            came_back = _accepted_here(life, book, start)
            if came_back is None:
                return
            accepted, start, word = came_back, came_back, "accepted"
            continue
        if filed is not None and rules.handle_purposes and filed.purpose not in rules.handle_purposes:
            yield exempt(life, HANDLE, clock, start, accepted.unit, _NO_APPEAL)
            return
        replied = first_after(life.steps, start, frozenset({"replied"}))
        reopened = None if replied is None else first_after(life.steps, replied, _REOPENED)
        base = running(life, book, HANDLE, clock, start, word, start.unit, replied)
        extension = _extension(life, book, rules, clock, base, start, word, replied) if may_extend else None
        unit = _handler(life, start, replied, base.due if extension is None else extension.due)
        base = replace(base, unit=unit)
        extension = None if extension is None else replace(extension, unit=unit)
        void = _void_extensions(life, start, reopened, extension)
        if void is not NOTHING:
            base = replace(base, derivation=base.derivation + void)
        if extension is None:
            yield base
        else:
            may_extend = False
            done = replied is not None and not base.late
            unused = Text("原期限内已办结，未用延期", "answered before the extension was needed")
            yield base if done else replace(base, excluded=Text("已依法延期", "extended under Art. 34"))
            yield replace(extension, excluded=unused) if done else extension
        if reopened is None:
            return
        start, word = reopened, "reopened"


def _other_procedure(route: str) -> Text:
    return Text(
        f"按第31条导入其他程序（{route}），适用该程序的期限",
        f"another procedure of Art. 31 ({route}): its own period applies",
    )


def _accepted_here(life: Life, book: Rulebook, start: Step) -> Step | None:
    """The acceptance by which a matter comes to the petition procedure that another procedure had (Art. 34)."""
    for step in life.steps:
        rules = rules_of(book, life, step) if step.kind == "accepted" and step.place > start.place else None
        if rules is not None and not rules.elsewhere(step.route):
            return step
    return None


def _handler(life: Life, start: Step, replied: Step | None, due: date | None) -> str:
    """Who answers: the unit that accepted last before the reply. Accepting again moves the duty, never the date.

    In a round that a reopening started nobody has accepted yet: until then the duty is with the unit it was assigned to
    last, but not by passing on after the deadline, which must not move a breach to another.
    """
    held, waiting = start.unit, start.kind == "reopened"
    for step in _between(life, start, replied):
        if step.kind == "accepted":
            held, waiting = step.unit, False
        elif step.kind == "assigned" and waiting and due is not None and day_of(step.at) <= due:
            held = step.unit
    return held


def _between(life: Life, start: Step, end: Step | None) -> Iterator[Step]:
    """The steps after one and before the other, where there is another."""
    return (s for s in life.steps if s.place > start.place and (end is None or s.place < end.place))


def _extension(
    life: Life,
    book: Rulebook,
    rules: Rules,
    clock: Clock,
    base: Obligation,
    start: Step,
    word: str,
    replied: Step | None,
) -> Obligation | None:
    """The first extension decided while the period ran, with approver and the reason told. Others count for nothing.

    What is decided after the reply belongs to the next round, if to any: its reopening starts another period.
    """
    ext = rules.clocks.get(HANDLE_EXT)
    if ext is None or base.due is None:
        return None
    for step in _between(life, start, replied):
        in_time = day_of(step.at) <= base.due
        if step.kind != "extended" or not in_time or not step.approver or not step.reason_told:
            continue
        days = min(step.days, ext.days)
        first = day_of(start.at)
        deadline = book.deadline(first, clock, days)
        text = line_of(book, word, first, clock, deadline, days)
        row = made(life, HANDLE_EXT, ext, step, base.unit, deadline, text, replied)
        return replace(row, approver=step.approver)
    return None


def _void_extensions(life: Life, start: Step, reopened: Step | None, extension: Obligation | None) -> Text:
    """Extensions up to the next round that moved nothing: after the deadline or the reply, a second one, without approver
    or reason told."""
    void = [
        day_of(s.at).isoformat()
        for s in _between(life, start, reopened)
        if s.kind == "extended" and (extension is None or s.id != extension.cause)
    ]
    if not void:
        return NOTHING
    zh, en = "、".join(void), ", ".join(void)
    return Text(f"；{zh} 的延期决定不符合第34条，不计", f"; the extension of {en} does not count (Art. 34)")
