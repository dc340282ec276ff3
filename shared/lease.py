"""A lease: one of several processes does a thing, and another takes over when it stops breathing.

Two holders at once are possible for a moment (a paused process that wakes up), so what is done under a lease must be
harmless when done twice; the lease saves work, it does not guard data.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pymongo import ReturnDocument

from shared.mongo import DuplicateKeyError, Mongo

COLLECTION: Final = "leases"
TTL: Final = timedelta(seconds=15)


class Lease:
    """The lease `name`, wanted by `owner`. An owner of the same name (a restarted process) takes it over at once."""

    def __init__(self, mongo: Mongo, name: str, owner: str) -> None:
        self._mongo = mongo
        self._name = name
        self._owner = owner

    async def hold(self) -> bool:
        """Take or renew it for 15 s by the server's clock; False while somebody else has it."""
        until = {"$add": ["$$NOW", int(TTL.total_seconds() * 1000)]}
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
        return bool(row["owner"] == self._owner)

    async def release(self) -> None:
        """Give it back, so that the next one need not wait."""
        await self._mongo[COLLECTION].delete_one({"_id": self._name, "owner": self._owner})
