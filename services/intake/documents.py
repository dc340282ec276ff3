"""How petitions look as documents of the store, and back."""

from __future__ import annotations

from typing import Any

from services.intake.domain.petition import Registered
from services.intake.domain.steps import RECEIVED, Life
from services.intake.ports import Change, Entry, Record, Registration

Document = dict[str, Any]
SCHEMA: int = 1


def petition_document(one: Registration) -> Document:
    """A new petition: its facts, its life, one line of history. Fields that are not set are left out."""
    petition = one.petition
    facts = {
        name: value
        for name in Registered.__dataclass_fields__
        if name != "petition_id" and (value := getattr(petition, name)) is not None
    }
    facts["signals"] = list(petition.signals)
    return {
        "_id": petition.petition_id,
        "v": SCHEMA,
        **facts,
        "restricted": petition.restricted,
        "body": one.body,
        "state": RECEIVED,
        "version": 1,
        "last_at": petition.received_at,
        "last_event_at": petition.registered_at,
        "unit": petition.responsible_unit,
        "done": [],
        "history": [{"type": "filed", "at": petition.received_at, "unit": None, "actor": None, "fields": {}}],
    }


def record_of(document: Document) -> Record:
    """A petition from its document."""
    facts: dict[str, Any] = {name: document.get(name) for name in Registered.__dataclass_fields__}
    facts |= {"petition_id": document["_id"], "signals": tuple(document["signals"])}
    return Record(
        petition=Registered(**facts),
        life=Life(
            petition_id=document["_id"],
            jurisdiction=document["jurisdiction"],
            state=document["state"],
            version=document["version"],
            submitted_at=document["submitted_at"],
            last_at=max(document["last_at"], document["received_at"]),  # older ones began with the submission
            last_event_at=document["last_event_at"],
            unit=document["unit"],
            done=frozenset(document["done"]),
        ),
        history=tuple(Entry(**entry) for entry in document["history"]),
    )


def change_update(change: Change) -> Document:
    """The update that a step makes."""
    after, entry = change.after, change.entry
    line = {"type": entry.type, "at": entry.at, "unit": entry.unit, "actor": entry.actor, "fields": entry.fields}
    return {
        "$set": {
            "state": after.state,
            "version": after.version,
            "last_at": after.last_at,
            "last_event_at": after.last_event_at,
            "unit": after.unit,
        },
        "$addToSet": {"done": entry.type},
        "$push": {"history": line},
    }
