"""The order in which the outbox is published: the store's own, whatever the times of the events say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.stack import Stack
from shared import outbox
from shared.events import Event
from shared.mongo import Mongo, Session
from tests.support.spine import filed

pytestmark = pytest.mark.stack
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def mongo(stack: Stack, mongo_db_name: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="test")
    await mongo.ensure_indexes(outbox.INDEXES)
    yield mongo
    await mongo.close()


def event(number: int, minutes: float = 0) -> Event:
    return filed(number, run="order").model_copy(update={"time": NOW + timedelta(minutes=minutes)})


async def put(mongo: Mongo, *events: Event) -> None:
    async def work(session: Session) -> None:
        await outbox.enqueue(mongo, session, events)

    await mongo.transaction(work)


async def order(mongo: Mongo) -> list[str]:
    return [row["_id"] for row in await outbox.pending(mongo, 100)]


async def test_a_change_goes_out_after_the_one_it_builds_on_though_its_time_is_earlier(mongo: Mongo) -> None:
    events = [event(n, minutes=-n) for n in range(8)]
    for each in events:
        await put(mongo, each)
    assert await order(mongo) == [str(each.id) for each in events]


async def test_rows_of_one_transaction_keep_their_order(mongo: Mongo) -> None:
    events = [event(n, minutes=-n) for n in range(40)]

    async def work(session: Session) -> None:
        for part in (events[:1], events[1:30], events[30:]):
            await outbox.enqueue(mongo, session, part)

    await mongo.transaction(work)
    assert await order(mongo) == [str(each.id) for each in events]


async def test_a_row_that_is_there_stays_as_it_is(mongo: Mongo) -> None:
    await put(mongo, event(0), event(1))
    before = await outbox.pending(mongo, 100)
    await put(mongo, event(2), event(0, minutes=5), event(1))
    after = await outbox.pending(mongo, 100)
    assert after[:2] == before
    assert [row["_id"] for row in after] == [str(event(n).id) for n in (0, 1, 2)]
    assert all(row["key"] and row["headers"]["content-type"] for row in after)
