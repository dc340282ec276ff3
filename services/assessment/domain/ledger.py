"""What the service keeps of petitions and obligations, and how new steps change it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from services.assessment.domain.facts import Decision, Facts, decisions_of, facts_of
from services.assessment.domain.life import Step, life_of
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.domain.rules import WINDOWS, Rulebook, Text

FindingKind = Literal["due_soon", "breached", "met", "withdrawn"]
HISTORY: Final = timedelta(days=90)
"""A deadline that had passed that long before its start was entered came in with an old ledger: it is shown and counted,
but not announced. A shorter delay is a unit that enters late, and is announced."""

_MOVED: Final = Text("承办单位或期限已变更，重新计算", "another unit owes it now, or it is due on another day")
_GOES_ON: Final = Text("原办结步骤不再作数，期限继续计算", "the step that ended it does not any more")
_SUPERSEDED: Final = Text("起算步骤已被更早的步骤取代", "an earlier step starts this clock")


@dataclass(frozen=True)
class Held:
    """What is kept of one petition. `owed`: ids of its obligations."""

    petition: str
    jurisdiction: str
    steps: tuple[Step, ...] = ()
    owed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One obligation as kept. `told`: the findings that were published of it, since it was announced anew `renewal` times."""

    obligation: Obligation
    told: frozenset[str] = frozenset()
    restricted: bool = False
    accused: str | None = None
    historic: bool = False
    renewal: int = 0

    @property
    def open(self) -> bool:
        """Has a deadline, and nothing ended or excluded it."""
        o = self.obligation
        return o.excluded is None and o.due is not None and o.ended is None

    @property
    def watch(self) -> datetime | None:
        """When the clock has to look at it next; None for never."""
        if not self.open or self.historic or self.obligation.code in WINDOWS or "breached" in self.told:
            return None
        return self.obligation.breach_at if "due_soon" in self.told else self.obligation.soon_at


@dataclass(frozen=True)
class Finding:
    """Something to publish about an obligation: what became true, and when."""

    kind: FindingKind
    row: Row
    at: datetime
    by: str
    """id of the event that brought it about"""
    trace: str | None = None
    reason: Text | None = None
    """why it is withdrawn"""


@dataclass(frozen=True)
class Change:
    """What one petition's new steps lead to."""

    held: Held
    new: tuple[Step, ...]
    facts: tuple[Facts, ...] = ()
    decisions: tuple[Decision, ...] = ()
    rows: tuple[Row, ...] = ()
    findings: tuple[Finding, ...] = ()
    first: frozenset[str] = frozenset()
    """ids of the rows that were not kept before"""


def fresh(held: Held, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps that are not kept yet, each once."""
    known = {s.id for s in held.steps}
    new: dict[str, Step] = {}
    for step in steps:
        if step.id not in known:
            new.setdefault(step.id, step)
    return tuple(new.values())


def plan(
    held: Held, new: Sequence[Step], rows: Mapping[str, Row], book: Rulebook, traces: Mapping[str, str | None]
) -> Change:
    """Work out what is to be kept and published after `new` steps. `rows`: the obligations kept so far.

    Nothing is worked out before the filing is there: only it says whether this is an accusation.
    """
    steps = (*held.steps, *new)
    life = life_of(held.petition, held.jurisdiction, steps)
    facts = facts_of(life)
    if not facts:
        return Change(replace(held, steps=steps), tuple(new))
    worked = obligations(life, book)
    last = max(new, key=lambda step: (step.recorded, step.id), default=None)
    changed: list[Row] = []
    findings: list[Finding] = []
    for obligation in worked:
        before = rows.get(obligation.id)
        row, found = _row(obligation, before, facts[0], last, traces)
        if found is not None:
            findings.append(found)
        if row != before:
            changed.append(row)
    ids = tuple(o.id for o in worked)
    for key in set(held.owed) - set(ids):
        if key in rows and rows[key].obligation.excluded is None:
            gone = replace(rows[key].obligation, excluded=_SUPERSEDED)
            row, found = _withdrawn(rows[key], gone, last, traces)
            if found is not None:
                findings.append(found)
            changed.append(row)
    owed = (*ids, *(key for key in held.owed if key not in ids))
    kept = Held(held.petition, held.jurisdiction, steps, owed)
    first = frozenset(ids).difference(held.owed)
    return Change(kept, tuple(new), facts, decisions_of(life), tuple(changed), tuple(findings), first)


def _row(
    obligation: Obligation, before: Row | None, facts: Facts, last: Step | None, traces: Mapping[str, str | None]
) -> tuple[Row, Finding | None]:
    historic = obligation.breach_at is not None and obligation.breach_at < obligation.recorded - HISTORY
    told, renewal = (before.told, before.renewal) if before else (frozenset[str](), 0)
    taken_back: Finding | None = None
    if before is not None and _anew(before, obligation):
        reason = _MOVED if _moved(before, obligation) else _GOES_ON
        _, taken_back = _withdrawn(before, replace(before.obligation, excluded=reason), last, traces)
        told, renewal = frozenset(), renewal + 1
    row = Row(obligation, told, facts.restricted, facts.accused, historic, renewal)
    if obligation.excluded is not None:
        return _withdrawn(row, obligation, last, traces, before)
    silent = historic or obligation.code in WINDOWS
    if silent or obligation.ended is None or obligation.due is None or "met" in told:
        return row, taken_back
    row = replace(row, told=told | {"met"})  # of a later renewal it takes back what was told before, too
    by = obligation.ended_by or obligation.cause
    return row, Finding("met", row, obligation.ended, by, traces.get(by))


def _anew(before: Row, obligation: Obligation) -> bool:
    """It is owed, and what was told of it holds no more: it was withdrawn, its end fell away, or it is another unit's or
    due on another day."""
    if obligation.excluded is not None:
        return False
    moved = bool(before.told) and _moved(before, obligation)
    if obligation.ended is not None:
        return "withdrawn" in before.told or (moved and "met" not in before.told)
    return moved or bool(before.told & {"withdrawn", "met"})


def _moved(before: Row, obligation: Obligation) -> bool:
    return (before.obligation.unit, before.obligation.due) != (obligation.unit, obligation.due)


def _withdrawn(
    row: Row, obligation: Obligation, last: Step | None, traces: Mapping[str, str | None], before: Row | None = None
) -> tuple[Row, Finding | None]:
    """The row of an obligation that is excluded: what was told of it is taken back, once.

    The finding goes where the announcement went (`before`), with the date that was announced.
    """
    row = replace(row, obligation=obligation)
    if last is None or not row.told or "withdrawn" in row.told:
        return row, None
    row = replace(row, told=row.told | {"withdrawn"})
    known = obligation if before is None else before.obligation
    as_told = replace(row, obligation=replace(obligation, unit=known.unit, due=known.due))
    return row, Finding("withdrawn", as_told, last.recorded, last.id, traces.get(last.id), obligation.excluded)


def strike(row: Row, now: datetime) -> tuple[Row, Finding] | None:
    """What the clock finds at `now` about a row it watches; None when it is too early. A breach is not announced as near."""
    o = row.obligation
    if row.watch is None or o.breach_at is None or o.soon_at is None or now < row.watch:
        return None
    if now >= o.breach_at:
        row = replace(row, told=row.told | {"due_soon", "breached"})
        return row, Finding("breached", row, o.breach_at, o.cause)
    row = replace(row, told=row.told | {"due_soon"})
    return row, Finding("due_soon", row, o.soon_at, o.cause)
