"""The ledger of petitions and obligations in MongoDB: the only place of the assessment's queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.assessment.documents import (
    decisions_of,
    facts_document,
    facts_of,
    held_of,
    row_document,
    row_of,
    step_document,
)
from services.assessment.domain.facts import Decision, Facts
from services.assessment.domain.facts import decisions_of as decisions_of_life
from services.assessment.domain.facts import facts_of as facts_of_life
from services.assessment.domain.ledger import Change, Held, Row
from services.assessment.domain.life import life_of
from services.assessment.domain.rules import HANDLE_EXT, WINDOWS
from services.assessment.ports import Confined, UnitCount, Wanted
from shared.events import Event
from shared.mongo import ASCENDING, Document, IndexModel, InsertOne, Mongo, ReplaceOne, Session, UpdateOne
from shared.outbox import enqueue

PETITIONS: Final = "petitions"
"""One document a petition: its steps (the inbox: a step whose event id is there is not applied again), the facts of
its rounds, and the decisions on its acceptance."""
OBLIGATIONS: Final = "obligations"
"""One document a petition, clock and start of that clock."""

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    PETITIONS: [
        IndexModel([("rounds.unit", ASCENDING), ("rounds.settled", ASCENDING)], name="rounds"),
        IndexModel([("decisions.unit", ASCENDING), ("decisions.at", ASCENDING)], name="decisions"),
        IndexModel([("joined", ASCENDING)], name="joined", partialFilterExpression={"joined": {"$exists": True}}),
    ],
    OBLIGATIONS: [
        IndexModel([("watch", ASCENDING)], name="watch", partialFilterExpression={"watch": {"$exists": True}}),
        IndexModel([("open", ASCENDING), ("breach_at", ASCENDING), ("_id", ASCENDING)], name="open"),
        IndexModel([("unit", ASCENDING), ("breach_at", ASCENDING)], name="unit"),
    ],
}
RETIRED: Final = {PETITIONS: ("unit_settled",)}
"""What `rounds` replaced, when a petition had one settlement only."""
_ONE_ROUND: Final = (
    *("unit", "settled", "replied", "closed", "reopened", "solved", "satisfied", "objected", "extended"),
    *("acts", "entered_late"),
)
"""Fields of a petition of version 0.1.0 that its rounds have now."""
_RIGHTS: Final = sorted(WINDOWS)


class MongoStore:
    """`Store` on one MongoDB database."""

    def __init__(self, mongo: Mongo, *, prefix: str = "") -> None:
        self._mongo = mongo
        self._prefix = prefix

    # -- the consumer's side ------------------------------------------------------------------------------------------

    async def held(self, tx: Session, petitions: Collection[str]) -> dict[str, Held]:
        """See `Store`."""
        found = self._mongo[PETITIONS].find(
            {"_id": {"$in": list(petitions)}}, {"steps": 1, "owed": 1, "jurisdiction": 1}, session=tx, batch_size=5000
        )
        return {d["_id"]: held_of(d) for d in await found.to_list(None)}

    async def rows(self, tx: Session, ids: Collection[str]) -> dict[str, Row]:
        """See `Store`."""
        if not ids:
            return {}
        found = self._mongo[OBLIGATIONS].find({"_id": {"$in": list(ids)}}, session=tx, batch_size=5000)
        return {d["_id"]: row_of(d) for d in await found.to_list(None)}

    async def save(self, tx: Session, changes: Sequence[Change]) -> None:
        """See `Store`."""
        if not changes:
            return
        petitions: list[Any] = []
        obligations: list[Any] = []
        for change in changes:
            document = _petition(change)
            first = len(change.held.steps) == len(change.new)
            petitions.append(InsertOne(document) if first else ReplaceOne({"_id": document["_id"]}, document))
            for row in change.rows:
                d = row_document(row)
                new = row.obligation.id in change.first
                obligations.append(InsertOne(d) if new else ReplaceOne({"_id": d["_id"]}, d))
        await self._mongo[PETITIONS].bulk_write(petitions, ordered=False, session=tx)
        if obligations:
            await self._mongo[OBLIGATIONS].bulk_write(obligations, ordered=False, session=tx)

    # -- the clock's side ---------------------------------------------------------------------------------------------

    async def watched(self, tx: Session, now: datetime, limit: int) -> list[Row]:
        """See `Store`."""
        found = self._mongo[OBLIGATIONS].find({"watch": {"$lte": now}}, session=tx)
        return [row_of(d) for d in await found.sort("watch", ASCENDING).limit(limit).to_list(None)]

    async def tell(self, tx: Session, rows: Sequence[Row], events: Sequence[Event]) -> None:
        """See `Store`."""
        if not rows:
            return
        updates: list[Any] = []
        for row in rows:
            change: Document = {"$set": {"told": sorted(row.told)}}
            if row.watch is None:
                change["$unset"] = {"watch": ""}
            else:
                change["$set"]["watch"] = row.watch
            updates.append(UpdateOne({"_id": row.obligation.id}, change))
        await self._mongo[OBLIGATIONS].bulk_write(updates, ordered=False, session=tx)
        await enqueue(self._mongo, tx, events, prefix=self._prefix)

    async def waiting(self, now: datetime) -> bool:
        """See `Store`."""
        return await self._mongo[OBLIGATIONS].find_one({"watch": {"$lte": now}}, {"_id": 1}) is not None

    async def renew(self, limit: int) -> int:
        """See `Store`."""
        old = {"rounds.unit": None, "received": {"$exists": True}}
        found = self._mongo[PETITIONS].find(old, {"steps": 1, "jurisdiction": 1}).limit(limit)
        updates: list[Any] = []
        for d in await found.to_list(None):
            life = life_of(d["_id"], d["jurisdiction"], held_of(d).steps)
            made = facts_document(facts_of_life(life), decisions_of_life(life))
            untouched = {"_id": d["_id"], "rounds": {"$exists": False}}  # a step that came meanwhile has renewed it
            updates.append(UpdateOne(untouched, {"$set": made, "$unset": dict.fromkeys(_ONE_ROUND, "")}))
        if updates:
            await self._mongo[PETITIONS].bulk_write(updates, ordered=False)
        return len(updates)

    # -- the readers' side --------------------------------------------------------------------------------------------

    async def page(
        self, wanted: Wanted, now: datetime, *, size: int, after: tuple[datetime | None, str] | None
    ) -> list[Row]:
        """See `Store`."""
        parts = [_confine(wanted.confined), _state(wanted.state, now)]
        if wanted.code is not None:
            parts.append({"code": wanted.code})
        if wanted.petition is not None:
            parts.append({"_id": {"$gte": f"{wanted.petition}/", "$lt": f"{wanted.petition}0"}})
        if after is not None:
            moment, key = after
            later = {"breach_at": {"$ne": None} if moment is None else {"$gt": moment}}
            parts.append({"$or": [later, {"breach_at": moment, "_id": {"$gt": key}}]})
        order = [("breach_at", ASCENDING), ("_id", ASCENDING)]
        found = self._mongo[OBLIGATIONS].find({"$and": parts}).sort(order).limit(size)
        return [row_of(d) for d in await found.to_list(None)]

    async def counts(self, confined: Confined, now: datetime) -> list[UnitCount]:
        """See `Store`."""
        match = {"$and": [_confine(confined), {"open": True, "code": {"$nin": _RIGHTS}}]}
        near = {"$and": [{"$lte": ["$soon_at", now]}, {"$gt": ["$breach_at", now]}]}
        group = {
            "_id": "$unit",
            "open": {"$sum": 1},
            "near": {"$sum": {"$cond": [near, 1, 0]}},
            "broken": {"$sum": {"$cond": [{"$lte": ["$breach_at", now]}, 1, 0]}},
        }
        found = self._mongo[OBLIGATIONS].aggregate([{"$match": match}, {"$group": group}, {"$sort": {"_id": 1}}])
        return [UnitCount(d["_id"], d["open"], d["near"], d["broken"]) for d in await found.to_list(None)]

    async def units(self) -> frozenset[str]:
        """See `Store`."""
        owing = await self._mongo[OBLIGATIONS].distinct("unit")
        return frozenset(owing) | frozenset(await self._mongo[PETITIONS].distinct("rounds.unit"))

    async def owed(self, confined: Confined, since: datetime, until: datetime) -> list[Row]:
        """See `Store`."""
        parts: list[Document] = [
            {"breach_at": {"$gt": since, "$lte": until}, "code": {"$nin": _RIGHTS}},
            {"breach_at": None, "started": {"$gte": since, "$lt": until}, "code": {"$nin": _RIGHTS}},
            {"breach_at": {"$gt": until}, "started": {"$lt": until}, "code": HANDLE_EXT},
        ]
        found = self._mongo[OBLIGATIONS].find({"$and": [_confine(confined), {"$or": parts}]}, batch_size=5000)
        return [row_of(d) for d in await found.to_list(None)]

    async def facts(self, confined: Confined, since: datetime, until: datetime) -> list[Facts]:
        """See `Store`."""
        own = {**_units(confined), "settled": {"$gte": since, "$lt": until}}
        wanted = {"$and": [_visible(confined), {"rounds": {"$elemMatch": own}}]}
        found = self._mongo[PETITIONS].find(wanted, {"steps": 0, "owed": 0, "decisions": 0}, batch_size=5000)
        rounds = [f for d in await found.to_list(None) for f in facts_of(d)]
        return [f for f in rounds if _is_of(confined, f.unit) and f.settled is not None and since <= f.settled < until]

    async def decisions(self, confined: Confined, since: datetime, until: datetime) -> list[Decision]:
        """See `Store`."""
        own = {**_units(confined), "at": {"$gte": since, "$lt": until}}
        wanted = {"$and": [_visible(confined), {"decisions": {"$elemMatch": own}}]}
        found = self._mongo[PETITIONS].find(wanted, {"decisions": 1}, batch_size=5000)
        made = [one for d in await found.to_list(None) for one in decisions_of(d)]
        return [one for one in made if _is_of(confined, one.unit) and since <= one.at < until]

    async def repeats(self, petitions: Collection[str]) -> Mapping[str, Sequence[datetime]]:
        """See `Store`."""
        if not petitions:
            return {}
        pipeline: list[Document] = [
            {"$match": {"joined": {"$in": list(petitions)}, "restricted": {"$ne": True}}},
            {"$sort": {"received": ASCENDING}},
            {"$group": {"_id": "$joined", "times": {"$push": "$received"}}},
        ]
        found = await self._mongo[PETITIONS].aggregate(pipeline).to_list(None)
        return {d["_id"]: tuple(d["times"]) for d in found}


def _petition(change: Change) -> Document:
    held = change.held
    return {
        "_id": held.petition,
        "jurisdiction": held.jurisdiction,
        "steps": [step_document(s) for s in held.steps],
        "owed": list(held.owed),
        **facts_document(change.facts, change.decisions),
    }


def _confine(confined: Confined) -> Document:
    return {"$and": [_units(confined), _visible(confined)]}


def _units(confined: Confined) -> Document:
    return {} if confined.units is None else {"unit": {"$in": sorted(confined.units)}}


def _is_of(confined: Confined, unit: str) -> bool:
    return confined.units is None or unit in confined.units


def _visible(confined: Confined) -> Document:
    parts: list[Document] = [{}]
    if confined.jurisdiction is not None:
        parts.append({"jurisdiction": confined.jurisdiction})
    if confined.barred:
        parts.append({"accused": {"$nin": sorted(confined.barred)}})
    if confined.no_unknown_accusations:
        parts.append({"$nor": [{"restricted": True, "accused": {"$exists": False}}]})
    return {"$and": parts}


def _state(state: str | None, now: datetime) -> Document:
    """The states of `Obligation.state` as queries."""
    match state:
        case "pending":
            return {"open": True, "soon_at": {"$gt": now}}
        case "due_soon":
            return {"open": True, "soon_at": {"$lte": now}, "breach_at": {"$gt": now}}
        case "breached":
            return {"open": True, "breach_at": {"$lte": now}, "code": {"$nin": _RIGHTS}}
        case "met":
            return {"open": False, "excluded": {"$exists": False}, "$expr": {"$lt": ["$ended", "$breach_at"]}}
        case "met_late":
            return {"open": False, "excluded": {"$exists": False}, "$expr": {"$gte": ["$ended", "$breach_at"]}}
        case "excluded":
            lapsed = {"open": True, "breach_at": {"$lte": now}, "code": {"$in": _RIGHTS}}
            return {"$or": [{"excluded": {"$exists": True}}, lapsed]}
        case _:
            return {"breach_at": {"$ne": None}}
