"""The numbers that the rules obey. A policy is a value: versioned, in force from a date, never changed in place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final, Literal

Level = Literal["I", "II", "III", "IV"]
VISITS: Final = frozenset({"visit", "leader_reception"})
"""Channels in which people come in person. No other channel can ever be cross-level (Art. 17, 20)."""

_STRICT: Final = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Tier:
    """From this observed value on, the flag has this internal level."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    at_least: int
    level: Level


@dataclass(frozen=True, slots=True)
class Rule:
    """What every rule states of itself: an id, a version that rises with each change of meaning, its legal basis."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    id: str
    version: int
    basis: str
    tiers: tuple[Tier, ...]
    expires_days: int = 30
    enabled: bool = True

    def level(self, observed: float) -> Level:
        """Internal level of an observed value: the last tier it reaches, the first where it reaches none."""
        reached = [tier.level for tier in self.tiers if observed >= tier.at_least]
        return reached[-1] if reached else self.tiers[0].level


@dataclass(frozen=True, slots=True)
class CollectiveVisit(Rule):
    """A visit of `min_persons` or more on one matter."""

    min_persons: int = 5


@dataclass(frozen=True, slots=True)
class CollectiveRisk(Rule):
    """`petitioners` distinct petitioners on one matter within `days`; open until fewer than `clear_below` are left."""

    petitioners: int = 5
    days: int = 30
    clear_below: int = 3
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Surge(Rule):
    """More petitioners in `days` than the matter's past and the county's rate explain.

    `false_alarm` is the chance that a matter which only follows the county's rate is flagged at one petition.
    `prior` is the strength of the county's rate beside the matter's own past, in petitions.
    """

    petitioners: int = 4
    days: int = 7
    baseline_days: int = 84
    false_alarm: float = 1e-4
    prior: float = 0.5


@dataclass(frozen=True, slots=True)
class OverRepresentatives(Rule):
    """More than `max_representatives` present at a visit (Art. 20)."""

    max_representatives: int = 5


@dataclass(frozen=True, slots=True)
class CrossLevelVisit(Rule):
    """A visit presented more than `levels_above` above the competent level. Only `channels` that are visits."""

    levels_above: int = 1
    channels: tuple[str, ...] = ("visit",)


@dataclass(frozen=True, slots=True)
class CrossLevelRisk(Rule):
    """Unanswered past the deadline, contested, or announced; and climbed or repeated. `observed` counts the grounds."""

    grounds: int = 1


@dataclass(frozen=True, slots=True)
class PendingElsewhere(Rule):
    """Presented above while the same matter is in process and in time (Art. 19)."""


@dataclass(frozen=True, slots=True)
class UnansweredRepeat(Rule):
    """Repeats after an overdue or missing reply, counted against the unit."""

    repeats: int = 1


@dataclass(frozen=True, slots=True)
class LifeSafety(Rule):
    """Words of harm to self or others. Always level I, never grouped, never silenced."""


@dataclass(frozen=True, slots=True)
class ReprisalRisk(Rule):
    """A complaint of reprisal, or the accused unit handles the matter: it goes to `authority`."""

    authority: str = "discipline_supervision"
    second_authority: str = "petition_bureau"


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule of the policy."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    collective_visit: CollectiveVisit
    collective_risk: CollectiveRisk
    collective_surge: Surge
    over_representatives: OverRepresentatives
    cross_level_visit: CrossLevelVisit
    cross_level_risk: CrossLevelRisk
    pending_elsewhere: PendingElsewhere
    unanswered_repeat: UnansweredRepeat
    life_safety: LifeSafety
    reprisal_risk: ReprisalRisk


@dataclass(frozen=True, slots=True)
class Linking:
    """Numbers of the linker: the live window, the lateness bound, the scores from which things are one or lie beside."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    window_days: int = 90
    lateness_minutes: int = 120
    keep_days: int = 180
    threshold: float | None = None
    merge: float | None = None
    beside: float | None = None
    beside_names: float | None = None

    @property
    def lateness(self) -> timedelta:
        """How far behind the newest petition one may come and still be put in its place."""
        return timedelta(minutes=self.lateness_minutes)


@dataclass(frozen=True, slots=True)
class SensitivePeriod:
    """A time in which internal targets are shorter and more people are on duty. It can do nothing else."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    first_day: date
    last_day: date
    internal_target_factor: float = 1.0
    staffing_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy, in force from the start of `effective_from` (Beijing) until the next one is.

    `reply_days`: of a petition procedure (Art. 34). `targets_minutes`: internal time to acknowledge, by level; not statutory.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    policy: str
    version: int
    effective_from: date
    rules: Rules
    reply_days: int = 60
    linking: Linking = field(default_factory=Linking)
    targets_minutes: dict[Level, int] = field(default_factory=dict)
    sensitive_periods: tuple[SensitivePeriod, ...] = ()

    @property
    def name(self) -> str:
        """`id@version`, as every flag carries it."""
        return f"{self.policy}@{self.version}"

    def targets(self, day: date) -> dict[Level, float]:
        """Internal minutes to acknowledge on a day; the shortest of the sensitive periods it lies in."""
        factors = [p.internal_target_factor for p in self.sensitive_periods if p.first_day <= day <= p.last_day]
        return {level: minutes * min(factors, default=1.0) for level, minutes in self.targets_minutes.items()}

    def staffing(self, day: date) -> float:
        """By how much more people are on duty that day, 1 on ordinary days."""
        return max((p.staffing_factor for p in self.sensitive_periods if p.first_day <= day <= p.last_day), default=1.0)


class Policies:
    """All versions, by the date from which each is in force; the first also speaks for the time before it."""

    def __init__(self, policies: Iterable[Policy], *, midnight: timedelta = timedelta(hours=8)) -> None:
        self._all = sorted(policies, key=lambda p: (p.effective_from, p.version))
        if not self._all:
            raise ValueError("there is no policy")
        self._starts = [datetime.combine(p.effective_from, time(), UTC) - midnight for p in self._all]

    def at(self, at: datetime) -> Policy:
        """The policy in force at a moment."""
        if len(self._all) == 1:
            return self._all[0]
        return self._all[max(0, bisect_right(self._starts, at) - 1)]

    @property
    def all(self) -> tuple[Policy, ...]:
        """Every version, the oldest first."""
        return tuple(self._all)
