"""Flags: what a rule found, how it went on, how it ended. A flag stands on a matter or a petition, never on a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal
from uuid import NAMESPACE_URL, uuid5

from services.screening.domain.policy import Level, Rule

KINDS: Final = (
    "life_safety",
    "reprisal_risk",
    "collective_visit",
    "collective_risk",
    "cross_level_risk",
    "cross_level_visit",
    "over_representatives",
    "pending_elsewhere",
    "unanswered_repeat",
)
"""In the order in which they are shown and sent: danger to life first."""
OF_A_PETITION: Final = frozenset(
    {"life_safety", "reprisal_risk", "cross_level_visit", "over_representatives", "pending_elsewhere"}
)
"""Kinds that stand on one petition and are never grouped with those of another."""
ORDER: Final = {kind: rank for rank, kind in enumerate(KINDS)}
MOST: Final = 200
"""Petitions and petitioners that a flag names at most, the newest."""

RELINKED: Final = "relinked"
"""Why a flag was cleared that never stood: its petitions belong elsewhere."""

Text = tuple[str, str]
"""One sentence in Chinese and in English."""


@lru_cache(4096)
def flag_id(kind: str, subject: str, number: int = 1) -> str:
    """Id of the `number`-th episode of a kind on a matter or petition; a replay gives the same."""
    return str(uuid5(NAMESPACE_URL, f"https://fengqiao.example/flag/{kind}/{subject}/{number}"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says at one moment. `petitions` None means: those of the window that ends at the moment."""

    kind: str
    rule: Rule
    policy: str
    level: Level
    observed: float
    threshold: float
    expires_at: datetime
    scope: str = ""
    petitions: tuple[str, ...] | None = None
    window_days: int = 0
    facts: tuple[tuple[str, float], ...] = ()
    phrases: tuple[str, ...] = ()
    against: tuple[tuple[str, float], ...] = ()
    authority: str | None = None
    owing: str | None = None
    """the unit that it is counted against"""

    def fact(self, name: str) -> float:
        """A number that the explanation shows; 0 where the rule gave none."""
        return next((value for key, value in self.facts if key == name), 0)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a flag that others are told: raised, updated by a step, cleared with a reason."""

    at: datetime
    what: Literal["raised", "updated", "cleared"]
    finding: Finding
    reason: str = ""

    @property
    def key(self) -> str:
        """Tells this transition from the others of the same flag; the same on every replay."""
        found = self.finding
        return f"{self.what}|{self.at.isoformat()}|{found.rule.id}|{found.level}|{found.observed:g}|{self.reason}"


@dataclass(slots=True)
class Episode:
    """One flag from being raised to being cleared. `finding` is the latest, `seen_at` when it was made. `told`: others
    know it as it is.
    """

    kind: str
    scope: str
    number: int
    log: list[Transition]
    finding: Finding
    seen_at: datetime
    closed_at: datetime | None = None
    reason: str = ""
    told: bool = field(default=False, compare=False)

    def update(self, finding: Finding, at: datetime) -> None:
        """Take in a newer finding; it is told onward when the level or rule changes or the number grew by a step."""
        told = self.log[-1].finding
        step = told.observed + max(2.0, told.observed // 4)
        if finding.level != told.level or finding.rule.id != told.rule.id or finding.observed >= step:
            self.log.append(Transition(at, "updated", finding))
        self.finding, self.seen_at, self.told = finding, at, False

    def close(self, at: datetime, reason: str) -> None:
        """Clear it."""
        self.closed_at, self.reason, self.told = at, reason, False
        self.log.append(Transition(at, "cleared", self.finding, reason))


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as it is stored, shown and sent: everything that a duty officer needs to check it."""

    id: str
    kind: str
    matter: str
    county: str
    number: int
    level: Level
    state: Literal["open", "cleared"]
    rule: str
    rule_version: int
    policy: str
    basis: str
    at: datetime
    seen_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    reason: str
    threshold: float
    observed: float
    petitions: tuple[str, ...]
    petitioners: tuple[str, ...]
    distinct: int
    headcount: int
    explanation: Text
    against: tuple[Text, ...]
    evidence: tuple[tuple[str, datetime, str], ...] = ()
    phrases: tuple[Text, ...] = ()
    title: str = ""
    topic: str | None = None
    unit: str | None = None
    town: str | None = None
    restricted: bool = False
    accused_unit: str | None = None

    @property
    def margin(self) -> float:
        """By how much the observed value is over the threshold."""
        return self.observed - self.threshold


@dataclass(slots=True)
class Told:
    """What was already told of one flag, so that nothing is told twice and what fell away is taken back.

    `turn`: how often what had been told turned out otherwise. The same transition may hold again after it was taken back; it has to
    be news again to those who know an event by its id.
    """

    flag: Flag
    keys: set[str] = field(default_factory=set)
    open: bool = True
    turn: int = 0

    @property
    def retracted(self) -> bool:
        """Whether the whole flag was taken back: what came shows that it never stood."""
        return self.flag.reason == RELINKED
