"""What stands in for Kafka, the store and a service around one `BatchConsumer`, in memory; what happened is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import bson
from aiokafka import ConsumerRecord, TopicPartition

from shared.bus import Received
from shared.clock import SystemClock
from shared.consumer import BatchConsumer
from shared.observe import Metrics
from shared.partitions import Identity
from shared.settings import ServiceSettings

TOPIC = "petition.events.v1"


def record(offset: int, value: bytes, headers: Sequence[tuple[str, bytes | None]] = ()) -> ConsumerRecord[Any, Any]:
    """A record of partition 0."""
    return ConsumerRecord(TOPIC, 0, offset, 1, 0, b"370911", value, None, 6, len(value), tuple(headers))


class Kafka:
    """A consumer's side of Kafka: the partitions it has, their ends, and where it was sent."""

    def __init__(self, ends: dict[int, int]) -> None:
        self.ends = ends
        self.sought: list[tuple[int, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(TOPIC, p) for p in self.ends}

    def highwater(self, tp: TopicPartition) -> int:
        return self.ends[tp.partition]

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.sought.append((tp.partition, offset))

    def last_poll_timestamp(self, _: TopicPartition) -> float:
        return time.time() * 1000

    async def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.ends[tp.partition] for tp in tps}

    async def commit(self, _: Any) -> None:
        return


class Store:
    """As much of the store as a consumer needs. Like the driver it refuses what BSON cannot hold."""

    def __init__(self, following: int = 0, stuck: int = 0) -> None:
        self.progress = {"epoch": 0, "next": following, "tail": None, "stuck": stuck}
        self.letters: list[dict[str, Any]] = []

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(
            find_one_and_update=self._claim,
            update_one=self._update,
            bulk_write=self._advance if name == "progress" else self._put,
        )

    async def transaction(self, work: Any) -> None:
        class Delegate:
            """Weakly referenced by the outbox."""

        await work(SimpleNamespace(delegate=Delegate()))

    async def _claim(self, query: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        self.progress["epoch"] += 1
        self.progress["stuck"] += 1
        return {**query, **self.progress}

    async def _update(self, query: dict[str, Any], change: dict[str, Any]) -> None:
        if query["epoch"] == self.progress["epoch"]:
            self.progress |= change["$set"]

    async def _advance(self, writes: Sequence[Any], **_: Any) -> Any:
        return SimpleNamespace(matched_count=len(writes))

    async def _put(self, writes: Sequence[Any], **_: Any) -> None:
        rows = [write._doc[0]["$replaceWith"]["$cond"][2]["$mergeObjects"][0]["$literal"] for write in writes]
        bson.encode({"rows": rows})
        self.letters += rows


class Nothing:
    """A service that takes every record and does nothing."""

    def __init__(self) -> None:
        self.loads: list[int] = []

    async def load(self, partitions: Collection[int]) -> None:
        self.loads += partitions

    async def prepare(self, batch: Sequence[Received]) -> Any:
        return batch

    async def write(self, *_: Any) -> Sequence[Any]:
        return ()


def consumer_of(kafka: Kafka, store: Store, service: Nothing | None = None) -> BatchConsumer:
    """A consumer of `TOPIC` between these."""
    who = Identity("screening", "screening-0", TOPIC, "screening")
    settings = ServiceSettings(stalled_after_s=1)
    made = BatchConsumer(who, service or Nothing(), store, settings, SystemClock(), Metrics("screening"))  # type: ignore[arg-type]
    made._subscriber = SimpleNamespace(consumer=kafka)
    return made


@asynccontextmanager
async def running(consumer: BatchConsumer) -> AsyncIterator[asyncio.Task[None]]:
    """The consumer's loop, and the partitions assigned as Kafka does it."""
    assert consumer._consumer is not None
    await consumer.on_partitions_assigned(set(consumer._consumer.assignment()))
    task = asyncio.create_task(consumer.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
