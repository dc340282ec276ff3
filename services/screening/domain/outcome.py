"""What goes into the engine of a county and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from services.screening.domain.flags import Flag, Told
from services.screening.domain.matters import Linked, Message
from services.screening.domain.petitions import Decision, Filing, Step
from services.screening.domain.state import Member


def derived(*parts: str) -> str:
    """An id that the same parts always give."""
    return str(uuid5(NAMESPACE_URL, "https://fengqiao.example/screening/" + "/".join(parts)))


@dataclass(frozen=True, slots=True)
class Filed:
    """A petition as it comes in: with its text, which the engine hands to the linker and does not keep."""

    filing: Filing
    text: str


Item = Filed | Step | Decision


@dataclass(slots=True)
class Placed:
    """Where a petition is: `home` the matter it was linked to, `matter` where it is now, `link` where the linker has it.

    `core`: the matter that these petitions lie `beside`, as it showed. `splits`: the matters that staff made of it, and when it
    joined them.
    """

    member: Member
    home: str
    matter: str
    link: str | None
    evidence: Linked | None = None
    core: str | None = None
    beside: tuple[str, ...] = ()
    splits: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A transition that others are told: the event's id, the flag as it was then, and its number among the matter's."""

    id: str
    flag: Flag
    at: datetime
    what: str
    sequence: int


@dataclass(frozen=True, slots=True)
class MatterMerge:
    """Two matters became one: by the linker (`cause` a petition) or by staff (`cause` a decision)."""

    id: str
    kept: str
    gone: str
    at: datetime
    cause: str
    score: float
    by: str
    moved: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What changed, as sets: writing it twice is writing it once. `refused`: decisions that meant nothing any more, and why;
    `stood`: where the flags stood that others withdrew (matter, kind, scope).
    """

    filed: dict[str, str] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    stepped: list[Step] = field(default_factory=list)
    orphans: list[Step] = field(default_factory=list)
    matters: set[str] = field(default_factory=set)
    flags: dict[str, Told] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    merges: list[MatterMerge] = field(default_factory=list)
    unmerged: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    stood: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    days: set[int] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)

    def merge(self, other: Outcome) -> None:
        """Add what came out of another call, the later one's flags standing."""
        self.filed |= other.filed
        self.moved |= other.moved
        self.matters |= other.matters
        self.days |= other.days
        self.flags |= other.flags
        self.refused |= other.refused
        self.stood |= other.stood
        self.stepped += other.stepped
        self.orphans += other.orphans
        self.notices += other.notices
        self.merges += other.merges
        self.unmerged += other.unmerged
        self.late += other.late
        self.decided += other.decided
        self.taken += other.taken

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.filed
            or self.moved
            or self.stepped
            or self.orphans
            or self.matters
            or self.flags
            or self.decided
            or self.taken
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A petition as it comes back from the store, with its steps and the text of the live window."""

    filing: Filing
    text: str
    home: str
    matter: str
    link: str | None
    joined: datetime
    copy: bool
    weak: bool
    late: bool
    steps: tuple[Step, ...] = ()
    core: str | None = None
    beside: tuple[str, ...] = ()


def message_of(filing: Filing, text: str) -> Message:
    """A petition as the linker sees it."""
    return Message(filing.id, filing.petitioner, filing.at, filing.title, text, filing.topic)
