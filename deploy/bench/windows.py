"""What `bench consumer` measures: the bus with the window updates of screening, the matter of each event given.

Runs as a process of its own (`python -m deploy.bench.windows`), as a service does. Per event a petition row under its
natural key; per matter and batch one window row; a flag when the fifth distinct petitioner of 30 days appears.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from fastapi import FastAPI

from shared.bus import Received, Rewrite
from shared.events import PETITIONS, Bilingual, Event, FlagRaised, PetitionFiled, RuleRef, derived_id, new_event
from shared.mongo import ASCENDING, BulkWriteError, Document, DuplicateKeyError, IndexModel, Mongo, Session, UpdateOne
from shared.service import Service, run
from shared.settings import ServiceSettings

WINDOW: Final = timedelta(days=30)
THRESHOLD: Final = 5
INDEXES: Final = {"petitions": [IndexModel([("partition", ASCENDING)])], "windows": []}


@dataclass
class Window:
    """Who spoke on a matter, and when last; the newest 30 days count."""

    last: dict[str, datetime] = field(default_factory=dict)
    flagged: bool = False

    def add(self, petitioner: str, at: datetime) -> int:
        """Count one more; returns the distinct petitioners of the 30 days before `at`."""
        before = self.last.pop(petitioner, at)
        self.last[petitioner] = max(at, before)  # newest last: what has left the window stands in front
        while at - next(iter(self.last.values())) > WINDOW:
            del self.last[next(iter(self.last))]
        return len(self.last)


@dataclass
class Plan:
    """What one batch writes."""

    rows: list[Document]
    events: list[Received]
    touched: dict[str, Window] = field(default_factory=dict)
    flags: list[Event] = field(default_factory=list)


class Windows:
    """Counts distinct petitioners a matter; memory is rebuilt from the petition rows at each claim."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._windows: dict[str, Window] = {}
        self._seen: set[str] = set()

    async def load(self, partitions: Collection[int]) -> None:
        """Replay the stored petitions of these partitions."""
        query = {"partition": {"$in": list(partitions)}}
        async for row in self._mongo["petitions"].find(query).sort("at", 1):
            self._seen.add(row["_id"])
            self._count(row["matter"], row["petitioner"], row["at"])

    def _count(self, matter: str, petitioner: str, at: datetime) -> int:
        return self._windows.setdefault(matter, Window()).add(petitioner, at)

    async def prepare(self, batch: Sequence[Received]) -> Plan:
        """Apply a batch to memory and note what it changes. Events seen before change nothing."""
        plan = Plan([], [])
        for received in batch:
            data: PetitionFiled = received.event.data
            if data.petition_id in self._seen:
                continue
            self._seen.add(data.petition_id)
            matter = data.title
            count = self._count(matter, data.petitioner, data.submitted_at)
            window = plan.touched[matter] = self._windows[matter]
            if count >= THRESHOLD and not window.flagged:
                window.flagged = True
                plan.flags.append(_flag(received, matter, count))
            plan.rows.append(
                {
                    "_id": data.petition_id,
                    "partition": received.partition,
                    "matter": matter,
                    "petitioner": data.petitioner,
                    "at": data.submitted_at,
                }
            )
        return plan

    async def write(self, session: Session, plan: Plan) -> Sequence[Event]:
        """Rows first: one that is there already stops the batch, which is then looked at row by row."""
        if not plan.rows:
            return ()
        try:
            await self._mongo["petitions"].insert_many(plan.rows, ordered=False, session=session)
        except (BulkWriteError, DuplicateKeyError):
            ids = [row["_id"] for row in plan.rows]
            known = {row["_id"] async for row in self._mongo["petitions"].find({"_id": {"$in": ids}}, {"_id": 1})}
            plan.rows = [row for row in plan.rows if row["_id"] not in known]
            raise Rewrite from None
        await self._mongo["windows"].bulk_write(
            [
                UpdateOne({"_id": matter}, {"$set": {"distinct": len(w.last), "flagged": w.flagged}}, upsert=True)
                for matter, w in plan.touched.items()
            ],
            ordered=False,
            session=session,
        )
        return plan.flags


def _flag(received: Received, matter: str, count: int) -> Event:
    data = received.event.data
    flag = FlagRaised(
        flag_id=derived_id(str(received.event.id), "collective_risk"),
        kind="collective_risk",
        matter=matter,
        jurisdiction=data.jurisdiction,
        petition_ids=(data.petition_id,),
        petitioners=(data.petitioner,),
        distinct_petitioners=count,
        level="II",
        rule=RuleRef(id="collective_risk", version=1, policy="bench@1", basis="internal practice"),
        threshold=THRESHOLD,
        observed=count,
        margin=0,
        explanation=Bilingual(zh="基准测试", en="benchmark"),
        at=data.submitted_at,
    )
    return new_event(flag, id=flag.flag_id, source="/bench", time=received.event.time)


def create_app(settings: ServiceSettings) -> FastAPI:
    """Compose the measured service."""
    service = Service("bench", settings, title="bench")
    service.indexes(INDEXES)
    service.consume(PETITIONS, Windows(service.mongo))
    return service.app


if __name__ == "__main__":
    run(create_app, ServiceSettings)
