"""The registry of petitions and the identity vault in MongoDB: the only place of the intake's queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.intake.documents import change_update, petition_document, record_of
from services.intake.domain.identity import blind_index
from services.intake.ports import (
    Change,
    Conflict,
    Filter,
    Outcome,
    Reading,
    Receipt,
    Record,
    Registration,
    StaleError,
    StepDone,
)
from services.intake.vault import Place, Vault
from shared import audit
from shared.failpoint import failpoint
from shared.mongo import (
    ASCENDING,
    DESCENDING,
    BulkWriteError,
    Document,
    DuplicateKeyError,
    IndexModel,
    Mongo,
    Session,
)
from shared.outbox import enqueue

PETITIONS: Final = "petitions"
IDENTITIES: Final = "identities"
KEYS: Final = "identity_keys"
REQUESTS: Final = "requests"
INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    PETITIONS: [
        IndexModel([("receipt", ASCENDING)], unique=True, name="receipt"),
        IndexModel(
            [("channel", ASCENDING), ("external_id", ASCENDING)],
            unique=True,
            name="external_id",
            partialFilterExpression={"external_id": {"$exists": True}},
        ),
        IndexModel([("received_at", DESCENDING), ("_id", DESCENDING)], name="newest"),
        IndexModel([("unit", ASCENDING), ("received_at", DESCENDING)], name="unit"),
        IndexModel([("jurisdiction", ASCENDING), ("fingerprint", ASCENDING)], name="same_text"),
    ],
    IDENTITIES: [
        IndexModel([("subject", ASCENDING)], name="subject"),
        IndexModel([("index.phone", ASCENDING)], name="phone", sparse=True),
        IndexModel([("index.id_number", ASCENDING)], name="id_number", sparse=True),
    ],
    KEYS: [],
    REQUESTS: [],
    **audit.INDEXES,
}
_DUPLICATE: Final = 11000
_TRIES: Final = 5


class MongoStore:
    """`Store` on one MongoDB database. `lane` is the audit chain of this process."""

    def __init__(self, mongo: Mongo, vault: Vault, *, index_key: bytes, lane: str, prefix: str = "") -> None:
        self._mongo = mongo
        self._vault = vault
        self._index_key = index_key
        self._lane = lane
        self._prefix = prefix

    # -- filing -------------------------------------------------------------------------------------------------------

    async def register(self, batch: Sequence[Registration]) -> list[Outcome]:
        """Write filings in one transaction; see `Store`."""
        fresh: dict[str, Registration] = {}
        for one in batch:
            fresh.setdefault(one.request, one)
        known = await self._answers(list(fresh))
        todo = [one for request, one in fresh.items() if request not in known]
        written = await self._write(todo) if todo else {}
        known |= written
        outcomes: list[Outcome] = []
        for one in batch:
            body, outcome = known[one.request]
            first = fresh[one.request] is one and one.request in written
            outcomes.append(outcome if first else _again(outcome, same=body == one.body))
        return outcomes

    async def _answers(self, requests: list[str]) -> dict[str, tuple[str, Outcome]]:
        found = self._mongo[REQUESTS].find({"_id": {"$in": requests}})
        return {
            row["_id"]: (row["body"], Receipt(row["petition"], row["receipt"], row["status"])) async for row in found
        }

    async def _write(self, todo: list[Registration], tries: int = _TRIES) -> dict[str, tuple[str, Outcome]]:
        await failpoint("intake.before_transaction")
        try:
            await self._mongo.transaction(lambda session: self._insert(session, todo))
        except (DuplicateKeyError, BulkWriteError) as error:
            if not _is_duplicate(error):
                raise
            if len(todo) == 1:
                found = await self._why(todo[0])
                if found is not None:
                    return {todo[0].request: found}
                if tries == 1:
                    raise
                # another process was first with a row both need, the key of a new petitioner: now it is there to be read
                return await self._write(todo, tries - 1)
            written: dict[str, tuple[str, Outcome]] = {}
            for one in todo:
                written |= await self._write([one])
            return written
        await failpoint("intake.after_commit")
        return {
            one.request: (one.body, Receipt(one.petition.petition_id, one.petition.receipt, "received")) for one in todo
        }

    async def _why(self, one: Registration) -> tuple[str, Outcome] | None:
        """The outcome where somebody else wrote the same request or the same external number in between, else None."""
        known = await self._answers([one.request])
        if known:
            body, outcome = known[one.request]
            return one.body, _again(outcome, same=body == one.body)
        petition = one.petition
        taken = {"channel": petition.channel, "external_id": petition.external_id}
        row = await self._mongo[PETITIONS].find_one(taken) if petition.external_id else None
        if row is None:
            return None
        if row["body"] == one.body:
            return one.body, Receipt(row["_id"], row["receipt"], "received", replayed=True)
        return one.body, Conflict("external-id-taken")

    async def _insert(self, session: Session, todo: list[Registration]) -> None:
        identities = await self._seal(session, todo)
        await self._mongo[PETITIONS].insert_many([petition_document(one) for one in todo], session=session)
        if identities:
            await self._mongo[IDENTITIES].insert_many(identities, session=session)
        rows = [
            {
                "_id": one.request,
                "body": one.body,
                "petition": one.petition.petition_id,
                "receipt": one.petition.receipt,
                "status": "received",
                "at": one.petition.registered_at,
            }
            for one in todo
        ]
        await self._mongo[REQUESTS].insert_many(rows, session=session)
        acts = [
            audit.Act(
                f"channel:{one.petition.channel}",
                "petition.filed",
                one.petition.petition_id,
                one.petition.registered_at,
            )
            for one in todo
        ]
        await audit.record_many(self._mongo, session, acts, lane=self._lane)
        await enqueue(self._mongo, session, [one.event for one in todo], prefix=self._prefix)
        await failpoint("intake.in_transaction")

    async def _seal(self, session: Session, todo: list[Registration]) -> list[Document]:
        """Identity documents of a batch; makes the data keys of petitioners that have none yet."""
        people = [one for one in todo if one.original or one.identity.given()]
        subjects = {one.petition.petitioner for one in people}
        if not subjects:
            return []
        found = self._mongo[KEYS].find({"_id": {"$in": list(subjects)}}, session=session)
        keys = {row["_id"]: self._vault.unwrap(row, row["_id"]) async for row in found}
        made: list[Document] = []
        for subject in sorted(subjects - keys.keys()):
            keys[subject], wrapped = self._vault.new_key(subject)
            made.append({"_id": subject, **wrapped})
        if made:
            await self._mongo[KEYS].insert_many(made, session=session)
        return [self._identity_document(one, keys[one.petition.petitioner]) for one in people]

    def _identity_document(self, one: Registration, key: bytes) -> Document:
        given, doc = one.identity.given(), one.petition.petition_id
        values = {**given, **one.original}
        document: Document = {
            "_id": doc,
            "subject": one.petition.petitioner,
            "fields": {
                name: self._vault.seal(key, value, Place(IDENTITIES, doc, name)) for name, value in values.items()
            },
        }
        index = {
            name: blind_index(self._index_key, name, given[name]) for name in ("phone", "id_number") if name in given
        }
        if index:
            document["index"] = index
        return document

    # -- reading ------------------------------------------------------------------------------------------------------

    async def record(self, petition_id: str) -> Record | None:
        """One petition."""
        row = await self._mongo[PETITIONS].find_one({"_id": petition_id})
        return record_of(row) if row else None

    async def by_receipt(self, receipt: str) -> Record | None:
        """The petition with this receipt number."""
        row = await self._mongo[PETITIONS].find_one({"receipt": receipt})
        return record_of(row) if row else None

    async def same_text(self, record: Record) -> int:
        """How many others say the same; see `Store`."""
        petition = record.petition
        same: Document = {"jurisdiction": petition.jurisdiction, "fingerprint": petition.fingerprint}
        same |= {"restricted": petition.restricted, "accused_unit": petition.accused_unit}  # None: not there
        return int(await self._mongo[PETITIONS].count_documents(same, limit=10_000)) - 1

    async def page(self, wanted: Filter, *, size: int, after: tuple[datetime, str] | None) -> list[Record]:
        """Petitions, newest first; see `Store`."""
        query = _query(wanted)
        if after is not None:
            at, last = after
            query.append({"$or": [{"received_at": {"$lt": at}}, {"received_at": at, "_id": {"$lt": last}}]})
        rows = self._mongo[PETITIONS].find({"$and": query} if query else {})
        rows = rows.sort([("received_at", DESCENDING), ("_id", DESCENDING)]).limit(size)
        return [record_of(row) async for row in rows]

    # -- steps --------------------------------------------------------------------------------------------------------

    async def step_done(self, petition_id: str, request: str) -> tuple[StepDone, str] | None:
        """The outcome of the same step asked for before; see `Store`."""
        row = await self._mongo[REQUESTS].find_one({"_id": request})
        if row is None:
            return None
        return StepDone(petition_id, row["status"], row["version"], replayed=True), row["body"]

    async def apply(self, change: Change) -> StepDone:
        """Write one step; see `Store`."""
        await failpoint("intake.before_transaction")
        try:
            await self._mongo.transaction(lambda session: self._step(session, change))
        except DuplicateKeyError:
            raise StaleError from None
        await failpoint("intake.after_commit")
        return StepDone(change.after.petition_id, change.after.state, change.after.version)

    async def _step(self, session: Session, change: Change) -> None:
        after = change.after
        current = {"_id": after.petition_id, "version": change.before.version}
        done = await self._mongo[PETITIONS].update_one(current, change_update(change), session=session)
        if done.matched_count == 0:
            raise StaleError
        row = {
            "_id": change.request,
            "body": change.body,
            "petition": after.petition_id,
            "status": after.state,
            "version": after.version,
            "at": after.last_event_at,
        }
        await self._mongo[REQUESTS].insert_one(row, session=session)
        await audit.record(
            self._mongo,
            session,
            actor=change.account,
            action=f"petition.{change.entry.type}",
            object=after.petition_id,
            at=after.last_event_at,
            reason=change.reason,
        )
        await enqueue(self._mongo, session, [change.event], prefix=self._prefix)
        await failpoint("intake.in_transaction")

    # -- the vault ----------------------------------------------------------------------------------------------------

    async def identity(self, petition_id: str, *, account: str, reason: str, at: datetime) -> dict[str, str] | None:
        """Read and log in one transaction; see `Store`."""

        async def read(session: Session) -> dict[str, str] | None:
            row = await self._mongo[IDENTITIES].find_one({"_id": petition_id}, session=session)
            wrapped = await self._mongo[KEYS].find_one({"_id": row["subject"]}, session=session) if row else None
            await audit.record(
                self._mongo,
                session,
                actor=account,
                action="identity.read",
                object=petition_id,
                at=at,
                reason=reason,
                result="ok" if wrapped else "nothing-held",
            )
            if row is None or wrapped is None:
                return None
            key = self._vault.unwrap(wrapped, row["subject"])
            fields: dict[str, Any] = row["fields"]
            return {
                name: self._vault.open(key, sealed, Place(IDENTITIES, petition_id, name))
                for name, sealed in fields.items()
            }

        return await self._mongo.transaction(read)

    async def note_reading(self, petition_id: str, *, account: str, at: datetime) -> None:
        """Append to the audit log; see `Store`."""

        async def note(session: Session) -> None:
            await audit.record(self._mongo, session, actor=account, action="petition.read", object=petition_id, at=at)

        await self._mongo.transaction(note)

    async def readers(self, petition_id: str) -> list[Reading]:
        """Who opened the vault; see `Store`."""
        rows = self._mongo[audit.ROWS].find({"object": petition_id, "action": "identity.read"}).sort("at", ASCENDING)
        return [Reading(datetime.fromisoformat(row["at"]), row["actor"], row["reason"]) async for row in rows]

    async def forget(self, petition_id: str, *, account: str, reason: str, at: datetime) -> bool:
        """Delete the petitioner's key and indexes; see `Store`."""

        async def erase(session: Session) -> bool:
            row = await self._mongo[IDENTITIES].find_one({"_id": petition_id}, session=session)
            if row is None:
                return False
            subject = row["subject"]
            gone = await self._mongo[KEYS].delete_one({"_id": subject}, session=session)
            await self._mongo[IDENTITIES].update_many(
                {"subject": subject}, {"$set": {"fields": {}}, "$unset": {"index": ""}}, session=session
            )
            await audit.record(
                self._mongo, session, actor=account, action="identity.erased", object=petition_id, at=at, reason=reason
            )
            return bool(gone.deleted_count)

        return await self._mongo.transaction(erase)


