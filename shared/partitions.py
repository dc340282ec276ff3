"""The partitions of one consumer: claimed, checked, sought, and fed in order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.bus import Dead, Received
from shared.mongo import Mongo, PyMongoError, Unavailable, is_unavailable
from shared.observe import Metrics
from shared.progress import Claim, Fenced, OffsetLost, Step, at_rest, claim

CAUTIOUS_FROM: Final = 3
"""Claims without progress after which records are taken one by one, each counted before it is tried."""

QUIET_S: Final = 1.0
"""How long a partition may bring nothing until it is claimed all the same."""

log = structlog.get_logger(__name__)
T = TypeVar("T")
Item = Received | Dead


@dataclass(frozen=True)
class Identity:
    """Who consumes: names for logs, metrics, groups and fences."""

    service: str
    instance: str
    topic: str
    group: str


def place(item: Item) -> tuple[int, int, int]:
    """Partition, offset and broker time (ms) of a record."""
    record: Any = item.record if isinstance(item, Dead) else item.raw
    return record.partition, record.offset, record.timestamp


def by_partition(items: Sequence[Item]) -> dict[int, list[Item]]:
    """The records of each partition, in their order."""
    parts: dict[int, list[Item]] = {}
    for item in items:
        parts.setdefault(place(item)[0], []).append(item)
    return parts


class Patience:
    """Waits for what is away. A dependency that is down is never a reason to give a record up."""

    def __init__(self, who: Identity, metrics: Metrics) -> None:
        self._who = who
        self._metrics = metrics

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the dependency answers. What is not the dependency's fault escapes."""
        while True:
            try:
                return await call()
            except KafkaError as error:
                # A broker that is asked where a topic ends and does not answer in time is away, whatever aiokafka calls it.
                if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                    raise
            except (PyMongoError, Unavailable) as error:
                if not is_unavailable(error):
                    raise
            await self.wait()

    async def wait(self) -> None:
        """Wait a little, and count it."""
        self._metrics.waits.labels(self._who.service, self._who.topic).inc()
        await asyncio.sleep(random.uniform(0.3, 1.0))


