"""One deadline of one unit, and how it is made of the step and the clock that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from services.assessment.domain.derivation import derivation
from services.assessment.domain.life import BEIJING, Life, Step, day_of
from services.assessment.domain.rules import CACHED, NOTIFY, WINDOWS, Clock, Deadline, Rulebook, Rules, Text

State = Literal["pending", "due_soon", "breached", "met", "met_late", "excluded"]
STATES: Final = ("pending", "due_soon", "breached", "met", "met_late", "excluded")
_END_OF_DAY: Final = time(23, 59, 59)
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


def rules_of(book: Rulebook, life: Life, step: Step) -> Rules | None:
    """What held where the petition is on the day of a step."""
    return book.on(day_of(step.at), life.jurisdiction)


def running(
    life: Life, book: Rulebook, code: str, clock: Clock, step: Step, word: str, unit: str, done: Step | None = None
) -> Obligation:
    """One whose clock starts with a step; `word` is how the derivation calls that, `done` the step that ends it."""
    first = day_of(step.at)
    deadline = book.deadline(first, clock)
    line = line_of(book, word, first, clock, deadline, 0)
    return made(life, code, clock, step, unit, deadline, line, done)


def line_of(book: Rulebook, word: str, first: date, clock: Clock, deadline: Deadline, extended: int) -> Text:
    """Its derivation, written once for all petitions of a day."""
    key = (word, first, clock.code, clock.basis, extended)
    line = book.lines.get(key)
    if line is None:
        if len(book.lines) > CACHED:
            book.lines.clear()
        line = book.lines[key] = derivation(word, first, clock, deadline, extended)
    return line


def made(
    life: Life,
    code: str,
    clock: Clock,
    step: Step,
    unit: str,
    deadline: Deadline | None,
    text: Text,
    done: Step | None = None,
) -> Obligation:
    """One as its parts say."""
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


def exempt(life: Life, code: str, clock: Clock, step: Step, unit: str, reason: Text) -> Obligation:
    """One without a deadline: another procedure's periods apply, or none."""
    return replace(made(life, code, clock, step, unit, None, reason), excluded=reason)


def first_after(steps: Sequence[Step], start: Step, kinds: frozenset[str]) -> Step | None:
    """The first step of these kinds after `start`; the number decides within one moment."""
    return next((s for s in steps if s.kind in kinds and s.place > start.place), None)
