"""What alerts keeps in MongoDB: warnings, their log, the numbered stream, timers, silences, deliveries."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from services.alerts import codec
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Timer
from services.alerts.domain.warning import Warning
from services.alerts.ports import Delivery, Filter, FlagRow, LogRow, StreamRow, Tx
from services.alerts.store_tx import (
    COUNTERS,
    DELIVERIES,
    DOCUMENTS,
    FINDINGS,
    FLAGS,
    LOG,
    SILENCES,
    STREAM,
    TIMERS,
    TOLD,
    WARNINGS,
    MongoTx,
)
from shared.access import Scope
from shared.audit import HEADS, ROWS
from shared.directory import Directory
from shared.failpoint import failpoint
from shared.mongo import ASCENDING, DESCENDING, Document, IndexModel, Mongo, Session

T = TypeVar("T")
KEEP_STREAM_S: Final = 7 * 24 * 3600

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    WARNINGS: [
        IndexModel(
            [("kind", ASCENDING), ("matter", ASCENDING), ("apart", ASCENDING)],
            name="one_open_each",
            unique=True,
            partialFilterExpression={"open": True},
        ),
        IndexModel([("matter", ASCENDING), ("newest", ASCENDING)], name="newest_of_matter"),
        IndexModel([("place", DESCENDING)], name="place", unique=True),
        IndexModel([("open", ASCENDING), ("seq", ASCENDING)], name="snapshot"),
        IndexModel([("seq", DESCENDING)], name="changed"),
        IndexModel([("group", ASCENDING), ("open", ASCENDING)], name="group"),
        IndexModel([("unit_path", ASCENDING), ("place", DESCENDING)], name="unit"),
    ],
    LOG: [IndexModel([("warning_id", ASCENDING), ("version", ASCENDING)], name="warning")],
    STREAM: [IndexModel([("at", ASCENDING)], name="ttl", expireAfterSeconds=KEEP_STREAM_S)],
    COUNTERS: [],
    FLAGS: [IndexModel([("warning_id", ASCENDING), ("at", ASCENDING)], name="warning")],
    FINDINGS: [
        IndexModel([(name, ASCENDING) for name in ("unit", "obligation", "state", "due")], name="earliest"),
        IndexModel(
            [("unit", ASCENDING), ("obligation", ASCENDING), ("state", ASCENDING), ("at", DESCENDING)], name="newest"
        ),
    ],
    TIMERS: [
        IndexModel([("due", ASCENDING)], name="due"),
        IndexModel([("subject", ASCENDING), ("kind", ASCENDING)], name="subject"),
    ],
    TOLD: [],
    SILENCES: [IndexModel([("ends_at", ASCENDING)], name="ends")],
    DELIVERIES: [
        IndexModel([("status", ASCENDING), ("next_at", ASCENDING)], name="due"),
        IndexModel([("warnings", ASCENDING), ("created_at", DESCENDING)], name="warning"),
        IndexModel([("created_at", DESCENDING)], name="newest"),
    ],
    DOCUMENTS: [IndexModel([("at", DESCENDING)], name="newest")],
    ROWS: [
        IndexModel([("object", ASCENDING), ("at", DESCENDING)], name="object"),
        IndexModel([("actor", ASCENDING), ("at", DESCENDING)], name="actor"),
    ],
    HEADS: [],
}
RETIRED: Final = {WARNINGS: ("one_open",)}
"""What `one_open_each` replaced: it allowed one open warning a matter and kind, also of kinds `EACH_ITS_OWN`."""


class MongoStore:
    """The store on MongoDB."""

    def __init__(self, mongo: Mongo, units: Directory, *, prefix: str = "") -> None:
        self._mongo = mongo
        self._units = units
        self._prefix = prefix

    def tx(self, session: Session) -> MongoTx:
        """A transaction that somebody else began and will commit."""
        return MongoTx(self._mongo, session, self._units, self._prefix)

    async def run(self, work: Callable[[Tx], Awaitable[T]], *, point: str = "alerts") -> T:
        """Run `work` in one transaction; `point` names its failpoints."""
        await failpoint(f"{point}.before_transaction")

        async def inside(session: Session) -> T:
            result = await work(self.tx(session))
            await failpoint(f"{point}.in_transaction")
            return result

        result = await self._mongo.transaction(inside)
        await failpoint(f"{point}.after_commit")
        return result

    async def get(self, id: str) -> Warning | None:
        """A warning by id."""
        found = await self._mongo[WARNINGS].find_one({"_id": id}, {"warning": 1})
        return codec.load_warning(found["warning"]) if found else None

    async def many(self, ids: Collection[str]) -> list[Warning]:
        """The warnings that there are of `ids`, in one question."""
        cursor = self._mongo[WARNINGS].find({"_id": {"$in": list(ids)}}, {"warning": 1})
        return [codec.load_warning(row["warning"]) async for row in cursor]

    async def find(self, scope: Scope, filter: Filter, *, before: int | None, limit: int) -> list[tuple[int, Warning]]:
        """Warnings newest first with their place in the list."""
        return await self._page("place", scope, filter, before, limit)

    async def changed(
        self, scope: Scope, filter: Filter, *, before: int | None, limit: int
    ) -> list[tuple[int, Warning]]:
        """Warnings by the number of their newest change, newest first."""
        return await self._page("seq", scope, filter, before, limit)

    async def _page(
        self, by: str, scope: Scope, filter: Filter, before: int | None, limit: int
    ) -> list[tuple[int, Warning]]:
        query = {"$and": [scope_query(scope), filter_query(filter)]}
        if before is not None:
            query["$and"].append({by: {"$lt": before}})
        cursor = self._mongo[WARNINGS].find(query, {"warning": 1, by: 1}).sort(by, -1).limit(limit)
        return [(row[by], codec.load_warning(row["warning"])) async for row in cursor]

    async def counts(self, scope: Scope) -> dict[str, dict[str, int]]:
        """Number of warnings by state and, of the open ones, by level and kind; exercises are not counted."""
        groups = {
            "state": [{"$group": {"_id": "$state", "n": {"$sum": 1}}}],
            "level": [{"$match": {"open": True}}, {"$group": {"_id": "$level", "n": {"$sum": 1}}}],
            "kind": [{"$match": {"open": True}}, {"$group": {"_id": "$kind", "n": {"$sum": 1}}}],
        }
        pipeline = [{"$match": {**scope_query(scope), "exercise": {"$ne": True}}}, {"$facet": groups}]
        found = await self._mongo[WARNINGS].aggregate(pipeline).to_list(1)
        return {name: {row["_id"]: row["n"] for row in found[0][name]} for name in groups}

    async def log(self, id: str) -> list[LogRow]:
        """A warning's log, oldest first."""
        cursor = self._mongo[LOG].find({"warning_id": id}).sort("version", 1)
        return [codec.load_log(row) async for row in cursor]

    async def flags(self, id: str) -> list[FlagRow]:
        """Flag events behind a warning, oldest first."""
        cursor = self._mongo[FLAGS].find({"warning_id": id}).sort("at", 1).limit(2000)
        return [codec.load_flag(row) async for row in cursor]

    async def head(self) -> int:
        """Number of the newest row of the stream."""
        found = await self._mongo[COUNTERS].find_one({"_id": STREAM})
        return int(found["n"]) if found else 0

    async def floor(self) -> int:
        """Number of the oldest row that is still there, head + 1 if there is none."""
        found = await self._mongo[STREAM].find_one({}, {"_id": 1}, sort=[("_id", 1)])
        return int(found["_id"]) if found else await self.head() + 1

    async def stream(self, after: int, limit: int) -> list[StreamRow]:
        """Rows of the stream after a number, in order."""
        cursor = self._mongo[STREAM].find({"_id": {"$gt": after}}).sort("_id", 1).limit(limit)
        return [codec.load_stream(row) async for row in cursor]

    async def snapshot(self, scope: Scope) -> list[StreamRow]:
        """The newest row of every open warning, in order of their numbers."""
        query = {"$and": [{"open": True}, scope_query(scope)]}
        cursor = self._mongo[WARNINGS].find(query, {"stream": 1}).sort("seq", 1)
        return [codec.load_stream(row["stream"]) async for row in cursor]

    async def due_timers(self, now: datetime, limit: int) -> list[Timer]:
        """Timers that are due, the oldest first."""
        cursor = self._mongo[TIMERS].find({"due": {"$lte": now}}).sort("due", 1).limit(limit)
        return [codec.load_timer(row) async for row in cursor]

    async def claim_delivery(self, now: datetime, until: datetime, *, busy: Collection[str] = ()) -> Delivery | None:
        """Take the message that is due first, of receivers that are not `busy`; nobody else takes it before `until`."""
        query: Document = {"status": "pending", "next_at": {"$lte": now}}
        if busy:
            query["receiver"] = {"$nin": sorted(busy)}
        found = await self._mongo[DELIVERIES].find_one_and_update(
            query, {"$set": {"next_at": until}}, sort=[("next_at", 1)]
        )
        return codec.load_delivery(found) if found else None

    async def mark_delivery(self, id: str, *, status: str, attempt: Mapping[str, Any], next_at: datetime) -> None:
        """Write down how an attempt went; what is delivered stays so."""
        change = {"$set": {"status": status, "next_at": next_at}, "$push": {"attempts": dict(attempt)}}
        await self._mongo[DELIVERIES].update_one({"_id": id, "status": "pending"}, change)

    async def deliveries(self, *, warning_id: str | None, status: str | None, limit: int) -> list[Delivery]:
        """The delivery log, newest first."""
        query = {key: value for key, value in (("warnings", warning_id), ("status", status)) if value is not None}
        cursor = self._mongo[DELIVERIES].find(query).sort("created_at", -1).limit(limit)
        return [codec.load_delivery(row) async for row in cursor]

    async def all_silences(self, *, limit: int) -> list[Silence]:
        """Silences, newest first."""
        cursor = self._mongo[SILENCES].find({}).sort("created_at", -1).limit(limit)
        return [codec.load_silence(row) async for row in cursor]

    async def document(self, id: str) -> dict[str, Any] | None:
        """A document with its bytes."""
        found = await self._mongo[DOCUMENTS].find_one({"_id": id})
        return dict(found) if found else None

    async def documents(self, *, warning_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Records of documents made and sent, newest first."""
        query = {"warning_id": warning_id} if warning_id else {}
        return [dict(row) async for row in self._mongo[DOCUMENTS].find(query, {"body": 0}).sort("at", -1).limit(limit)]


def scope_query(scope: Scope) -> Document:
    """The query that confines every read to a scope: other units' warnings and barred accusations are not there."""
    query: Document = {}
    if scope.jurisdiction is not None:
        query["jurisdiction"] = scope.jurisdiction
    if scope.unit is not None:
        query["unit_path"] = scope.unit
        query["$nor"] = [{"restricted": True, "accused": None}]
    if scope.barred:
        query["accused"] = {"$nin": sorted(scope.barred)}
    return query


def filter_query(filter: Filter) -> Document:
    """The query of a filter."""
    query: Document = {}
    for name, values in (("state", filter.states), ("level", filter.levels), ("kind", filter.kinds)):
        if values:
            query[name] = {"$in": sorted(values)}
    for name, value in (
        ("unit_path", filter.unit),
        ("jurisdiction", filter.jurisdiction),
        ("town", filter.town),
        ("topic", filter.topic),
        ("matter", filter.matter),
        ("exercise", filter.exercise),
    ):
        if value is not None:
            query[name] = value
    raised = {op: at for op, at in (("$gte", filter.since), ("$lt", filter.until)) if at is not None}
    if raised:
        query["raised_at"] = raised
    if filter.text:
        query["title"] = {"$regex": re.escape(filter.text)}
    return query
