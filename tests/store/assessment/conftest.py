"""The ledger, in memory and in MongoDB."""

from collections.abc import AsyncIterator

import pytest

from services.assessment.store import INDEXES
from shared import outbox
from shared.mongo import Mongo
from tests.support.ledgers import MemoryLedger, MongoLedger


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[MemoryLedger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    stack = request.getfixturevalue("stack")
    mongo = Mongo(stack.mongo, request.getfixturevalue("mongo_db_name"), app_name="test")
    await mongo.ensure_indexes({**INDEXES, **outbox.INDEXES})
    yield MongoLedger(mongo)
    await mongo.close()
