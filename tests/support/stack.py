"""Fixtures for tests that need the real Kafka and the real MongoDB: one stack a run, fresh names a test."""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from deploy.local.stack import Stack, running


def fresh(prefix: str) -> str:
    """Return a name that no other test or run uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and MongoDB for the whole run, in a directory of their own.

    Processes are preferred to containers: tests kill and pause them. A test that leaves one dead or paused must
    restart it.
    """
    prefer = os.environ.get("FENGQIAO_LOCAL_PREFER", "process")
    with running(
        tmp_path_factory.mktemp("stack"), prefer=prefer, quiet=True, reuse=False, test_commands=True
    ) as running_stack:
        yield running_stack


@pytest.fixture
def mongo_db_name(stack: Stack) -> Iterator[str]:
    """Name of a database of the test's own, dropped afterwards."""
    from pymongo import MongoClient

    name = fresh("test")
    yield name
    with contextlib.suppress(Exception), MongoClient(stack.mongo, serverSelectionTimeoutMS=5000) as client:
        client.drop_database(name)


Topics = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def topics(stack: Stack) -> AsyncIterator[Topics]:
    """Make topics of the test's own: `await topics("a", "b", partitions=3)` returns their full names."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    made: list[str] = []

    async def make(*prefixes: str, partitions: int = 3) -> list[str]:
        names = [fresh(prefix) for prefix in prefixes]
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
            assert all(error[1] == 0 for error in answer.topic_errors), answer
        finally:
            await admin.close()
        made.extend(names)
        return names

    yield make
    if made:
        with contextlib.suppress(Exception):
            admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka, request_timeout_ms=5000)
            await admin.start()
            try:
                await admin.delete_topics(made)
            finally:
                await admin.close()
