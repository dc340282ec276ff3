"""The ledger of assessment over each store, and what it publishes."""

from __future__ import annotations

from typing import Any

from services.assessment.handlers import keep, let_strike, read
from services.assessment.store import MongoStore
from shared import outbox
from shared.events import Event, decode
from shared.mongo import Mongo
from tests.support.lifecycle import BOOK
from tests.support.memory_assessment import MemoryStore


class MemoryLedger:
    def __init__(self) -> None:
        self.store: Any = MemoryStore()

    async def take(self, *events: Event) -> list[Event]:
        async def work(tx: Any) -> list[Event]:
            made = await keep(self.store, tx, read(events), BOOK)
            await self.store.enqueue(made)
            return made

        return await self.store.transaction(work)

    async def strike(self, now: Any, limit: int = 500) -> int:
        return await self.store.transaction(lambda tx: let_strike(self.store, tx, now, limit))

    async def published(self) -> list[Event]:
        return list(self.store.events.values())


class MongoLedger(MemoryLedger):
    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self.store = MongoStore(mongo)

    async def take(self, *events: Event) -> list[Event]:
        async def work(tx: Any) -> list[Event]:
            made = await keep(self.store, tx, read(events), BOOK)
            await outbox.enqueue(self.mongo, tx, made)
            return made

        return await self.mongo.transaction(work)

    async def strike(self, now: Any, limit: int = 500) -> int:
        return await self.mongo.transaction(lambda tx: let_strike(self.store, tx, now, limit))

    async def published(self) -> list[Event]:
        rows = await self.mongo[outbox.COLLECTION].find().sort("_id").to_list(None)
        return [decode(bytes(r["value"])) for r in rows]
