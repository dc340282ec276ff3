"""The intake's store in memory, with the real one's rules: unique keys, versions, one outcome for a repeated request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.intake.documents import petition_document, record_of
from services.intake.domain.identity import blind_index
from services.intake.ports import (
    Change,
    Conflict,
    Entry,
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
from shared.events import Event
from shared.failpoint import failpoint

Document = dict[str, Any]


@dataclass
class Tables:
    """All rows; what a database would keep over a restart."""

    petitions: dict[str, Document] = field(default_factory=dict)
    identities: dict[str, Document] = field(default_factory=dict)
    keys: dict[str, Document] = field(default_factory=dict)
    requests: dict[str, Document] = field(default_factory=dict)
    audit: list[Document] = field(default_factory=list)
    outbox: list[Event] = field(default_factory=list)


class MemoryStore:
    """`services.intake.ports.Store` over dictionaries. A write is built aside and put in place at once."""

    def __init__(self, vault: Vault, index_key: bytes, tables: Tables | None = None) -> None:
        self.tables = tables or Tables()
        self._vault = vault
        self._index_key = index_key

    async def register(self, batch: Sequence[Registration]) -> list[Outcome]:
        await asyncio.sleep(0)
        return [await self._register(one) for one in batch]

    async def _register(self, one: Registration) -> Outcome:
        t, petition = self.tables, one.petition
        known = t.requests.get(one.request)
        if known is not None:
            if known["body"] != one.body:
                return Conflict("idempotency-key-reused")
            return Receipt(known["petition"], known["receipt"], known["status"], replayed=True)
        for row in t.petitions.values():
            same_number = petition.external_id is not None and row.get("external_id") == petition.external_id
            if same_number and row["channel"] == petition.channel:
                if row["body"] != one.body:
                    return Conflict("external-id-taken")
                return Receipt(row["_id"], row["receipt"], "received", replayed=True)
        await failpoint("intake.before_transaction")
        await failpoint("intake.in_transaction")
        self._seal(one)
        t.petitions[petition.petition_id] = petition_document(one)
        t.requests[one.request] = {
            "body": one.body,
            "petition": petition.petition_id,
            "receipt": petition.receipt,
            "status": "received",
        }
        t.audit.append(
            {"actor": f"channel:{petition.channel}", "action": "petition.filed", "object": petition.petition_id}
        )
        t.outbox.append(one.event)
        await failpoint("intake.after_commit")
        return Receipt(petition.petition_id, petition.receipt, "received")

    def _seal(self, one: Registration) -> None:
        given = one.identity.given()
        values = {**given, **one.original}
        if not values:
            return
        doc, subject = one.petition.petition_id, one.petition.petitioner
        if subject not in self.tables.keys:
            self.tables.keys[subject] = self._vault.new_key(subject)[1]
        key = self._vault.unwrap(self.tables.keys[subject], subject)
        self.tables.identities[doc] = {
            "subject": subject,
            "fields": {n: self._vault.seal(key, v, Place("identities", doc, n)) for n, v in values.items()},
            "index": {n: blind_index(self._index_key, n, given[n]) for n in ("phone", "id_number") if n in given},
        }

    async def record(self, petition_id: str) -> Record | None:
        row = self.tables.petitions.get(petition_id)
        return record_of(row) if row else None

    async def by_receipt(self, receipt: str) -> Record | None:
        return next((record_of(row) for row in self.tables.petitions.values() if row["receipt"] == receipt), None)

    async def same_text(self, record: Record) -> int:
        p = record.petition
        names = ("fingerprint", "jurisdiction", "restricted", "accused_unit")
        rows = self.tables.petitions.values()
        return sum(all(r.get(name) == getattr(p, name) for name in names) for r in rows) - 1

    async def step_done(self, petition_id: str, request: str) -> tuple[StepDone, str] | None:
        row = self.tables.requests.get(request)
        return (StepDone(petition_id, row["status"], row["version"], replayed=True), row["body"]) if row else None

    async def apply(self, change: Change) -> StepDone:
        await asyncio.sleep(0)
        t, after = self.tables, change.after
        row = t.petitions[after.petition_id]
        await failpoint("intake.before_transaction")
        if row["version"] != change.before.version or change.request in t.requests:
            raise StaleError
        await failpoint("intake.in_transaction")
        row.update(
            state=after.state,
            version=after.version,
            last_at=after.last_at,
            last_event_at=after.last_event_at,
            unit=after.unit,
            done=sorted(after.done),
        )
        entry: Entry = change.entry
        row["history"].append(
            {"type": entry.type, "at": entry.at, "unit": entry.unit, "actor": entry.actor, "fields": entry.fields}
        )
        t.requests[change.request] = {"body": change.body, "status": after.state, "version": after.version}
        t.audit.append({"actor": change.account, "action": f"petition.{entry.type}", "object": after.petition_id})
        t.outbox.append(change.event)
        await failpoint("intake.after_commit")
        return StepDone(after.petition_id, after.state, after.version)

    async def page(self, wanted: Filter, *, size: int, after: tuple[datetime, str] | None) -> list[Record]:
        rows = sorted(self.tables.petitions.values(), key=lambda r: (r["received_at"], r["_id"]), reverse=True)
        found = [row for row in rows if _fits(row, wanted)]
        if after is not None:
            found = [row for row in found if (row["received_at"], row["_id"]) < after]
        return [record_of(row) for row in found[:size]]

    async def identity(self, petition_id: str, *, account: str, reason: str, at: datetime) -> dict[str, str] | None:
        row = self.tables.identities.get(petition_id)
        wrapped = self.tables.keys.get(row["subject"]) if row else None
        self.tables.audit.append(
            {"actor": account, "action": "identity.read", "object": petition_id, "reason": reason, "at": at}
        )
        if row is None or wrapped is None:
            return None
        key = self._vault.unwrap(wrapped, row["subject"])
        return {n: self._vault.open(key, s, Place("identities", petition_id, n)) for n, s in row["fields"].items()}

    async def note_reading(self, petition_id: str, *, account: str, at: datetime) -> None:
        self.tables.audit.append({"actor": account, "action": "petition.read", "object": petition_id, "at": at})

    async def readers(self, petition_id: str) -> list[Reading]:
        rows = [r for r in self.tables.audit if r["action"] == "identity.read" and r["object"] == petition_id]
        return [Reading(row["at"], row["actor"], row["reason"]) for row in rows]

    async def forget(self, petition_id: str, *, account: str, reason: str, at: datetime) -> bool:
        row = self.tables.identities.get(petition_id)
        if row is None:
            return False
        gone = self.tables.keys.pop(row["subject"], None)
        for other in self.tables.identities.values():
            if other["subject"] == row["subject"]:
                other.update(fields={}, index={})
        self.tables.audit.append(
            {"actor": account, "action": "identity.erased", "object": petition_id, "reason": reason}
        )
        return gone is not None


def _fits(row: Document, wanted: Filter) -> bool:
    pairs = (
        ("jurisdiction", wanted.jurisdiction),
        ("state", wanted.status),
        ("channel", wanted.channel),
        ("topic", wanted.topic),
        ("unit", wanted.unit),
        ("petitioner", wanted.petitioner),
    )
    accused = row.get("accused_unit")
    return (
        all(value is None or row.get(name) == value for name, value in pairs)
        and (wanted.since is None or row["received_at"] >= wanted.since)
        and (wanted.until is None or row["received_at"] < wanted.until)
        and (not wanted.under or row.get("responsible_unit") in wanted.under or row["unit"] in wanted.under)
        and not (wanted.hide_accusations_without_unit and row["restricted"] and accused is None)
        and accused not in wanted.barred
    )
