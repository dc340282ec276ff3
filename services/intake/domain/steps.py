"""The life of a petition after filing: which step may follow which, and what each needs (信访工作条例 Arts. 22–37).

There is no step that pauses or lengthens a clock as a sanction, and no state to express one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.intake.domain.petition import CLOCK_SKEW, Refused

RECEIVED: Final = "received"
TRANSITIONS: Final[Mapping[str, Mapping[str, str]]] = {
    # state: {step: state after it}
    "received": {"assigned": "assigned", "accepted": "accepted", "not_accepted": "not_accepted", "met": "received"},
    "assigned": {
        "assigned": "assigned",
        "objected": "objected",
        "accepted": "accepted",
        "not_accepted": "not_accepted",
        "met": "assigned",
    },
    "objected": {"assigned": "assigned", "accepted": "accepted"},
    "accepted": {"extended": "accepted", "replied": "replied", "met": "accepted"},
    "not_accepted": {"evaluated": "not_accepted", "reopened": "reopened", "closed": "closed"},
    "replied": {
        "served": "served",
        "executed": "executed",
        "closed": "closed",
        "reopened": "reopened",
        "evaluated": "replied",
        "met": "replied",
    },
    "served": {
        "executed": "executed",
        "closed": "closed",
        "reopened": "reopened",
        "evaluated": "served",
        "met": "served",
    },
    "executed": {
        "served": "executed",
        "closed": "closed",
        "reopened": "reopened",
        "evaluated": "executed",
        "met": "executed",
    },
    "closed": {"served": "closed", "executed": "closed", "reopened": "reopened", "evaluated": "closed"},
    "reopened": {"assigned": "assigned", "accepted": "accepted", "replied": "replied", "met": "reopened"},
}
STEPS: Final = tuple(dict.fromkeys(step for steps in TRANSITIONS.values() for step in steps))
ONLY_ONCE: Final = frozenset({"extended"})
MOVES: Final = frozenset({"assigned", "accepted"})
"""After these the petition lies with the unit that the step names; any other step leaves it where it is."""
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "objected": ("reasons",),
    "not_accepted": ("actor", "reasons"),
    "extended": ("days", "approver", "complexity", "reason_told_at"),
    "met": ("meeting",),
    "evaluated": ("solved",),
}
_TELLINGS: Final[Mapping[str, tuple[str, str]]] = {
    "notified_at": ("the notice has been given", "the day of the written notice"),
    "reason_told_at": ("the petitioner has been told", "the day on which the petitioner was told"),
}
"""Fields that say when the petitioner heard of something, what they wait for, and what they are the time of."""


@dataclass(frozen=True)
class Life:
    """Where a petition stands. `version` is the number of events so far, `last_at` when the last one took effect.

    The first event took effect when the petition was received.
    """

    petition_id: str
    jurisdiction: str
    state: str
    version: int
    submitted_at: datetime
    last_at: datetime
    last_event_at: datetime
    unit: str | None
    done: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Step:
    """One step somebody wants to take; `at` is when it happened. `fields` are those of its event."""

    type: str
    at: datetime | None
    unit: str | None
    actor: str | None
    fields: Mapping[str, object]


def allowed(life: Life) -> tuple[str, ...]:
    """Steps that may follow now."""
    return tuple(step for step in TRANSITIONS[life.state] if not (step in ONLY_ONCE and step in life.done))


def advance(life: Life, step: Step, *, now: datetime) -> tuple[Life, datetime, str]:
    """The petition after the step, when it happened, and the unit; raises `Refused`.

    The time may be in the past (a letter answered yesterday) but not before the step before it or the receipt, nor ahead
    of `now`.
    """
    steps = allowed(life)
    if step.type not in steps:
        raise Refused(
            "transition-not-allowed",
            f"a petition that is {life.state} may be: {', '.join(steps)}",
            state=life.state,
            allowed=list(steps),
        )
    for name in NEEDS.get(step.type, ()):
        value = step.actor if name == "actor" else step.fields.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise Refused("field-missing", f"{step.type} needs {name}", field=name)
    unit = step.unit or life.unit
    if unit is None:
        raise Refused("field-missing", "name the unit; the petition has none yet", field="unit")
    at = step.at or max(now, life.last_at)
    if at > now + CLOCK_SKEW:
        raise Refused("at-in-future", "the step lies in the future", field="at")
    at = min(at, max(now, life.last_at))
    if at < life.last_at:
        if life.version == 1:
            detail = "the step lies before the petition was received; give the time when it was taken"
            raise Refused("at-before-receipt", detail, field="at")
        raise Refused("at-before-last-step", "the step lies before the one recorded last", field="at")
    after = replace(
        life,
        state=TRANSITIONS[life.state][step.type],
        version=life.version + 1,
        last_at=at,
        last_event_at=max(now, life.last_event_at + timedelta(milliseconds=1)),
        unit=unit if step.type in MOVES else life.unit,
        done=life.done | {step.type},
    )
    return after, at, unit


def check_values(step: Step, *, routes: Collection[str], received: datetime, now: datetime) -> None:
    """What a step's own fields may say, beyond their types; raises `Refused`.

    A date in the future, or one before the receipt, would stand for a notice (Art. 23) or a reason (Art. 34) that nobody
    has been given.
    """
    route = step.fields.get("route")
    if route is not None and route not in routes:
        raise Refused("route-unknown", f"one of: {', '.join(routes)}", field="route")
    for name, (what, when) in _TELLINGS.items():
        told = step.fields.get(name)
        if not isinstance(told, datetime):
            continue
        code = name.replace("_", "-")
        if told > now + CLOCK_SKEW:
            raise Refused(f"{code}-in-future", f"{name} lies in the future; enter the step once {what}", field=name)
        if told < received:
            detail = f"{name} lies before the petition was received; give {when}"
            raise Refused(f"{code}-before-receipt", detail, field=name)
