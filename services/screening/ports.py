"""What screening needs of a store: the same for MongoDB and for the fake of the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from shared.events import Event

Document = dict[str, Any]
Transaction = Any
T = TypeVar("T")
LISTED: Final = 500
"""Petitions of a matter that its history lists at most, the newest."""


class Stale(Exception):  # noqa: N818 - a state of the world
    """Another owner has written this county since: what is in memory is out of date."""


@dataclass(slots=True)
class CountyWrites:
    """What one batch changes of one county, as documents; all of them sets by natural key."""

    county: str
    version: int
    header: Document
    petitions: list[Document] = field(default_factory=list)
    places: list[tuple[str, Document]] = field(default_factory=list)
    steps: list[tuple[str, Document]] = field(default_factory=list)
    waiting: list[Document] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    matters: list[Document] = field(default_factory=list)
    flags: list[Document] = field(default_factory=list)
    merges: list[Document] = field(default_factory=list)
    unmerged: list[str] = field(default_factory=list)
    decisions: list[tuple[str, Document]] = field(default_factory=list)
    late: list[Document] = field(default_factory=list)


@dataclass(frozen=True)
class CountyRows:
    """What the store has of one county's live matters."""

    header: Document
    petitions: list[Document]
    matters: list[Document]
    merges: list[Document]
    decisions: list[Document]
    flags: list[Document]


@dataclass(frozen=True)
class Inbox:
    """What came for a county outside its own topic and is not taken up yet."""

    steps: list[Document]
    decisions: list[Document]


@dataclass(frozen=True)
class Wanted:
    """Which rows a list is of."""

    county: str | None = None
    state: str | None = None
    kind: str | None = None
    unit: str | None = None
    matter: str | None = None
    at_least: int = 1
    limit: int = 50
    after: tuple[datetime, str] | None = None


class Store(Protocol):
    """Queries and writes. A transaction's work may run several times."""

    async def transaction(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction."""

    async def enqueue(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Put events into the outbox of the same transaction."""

    async def counties(self, partitions: Collection[int]) -> list[str]:
        """Counties that were last seen in these partitions."""

    async def newest(self, county: str) -> datetime | None:
        """The time that the county has come to: that of its newest petition; None where there is none."""

    async def version(self, county: str) -> int:
        """How often the county was written, 0 where never."""

    async def county(self, county: str, keep_days: int) -> CountyRows | None:
        """Everything to rebuild a county from; None where it was never written."""

    async def known(self, ids: Collection[str]) -> set[str]:
        """Which of these petitions are stored."""

    async def inbox(self, counties: Collection[str]) -> dict[str, Inbox]:
        """What waits for these counties."""

    async def write(self, tx: Transaction, writes: CountyWrites) -> None:
        """Write one county's changes. Raises `Stale` where its version is not the expected one."""

    async def put_steps(self, tx: Transaction, rows: Sequence[Document]) -> None:
        """Leave steps for the counties' owners; a step that is there already stays as it is."""

    async def put_outcomes(self, tx: Transaction, rows: Sequence[Document]) -> None:
        """Keep what became of warnings; an older version never replaces a newer one."""

    async def put_decision(self, tx: Transaction, row: Document) -> None:
        """Leave a decision for the county's owner."""

    async def matters(self, wanted: Wanted) -> list[Document]:
        """Matters, the newest activity first."""

    async def matter(self, id: str) -> Document | None:
        """One matter; a petition alone gives a matter of one."""

    async def named(self, ids: Collection[str]) -> list[Document]:
        """Several matters; one that is not there is left out."""

    async def petitioners(self, petitions: Collection[str]) -> int:
        """How many different petitioners wrote these petitions."""

    async def history(self, id: str) -> Document:
        """The newest petitions (`size`: how many it has), merges, decisions and flags of a matter, in the order of time."""

    async def members(self, id: str, petitions: Collection[str]) -> tuple[list[Document], int]:
        """Those of the petitions that belong to a matter, and how many it has."""

    async def flags(self, wanted: Wanted) -> list[Document]:
        """Flags, the newest first."""

    async def flag(self, id: str, tx: Transaction | None = None) -> Document | None:
        """One flag."""

    async def named_flags(self, ids: Collection[str]) -> list[Document]:
        """Several flags; one that is not there is left out."""

    async def open_flags(self, matters: Collection[str]) -> list[Document]:
        """The open flags of these matters: kind, and what tells who may see them."""

    async def contest(self, tx: Transaction, id: str, contest: Document) -> None:
        """Set the contest of a flag."""

    async def outcomes(self, county: str | None, *, accusations: bool = True) -> list[Document]:
        """By kind, and the rule, its version and the policy that raised them: how many flags there were, what became of them."""

    async def audit(self, tx: Transaction, *, actor: str, action: str, object: str, reason: str, at: datetime) -> None:
        """Append to the audit log in the same transaction."""
