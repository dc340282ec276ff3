"""Attempts at single records, counted before they are made: a record that kills the process is found out."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.bus import Received
from shared.mongo import ASCENDING, IndexModel, Mongo

COLLECTION: Final = "failures"
KEEP_S: Final = 7 * 24 * 3600
INDEXES: Final = {COLLECTION: [IndexModel([("at", ASCENDING)], name="ttl", expireAfterSeconds=KEEP_S)]}


async def count(mongo: Mongo, group: str, item: Received, at: datetime) -> int:
    """Count one attempt of a group at a record, outside any transaction; returns how many there were."""
    row = await mongo[COLLECTION].find_one_and_update(
        {"_id": f"{group}:{item.topic}:{item.partition}:{item.offset}"},
        {"$inc": {"tries": 1}, "$set": {"at": at}},
        upsert=True,
        return_document=True,
    )
    return int(row["tries"])
