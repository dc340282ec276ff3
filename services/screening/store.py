"""Screening's rows in MongoDB. Every write is a set under a natural key, in the transaction of the batch.

`counties` (version, partition, days), `petitions` (masked, with their place and steps), `matters`, `flags`, `merges`, `decisions`,
`inbox` (steps that came by another topic or before their petition), `late`, `outcomes`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from services.screening.ports import LISTED, CountyRows, CountyWrites, Document, Inbox, Stale, Wanted
from shared import audit, outbox
from shared.events import Event
from shared.mongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, Mongo, Session, UpdateOne

T = TypeVar("T")

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "counties": [IndexModel([("partition", ASCENDING)], name="partition")],
    "petitions": [
        IndexModel([("county", ASCENDING), ("joined_at", ASCENDING)], name="window"),
        IndexModel([("matter", ASCENDING)], name="matter"),
    ],
    "matters": [
        IndexModel([("county", ASCENDING), ("last_at", DESCENDING), ("_id", ASCENDING)], name="newest"),
        IndexModel([("last_at", DESCENDING), ("_id", ASCENDING)], name="newest_of_all"),
        IndexModel([("merged_into", ASCENDING)], name="merged", sparse=True),
    ],
    "flags": [
        IndexModel([("county", ASCENDING), ("at", DESCENDING)], name="newest"),
        IndexModel([("at", DESCENDING), ("_id", ASCENDING)], name="newest_of_all"),
        IndexModel([("matter", ASCENDING)], name="matter"),
    ],
    "merges": [IndexModel([("county", ASCENDING), ("at", ASCENDING)], name="county")],
    "decisions": [
        IndexModel([("county", ASCENDING), ("applied", ASCENDING)], name="waiting"),
        IndexModel([("matter", ASCENDING)], name="matter"),
    ],
    "inbox": [
        IndexModel([("county", ASCENDING)], name="county"),
        IndexModel([("petition", ASCENDING)], name="petition"),
    ],
    "late": [IndexModel([("county", ASCENDING)], name="county")],
    "outcomes": [IndexModel([("flag", ASCENDING)], name="flag")],
    **audit.INDEXES,
}
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TEXT: Final = {"text": 0, "petitioner": 0, "steps": 0, "home": 0, "link": 0, "cause": 0}
_WHOSE: Final = dict.fromkeys(("matter", "kind", "county", "unit", "restricted", "accused_unit"), 1)


class MongoStore:
    """The store of the service."""

    def __init__(self, mongo: Mongo, *, prefix: str = "") -> None:
        self._mongo = mongo
        self._prefix = prefix

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run `work` in one transaction; it may run several times."""
        return await self._mongo.transaction(work)

    async def enqueue(self, tx: Session, events: Sequence[Event]) -> None:
        """Put events into the outbox of the same transaction."""
        await outbox.enqueue(self._mongo, tx, events, prefix=self._prefix)

    # -- the pipeline -------------------------------------------------------------------------------------------------

    async def counties(self, partitions: Collection[int]) -> list[str]:
        """Counties that were last seen in these partitions."""
        rows = self._mongo["counties"].find({"partition": {"$in": list(partitions)}}, {"_id": 1})
        return [row["_id"] async for row in rows]

    async def newest(self, county: str) -> datetime | None:
        """The time of the county's newest petition."""
        row = await self._mongo["counties"].find_one({"_id": county}, {"newest": 1})
        return row["newest"] if row else None

    async def version(self, county: str) -> int:
        """How often the county was written, 0 where never."""
        row = await self._mongo["counties"].find_one({"_id": county}, {"version": 1})
        return int(row["version"]) if row else 0

    async def county(self, county: str, keep_days: int) -> CountyRows | None:
        """Everything to rebuild a county from: what happened within `keep_days`, and the older part of the matters in it."""
        header = await self._mongo["counties"].find_one({"_id": county})
        if header is None:
            return None
        newest = header["newest"]
        since = newest - timedelta(days=keep_days) if newest else _EVER
        recent = await self._mongo["petitions"].find({"county": county, "joined_at": {"$gte": since}}).to_list(None)
        ids = {row["_id"] for row in recent}
        alive = {"county": county, "$or": [{"active_at": {"$gte": since}}, {"flags.0": {"$exists": True}}]}
        matters = await self._mongo["matters"].find(alive).to_list(None)
        names = {row["matter"] for row in recent} | {row["_id"] for row in matters}
        older = {"county": county, "joined_at": {"$lt": since}, "matter": {"$in": [m["_id"] for m in matters]}}
        rows = recent + [row async for row in self._mongo["petitions"].find(older) if row["_id"] not in ids]
        # What a petition was split off from is fetched whole though it left memory: a part of it would be written over the whole.
        # So is what took that in, one after the other: there the decision lies by which the petition left.
        whole = {m["_id"] for m in matters}
        more = {row["home"] for row in rows if row["home"] != row["matter"]} - whole
        while more:
            whole |= more
            some = {"$in": list(more)}
            matters += await self._mongo["matters"].find({"county": county, "_id": some}).to_list(None)
            ids = {row["_id"] for row in rows}
            left = self._mongo["petitions"].find({"county": county, "matter": some})
            rows += [row async for row in left if row["_id"] not in ids]
            took = self._mongo["merges"].find({"county": county, "undone": False, "gone": some}, {"kept": 1})
            more = {row["kept"] async for row in took}
            more = (more | {row["home"] for row in rows if row["home"] != row["matter"]}) - whole
        names |= whole | {row["home"] for row in rows}
        among = {"$in": list(names)}
        merges = await self._mongo["merges"].find({"county": county, "undone": False, "gone": among}).to_list(None)
        decided = {"county": county, "applied": True, "refused": None, "matter": among}
        return CountyRows(
            header=header,
            petitions=rows,
            matters=matters,
            merges=merges,
            decisions=await self._mongo["decisions"].find(decided).to_list(None),
            flags=await self._mongo["flags"].find({"county": county, "matter": among}).to_list(None),
        )

    async def known(self, ids: Collection[str]) -> set[str]:
        """Which of these petitions are stored."""
        rows = self._mongo["petitions"].find({"_id": {"$in": list(ids)}}, {"_id": 1})
        return {row["_id"] async for row in rows}

    async def inbox(self, counties: Collection[str]) -> dict[str, Inbox]:
        """What waits for these counties: steps of petitions that are stored by now, and decisions."""
        if not counties:
            return {}
        found: dict[str, Inbox] = {}
        some = {"$in": list(counties)}
        steps = await self._mongo["inbox"].find({"county": some}).limit(5000).to_list(None)
        there = await self.known({row["petition"] for row in steps}) if steps else set[str]()
        for row in steps:
            if row["petition"] in there:
                found.setdefault(row["county"], Inbox([], [])).steps.append(row)
        async for row in self._mongo["decisions"].find({"county": some, "applied": False}).sort("at", ASCENDING):
            found.setdefault(row["county"], Inbox([], [])).decisions.append(row)
        return found

    async def write(self, tx: Session, writes: CountyWrites) -> None:
        """Write one county's changes, in one bulk a collection. Raises `Stale` where its version is another."""
        await self._fence(tx, writes)
        if writes.petitions:
            await self._mongo["petitions"].insert_many(writes.petitions, ordered=False, session=tx)
        changes: list[Any] = [UpdateOne({"_id": id}, {"$set": place}) for id, place in writes.places]
        changes += [UpdateOne({"_id": id}, {"$addToSet": {"steps": step}}) for id, step in writes.steps]
        late = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": _rest(row)}, upsert=True) for row in writes.late]
        inbox: list[Any] = [
            UpdateOne({"_id": r["_id"]}, {"$setOnInsert": _rest(r)}, upsert=True) for r in writes.waiting
        ]
        inbox += [DeleteOne({"_id": id}) for id in writes.taken]
        merges: list[Any] = [UpdateOne({"_id": id}, {"$set": {"undone": True}}) for id in writes.unmerged]
        merges += [_set(row) for row in writes.merges]
        decided = [UpdateOne({"_id": id}, {"$set": taken_up}) for id, taken_up in writes.decisions]
        for collection, operations in (
            ("petitions", changes),
            ("matters", [_set(row) for row in writes.matters]),
            ("flags", [_set(row, once="raised_by") for row in writes.flags]),
            ("merges", merges),
            ("decisions", decided),
            ("inbox", inbox),
            ("late", late),
        ):
            if operations:
                await self._mongo[collection].bulk_write(operations, ordered=True, session=tx)

    async def _fence(self, tx: Session, writes: CountyWrites) -> None:
        counties = self._mongo["counties"]
        if writes.version == 0:
            if await counties.find_one({"_id": writes.county}, {"_id": 1}, session=tx) is not None:
                raise Stale(writes.county)
            await counties.update_one({"_id": writes.county}, {"$set": writes.header}, upsert=True, session=tx)
            return
        match = {"_id": writes.county, "version": writes.version}
        done = await counties.update_one(match, {"$set": writes.header}, session=tx)
        if done.matched_count != 1:
            raise Stale(writes.county)

    async def put_steps(self, tx: Session, rows: Sequence[Document]) -> None:
        """Leave steps for the counties' owners; a step that is there already stays as it is."""
        if rows:
            changes = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": _rest(row)}, upsert=True) for row in rows]
            await self._mongo["inbox"].bulk_write(changes, ordered=False, session=tx)

    async def put_outcomes(self, tx: Session, rows: Sequence[Document]) -> None:
        """Keep what became of warnings; an older version never replaces a newer one."""
        newest: dict[str, Document] = {}
        for row in rows:
            if row["_id"] not in newest or row["version"] > newest[row["_id"]]["version"]:
                newest[row["_id"]] = row
        known = self._mongo["outcomes"].find({"_id": {"$in": list(newest)}}, {"version": 1}, session=tx)
        held = {row["_id"]: row["version"] async for row in known}
        changes = [_set(row) for id, row in newest.items() if row["version"] > held.get(id, 0)]
        if changes:
            await self._mongo["outcomes"].bulk_write(changes, ordered=False, session=tx)

    async def put_decision(self, tx: Session, row: Document) -> None:
        """Leave a decision for the county's owner."""
        await self._mongo["decisions"].insert_one(row, session=tx)

    # -- questions ----------------------------------------------------------------------------------------------------

    async def matters(self, wanted: Wanted) -> list[Document]:
        """Matters, the newest activity first."""
        query = _query(wanted, "last_at")
        query["petitions"] = {"$gte": wanted.at_least}
        order = [("last_at", DESCENDING), ("_id", ASCENDING)]
        return [row async for row in self._mongo["matters"].find(query).sort(order).limit(wanted.limit)]

    async def matter(self, id: str) -> Document | None:
        """One matter; a petition alone gives a matter of one."""
        return next(iter(await self.named({id})), None)

    async def named(self, ids: Collection[str]) -> list[Document]:
        """Several matters; one that is not there is left out."""
        found = {row["_id"]: row async for row in self._mongo["matters"].find({"_id": {"$in": list(ids)}})}
        without = [id for id in ids if id not in found]
        if without:
            async for alone in self._mongo["petitions"].find({"matter": {"$in": without}}, _NO_TEXT):
                row = alone | {"_id": alone["matter"], "state": "open", "petitions": 1, "petitioners": 1, "flags": []}
                found[row["_id"]] = row | {"opened_at": alone["at"], "last_at": alone["at"]}
        return list(found.values())

    async def petitioners(self, petitions: Collection[str]) -> int:
        """How many different petitioners wrote these petitions."""
        return len(await self._mongo["petitions"].distinct("petitioner", {"_id": {"$in": list(petitions)}}))

    async def history(self, id: str) -> Document:
        """The newest petitions (`size`: how many it has), merges, decisions and flags of a matter, in the order of time."""
        either = {"$or": [{"kept": id}, {"gone": id}]}
        named = {"$or": [{"matter": id}, {"other": id}]}
        newest = self._mongo["petitions"].find({"matter": id}, _NO_TEXT).sort([("at", DESCENDING), ("_id", DESCENDING)])
        return {
            "petitions": (await newest.limit(LISTED).to_list(None))[::-1],
            "size": await self._mongo["petitions"].count_documents({"matter": id}),
            "merges": await self._mongo["merges"].find(either).sort("at", ASCENDING).to_list(200),
            "decisions": await self._mongo["decisions"].find(named).sort("at", ASCENDING).to_list(200),
            "flags": await self._mongo["flags"].find({"matter": id}).sort("at", ASCENDING).to_list(200),
        }

    async def members(self, id: str, petitions: Collection[str]) -> tuple[list[Document], int]:
        """Those of the petitions that belong to a matter, and how many it has."""
        some = {"_id": {"$in": list(petitions)}, "matter": id}
        rows = await self._mongo["petitions"].find(some, _NO_TEXT).to_list(None)
        return rows, await self._mongo["petitions"].count_documents({"matter": id})

    async def flags(self, wanted: Wanted) -> list[Document]:
        """Flags, the newest first."""
        query = _query(wanted, "at") | {"retracted": False}
        order = [("at", DESCENDING), ("_id", ASCENDING)]
        return [row async for row in self._mongo["flags"].find(query).sort(order).limit(wanted.limit)]

    async def flag(self, id: str, tx: Session | None = None) -> Document | None:
        """One flag."""
        return await self._mongo["flags"].find_one({"_id": id}, session=tx)

    async def named_flags(self, ids: Collection[str]) -> list[Document]:
        """Several flags; one that is not there is left out."""
        return await self._mongo["flags"].find({"_id": {"$in": list(ids)}}).to_list(None) if ids else []

    async def open_flags(self, matters: Collection[str]) -> list[Document]:
        """The open flags of these matters: kind, and what tells who may see them."""
        some = {"matter": {"$in": list(matters)}, "state": "open"}
        return await self._mongo["flags"].find(some, _WHOSE).to_list(None)

    async def contest(self, tx: Session, id: str, contest: Document) -> None:
        """Set the contest of a flag."""
        await self._mongo["flags"].update_one({"_id": id}, {"$set": {"contest": contest}}, session=tx)

    async def outcomes(self, county: str | None, *, accusations: bool = True) -> list[Document]:
        """By kind, and the rule, its version and the policy that raised them: how many flags there were, what became of them.

        A row of before that was kept goes by what touched it last.
        """
        by = {name: {"$ifNull": [f"$raised_by.{name}", f"${name}"]} for name in ("rule", "rule_version", "policy")}
        group = {"kind": "$kind", **by}

        def count(condition: Document) -> Document:
            return {"$sum": {"$cond": [condition, 1, 0]}}

        counted: Document = {"retracted": False}
        if county:
            counted["county"] = county
        if not accusations:
            counted["restricted"] = {"$ne": True}
        pipeline: list[Document] = [
            {"$match": counted},
            {"$lookup": {"from": "outcomes", "localField": "_id", "foreignField": "flag", "as": "warnings"}},
            {"$addFields": {"warned": {"$last": {"$sortArray": {"input": "$warnings", "sortBy": {"at": 1}}}}}},
            {
                "$group": {
                    "_id": group,
                    "flags": {"$sum": 1},
                    "right": count({"$or": [{"$eq": ["$contest.state", "upheld"]}, _verdict("verified")]}),
                    "wrong": count({"$or": [{"$eq": ["$contest.state", "withdrawn"]}, _verdict("discarded")]}),
                    "contested": count({"$eq": ["$contest.state", "open"]}),
                }
            },
            {"$sort": {"_id": 1}},
        ]
        rows = await self._mongo["flags"].aggregate(pipeline).to_list(None)
        return [{**row.pop("_id"), **row} for row in rows]

    async def audit(self, tx: Session, *, actor: str, action: str, object: str, reason: str, at: datetime) -> None:
        """Append to the audit log in the same transaction."""
        await audit.record(self._mongo, tx, actor=actor, action=action, object=object, reason=reason, at=at)


