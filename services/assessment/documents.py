"""Steps, petitions and obligations as MongoDB documents, and back. Short names: these are the most written rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, Final

from services.assessment.domain.facts import Decision, Facts
from services.assessment.domain.ledger import Held, Row
from services.assessment.domain.life import Step
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.rules import Text

_STEP: Final = {f.name: f.default for f in fields(Step)}
_OF_ALL: Final = ("jurisdiction", "received", "restricted", "accused", "joined")
"""What the rounds of a petition share; readers are confined by it."""
_FACTS: Final = {f.name: f.default for f in fields(Facts) if f.name not in ("petition", *_OF_ALL)}


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


def facts_document(facts: Sequence[Facts], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Fields beside the steps, one sub-document a round; `settled` is what scorecards select by."""
    if not facts:
        return {}
    shared = {n: v for n in _OF_ALL if (v := getattr(facts[0], n)) not in (None, False)}
    decided = [{"unit": d.unit, "at": d.at, "away": d.away} for d in decisions]
    return {**shared, "rounds": [_round(f) for f in facts], **({"decisions": decided} if decided else {})}


def _round(facts: Facts) -> dict[str, Any]:
    out = {n: v for n, d in _FACTS.items() if (v := getattr(facts, n)) != d}
    return out if facts.settled is None else {**out, "settled": facts.settled}


def facts_of(document: Mapping[str, Any]) -> list[Facts]:
    """Back from `facts_document`: the rounds."""
    shared = {n: document[n] for n in _OF_ALL if n in document}
    return [
        Facts(petition=document["_id"], **shared, **{n: v for n, v in own.items() if n != "settled"})
        for own in document.get("rounds", ())
    ]


def decisions_of(document: Mapping[str, Any]) -> list[Decision]:
    """Back from `facts_document`: the decisions."""
    return [Decision(document["_id"], **own) for own in document.get("decisions", ())]


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
