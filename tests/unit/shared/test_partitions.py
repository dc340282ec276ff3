"""A partition that brings no record is claimed all the same: only a claim goes to where the store says."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from shared import partitions
from shared.bus import decode_record
from tests.support.consuming import TOPIC, Kafka, Nothing, Store, consumer_of, record, running

QUIET_S = 0.1


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("shared.partitions", "shared.consumer"):
        monkeypatch.setattr(f"{module}.QUIET_S", QUIET_S)


def gauge(consumer: Any, partition: int) -> float | None:
    labels = {"service": "screening", "topic": TOPIC, "partition": str(partition)}
    return consumer._metrics.registry.get_sample_value("fengqiao_lag", labels)


async def test_a_quiet_partition_goes_back_to_where_the_store_says() -> None:
    kafka, store, service = Kafka({0: 500}), Store(following=100), Nothing()
    consumer = consumer_of(kafka, store, service)
    async with running(consumer):
        assert consumer.lag() == {0: 500}  # the store was not asked yet
        await asyncio.sleep(4 * QUIET_S)
        assert (kafka.sought, service.loads) == ([(0, 100)], [0])
        assert (consumer.lag(), gauge(consumer, 0)) == ({0: 400}, 400)


async def test_a_quiet_partition_beside_a_busy_one_is_claimed_too() -> None:
    kafka = Kafka({0: 10**6, 1: 500})
    consumer = consumer_of(kafka, Store())
    async with running(consumer):
        for _ in range(20):
            offset = consumer._partitions.next(0) or 0
            await consumer._queue.put([decode_record(record(offset, b"not json"))])
            await asyncio.sleep(QUIET_S / 5)
        assert consumer._partitions.owns(1)


async def test_nothing_is_claimed_while_kafka_deals_the_partitions_anew() -> None:
    store = Store()
    consumer = consumer_of(Kafka({0: 5}), store)
    async with running(consumer):
        await consumer.on_partitions_revoked({TopicPartition(TOPIC, 0)})
        await asyncio.sleep(4 * QUIET_S)  # aiokafka still names the partitions it had
        assert store.progress["epoch"] == 0
        await consumer.on_partitions_assigned({TopicPartition(TOPIC, 0)})
        await asyncio.sleep(4 * QUIET_S)
        assert store.progress["epoch"] == 1


async def test_an_offset_that_the_topic_does_not_have_is_told_without_a_record() -> None:
    consumer = consumer_of(Kafka({0: 5}), Store(following=100))
    async with running(consumer):
        await asyncio.sleep(4 * QUIET_S)
        assert "fengqiao progress set" in (consumer.trouble() or "")


async def test_a_broker_that_does_not_answer_a_quiet_claim_is_waited_for() -> None:
    class Silent(Kafka):
        asked = 0

        async def end_offsets(self, tps: Any) -> Any:
            self.asked += 1
            if self.asked == 1:
                raise KafkaTimeoutError
            return await super().end_offsets(tps)

    kafka = Silent({0: 500})
    async with running(consumer_of(kafka, Store(following=100))) as task:
        await asyncio.sleep(1.5)  # a wait is up to a second
        assert not task.done(), repr(task.exception())
    assert (kafka.asked, kafka.sought) == (2, [(0, 100)])


async def test_starts_without_a_record_to_apply_are_no_sign_of_one_that_kills_the_process() -> None:
    store = Store(following=500)
    for _ in range(partitions.CAUTIOUS_FROM + 2):
        async with running(consumer_of(Kafka({0: 500}), store)):
            await asyncio.sleep(3 * QUIET_S)
    assert (store.progress["epoch"], store.progress["stuck"]) == (partitions.CAUTIOUS_FROM + 2, 0)
    for killed in range(1, 4):
        async with running(consumer_of(Kafka({0: 501}), store)):
            await asyncio.sleep(3 * QUIET_S)
        assert store.progress["stuck"] == killed


@pytest.mark.parametrize(("end", "troubled"), [(0, False), (5, False), (9, True)])
async def test_health_is_green_at_rest_and_red_where_records_wait_that_do_not_come(end: int, troubled: bool) -> None:
    consumer = consumer_of(Kafka({0: end}), Store(following=min(end, 5)))  # stalled after a second
    async with running(consumer):
        assert consumer.trouble() is None
        await asyncio.sleep(4 * QUIET_S)
        consumer.moved_at -= 0.3
        assert consumer.trouble() is None
        await asyncio.sleep(6 * QUIET_S)
        assert (consumer.trouble() is not None) == troubled


async def test_what_cannot_be_claimed_does_not_look_as_if_nothing_waited() -> None:
    consumer = consumer_of(Kafka({0: 5000}), Store())
    await consumer.on_partitions_assigned({TopicPartition(TOPIC, 0)})
    assert consumer.trouble() is None
    consumer.moved_at = time.monotonic() - 3600
    assert "behind by 5000 and not moving" in (consumer.trouble() or "")
