"""A lease: one of several processes does a thing, and another takes over when it stops breathing.

Two holders at once are possible for a moment (a paused process that wakes up), so what is done under a lease must be
harmless when done twice; the lease saves work, it does not guard data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from pymongo import ReturnDocument

from shared.mongo import DuplicateKeyError, Mongo, PyMongoError

COLLECTION: Final = "leases"
TTL: Final = timedelta(seconds=15)


class LeaseLostError(Exception):
    """Somebody else has the lease, or nobody can know: the work under it was broken off."""


class Lease:
    """The lease `name`, wanted by `owner`. An owner of the same name (a restarted process) takes it over at once."""

    def __init__(self, mongo: Mongo, name: str, owner: str, ttl: timedelta = TTL) -> None:
        self._mongo = mongo
        self._name = name
        self._owner = owner
        self._ttl = ttl.total_seconds()
        self._until = 0.0

    async def hold(self) -> bool:
        """Take or renew it for its time by the server's clock; False while somebody else has it."""
        asked = time.monotonic()
        until = {"$add": ["$$NOW", int(self._ttl * 1000)]}
        free = {"$or": [{"$eq": [{"$ifNull": ["$owner", self._owner]}, self._owner]}, {"$lte": ["$until", "$$NOW"]}]}
        try:
            row = await self._mongo[COLLECTION].find_one_and_update(
                {"_id": self._name},
                [
                    {
                        "$set": {
                            "owner": {"$cond": [free, self._owner, "$owner"]},
                            "until": {"$cond": [free, until, "$until"]},
                        }
                    }
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # two made the row at once: the other was first
            return False
        mine = bool(row["owner"] == self._owner)
        self._until = asked + self._ttl if mine else 0.0
        return mine

    async def keep(self) -> bool:
        """The same, without a question while two thirds of its time are left."""
        return self._until - time.monotonic() > self._ttl * 2 / 3 or await self.hold()

    async def during(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` and renew the lease, which is held, meanwhile. Work that outlives it is cancelled: `LeaseLostError`."""
        task = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait({task}, timeout=self._ttl / 3))[0]:
                if not await self._renewed():
                    raise LeaseLostError(self._name)
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _renewed(self) -> bool:
        """False when it is lost: at once where another has it, within a third of its time after its end where nobody answers."""
        try:
            async with asyncio.timeout(self._ttl / 3):
                return await self.hold()
        except (PyMongoError, TimeoutError):
            return time.monotonic() < self._until

    async def release(self) -> None:
        """Give it back, so that the next one need not wait."""
        self._until = 0.0
        await self._mongo[COLLECTION].delete_one({"_id": self._name, "owner": self._owner})
