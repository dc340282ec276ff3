"""What alerts hears on the bus: flags of screening, findings of assessment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from services.alerts.domain.escalation import Policies
from services.alerts.signals import Heard, on_findings, on_flags
from services.alerts.store import MongoStore
from shared.bus import Received
from shared.events import Event
from shared.mongo import Session


class FlagProcessor:
    """screening.flags.v1: flags open, change and end warnings. Keeps nothing in memory."""

    def __init__(self, store: MongoStore, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    async def load(self, partitions: Collection[int]) -> None:
        """There is no memory to rebuild."""

    async def prepare(self, batch: Sequence[Received]) -> list[Heard]:
        """The events with the time the broker took them."""
        return [Heard(one.event, one.at) for one in batch]

    async def write(self, session: Session, plan: Any) -> Sequence[Event]:
        """Apply them; the store puts the events to publish into the outbox itself."""
        await on_flags(self._store.tx(session), plan, self._policies)
        return ()


class FindingProcessor(FlagProcessor):
    """assessment.findings.v1: deadlines that are near or passed become one warning a unit and obligation."""

    async def write(self, session: Session, plan: Any) -> Sequence[Event]:
        """Apply them."""
        await on_findings(self._store.tx(session), plan, self._policies)
        return ()
