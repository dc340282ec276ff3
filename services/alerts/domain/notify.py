"""Who is notified about what: grouping, inhibition, and the decision to notify again, as pure functions with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.alerts.domain.silence import Silence, mutes
from services.alerts.domain.warning import LEVELS, Warning, above


class Reason(StrEnum):
    """Why a group is notified about, or is not; also a metric label and a column of the delivery log."""

    FIRST = "first"
    NEW_WARNING = "new_warning"
    LEVEL_RAISED = "level_raised"
    GROWN = "grown"
    ALL_CLOSED = "all_closed"
    SOME_CLOSED = "some_closed"
    REPEAT = "repeat"
    ESCALATED = "escalated"
    UNCHANGED = "unchanged"
    NEVER_TOLD = "never_told"
    NOTHING_LEFT = "nothing_left"

    @property
    def sends(self) -> bool:
        """A notification goes out."""
        return self not in _QUIET


_QUIET: Final = frozenset({Reason.UNCHANGED, Reason.NEVER_TOLD, Reason.NOTHING_LEFT})
GROWTH: Final = 1.5
"""A warning is told about again when half as much again stands behind it."""


@dataclass(frozen=True)
class Told:
    """What a receiver was last told about a group: warning → level and size at that time."""

    at: datetime
    firing: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    n: int = 0


def group_key(warning: Warning) -> str:
    """Warnings of one key are told in one message. The highest level and the protected kinds stand alone.

    Accusations of one unit are told apart from all others, so that a receiver may have the whole of a message or nothing: its
    number and reason would tell the accused unit's of something that it may not see. An exercise puts off nothing real.
    """
    if warning.level == "I" or warning.protected:
        return f"warning:{warning.id}"
    key = f"unit:{warning.flag.jurisdiction}:{warning.responsible_unit or 'unassigned'}:{warning.kind}"
    if warning.flag.restricted:
        key += f":accusation:{warning.flag.accused_unit or 'unknown'}"
    return f"{key}:exercise" if warning.exercise else key


def group_wait(warning: Warning) -> timedelta:
    """How long the first message of a group waits for others."""
    if warning.level == "I" or warning.protected:
        return timedelta(0)
    return {"II": timedelta(seconds=5), "III": timedelta(seconds=30)}.get(warning.level, timedelta(minutes=5))


GROUP_INTERVAL: Final = timedelta(minutes=5)
"""Between two messages about one group, unless its level is I."""


def needs_telling(told: Told | None, group: Iterable[Warning], now: datetime, repeat: timedelta | None) -> Reason:
    """Whether a receiver is told about a group now. `group` holds its warnings that are not muted, open or closed."""
    firing = {w.id: w for w in group if w.open}
    if told is None or not told.firing:
        if firing:
            return Reason.FIRST
        return Reason.NOTHING_LEFT if told else Reason.NEVER_TOLD
    if not firing:
        return Reason.ALL_CLOSED
    if firing.keys() - told.firing.keys():
        return Reason.NEW_WARNING
    for id, warning in firing.items():
        level, size = told.firing[id]
        if above(warning.level, level):
            return Reason.LEVEL_RAISED
        if _grown(warning, size):
            return Reason.GROWN
    if told.firing.keys() - firing.keys():
        return Reason.SOME_CLOSED
    if repeat is not None and now >= told.at + repeat and any(not w.answered for w in firing.values()):
        return Reason.REPEAT
    return Reason.UNCHANGED


def _grown(warning: Warning, size: float) -> bool:
    return warning.flag.size >= GROWTH * max(1, size)


def news_first(told: Told | None, group: Iterable[Warning]) -> list[Warning]:
    """The warnings of a message in the order in which it names them: what is new in it, then by level, the latest first."""

    def place(warning: Warning) -> tuple[bool, int, float]:
        seen = told.firing.get(warning.id) if told else None
        new = seen is None or not warning.open or above(warning.level, seen[0]) or _grown(warning, seen[1])
        return not new, LEVELS.index(warning.level), -warning.changed_at.timestamp()

    return sorted(group, key=place)


def told_now(told: Told | None, group: Iterable[Warning], now: datetime) -> Told:
    """What the receiver knows after this message."""
    firing = {w.id: (w.level, w.flag.size) for w in group if w.open}
    return Told(now, firing, (told.n if told else 0) + 1)


INHIBITS: Final[Mapping[str, frozenset[str]]] = {
    "life_safety": frozenset({"collective_risk", "cross_level_risk", "unanswered_repeat", "pending_elsewhere"}),
    "collective_visit": frozenset({"collective_risk", "over_representatives"}),
    "cross_level_visit": frozenset({"cross_level_risk", "pending_elsewhere"}),
    "overdue": frozenset({"near_deadline"}),
}
"""An open warning of the first kind makes notifications of the second kinds on the same matter needless."""


def inhibitor(warning: Warning, others: Iterable[Warning]) -> Warning | None:
    """The warning that makes a message about this one needless, if there is one. Never for the protected kinds, nor for the
    end of one that was told about."""
    if warning.protected or not warning.open:
        return None
    for other in others:
        if other.id == warning.id or not other.open or other.matter != warning.matter:
            continue
        if warning.kind in INHIBITS.get(other.kind, ()) and LEVELS.index(other.level) <= LEVELS.index(warning.level):
            return other
    return None


def unmuted(
    group: Iterable[Warning], silences: Iterable[Silence], others: Iterable[Warning], now: datetime
) -> list[Warning]:
    """The warnings of a group that are told about: not silenced, not inhibited."""
    silences, others = tuple(silences), tuple(others)
    return [
        warning
        for warning in group
        if not any(mutes(silence, warning, now) for silence in silences) and inhibitor(warning, others) is None
    ]
