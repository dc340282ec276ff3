"""What screening knows of a petition: how it was filed, what its units did since, what staff decided about its matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

RANK: Final[dict[str, int]] = {"village": 0, "town": 1, "county": 2, "prefecture": 3, "province": 4, "central": 5}
"""Rank of a level; the test of a cross-level visit compares ranks (信访工作条例 Art. 20)."""

PETITION_PROCEDURE: Final = "petition_procedure"
"""The route of Art. 31 that has the sixty days of Art. 34."""
OTHER_PROCEDURES: Final = frozenset({"judicial", "arbitration", "party_appeal", "admin_procedure", "duty_performance"})
"""The other five of Art. 31, each with a period of its own law. A word that is none of the six is a slip of the pen, which
takes nobody's sixty days, as in assessment.
"""

StepKind = Literal[
    "assigned",
    "objected",
    "accepted",
    "not_accepted",
    "extended",
    "replied",
    "served",
    "closed",
    "reopened",
    "evaluated",
    "breached",
    "breach_withdrawn",
    "met",
]


def moment(at: datetime) -> datetime:
    """A time as the store gives it back: UTC, milliseconds. The engine sees no other."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Filing:
    """One petition without its text. `at` is when it was submitted (aware, not after the broker's time).

    `petitioner` is a pseudonym; it is only ever compared for equality within one matter. `signals` are `slug:phrase` strings.
    `appeal`: it asks for something (申诉求决) and has the sixty days of Art. 34; others have no such period (Arts 29, 30).
    `lag` is how much later a back-filled petition was registered (0 for others): its steps are moved back by it.
    """

    id: str
    county: str
    petitioner: str
    at: datetime
    channel: str
    title: str
    cause: str = ""
    topic: str | None = None
    unit: str | None = None
    town: str | None = None
    headcount: int | None = None
    representatives: int | None = None
    presented: str | None = None
    competent: str = "county"
    signals: tuple[str, ...] = ()
    restricted: bool = False
    appeal: bool = True
    accused_unit: str | None = None
    joined: str | None = None
    lag: timedelta = timedelta()

    def says(self, slug: str) -> tuple[str, ...]:
        """Classes of phrase of one signal in this petition."""
        if not self.signals:
            return ()
        return tuple(s.partition(":")[2] for s in self.signals if s == slug or s.startswith(slug + ":"))

    @property
    def climb(self) -> int:
        """How many levels above the competent one it was presented; 0 where that is not known."""
        return RANK[self.presented] - RANK[self.competent] if self.presented else 0


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a petition after it was filed. `days`: of an extension. `solved`: the petitioner's own answer.
    `breach`: which breach it is that came or was none; empty where the finding does not say. `route`: of an acceptance, the
    procedure of Art. 31 that it leads to.
    """

    id: str
    petition: str
    kind: StepKind
    at: datetime
    unit: str | None = None
    days: int = 0
    solved: bool | None = None
    breach: str = ""
    route: str = PETITION_PROCEDURE
    happened: datetime | None = None
    """when it happened, where `at` was moved to the moment the petition came to its matter"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a member of staff decided, with a reason: two matters are one, one is two, or a flag was wrong.

    merge: `matter` stays, `other` goes. split: `petitions` leave `matter` and are `other`. withdraw: `flag` of `matter` did
    not hold; `stood` is the matter, kind and scope it had when that was taken up, as it may fall away later.
    """

    id: str
    kind: Literal["merge", "split", "withdraw"]
    at: datetime
    matter: str
    actor: str
    reason: str
    other: str | None = None
    petitions: tuple[str, ...] = ()
    flag: str | None = None
    stood: tuple[str, str, str] | None = None


@dataclass(slots=True)
class Case:
    """Where a petition stands, folded from its steps. `breaches`: those that stand, and since when; `unfounded`: those that
    were none. A breach and its withdrawal have times of their own: either may be the earlier one. `since`: when the petition
    was reopened after a reply, which starts a new period; `over`: how many of the `steps` belong to the periods before.
    `accepted_at`: when the period of the petition procedure started; `diverted`: another procedure accepted it.
    """

    assigned_unit: str | None = None
    accepted_at: datetime | None = None
    diverted: bool = False
    extended_days: int = 0
    replied_at: datetime | None = None
    closed_at: datetime | None = None
    refused_at: datetime | None = None
    breaches: dict[str, datetime] = field(default_factory=dict)
    unfounded: set[str] = field(default_factory=set)
    contested_at: datetime | None = None
    steps: list[str] = field(default_factory=list)
    since: datetime | None = None
    over: int = 0

    def apply(self, step: Step) -> None:
        """Fold one step in; steps come in the order of their time."""
        self.steps.append(step.id)
        match step.kind:
            case "assigned":
                self.assigned_unit = step.unit
            case "accepted":
                self._accept(step)
            case "not_accepted":
                self.refused_at = step.at
            case "extended":
                self.extended_days = step.days
            case "replied":
                self.replied_at, self.contested_at = step.at, None
            case "closed":
                self.closed_at = step.at
            case "reopened":
                self._reopen(step.at)
            case "evaluated":
                self.contested_at = step.at if step.solved is False else None
            case "breached":
                if step.breach not in self.unfounded and not self._is_over(step.breach):
                    self.breaches.setdefault(step.breach, step.at)
            case "breach_withdrawn":
                self._take_back(step.breach)

    def _accept(self, step: Step) -> None:
        if step.route in OTHER_PROCEDURES:
            self.diverted = True
        else:
            self.accepted_at = self.accepted_at or step.at  # accepting again moves the duty, never the date

    def _take_back(self, breach: str) -> None:
        if breach:
            self.unfounded.add(breach)
        if self.breaches.pop(breach, None) is None and not self._is_over(breach):
            self.breaches.pop("", None)

    def _reopen(self, at: datetime) -> None:
        # As assessment counts: a reply ends the period, and only then the reopening starts another. A petition that was closed
        # or refused without one has the period it had.
        if self.replied_at is not None:
            self.since, self.over = at, len(self.steps) - 1
            self.accepted_at = (
                at if self.accepted_at else None
            )  # what another procedure had starts when it comes to this one
            self.extended_days = 0
            self.breaches.clear()
        self.replied_at = self.closed_at = self.refused_at = None
        self.contested_at = at

    def _is_over(self, breach: str) -> bool:
        """Whether a breach (`obligation/started_by/renewal`) is one of a period before the last reopening. Its time does not
        tell: a reply in time that is entered late ends a period that had been found broken at a later day.
        """
        return breach.partition("/")[2].rpartition("/")[0] in self.steps[: self.over]

    @property
    def breached_at(self) -> datetime | None:
        """Since when assessment has found it past a deadline of its reply."""
        return min(self.breaches.values(), default=None)

    @property
    def settled(self) -> bool:
        """Answered, closed or refused with reasons, and not contested since."""
        return (self.replied_at or self.closed_at or self.refused_at) is not None and self.contested_at is None

    def in_process(self, at: datetime, reply_days: int | None) -> bool:
        """Accepted or assigned, not answered, and still within time (Art. 19)."""
        started = self.accepted_at is not None or self.diverted or self.assigned_unit is not None
        return started and not self.settled and self.contested_at is None and not self.overdue(at, reply_days)

    def overdue(self, at: datetime, reply_days: int | None) -> bool:
        """Past its deadline unanswered: assessment found so, or the days of Art. 34 are over, where it has them."""
        if self.replied_at or self.closed_at or self.refused_at:
            return False
        if self.breached_at is not None:
            return True
        if self.accepted_at is None or reply_days is None:
            return False
        return (at - self.accepted_at).days > reply_days + self.extended_days
