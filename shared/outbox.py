"""The outbox: what is to be published is written in the transaction that made it true, and relayed afterwards.

Rows: `_id` event id, topic, key, value, headers, at, pending, and `written`, the store's own time. The relay finds rows that
are still `pending` (never "newer than the last one": commits are not in the order of ids), sends them in order, and marks
them. Twice is harmless.

The order is the store's: an event's own time may lie before that of the event it follows (a late petition, two processes
with two clocks). A change that builds on another one began after that was committed, and so was written at a later time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

from bson import Binary

from shared.events import EVENT_TYPES, MEDIA_TYPE, Event, encode
from shared.mongo import ASCENDING, Document, IndexModel, Mongo, Session, UpdateOne

COLLECTION: Final = "outbox"
KEEP_PUBLISHED_S: Final = 7 * 24 * 3600
ORDER: Final = ("written", "n")
"""`n` counts the rows of one transaction, whose writes may all have one time."""
_numbers: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()
"""How many rows each open transaction has written."""

INDEXES: Final = {
    COLLECTION: [
        IndexModel(
            [(name, ASCENDING) for name in ORDER], name="pending_in_order", partialFilterExpression={"pending": True}
        ),
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


def _write(record: Outgoing, number: int) -> UpdateOne:
    row = {
        "_id": record.id,
        "topic": record.topic,
        "key": None if record.key is None else Binary(record.key),
        "value": None if record.value is None else Binary(record.value),
        "headers": dict(record.headers),
        "at": record.at,
        "n": number,
        "pending": True,
    }
    there = {"$ifNull": ["$topic", False]}
    new = {"$mergeObjects": [{"$literal": row}, {"written": "$$CLUSTER_TIME"}]}
    return UpdateOne({"_id": record.id}, [{"$replaceWith": {"$cond": [there, "$$ROOT", new]}}], upsert=True)


async def put(mongo: Mongo, session: Session, records: Sequence[Outgoing]) -> None:
    """Write rows in the caller's transaction. A row whose id is there already stays as it is: the same cause, the same event."""
    if records:
        first = _numbers.get(session.delegate, 0)
        _numbers[session.delegate] = first + len(records)
        writes = [_write(record, number) for number, record in enumerate(records, first)]
        await mongo[COLLECTION].bulk_write(writes, ordered=False, session=session)


async def enqueue(mongo: Mongo, session: Session, events: Sequence[Event], *, prefix: str = "") -> None:
    """Write events to the outbox in the caller's transaction."""
    await put(mongo, session, [outgoing(e, prefix=prefix) for e in events])


async def pending(mongo: Mongo, limit: int) -> list[Document]:
    """The rows to be published next, in the order in which they are to go out."""
    rows = mongo[COLLECTION].find({"pending": True}).sort([(name, ASCENDING) for name in ORDER]).limit(limit)
    found: list[Document] = await rows.to_list(limit)
    return found
