"""Obligations: pure functions of a petition's life and the rules of the day on which each clock starts.

Decisions that the regulation leaves open, and why, are in docs/clocks.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from services.assessment.domain.derivation import derivation
from services.assessment.domain.life import BEIJING, Life, Step, day_of
from services.assessment.domain.rules import (
    CACHED,
    HANDLE,
    HANDLE_EXT,
    NOTHING,
    NOTIFY,
    OBJECT,
    REG_TRANSFER,
    REVIEW_ASK,
    WINDOWS,
    Clock,
    Deadline,
    Rulebook,
    Rules,
    Text,
)

State = Literal["pending", "due_soon", "breached", "met", "met_late", "excluded"]
STATES: Final = ("pending", "due_soon", "breached", "met", "met_late", "excluded")
_END_OF_DAY: Final = time(23, 59, 59)
_NOTICES: Final = frozenset({"accepted", "not_accepted", "replied"})
_TRANSFERS: Final = frozenset({"assigned", "accepted", "not_accepted", "replied"})
_LAPSED: Final = Text("期限已过，权利未行使", "the time passed and the right was not used")


@dataclass(frozen=True)
class Obligation:
    """One deadline of one unit for one petition. `due` is None where no period of the regulation applies."""

    id: str
    petition: str
    jurisdiction: str
    code: str
    unit: str
    started: datetime
    due: date | None
    soon_days: int
    basis: str
    derivation: Text
    cause: str
    """id of the event that started it"""
    recorded: datetime
    """when that event was entered"""
    ended: datetime | None = None
    ended_by: str | None = None
    ended_recorded: datetime | None = None
    excluded: Text | None = None
    approver: str | None = None

    @property
    def due_at(self) -> datetime | None:
        """The end of the last day, Beijing time."""
        return None if self.due is None else datetime.combine(self.due, _END_OF_DAY, BEIJING)

    @property
    def breach_at(self) -> datetime | None:
        """The first moment after the deadline."""
        return None if self.due is None else datetime.combine(self.due + timedelta(days=1), time(), BEIJING)

    @property
    def soon_at(self) -> datetime | None:
        """From when on it is near."""
        return (
            None if self.due is None else datetime.combine(self.due - timedelta(days=self.soon_days), time(), BEIJING)
        )

    @property
    def late(self) -> bool:
        """Done, but after the last day."""
        return self.ended is not None and self.due is not None and day_of(self.ended) > self.due

    def state(self, at: datetime) -> State:
        """The state at a moment; what happened later is not known to it."""
        if self.excluded is not None or self.due is None:
            return "excluded"
        if self.ended is not None and self.ended <= at:
            return "met_late" if self.late else "met"
        today = day_of(at)
        if today > self.due:
            return "excluded" if self.code in WINDOWS else "breached"
        return "due_soon" if today >= self.due - timedelta(days=self.soon_days) else "pending"

    def why_excluded(self, at: datetime) -> Text | None:
        """The reason behind the state `excluded` at a moment."""
        if self.excluded is not None:
            return self.excluded
        return _LAPSED if self.state(at) == "excluded" else None


def obligations(life: Life, book: Rulebook) -> tuple[Obligation, ...]:
    """Every obligation of a petition, in the order in which the clocks started. The same steps in any order: the same result."""
    found = [*_transfer(life, book), *_notices(life, book), *_handling(life, book), *_reviews(life, book)]
    return tuple(sorted(found, key=lambda o: (o.started, o.code, o.id)))


def _rules(book: Rulebook, life: Life, step: Step) -> Rules | None:
    return book.on(day_of(step.at), life.jurisdiction)


def _start(
    life: Life, book: Rulebook, code: str, clock: Clock, step: Step, word: str, unit: str, done: Step | None = None
) -> Obligation:
    first = day_of(step.at)
    deadline = book.deadline(first, clock)
    line = _line(book, word, first, clock, deadline, 0)
    return _obligation(life, code, clock, step, unit, deadline, line, done)


def _line(book: Rulebook, word: str, first: date, clock: Clock, deadline: Deadline, extended: int) -> Text:
    key = (word, first, clock.code, clock.basis, extended)
    line = book.lines.get(key)
    if line is None:
        if len(book.lines) > CACHED:
            book.lines.clear()
        line = book.lines[key] = derivation(word, first, clock, deadline, extended)
    return line


def _obligation(
    life: Life,
    code: str,
    clock: Clock,
    step: Step,
    unit: str,
    deadline: Deadline | None,
    text: Text,
    done: Step | None = None,
) -> Obligation:
    return Obligation(
        id=f"{life.petition}/{code}/{step.id}",
        petition=life.petition,
        jurisdiction=life.jurisdiction,
        code=code,
        unit=unit,
        started=step.at,
        due=None if deadline is None else deadline.due,
        soon_days=clock.soon,
        basis=clock.basis,
        derivation=text,
        cause=step.id,
        recorded=step.recorded,
        ended=None if done is None else (done.notified if code == NOTIFY else None) or done.at,
        ended_by=None if done is None else done.id,
        ended_recorded=None if done is None else done.recorded,
    )


def _direct(rules: Rules, filed: Step) -> bool:
    """The unit itself received it (Art. 23 para. 2). Where none is named somebody has to find it, as for any petition."""
    return filed.channel in rules.direct_channels and bool(filed.unit)


def _after(steps: Sequence[Step], start: Step, kinds: frozenset[str]) -> Step | None:
    return next((s for s in steps if s.kind in kinds and s.at >= start.at), None)


# -- registration and transfer (Art. 22) -------------------------------------------------------------------------------


def _transfer(life: Life, book: Rulebook) -> Iterator[Obligation]:
    filed = life.filed
    rules = None if filed is None else _rules(book, life, filed)
    clock = None if rules is None else rules.clocks.get(REG_TRANSFER)
    if filed is None or rules is None or clock is None or _direct(rules, filed):
        return
    unit = f"{life.jurisdiction}.{rules.registrar}"
    if filed.channel in rules.not_petitions:
        reason = Text("排查发现，非信访人提出", "found by officials, submitted by nobody")
        yield replace(_obligation(life, REG_TRANSFER, clock, filed, unit, None, reason), excluded=reason)
        return
    first = next((s for s in life.steps if s.kind in _TRANSFERS), None)
    yield _start(life, book, REG_TRANSFER, clock, filed, "received", unit, first)


# -- notice and objection (Art. 23), a clock for each unit the matter comes to -----------------------------------------


def _notices(life: Life, book: Rulebook) -> Iterator[Obligation]:
    hops = list(_hops(life, book))
    for number, hop in enumerate(hops):
        rules = _rules(book, life, hop)
        if rules is None:
            continue
        nxt = hops[number + 1] if number + 1 < len(hops) else None
        objected = _after([s for s in life.steps if s.unit == hop.unit], hop, frozenset({"objected"}))
        if objected is not None and nxt is not None and objected.at > nxt.at:
            objected = None
        notice = _after(life.steps, hop, _NOTICES)
        if notice is not None and nxt is not None and notice.at >= nxt.at:
            notice = None
        window = _objection(life, book, rules, hop, nxt, objected, notice)
        if window is not None:
            yield window
        in_time = objected is not None and window is not None and not window.late
        refused = objected is not None and _sent_back(life, hop, objected, nxt)
        yield from _notice(life, book, rules, hop, nxt, notice, objected_in_time=in_time and not refused)


def _hops(life: Life, book: Rulebook) -> Iterator[Step]:
    """The receipts by units: the filing where the unit received it directly, and each assignment to another unit.

    Assigning to the unit that has it already starts nothing: the first receipt counts.
    """
    holder = ""
    for step in life.steps:
        if step.kind == "filed":
            rules = _rules(book, life, step)
            if rules is not None and _direct(rules, step):
                holder = step.unit
                yield step
        elif step.kind == "assigned" and step.unit != holder:
            holder = step.unit
            yield step
        elif step.kind == "accepted":
            holder = step.unit


def _sent_back(life: Life, hop: Step, objected: Step, nxt: Step | None) -> bool:
    """The sender did not agree: assigned to the same unit again after its objection, with no other unit between."""
    return any(
        s.kind == "assigned" and s.unit == hop.unit and s.at > objected.at and (nxt is None or s.at < nxt.at)
        for s in life.steps
    )


def _objection(
    life: Life, book: Rulebook, rules: Rules, hop: Step, nxt: Step | None, objected: Step | None, notice: Step | None
) -> Obligation | None:
    clock = rules.clocks.get(OBJECT)
    if clock is None or hop.kind == "filed":
        return None
    window = _start(life, book, OBJECT, clock, hop, "transferred", hop.unit, objected)
    if objected is None and notice is not None:
        return replace(window, excluded=Text("已作为本单位事项办理", "the unit took the matter as its own"))
    if objected is None and nxt is not None:
        return replace(window, excluded=Text("已改派其他单位", "assigned to another unit"))
    return window


def _notice(
    life: Life,
    book: Rulebook,
    rules: Rules,
    hop: Step,
    nxt: Step | None,
    notice: Step | None,
    *,
    objected_in_time: bool,
) -> Iterator[Obligation]:
    direct = hop.kind == "filed"
    clock = rules.clocks.get("NOTIFY_DIRECT" if direct else "NOTIFY_TRANSFERRED")
    if clock is None:
        return
    if hop.unit.partition(".")[2] in rules.own_notice:
        reason = Text("按纪检监察、政法机关的规定告知", "told by the organ's own provisions (Art. 23 para. 4)")
        yield replace(_obligation(life, NOTIFY, clock, hop, hop.unit, None, reason), excluded=reason)
        return
    owed = _start(life, book, NOTIFY, clock, hop, "received" if direct else "transferred", hop.unit, notice)
    if notice is not None:
        yield owed
    elif objected_in_time:
        yield replace(owed, excluded=Text("期限内提出异议", "objected in time"))
    elif nxt is not None and owed.due is not None and day_of(nxt.at) <= owed.due:
        yield replace(owed, excluded=Text("期限内已改派其他单位", "assigned to another unit in time"))
    else:
        yield owed


# -- handling (Art. 34) and its one extension --------------------------------------------------------------------------


def _handling(life: Life, book: Rulebook) -> Iterator[Obligation]:
    filed = life.filed
    accepted = next((s for s in life.steps if s.kind == "accepted"), None)
    if accepted is None:
        return
    start, word, may_extend = accepted, "accepted", True
    while True:
        rules = _rules(book, life, start)
        clock = None if rules is None else rules.clocks.get(HANDLE)
        if rules is None or clock is None:
            return
        reason = _no_period(rules, accepted, filed)
        if reason is not None:
            excluded = _obligation(life, HANDLE, clock, start, accepted.unit, None, reason)
            yield replace(excluded, excluded=reason)
            return
        replied = _after(life.steps, start, frozenset({"replied"}))
        unit = _handler(life, start, replied)
        base = _start(life, book, HANDLE, clock, start, word, unit, replied)
        extension = _extension(life, book, rules, clock, base, start, word, replied) if may_extend else None
        void = _void_extensions(life, start, replied, extension)
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
        reopened = None if replied is None else _after(life.steps, replied, frozenset({"reopened"}))
        if reopened is None or reopened.at <= start.at:
            return
        start, word = reopened, "reopened"


def _no_period(rules: Rules, accepted: Step, filed: Step | None) -> Text | None:
    if rules.handle_routes and accepted.route not in rules.handle_routes:
        return Text(
            f"按第31条导入其他程序（{accepted.route}），适用该程序的期限",
            f"another procedure of Art. 31 ({accepted.route}): its own period applies",
        )
    if filed is not None and rules.handle_purposes and filed.purpose not in rules.handle_purposes:
        return Text("非申诉求决类事项，不适用60日期限", "no appeal: the 60 days do not apply (Arts 29, 30)")
    return None


def _handler(life: Life, start: Step, replied: Step | None) -> str:
    """Who answers: the unit that accepted last before the reply. Accepting again moves the duty, never the date."""
    held = start.unit
    for step in life.steps:
        if step.kind == "accepted" and step.at >= start.at and (replied is None or step.at <= replied.at):
            held = step.unit
    return held


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
    """The first extension decided while the period ran, with approver and the reason told. Others count for nothing."""
    ext = rules.clocks.get(HANDLE_EXT)
    if ext is None or base.due is None:
        return None
    for step in life.steps:
        in_time = start.at <= step.at and day_of(step.at) <= base.due
        if step.kind != "extended" or not in_time or not step.approver or step.told is None:
            continue
        days = min(step.days, ext.days)
        first = day_of(start.at)
        deadline = book.deadline(first, clock, days)
        text = _line(book, word, first, clock, deadline, days)
        row = _obligation(life, HANDLE_EXT, ext, step, base.unit, deadline, text, replied)
        return replace(row, approver=step.approver)
    return None


def _void_extensions(life: Life, start: Step, replied: Step | None, extension: Obligation | None) -> Text:
    """Extensions of this round that moved nothing: after the deadline, a second one, without approver."""
    void = [
        day_of(s.at).isoformat()
        for s in life.steps
        if s.kind == "extended" and s.at >= start.at and (replied is None or s.at <= replied.at)
        if extension is None or s.id != extension.cause
    ]
    if not void:
        return NOTHING
    zh, en = "、".join(void), ", ".join(void)
    return Text(f"；{zh} 的延期决定不符合第34条，不计", f"; the extension of {en} does not count (Art. 34)")


# -- the petitioner's time to ask for a review (Art. 35) ---------------------------------------------------------------


def _reviews(life: Life, book: Rulebook) -> Iterator[Obligation]:
    asked: set[str] = set()
    for served in life.steps:
        if served.kind != "served":
            continue
        replied = next((s for s in reversed(life.steps) if s.kind == "replied" and s.at <= served.at), None)
        rules = _rules(book, life, served)
        clock = None if rules is None else rules.clocks.get(REVIEW_ASK)
        if replied is None or replied.id in asked or clock is None:
            continue
        asked.add(replied.id)
        yield _start(life, book, REVIEW_ASK, clock, served, "served", replied.unit)
