"""What a warning is: a matter that a duty officer has to look at, and everything that was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

OPEN_STATES: Final = ("raised", "verified", "acknowledged", "assigned", "planned", "on_scene")
CLOSED_STATES: Final = ("discarded", "settled", "cancelled")
UNANSWERED: Final = ("raised", "verified")
"""Nobody has it yet: escalation runs in these states and in no other."""

LEVELS: Final = ("I", "II", "III", "IV")
"""紧急 · 预警 · 提醒 · 关注, internal only; the first is the highest."""

PROTECTED: Final = frozenset({"life_safety", "overdue", "reprisal_risk"})
"""Kinds that are never silenced, inhibited or grouped away (design §6)."""

EACH_ITS_OWN: Final = frozenset({"life_safety", "reprisal_risk"})
"""Kinds about one person's safety: each flag is a warning of its own, also where a matter has several."""

OF_PETITIONS: Final = frozenset({"cross_level_visit", "over_representatives", "pending_elsewhere"})
"""Kinds that screening flags petition by petition: those of one matter are one warning, which stands while one of them does."""

Key = tuple[str, str, str]
"""Kind, matter, and the flag's id where each is a warning of its own: no two open warnings have the same."""


@dataclass(frozen=True)
class Text:
    """One sentence in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True)
class EvidenceItem:
    """One petition that the flag counted."""

    petition_id: str
    at: datetime
    channel: str
    note: Text | None = None


@dataclass(frozen=True)
class Flag:
    """What screening (or assessment) says now: the part of a warning that a later flag replaces."""

    flag_id: str
    kind: str
    matter: str
    jurisdiction: str
    level: str
    at: datetime
    title: str = ""
    title_en: str = ""
    """where the system itself made the title; what petitioners wrote has no translation"""
    topic: str | None = None
    town: str | None = None
    responsible_unit: str | None = None
    petition_ids: tuple[str, ...] = ()
    distinct_petitioners: int = 0
    headcount: int = 0
    explanation: Text | None = None
    counter_evidence: tuple[Text, ...] = ()
    evidence: tuple[EvidenceItem, ...] = ()
    rule_id: str = ""
    rule_version: int = 1
    policy: str = ""
    basis: str = ""
    threshold: float = 0.0
    observed: float = 0.0
    margin: float = 0.0
    expires_at: datetime | None = None
    restricted: bool = False
    accused_unit: str | None = None
    sequence: int = 0
    """number of the event among its matter's, which are in order on the topic; 0: of a row that did not keep it yet"""

    @property
    def key(self) -> Key:
        """Which warning it belongs to."""
        return self.kind, self.matter, self.flag_id if self.kind in EACH_ITS_OWN else ""

    @property
    def size(self) -> float:
        """How much stands behind it: petitioners, heads, or petitions of a unit."""
        return max(self.observed, self.distinct_petitioners, self.headcount)


@dataclass(frozen=True)
class Standing:
    """One of several flags that a warning stands on. The pseudonyms are there to count who came twice once; nobody sees them."""

    flag: Flag
    petitioners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """Something that somebody has to do by a time. `internal` targets are the house's own, not the law's."""

    id: str
    what: Text
    who: str
    due: datetime
    basis: str
    internal: bool = True
    done_at: datetime | None = None
    done_by: str | None = None
    missed: bool = False


@dataclass(frozen=True)
class Measure:
    """One line of a work plan: what, who (account or role id, never a name), by when."""

    what: str
    who: str
    due: datetime | None = None


@dataclass(frozen=True)
class WorkPlan:
    """专门工作方案: the measures a unit commits itself to."""

    measures: tuple[Measure, ...]
    lead: str
    adopted_by: str
    adopted_at: datetime
    revision: int = 1


@dataclass(frozen=True)
class Arrival:
    """Somebody in charge reached the scene."""

    who: str
    at: datetime
    recorded_by: str


@dataclass(frozen=True)
class PlanItem:
    """One line of an attached emergency plan's checklist."""

    id: str
    text: Text
    done_at: datetime | None = None
    done_by: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class AttachedPlan:
    """An emergency plan (应急预案) in use for this warning, in the version it had when it was attached."""

    plan: str
    version: int
    kind: str
    title: Text
    attached_by: str
    attached_at: datetime
    items: tuple[PlanItem, ...]


@dataclass(frozen=True)
class Escalation:
    """Where the chain of calls stands. `run` counts the starts: a lapsed acknowledgement starts it again."""

    policy: str
    run: int = 1
    loop: int = 0
    step: int = -1
    ended: bool = False
    since: datetime | None = None
    """what the delay of the next call counts from; None in a row that did not keep it yet"""


@dataclass(frozen=True)
class Warning:
    """A warning after its newest change. `version` counts changes; `flag` is what it stands on."""

    id: str
    flag: Flag
    level: str
    state: str
    version: int
    raised_at: datetime
    changed_at: datetime
    episode: int = 1
    previous: str | None = None
    responsible_unit: str | None = None
    exercise: bool = False
    drill: str | None = None
    verified_by: str | None = None
    verified_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    first_acknowledged_at: datetime | None = None
    assigned_by: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    closed_reason: str | None = None
    closed_why: Text | None = None
    """the reason where the system itself closed it"""
    cleared_at: datetime | None = None
    silenced_until: datetime | None = None
    silenced_by: str | None = None
    silence_reason: str | None = None
    steps: tuple[Step, ...] = ()
    work_plan: WorkPlan | None = None
    arrivals: tuple[Arrival, ...] = ()
    plan: AttachedPlan | None = None
    escalation: Escalation | None = None
    last_actor: str | None = None
    standing: tuple[Standing, ...] = ()
    """the flags that hold, for the kinds `OF_PETITIONS`; `flag` says them together"""

    @property
    def kind(self) -> str:
        """Slug of what was flagged."""
        return self.flag.kind

    @property
    def matter(self) -> str:
        """The matter, or `unit:CODE/OBLIGATION` for a unit's deadlines (`CODE@COUNTY` where it serves several)."""
        return self.flag.matter

    @property
    def key(self) -> Key:
        """One open warning for each of these."""
        return self.flag.key

    @property
    def open(self) -> bool:
        """Somebody still has to do something."""
        return self.state in OPEN_STATES

    @property
    def answered(self) -> bool:
        """A person has it."""
        return self.state not in UNANSWERED

    @property
    def protected(self) -> bool:
        """Cannot be muted by any means."""
        return self.flag.kind in PROTECTED

    def next_step(self) -> Step | None:
        """The open step that is due first; a warning that ended has none."""
        steps = [step for step in self.steps if step.done_at is None] if self.open else []
        return min(steps, key=lambda step: step.due, default=None)


@dataclass(frozen=True)
class Change:
    """One transition: the warning after it, and who did what when and why."""

    warning: Warning
    action: str
    actor: str | None
    at: datetime
    cause: str
    """id of what brought it about (an event, a request, a timer): derived ids hang on it"""
    reason: str | None = None
    before: str | None = None
    """state before, None when the warning is new"""
    from_unit: str | None = None
    why: Text | None = None
    """the reason where the system itself acts"""
    detail: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None
    chain_started: bool = False
    """the chain of calls starts (again) with this change"""
    prior: Warning | None = None
    """the warning before, None when it is new: what moved is told by both together"""


def above(one: str, other: str) -> bool:
    """Whether the first of two levels is the higher one."""
    return LEVELS.index(one) < LEVELS.index(other)


def higher(one: str, other: str) -> str:
    """The higher of two levels."""
    return min(one, other, key=LEVELS.index)