class Partitions:
    """What this process owns of a topic, and how far it has come in each partition."""

    def __init__(self, who: Identity, mongo: Mongo, patience: Patience, batch_max: int) -> None:
        self._who = who
        self._mongo = mongo
        self._patience = patience
        self._batch_max = batch_max
        self._assigned: set[int] = set()
        self._assigned_at = 0.0
        self._claims: dict[int, Claim] = {}
        self._gaps: dict[int, tuple[int, int]] = {}
        self._unproven: set[int] = set()
        self._single_until: dict[int, int] = {}

    def assigned(self, partitions: Collection[int]) -> None:
        """Kafka gives these to this process; what was claimed of them before is void."""
        self._assigned.update(partitions)
        self._assigned_at = time.monotonic()
        for partition in partitions:
            self.forget(partition)

    def revoked(self, partitions: Collection[int]) -> None:
        """Kafka takes these away; until it gives partitions again, nothing is claimed that brings no record."""
        self._assigned.difference_update(partitions)
        for partition in partitions:
            self.forget(partition)

    def unclaimed(self) -> int | None:
        """An assigned partition that has been without a claim for a while; None where there is none."""
        missing = self._assigned - self._claims.keys()
        return min(missing) if missing and time.monotonic() - self._assigned_at >= QUIET_S else None

    def behind(self, consumer: AIOKafkaConsumer) -> dict[int, int]:
        """Records behind, by assigned partition. Of one that is not claimed yet every record is: the store was not asked."""
        return {p: max(0, end - (self.next(p) or 0)) for p, end in self._ends(consumer).items()}

    @staticmethod
    def _ends(consumer: AIOKafkaConsumer | None) -> dict[int, int]:
        """Where the assigned partitions end, as far as a fetch has told."""
        ends = {tp.partition: consumer.highwater(tp) for tp in consumer.assignment()} if consumer is not None else {}
        return {partition: end for partition, end in ends.items() if end is not None}

    def owns(self, partition: int) -> bool:
        """Whether the partition is claimed."""
        return partition in self._claims

    def next(self, partition: int) -> int | None:
        """The next offset to apply, of a claimed partition."""
        held = self._claims.get(partition)
        return held.next if held else None

    def forget(self, partition: int) -> None:
        """Give a claim up; the partition is claimed anew at its next batch, or after a while without."""
        self._claims.pop(partition, None)

    def cautious(self, items: Sequence[Item]) -> bool:
        """Whether one of these may be the record that killed the process before."""
        until = self._single_until
        return bool(until) and any(offset < until.get(partition, 0) for partition, offset, _ in map(place, items))

    async def claim(
        self, partition: int, consumer: AIOKafkaConsumer | None, load: Callable[[], Awaitable[None]]
    ) -> None:
        """Become the owner, build the memory, and go to where the store says. Raises `OffsetLost`."""
        who = self._who
        held = await self._patience.insist(lambda: claim(self._mongo, who.topic, who.group, partition, who.instance))
        begin = await self._check_offset(held, consumer)
        if (end := self._ends(consumer).get(partition)) is not None and held.next >= end:
            held = await self._patience.insist(partial(at_rest, self._mongo, held))
        await self._patience.insist(load)
        self._claims[partition] = held
        self._gaps.pop(partition, None)
        self._unproven.discard(partition)
        if held.stuck > CAUTIOUS_FROM:
            self._single_until[partition] = held.next + self._batch_max
        log.info("claimed", topic=who.topic, partition=partition, epoch=held.epoch, next=held.next)
        to = held.next
        if held.tail is not None and begin < held.next:
            self._unproven.add(partition)
            to -= 1  # the record last applied comes first, to be recognised
        self._seek(partition, to, consumer)

    async def _check_offset(self, held: Claim, consumer: AIOKafkaConsumer | None) -> int:
        """Refuse to go on from an offset that the topic does not have; returns the topic's first one."""
        tp = TopicPartition(self._who.topic, held.partition)
        if consumer is None or held.next == 0:
            return 0
        begin = (await self._patience.insist(lambda: consumer.beginning_offsets([tp])))[tp]
        end = (await self._patience.insist(lambda: consumer.end_offsets([tp])))[tp]
        if not begin <= held.next <= end:
            raise self._lost(held, f"has offsets {begin} to {end}, stored is {held.next}")
        return int(begin)

    def _lost(self, held: Claim, what: str) -> OffsetLost:
        return OffsetLost(
            f"{self._who.topic}[{held.partition}] {what}; decide with: fengqiao progress set "
            f"--service {self._who.service} --topic {self._who.topic} --partition {held.partition} "
            "--to earliest|latest|OFFSET"
        )

    def due(self, partition: int, part: Sequence[Item], consumer: AIOKafkaConsumer | None) -> Sequence[Item]:
        """What of `part` is next in order. Records from before a seek are dropped; a gap is believed when seen twice."""
        held = self._claims[partition]
        if partition in self._unproven:
            self._prove(held, part)
        at = next((n for n, item in enumerate(part) if place(item)[1] >= held.next), None)
        if at is None:
            return []
        first = place(part[at])[1]
        if first > held.next and self._gaps.get(partition) != (held.next, first):
            self._gaps[partition] = (held.next, first)
            self._seek(partition, held.next, consumer)
            return []
        return part[at:]

    def _prove(self, held: Claim, part: Sequence[Item]) -> None:
        """Compare the record before the stored offset with the one last applied: another one means another topic."""
        for item in part:
            _, offset, at = place(item)
            if offset == held.next - 1:
                self._unproven.discard(held.partition)
                if at != held.tail:
                    raise self._lost(
                        held, f"was made anew: the record before offset {held.next} is not the one last applied"
                    )

    def _seek(self, partition: int, offset: int, consumer: AIOKafkaConsumer | None) -> None:
        tp = TopicPartition(self._who.topic, partition)
        if consumer is not None and tp in consumer.assignment():
            consumer.seek(tp, offset)

    def steps(self, items: Sequence[Item]) -> list[Step]:
        """The moves that applying these records makes. Raises `Fenced` if a partition was taken away meanwhile."""
        last: dict[int, tuple[int, int]] = {}
        for partition, offset, at in map(place, items):
            last[partition] = (offset + 1, at)
        try:
            return [Step(self._claims[p], to, tail) for p, (to, tail) in last.items()]
        except KeyError:
            raise Fenced from None

    def moved(self, steps: Sequence[Step]) -> None:
        """Remember what was committed."""
        for step in steps:
            held = self._claims.get(step.claim.partition)
            if held is not None and held.epoch == step.claim.epoch:
                self._claims[step.claim.partition] = replace(held, next=step.to, tail=step.tail, stuck=0)
