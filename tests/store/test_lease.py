"""Leases on the real database: kept while the work lasts, lost to another, given back at the end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from shared.lease import COLLECTION, Lease, LeaseLostError
from shared.mongo import Mongo
from shared.service import Service
from shared.settings import ServiceSettings
from tests.support.spine import until

pytestmark = pytest.mark.stack
SHORT = timedelta(seconds=0.9)


@pytest.fixture
async def mongo(stack: Stack, mongo_db_name: str) -> AsyncIterator[Mongo]:
    one = Mongo(stack.mongo, mongo_db_name, app_name="test-lease")
    yield one
    await one.close()


async def test_work_longer_than_the_lease_keeps_it(mongo: Mongo) -> None:
    mine, other = (Lease(mongo, "every.work", owner, SHORT) for owner in ("a-0", "a-1"))
    assert await mine.keep()
    seen: set[object] = set()

    async def work() -> None:
        while len(seen) < 5:  # four renewals: longer than the lease itself
            row = await mongo[COLLECTION].find_one({"_id": "every.work"})
            assert row is not None
            seen.add(row["until"])
            assert not await other.hold()
            await asyncio.sleep(0.02)

    await mine.during(work)
    assert not await other.hold()
    await mine.release()
    assert await other.hold()


async def test_work_whose_lease_another_took_is_broken_off(mongo: Mongo) -> None:
    mine = Lease(mongo, "every.work", "a-0", SHORT)
    assert await mine.hold()
    ended: list[str] = []

    async def work() -> None:
        await mongo[COLLECTION].update_one({"_id": "every.work"}, {"$set": {"owner": "a-1"}})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(LeaseLostError):
        await mine.during(work)
    assert ended == ["cancelled"]
    assert not await mine.keep()


async def test_an_error_of_the_work_comes_out(mongo: Mongo) -> None:
    mine = Lease(mongo, "every.work", "a-0", SHORT)
    assert await mine.hold()

    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await mine.during(work)
    assert await mine.keep()


async def test_a_service_that_ends_gives_its_leases_to_its_successor(stack: Stack, mongo_db_name: str) -> None:
    settings = ServiceSettings(mongo=stack.mongo, kafka="127.0.0.1:1", prefix=f"{mongo_db_name}.")
    services, turns = [], []
    for instance in ("t-0", "t-1"):
        service = Service("t", settings.model_copy(update={"instance": instance}), title="t")

        async def work(instance: str = instance) -> None:
            turns.append(instance)
            await asyncio.Event().wait()  # at work when the end comes

        service.every("work", 0.01, work)
        services.append(service)
    database = Mongo(stack.mongo, services[0].mongo.name, app_name="test-lease")
    for number, service in enumerate(services, 1):
        async with service.app.router.lifespan_context(service.app):

            async def began(number: int = number) -> bool:
                return len(turns) == number

            await until(began, what="the ticker's work")
            assert await database[COLLECTION].count_documents({"_id": "every.work"}) == 1
        assert await database[COLLECTION].count_documents({}) == 0
    assert turns == ["t-0", "t-1"]
    await database[COLLECTION].database.client.drop_database(database.name)
    await database.close()
