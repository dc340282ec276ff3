"""The outbox: what is to be published is written in the transaction that made it true, and relayed afterwards.

Rows: `_id` event id, topic, key, value, headers, at, pending. The relay finds rows that are still `pending` (never "newer
than the last one": commits are not in the order of ids), sends them in order, and marks them. Twice is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bson import Binary

from shared.events import EVENT_TYPES, MEDIA_TYPE, Event, encode
from shared.mongo import ASCENDING, Document, IndexModel, Mongo, Session, UpdateOne

COLLECTION: Final = "outbox"
KEEP_PUBLISHED_S: Final = 7 * 24 * 3600

INDEXES: Final = {
    COLLECTION: [
        IndexModel([("at", ASCENDING), ("n", ASCENDING)], name="pending", partialFilterExpression={"pending": True}),
        IndexModel([("published_at", ASCENDING)], name="published_ttl", expireAfterSeconds=KEEP_PUBLISHED_S),
    ]
}


@dataclass(frozen=True)
class Outgoing:
    """A record to be published as it is: an event, or a dead letter with its untouched bytes."""

    id: str
    topic: str
    key: bytes | None
    value: bytes | None
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


def outgoing(event: Event, *, prefix: str = "") -> Outgoing:
    """The record of an event: topic from its type, key from its envelope, trace context in the headers."""
    headers = {"content-type": MEDIA_TYPE + "; charset=UTF-8"}
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    return Outgoing(
        id=str(event.id),
        topic=prefix + str(EVENT_TYPES[event.type].topic_name),
        key=event.partitionkey.encode(),
        value=encode(event),
        at=event.time,
        headers=headers,
    )


def _row(record: Outgoing, number: int) -> Document:
    return {
        "topic": record.topic,
        "key": None if record.key is None else Binary(record.key),
        "value": None if record.value is None else Binary(record.value),
        "headers": dict(record.headers),
        "at": record.at,
        "n": number,
        "pending": True,
    }


async def put(mongo: Mongo, session: Session, records: Sequence[Outgoing]) -> None:
    """Write rows in the caller's transaction. A row whose id is there already stays as it is: the same cause, the same event."""
    if not records:
        return
    if len(records) == 1:
        record = records[0]
        await mongo[COLLECTION].update_one(
            {"_id": record.id}, {"$setOnInsert": _row(record, 0)}, upsert=True, session=session
        )
        return
    await mongo[COLLECTION].bulk_write(
        [UpdateOne({"_id": r.id}, {"$setOnInsert": _row(r, n)}, upsert=True) for n, r in enumerate(records)],
        ordered=False,
        session=session,
    )


async def enqueue(mongo: Mongo, session: Session, events: Sequence[Event], *, prefix: str = "") -> None:
    """Write events to the outbox in the caller's transaction."""
    await put(mongo, session, [outgoing(e, prefix=prefix) for e in events])
