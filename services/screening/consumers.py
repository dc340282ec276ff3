"""The bus's side of the pipeline: one processor a topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any

from services.screening.pipeline import Plan, Screening, keep_findings, keep_outcomes
from services.screening.ports import Store
from shared.bus import Received
from shared.events import Event
from shared.mongo import Session

Keep = Callable[[Store, Any, Iterable[Event]], Awaitable[None]]


class Petitions:
    """`petition.events.v1`: linking, rules, flags."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening

    async def load(self, partitions: Collection[int]) -> None:
        """Rebuild the counties of these partitions."""
        await self._screening.load(partitions)

    async def prepare(self, batch: Sequence[Received]) -> Plan:
        """Compute a batch in memory."""
        return await self._screening.prepare(batch)

    async def write(self, session: Session, plan: Plan) -> Sequence[Event]:
        """Write it."""
        return await self._screening.write(session, plan)


class Kept:
    """A topic of which some events are kept for later: findings and warnings."""

    def __init__(self, store: Store, keep: Keep) -> None:
        self._store = store
        self._keep = keep

    async def load(self, partitions: Collection[int]) -> None:
        """Nothing is held in memory."""

    async def prepare(self, batch: Sequence[Received]) -> list[Event]:
        """The events themselves."""
        return [received.event for received in batch]

    async def write(self, session: Session, plan: list[Event]) -> Sequence[Event]:
        """Keep what is of use."""
        await self._keep(self._store, session, plan)
        return ()


def findings(store: Store) -> Kept:
    """`assessment.findings.v1`: breached deadlines."""
    return Kept(store, keep_findings)


def warnings(store: Store) -> Kept:
    """`alerts.warnings.v1`: what the officers found."""
    return Kept(store, keep_outcomes)
