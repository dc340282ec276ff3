"""What the handlers need from outside, and the questions that pages and routes ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.assessment.domain.facts import Decision, Facts
from services.assessment.domain.ledger import Change, Held, Row
from shared.events import Event

Transaction = Any
"""The store's own handle of a running transaction."""


@dataclass(frozen=True)
class Confined:
    """What a reader may see. None means all."""

    units: frozenset[str] | None = None
    jurisdiction: str | None = None
    barred: frozenset[str] = frozenset()
    """accusations against these are not there"""
    no_unknown_accusations: bool = False
    """nor are accusations whose accused is not known"""


@dataclass(frozen=True)
class Wanted:
    """Which obligations a list is of."""

    confined: Confined
    state: str | None = None
    code: str | None = None
    petition: str | None = None


@dataclass(frozen=True)
class UnitCount:
    """Open duties of one unit."""

    unit: str
    open: int
    due_soon: int
    breached: int


class Store(Protocol):
    """The ledger of petitions and obligations."""

    async def held(self, tx: Transaction, petitions: Collection[str]) -> dict[str, Held]:
        """What is kept of these petitions."""

    async def rows(self, tx: Transaction, ids: Collection[str]) -> dict[str, Row]:
        """Obligations by id."""

    async def save(self, tx: Transaction, changes: Sequence[Change]) -> None:
        """Keep what new steps led to. The steps must not be kept yet."""

    async def watched(self, tx: Transaction, now: datetime, limit: int) -> list[Row]:
        """Obligations the clock has to look at, the longest due first."""

    async def tell(self, tx: Transaction, rows: Sequence[Row], events: Sequence[Event]) -> None:
        """Keep what was told of rows, and put the events in the outbox."""

    async def waiting(self, now: datetime) -> bool:
        """Whether the clock has anything to look at."""

    async def renew(self, limit: int) -> int:
        """Give at most `limit` petitions that version 0.1.0 kept their rounds; returns how many were found."""

    async def page(
        self, wanted: Wanted, now: datetime, *, size: int, after: tuple[datetime | None, str] | None
    ) -> list[Row]:
        """Obligations by deadline, those without one last, after a place in that order."""

    async def counts(self, confined: Confined, now: datetime) -> list[UnitCount]:
        """Open duties by unit; accusations the reader may not see are not counted."""

    async def units(self) -> frozenset[str]:
        """Every unit that has or had an obligation or a petition."""

    async def owed(self, confined: Confined, since: datetime, until: datetime) -> list[Row]:
        """Obligations whose deadline passed within [since, until), or that have none and would have started within it.

        And the extensions decided before `until` that are due after `since`: what they moved may have been due within it.
        """

    async def facts(self, confined: Confined, since: datetime, until: datetime) -> list[Facts]:
        """Rounds of petitions settled (`Facts.settled`) within [since, until)."""

    async def decisions(self, confined: Confined, since: datetime, until: datetime) -> list[Decision]:
        """Decisions on acceptance made within [since, until)."""

    async def repeats(self, petitions: Collection[str]) -> Mapping[str, Sequence[datetime]]:
        """When new petitions joined each of these, the first one first; those that nobody joined are left out.

        Accusations are never among the new ones: a count is a way to find one (Art. 30).
        """
