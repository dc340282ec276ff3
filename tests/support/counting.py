"""A service as small as can be, for tests of the spine: it counts filed petitions, and emits one flag for each.

Run as a process: `python -m tests.support.counting`. Each effect is countable: one row a petition, one counter that only
a new row moves, one outgoing event a petition.
"""

from collections.abc import Collection, Sequence
from typing import Any

from fastapi import FastAPI

from shared.bus import PermanentError, Received
from shared.events import PETITIONS, Bilingual, Event, FlagRaised, RuleRef, derived_id, new_event
from shared.mongo import Mongo, Session
from shared.service import Service, run
from shared.settings import ServiceSettings


class Counting:
    """Counts each petition once. Titles steer it: `permanent` and `boom` fail as they say."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self.loads: list[list[int]] = []

    async def load(self, partitions: Collection[int]) -> None:
        self.loads.append(sorted(partitions))

    async def prepare(self, batch: Sequence[Received]) -> Any:
        for received in batch:
            if received.event.data.title == "permanent":
                raise PermanentError("not-for-us", "the title says so")
            if received.event.data.title == "boom":
                raise ZeroDivisionError
        return list(batch)

    async def write(self, session: Session, plan: Any) -> Sequence[Event]:
        rows = {r.event.data.petition_id: r for r in plan}
        known = {
            row["_id"]
            async for row in self._mongo["seen"].find({"_id": {"$in": list(rows)}}, {"_id": 1}, session=session)
        }
        new = [r for key, r in rows.items() if key not in known]
        if not new:
            return ()
        await self._mongo["seen"].insert_many(
            [{"_id": r.event.data.petition_id, "trace": r.event.traceparent} for r in new], session=session
        )
        await self._mongo["count"].update_one({"_id": "all"}, {"$inc": {"n": len(new)}}, upsert=True, session=session)
        return [_flag(r) for r in new]


def _flag(received: Received) -> Event:
    data = received.event.data
    flag = FlagRaised(
        flag_id=derived_id(str(received.event.id), "flag"),
        kind="collective_risk",
        matter=data.petition_id,
        jurisdiction=data.jurisdiction,
        petition_ids=(data.petition_id,),
        petitioners=(data.petitioner,),
        distinct_petitioners=1,
        level="IV",
        rule=RuleRef(id="counting", version=1, policy="test@1", basis="internal practice"),
        threshold=1,
        observed=1,
        margin=0,
        explanation=Bilingual(zh="测试", en="test"),
        at=data.submitted_at,
    )
    return new_event(
        flag,
        id=flag.flag_id,
        source="/counting",
        time=received.event.time,
        traceparent=received.event.traceparent,
        causation=str(received.event.id),
    )


def create_app(settings: ServiceSettings) -> FastAPI:
    """Compose the counting service."""
    service = Service("counting", settings, title="counting")
    service.indexes({"seen": [], "count": []})
    service.consume(PETITIONS, Counting(service.mongo))
    return service.app


if __name__ == "__main__":
    run(create_app, ServiceSettings)
