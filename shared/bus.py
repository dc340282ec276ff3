"""What a service sees of the bus: received events, the shape of a processor, and what may go wrong with a record."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from aiokafka import ConsumerRecord
from faststream.kafka import KafkaMessage

from shared.events import Event, InvalidEvent, decode
from shared.mongo import Session


@dataclass(frozen=True)
class Received:
    """One event as it came, with its place. `at` is the broker's time of the record, in UTC."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    event: Event
    raw: ConsumerRecord | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Dead:
    """One record that cannot be processed, with its untouched bytes and the reason (a stable slug)."""

    record: ConsumerRecord
    reason: str
    error_class: str
    detail: str
    attempts: int = 1


class PermanentError(Exception):
    """Raised by a processor: this record can never be applied. It goes to the dead letters, the rest goes on."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Rewrite(Exception):  # noqa: N818 - a request, not a mistake
    """Raised by `write`: roll back and call it again with the same plan, which it has changed.

    For optimistic writes: insert as if nothing had been seen before, and look first only after a duplicate was met.
    """


class Processor(Protocol):
    """What a service does with the events of one topic. One processor, one task: its methods never run at once."""

    async def load(self, partitions: Collection[int]) -> None:
        """These partitions are this process's now, or its memory of them is in doubt: build it anew from the store."""

    async def prepare(self, batch: Sequence[Received]) -> Any:
        """Compute what is to be written, once a batch, outside the transaction. May raise `PermanentError`."""

    async def write(self, session: Session, plan: Any) -> Sequence[Event]:
        """Write the effects and return the events to publish. May run again: set values, never add to them twice."""


def decode_record(record: ConsumerRecord) -> Received | Dead:
    """Read one record by the order contract: the key is the event's partition key. Never raises."""
    try:
        event = decode(record.value)
        if record.key is None:
            raise InvalidEvent("key-missing", "the record has no key, its order is unknown")
        if record.key != event.partitionkey.encode() or event.partitionkey != event.data.key():
            raise InvalidEvent("key-mismatch", "the key is not the one of the event's data")
    except InvalidEvent as error:
        return Dead(record, error.reason, type(error).__name__, error.detail)
    return Received(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
        key=record.key,
        event=event,
        raw=record,
    )


async def safe_parser(records: tuple[ConsumerRecord, ...], original: Any) -> KafkaMessage:
    """FastStream's parser without what makes it fail: null and non-UTF-8 headers, and headers that steer it.

    A parser that raises would skip the record for good (its own fallback fails the same way).
    """
    message: KafkaMessage = await original((dataclasses.replace(records[0], headers=()),))
    message.raw_message = records
    return message


async def raw_decoder(message: KafkaMessage) -> bytes:
    """The body is decoded by `decode_record`, whatever a content-type header says."""
    return b""
