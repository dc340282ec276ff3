"""The alerts store, in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.alerts.handlers import Desk
from services.alerts.policy import load_plans
from services.alerts.ports import Store
from services.alerts.store import INDEXES, MongoStore
from shared import outbox
from shared.clock import FixedClock
from shared.directory import directory
from shared.mongo import Mongo
from tests.support.alerts import AT
from tests.support.alerts_fed import POLICIES
from tests.support.memory_alerts import MemoryStore


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(directory())
        return
    stack = request.getfixturevalue("stack")
    mongo = Mongo(stack.mongo, request.getfixturevalue("mongo_db_name"), app_name="store-test")
    await mongo.ensure_indexes({**outbox.INDEXES, **INDEXES})
    yield MongoStore(mongo, directory())
    await mongo.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(AT + timedelta(hours=1))


@pytest.fixture
def desk(store: Store, clock: FixedClock) -> Desk:
    return Desk(store, POLICIES, load_plans(), directory(), clock)
