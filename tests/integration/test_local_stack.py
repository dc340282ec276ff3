"""The local stack for real: Kafka and mongod start, work, survive kill -9, and never outlive their parent."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

from deploy.local.stack import Stack
from tests.support.stack import Topics, fresh

pytestmark = pytest.mark.stack


async def _produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"430102")
    finally:
        await producer.stop()


async def _consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=fresh("group"), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_records_go_through_kafka_in_order(stack: Stack, topics: Topics) -> None:
    (topic,) = await topics("petitions")
    sent = [f"{n}".encode() for n in range(20)]
    await _produce(stack.kafka, topic, sent)
    assert await _consume(stack.kafka, topic, len(sent)) == sent


async def test_mongo_is_a_replica_set_with_transactions(stack: Stack, mongo_db_name: str) -> None:
    client = AsyncIOMotorClient(stack.mongo)
    db = client[mongo_db_name]
    await db.create_collection("rows")
    async with await client.start_session() as session:
        async with session.start_transaction():
            await db.rows.insert_one({"_id": 1}, session=session)
        with pytest.raises(RuntimeError):
            async with session.start_transaction():
                await db.rows.insert_one({"_id": 2}, session=session)
                raise RuntimeError
    assert [row["_id"] async for row in db.rows.find()] == [1]
    limits = await client.admin.command("getParameter", 1, transactionLifetimeLimitSeconds=1)
    assert limits["transactionLifetimeLimitSeconds"] == 10
    client.close()
