"""Screening's pipeline and desk in one process, driven by hand over any store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.screening.handlers import Actor, Desk
from services.screening.pipeline import Screening
from services.screening.ports import Wanted
from shared.bus import Received
from shared.clock import FixedClock
from tests.support.petitions import POLICIES, START

OFFICER = Actor("officer", "duty_officer")
LEADER = Actor("leader", "leader")
AFTER = START + timedelta(days=900)


class Seconds:
    """The clock of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def now(self) -> datetime:
        return AFTER + timedelta(seconds=self.service.now)


class Service:
    """The pipeline as the consumer drives it, and the desk. `now`: seconds since `AFTER`; `start` forgets the memory."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.told: list[Any] = []
        self.now = 0.0
        self.start()
        self.desk = Desk(store, self.screening, lambda: POLICIES, FixedClock(AFTER))

    def start(self) -> None:
        self.screening = Screening(self.store, lambda: POLICIES, Seconds(self))

    async def take(self, *events: Any, commit: bool = True) -> list[Any]:
        batch = [Received("t", 3, n, AFTER, None, event) for n, event in enumerate(events)]
        plan = await self.screening.prepare(batch)

        async def work(tx: Any) -> list[Any]:
            made = list(await self.screening.write(tx, plan))
            await self.store.enqueue(tx, made)
            if not commit:
                raise ConnectionError
            return made

        made = await self.store.transaction(work)
        self.told += made
        return made

    async def flags(self) -> dict[str, Any]:
        return {row["kind"]: row for row in await self.store.flags(Wanted(limit=200))}
