"""Screening's store, in memory and in MongoDB."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.screening.store import INDEXES, MongoStore
from shared import outbox
from shared.mongo import Mongo
from tests.support.memory_screening import MemoryStore
from tests.support.screening_service import Service


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryStore()
        return
    stack = request.getfixturevalue("stack")
    mongo = Mongo(stack.mongo, request.getfixturevalue("mongo_db_name"), app_name="test")
    await mongo.ensure_indexes({**INDEXES, **outbox.INDEXES})
    yield MongoStore(mongo)
    await mongo.close()


@pytest.fixture
async def service(store: Any) -> Service:
    return Service(store)
