"""A transaction that a killed process left open is ended by its successor, and by nobody else."""

import pytest

from deploy.local.stack import Stack
from shared.mongo import Mongo, PyMongoError

pytestmark = pytest.mark.stack


async def test_the_successor_ends_what_its_predecessor_left_open(stack: Stack, mongo_db_name: str) -> None:
    dead, stranger, heir = (Mongo(stack.mongo, mongo_db_name, app_name=name) for name in ("a-0", "a-1", "a-0"))
    try:
        await heir["rows"].insert_one({"_id": "contested", "by": "nobody"})
        session = await dead["rows"].database.client.start_session()
        session.start_transaction()
        await dead["rows"].update_one({"_id": "contested"}, {"$set": {"by": "dead"}}, session=session)

        assert await stranger.end_orphans() == 0
        assert await heir.end_orphans() == 1
        assert await heir.end_orphans() == 0

        await heir["rows"].update_one({"_id": "contested"}, {"$set": {"by": "heir"}})
        with pytest.raises(PyMongoError):
            await session.commit_transaction()
        assert (await heir["rows"].find_one({"_id": "contested"}))["by"] == "heir"
    finally:
        for mongo in (dead, stranger, heir):
            await mongo.close()