def _verdict(state: str) -> Document:
    """The officers' verdict on a flag whose contest, if there was one, is not decided: a decided contest goes before it."""
    decided = {"$in": [{"$ifNull": ["$contest.state", "none"]}, ["upheld", "withdrawn"]]}
    return {"$and": [{"$not": [decided]}, {"$eq": ["$warned.state", state]}]}


def _set(row: Document, once: str = "") -> UpdateOne:
    """Sets the fields of a row; the field `once` only where the row is new."""
    change: Document = {"$set": {key: value for key, value in _rest(row).items() if key != once}}
    if once in row:
        change["$setOnInsert"] = {once: row[once]}
    return UpdateOne({"_id": row["_id"]}, change, upsert=True)


def _rest(row: Document) -> Document:
    return {key: value for key, value in row.items() if key != "_id"}


def _query(wanted: Wanted, time: str) -> Document:
    names = {"county": wanted.county, "state": wanted.state, "kind": wanted.kind, "unit": wanted.unit}
    query: Document = {key: value for key, value in names.items() if value is not None}
    if wanted.matter is not None:
        query["matter"] = wanted.matter
    if wanted.after is not None:
        at, id = wanted.after
        query["$or"] = [{time: {"$lt": at}}, {time: at, "_id": {"$gt": id}}]
    return query
