"""One MongoDB transaction of the alerts service."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.alerts import codec
from services.alerts.domain.findings import FindingRow, Moved, Place, placed
from services.alerts.domain.notify import Told, group_key
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Plan, Timer, merged
from services.alerts.domain.warning import Change, Key, Text, Warning
from services.alerts.ports import Delivery, FindingGroup, FlagRow, StreamRow
from services.alerts.rows import log_row, stream_row
from shared import audit, outbox
from shared.directory import Directory
from shared.mongo import DeleteMany, Document, InsertOne, Mongo, ReplaceOne, Session, UpdateOne

WARNINGS: Final = "warnings"
LOG: Final = "warning_log"
STREAM: Final = "stream"
COUNTERS: Final = "counters"
FLAGS: Final = "flags"
FINDINGS: Final = "findings"
TIMERS: Final = "timers"
TOLD: Final = "told"
SILENCES: Final = "silences"
DELIVERIES: Final = "deliveries"
DOCUMENTS: Final = "documents"


class MongoTx:
    """Reads and writes within one session."""

    def __init__(self, mongo: Mongo, session: Session, units: Directory, prefix: str) -> None:
        self._mongo = mongo
        self._session = session
        self._units = units
        self._prefix = prefix

    async def warning(self, id: str) -> Warning | None:
        """A warning by id."""
        found = await self._mongo[WARNINGS].find_one({"_id": id}, {"warning": 1}, session=self._session)
        return codec.load_warning(found["warning"]) if found else None

    async def latest(self, keys: Collection[Key]) -> dict[Key, Warning]:
        """The newest episode of each key that has one."""
        if not keys:
            return {}
        matters = sorted({matter for _, matter, _ in keys})
        cursor = self._mongo[WARNINGS].find(
            {"matter": {"$in": matters}, "newest": True}, {"warning": 1}, session=self._session
        )
        found = [codec.load_warning(row["warning"]) async for row in cursor]
        return {warning.key: warning for warning in found if warning.key in keys}

    async def open_on(self, matters: Collection[str]) -> list[Warning]:
        """Open warnings on these matters."""
        return await self._warnings({"matter": {"$in": sorted(matters)}, "open": True})

    async def open_of(self, kinds: Collection[str]) -> list[Warning]:
        """Open warnings of these kinds; of every kind where none is named."""
        return await self._warnings({"open": True, **({"kind": {"$in": sorted(kinds)}} if kinds else {})})

    async def group(self, key: str, ids: Collection[str]) -> list[Warning]:
        """Open warnings of a group, and those of `ids` whatever they are."""
        return await self._warnings({"$or": [{"group": key, "open": True}, {"_id": {"$in": sorted(ids)}}]})

    async def _warnings(self, query: Document) -> list[Warning]:
        cursor = self._mongo[WARNINGS].find(query, {"warning": 1}, session=self._session)
        return [codec.load_warning(row["warning"]) async for row in cursor]

    async def save(self, changes: Sequence[tuple[Change, Plan]]) -> None:
        """Write changes in order. The counter makes transactions commit one after another, in the order of their numbers."""
        if not changes:
            return
        counter = await self._mongo[COUNTERS].find_one_and_update(
            {"_id": STREAM}, {"$inc": {"n": len(changes)}}, upsert=True, return_document=True, session=self._session
        )
        first = counter["n"] - len(changes) + 1
        rows = [stream_row(change, first + place, self._units) for place, (change, _) in enumerate(changes)]
        await self._write_warnings([(change, row) for (change, _), (row, _) in zip(changes, rows, strict=True)])
        await self._mongo[LOG].insert_many(
            [codec.dump_log(log_row(change)) for change, _ in changes], session=self._session
        )
        await self._mongo[STREAM].insert_many([codec.dump_stream(row) for row, _ in rows], session=self._session)
        await outbox.enqueue(self._mongo, self._session, [event for _, event in rows], prefix=self._prefix)
        await self.set_timers(merged(plan for _, plan in changes))

    async def _write_warnings(self, changes: Sequence[tuple[Change, StreamRow]]) -> None:
        newest: dict[str, tuple[Change, StreamRow]] = {}
        born: dict[str, int] = {}
        writes: list[Any] = []
        for change, row in changes:
            newest[change.warning.id] = (change, row)
            if change.action == "raise":
                born[change.warning.id] = row.seq
                if change.warning.previous:
                    writes.append(UpdateOne({"_id": change.warning.previous}, {"$set": {"newest": False}}))
        closed_first = sorted(newest.values(), key=lambda pair: pair[0].warning.open)
        for change, row in closed_first:
            fields = self._fields(change.warning, row)
            if change.warning.id in born:
                document = {**fields, "_id": change.warning.id, "place": born[change.warning.id], "newest": True}
                writes.append(InsertOne(document))
            else:
                writes.append(UpdateOne({"_id": change.warning.id}, {"$set": fields}))
        superseded = {change.warning.previous for change, _ in changes if change.warning.previous}
        writes += [UpdateOne({"_id": id}, {"$set": {"newest": False}}) for id in sorted(superseded & born.keys())]
        await self._mongo[WARNINGS].bulk_write(writes, ordered=True, session=self._session)

    def _fields(self, warning: Warning, row: StreamRow) -> Document:
        unit = warning.responsible_unit
        return {
            "schema_version": codec.SCHEMA,
            "warning": codec.dump_warning(warning),
            "stream": codec.dump_stream(row),
            "seq": row.seq,
            "kind": warning.kind,
            "matter": warning.matter,
            "apart": warning.key[-1],
            "state": warning.state,
            "open": warning.open,
            "level": warning.level,
            "group": group_key(warning),
            "raised_at": warning.raised_at,
            "jurisdiction": warning.flag.jurisdiction,
            "town": warning.flag.town,
            "topic": warning.flag.topic,
            "title": warning.flag.title,
            "unit": unit,
            "unit_path": [unit, *self._units.ancestors(unit)] if unit else [],
            "restricted": warning.flag.restricted,
            "accused": warning.flag.accused_unit,
            "exercise": warning.exercise,
            "version": warning.version,
        }

    async def seen(self, ids: Collection[str]) -> set[str]:
        """Which of these flag events are there already."""
        cursor = self._mongo[FLAGS].find({"_id": {"$in": list(ids)}}, {"_id": 1}, session=self._session)
        return {row["_id"] async for row in cursor}

    async def add_flags(self, rows: Sequence[FlagRow]) -> None:
        """Keep flag events."""
        if rows:
            await self._mongo[FLAGS].insert_many([codec.dump_flag(row) for row in rows], session=self._session)

    async def begin(self) -> None:
        """Take the stream's counter now; others wait from here on."""
        await self._mongo[COUNTERS].update_one(
            {"_id": STREAM}, {"$inc": {"taken": 1, "n": 0}}, upsert=True, session=self._session
        )

    async def set_findings(self, rows: Sequence[FindingRow]) -> list[Moved]:
        """See `Tx`. A petition and obligation is one document: the start that counts, and the others beside it."""
        cursor = self._mongo[FINDINGS].find({"_id": {"$in": sorted({row.id for row in rows})}}, session=self._session)
        known = {found["_id"]: codec.load_findings(found) async for found in cursor}
        changed: dict[str, tuple[FindingRow, ...]] = {}
        moved: list[Moved] = []
        for row in rows:
            there = known.get(row.id, ())
            after = placed(there, row)
            if after is not None:
                known[row.id] = changed[row.id] = after
                moved.append(Moved(row, there[0].place if there else None, after[0].place))
        if changed:
            writes = [ReplaceOne({"_id": id}, codec.dump_findings(own), upsert=True) for id, own in changed.items()]
            await self._mongo[FINDINGS].bulk_write(writes, ordered=False, session=self._session)
        return moved

    async def finding_group(self, place: Place) -> FindingGroup:
        """A unit's petitions in one state for one obligation."""
        query: Document = {"unit": place.unit, "obligation": place.obligation, "state": place.state}
        query["jurisdiction"] = place.jurisdiction
        veiled = {"restricted": True, "accused_unit": place.accused_unit}
        query |= veiled if place.restricted else {"restricted": {"$ne": True}}
        found = self._mongo[FINDINGS]
        count = await found.count_documents(query, session=self._session)
        newest = [
            row async for row in found.find(query, session=self._session).sort([("at", -1), ("_id", 1)]).limit(200)
        ]
        first = await found.find_one(query, sort=[("due", 1), ("_id", 1)], session=self._session)
        return FindingGroup(
            count=count,
            petition_ids=tuple(row["petition_id"] for row in newest),
            basis=first["basis"] if first else "",
            derivation=Text(**first["derivation"]) if first else Text("", ""),
        )

    async def timer(self, id: str) -> Timer | None:
        """A timer that is still there."""
        found = await self._mongo[TIMERS].find_one({"_id": id}, session=self._session)
        return codec.load_timer(found) if found else None

    async def set_timers(self, plan: Plan) -> None:
        """Start, bring forward and drop timers."""
        writes: list[Any] = [DeleteMany({"kind": kind, "subject": subject}) for kind, subject in plan.drop]
        for timer in plan.start:
            body = codec.dump_timer(timer)
            writes.append(UpdateOne({"_id": body.pop("_id")}, {"$setOnInsert": body}, upsert=True))
        for timer in plan.sooner:
            body = codec.dump_timer(timer)
            change = {"$min": {"due": body.pop("due")}, "$setOnInsert": {k: v for k, v in body.items() if k != "_id"}}
            writes.append(UpdateOne({"_id": timer.id}, change, upsert=True))
        if writes:
            await self._mongo[TIMERS].bulk_write(writes, ordered=True, session=self._session)

    async def end_timer(self, id: str) -> None:
        """Remove a timer that has fired."""
        await self._mongo[TIMERS].delete_one({"_id": id}, session=self._session)

    async def told(self, group: str) -> Told | None:
        """What was last told about a group."""
        found = await self._mongo[TOLD].find_one({"_id": group}, session=self._session)
        return codec.load_told(found) if found else None

    async def set_told(self, group: str, told: Told) -> None:
        """Keep what was told."""
        await self._mongo[TOLD].replace_one(
            {"_id": group}, codec.dump_told(group, told), upsert=True, session=self._session
        )

    async def silences(self, now: datetime) -> list[Silence]:
        """Silences in force."""
        query = {"starts_at": {"$lte": now}, "ends_at": {"$gt": now}}
        return [codec.load_silence(row) async for row in self._mongo[SILENCES].find(query, session=self._session)]

    async def silence(self, id: str) -> Silence | None:
        """A silence by id."""
        found = await self._mongo[SILENCES].find_one({"_id": id}, session=self._session)
        return codec.load_silence(found) if found else None

    async def put_silence(self, silence: Silence) -> None:
        """Write a silence."""
        await self._mongo[SILENCES].replace_one(
            {"_id": silence.id}, codec.dump_silence(silence), upsert=True, session=self._session
        )

    async def put_deliveries(self, rows: Sequence[Delivery]) -> None:
        """Write messages to send; one that is there already stays."""
        writes = []
        for row in rows:
            body = codec.dump_delivery(row)
            writes.append(UpdateOne({"_id": body.pop("_id")}, {"$setOnInsert": body}, upsert=True))
        if writes:
            await self._mongo[DELIVERIES].bulk_write(writes, ordered=True, session=self._session)

    async def put_document(self, row: Mapping[str, Any]) -> None:
        """Keep the record of a document that was made."""
        await self._mongo[DOCUMENTS].update_one(
            {"_id": row["_id"]},
            {"$setOnInsert": {k: v for k, v in row.items() if k != "_id"}},
            upsert=True,
            session=self._session,
        )

    async def audit(
        self,
        *,
        actor: str,
        action: str,
        object: str,
        at: datetime,
        reason: str | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """Append to the audit chain."""
        await audit.record(
            self._mongo, self._session, actor=actor, action=action, object=object, at=at, reason=reason, detail=detail
        )