def _again(outcome: Outcome, *, same: bool) -> Outcome:
    """The answer to a request whose key was used before."""
    if not same:
        return Conflict("idempotency-key-reused")
    if isinstance(outcome, Receipt):
        return Receipt(outcome.petition_id, outcome.receipt, outcome.status, replayed=True)
    return outcome


def _is_duplicate(error: Exception) -> bool:
    if isinstance(error, BulkWriteError):
        return any(one.get("code") == _DUPLICATE for one in (error.details or {}).get("writeErrors", []))
    return isinstance(error, DuplicateKeyError)


def _query(wanted: Filter) -> list[Document]:
    """Conditions of a list; the caller's scope is part of them, so that nothing outside it is ever read."""
    query: list[Document] = []
    for name, value in (
        ("jurisdiction", wanted.jurisdiction),
        ("state", wanted.status),
        ("channel", wanted.channel),
        ("topic", wanted.topic),
        ("unit", wanted.unit),
        ("petitioner", wanted.petitioner),
    ):
        if value is not None:
            query.append({name: value})
    if wanted.since is not None:
        query.append({"received_at": {"$gte": wanted.since}})
    if wanted.until is not None:
        query.append({"received_at": {"$lt": wanted.until}})
    if wanted.under:
        query.append(
            {"$or": [{"responsible_unit": {"$in": list(wanted.under)}}, {"unit": {"$in": list(wanted.under)}}]}
        )
    if wanted.hide_accusations_without_unit:
        query.append({"$or": [{"restricted": False}, {"accused_unit": {"$exists": True}}]})
    if wanted.barred:
        query.append({"accused_unit": {"$nin": sorted(wanted.barred)}})
    return query
