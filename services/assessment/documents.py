"""Steps, petitions and obligations as MongoDB documents, and back. Short names: these are the most written rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any, Final

from services.assessment.domain.facts import Facts
from services.assessment.domain.ledger import Held, Row
from services.assessment.domain.life import Step
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.rules import Text

_STEP: Final = {f.name: f.default for f in fields(Step)}
_FACTS: Final = {f.name: f.default for f in fields(Facts)}


def step_document(step: Step) -> dict[str, Any]:
    """Without what has its default value."""
    return {name: value for name, default in _STEP.items() if (value := getattr(step, name)) != default}


def step_of(document: Mapping[str, Any]) -> Step:
    """Back from `step_document`."""
    return Step(**document)


def held_of(document: Mapping[str, Any]) -> Held:
    """What is kept of one petition."""
    return Held(
        document["_id"],
        document["jurisdiction"],
        tuple(step_of(s) for s in document["steps"]),
        tuple(document.get("owed", ())),
    )


def facts_document(facts: Facts) -> dict[str, Any]:
    """Flat fields beside the steps; `settled` is what scorecards select by."""
    out = {n: v for n, d in _FACTS.items() if n != "petition" and (v := getattr(facts, n)) != d}
    if facts.settled is not None:
        out["settled"] = facts.settled
    return out


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Back from `facts_document`."""
    known = {name: document[name] for name in _FACTS if name in document and name != "petition"}
    return Facts(petition=document["_id"], **known)


def row_document(row: Row) -> dict[str, Any]:
    """An obligation. `open`, `breach_at`, `soon_at` and `watch` are what queries and the clock go by."""
    o = row.obligation
    out: dict[str, Any] = {
        "_id": o.id,
        "petition": o.petition,
        "jurisdiction": o.jurisdiction,
        "code": o.code,
        "unit": o.unit,
        "started": o.started,
        "due": None if o.due is None else o.due.isoformat(),
        "soon": o.soon_days,
        "basis": o.basis,
        "zh": o.derivation.zh,
        "en": o.derivation.en,
        "cause": o.cause,
        "recorded": o.recorded,
        "open": row.open,
        "breach_at": o.breach_at,
        "soon_at": o.soon_at,
        "told": sorted(row.told),
    }
    optional = {
        "watch": row.watch,
        "ended": o.ended,
        "ended_by": o.ended_by,
        "ended_recorded": o.ended_recorded,
        "excluded": None if o.excluded is None else {"zh": o.excluded.zh, "en": o.excluded.en},
        "approver": o.approver,
        "restricted": row.restricted or None,
        "accused": row.accused,
        "historic": row.historic or None,
        "renewal": row.renewal or None,
    }
    return out | {name: value for name, value in optional.items() if value is not None}


def row_of(d: Mapping[str, Any]) -> Row:
    """Back from `row_document`."""
    excluded = d.get("excluded")
    obligation = Obligation(
        id=d["_id"],
        petition=d["petition"],
        jurisdiction=d["jurisdiction"],
        code=d["code"],
        unit=d["unit"],
        started=d["started"],
        due=None if d["due"] is None else date.fromisoformat(d["due"]),
        soon_days=d["soon"],
        basis=d["basis"],
        derivation=Text(d["zh"], d["en"]),
        cause=d["cause"],
        recorded=d["recorded"],
        ended=d.get("ended"),
        ended_by=d.get("ended_by"),
        ended_recorded=d.get("ended_recorded"),
        excluded=None if excluded is None else Text(excluded["zh"], excluded["en"]),
        approver=d.get("approver"),
    )
    return Row(
        obligation,
        frozenset(d["told"]),
        bool(d.get("restricted")),
        d.get("accused"),
        bool(d.get("historic")),
        d.get("renewal", 0),
    )
