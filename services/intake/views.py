"""What the intake shows of a petition, and to whom."""

from __future__ import annotations

from typing import Any

from services.intake.domain.steps import allowed
from services.intake.ports import Record
from shared.access import Principal
from shared.directory import Directory, Lang


def staff_view(record: Record, same_text: int | None = None) -> dict[str, Any]:
    """A petition for staff: masked texts, pseudonym, history, what may come next. No identity, no code."""
    petition, life = record.petition, record.life
    view: dict[str, Any] = {
        "petition_id": petition.petition_id,
        "receipt": petition.receipt,
        "status": life.state,
        "version": life.version,
        "allowed_steps": list(allowed(life)),
        "channel": petition.channel,
        "jurisdiction": petition.jurisdiction,
        "purpose": petition.purpose,
        "title": petition.title,
        "text": petition.text,
        "petitioner": petition.petitioner,
        "submitted_at": petition.submitted_at,
        "received_at": petition.received_at,
        "topic": petition.topic,
        "topic_source": petition.topic_source,
        "proposed_topic": petition.proposed_topic,
        "proposed_why": petition.proposed_why,
        "responsible_unit": petition.responsible_unit,
        "unit": life.unit,
        "town": petition.town,
        "headcount": petition.headcount,
        "representatives": petition.representatives,
        "level_presented": petition.level_presented,
        "level_competent": petition.level_competent,
        "external_id": petition.external_id,
        "joined": petition.joined,
        "restricted": petition.restricted,
        "accused_unit": petition.accused_unit,
        "history": [{"type": e.type, "at": e.at, "unit": e.unit, "actor": e.actor, **e.fields} for e in record.history],
    }
    if same_text is not None:
        view["same_text"] = same_text
    return view


def list_view(record: Record) -> dict[str, Any]:
    """A petition in a list: without its text and history, whose every reading is logged for itself."""
    return {name: value for name, value in staff_view(record).items() if name not in {"text", "history"}}


def public_view(record: Record, units: Directory, lang: str = "zh") -> dict[str, Any]:
    """Where a petition stands, for its petitioner: steps, units by name, no account of staff and no free text of them.

    Of an accusation only the dates are shown: a receipt that falls into other hands tells nothing.
    """
    petition, life = record.petition, record.life
    name: Lang = "en" if lang == "en" else "zh"
    hidden = petition.restricted
    return {
        "receipt": petition.receipt,
        "status": life.state,
        "title": petition.title,
        "submitted_at": petition.submitted_at,
        "received_at": petition.received_at,
        "unit": None if hidden or life.unit is None else units.name(life.unit, name),
        "steps": [
            {
                "type": entry.type,
                "at": entry.at,
                "unit": None if hidden or entry.unit is None else units.name(entry.unit, name),
                **{
                    k: v
                    for k, v in entry.fields.items()
                    if k in {"opinion", "solved", "days", "reasons"} and not hidden
                },
            }
            for entry in record.history
        ],
        "can_evaluate": "evaluated" in allowed(life),
    }


def is_shown(record: Record, principal: Principal, units: Directory) -> bool:
    """Whether the petition is there for this principal: its responsible or its handling unit lies in their scope."""
    petition = record.petition
    scope = principal.scope(units)
    return any(
        scope.shows(
            unit,
            petition.jurisdiction,
            restricted=petition.restricted,
            accused=petition.accused_unit,
            units=units,
        )
        for unit in (petition.responsible_unit, record.life.unit)
    )
