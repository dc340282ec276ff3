"""The events that the intake puts on the bus, from what it registered or what somebody did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from services.intake.domain.petition import Refused, Registered
from shared.events import EVENT_TYPES, Event, PetitionFiled, PetitionStep, derived_id, new_event

SOURCE: Final = "fengqiao/intake"
_STEP_BASE: Final = frozenset(PetitionStep.model_fields)


def filed_event(petition: Registered) -> Event:
    """The event of a new petition. Of an accusation it carries neither text nor title nor topic, only signals."""
    data = PetitionFiled(
        petition_id=petition.petition_id,
        jurisdiction=petition.jurisdiction,
        channel=petition.channel,
        title=petition.title,
        text=petition.text,
        petitioner=petition.petitioner,
        submitted_at=petition.submitted_at,
        received_at=petition.received_at,
        purpose=petition.purpose,
        topic=None if petition.restricted else petition.topic,
        responsible_unit=petition.responsible_unit,
        town=petition.town,
        headcount=petition.headcount,
        representatives=petition.representatives,
        level_presented=petition.level_presented,
        level_competent=petition.level_competent,
        joined=petition.joined,
        accused_unit=petition.accused_unit,
        signals=petition.signals,
    )
    return new_event(
        data,
        id=derived_id(petition.petition_id, "filed"),
        source=SOURCE,
        time=petition.registered_at,
        traceparent=petition.traceparent,
    )


def step_fields(step: str) -> frozenset[str]:
    """Fields that a step may carry beside time, unit and actor."""
    return frozenset(_step_model(step).model_fields) - _STEP_BASE


def step_data(
    step: str,
    petition_id: str,
    jurisdiction: str,
    at: datetime,
    unit: str,
    actor: str | None,
    fields: Mapping[str, Any],
) -> PetitionStep:
    """The data of a step's event; raises `Refused` for a field it does not have or a value out of bounds."""
    unknown = fields.keys() - step_fields(step)
    if unknown:
        raise Refused("field-not-allowed", f"{step} has no {', '.join(sorted(unknown))}", field=min(unknown))
    try:
        return _step_model(step)(
            petition_id=petition_id, jurisdiction=jurisdiction, at=at, unit=unit, actor=actor, **fields
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise Refused("field-invalid", first["msg"], field=str(first["loc"][0])) from None


def _step_model(step: str) -> type[PetitionStep]:
    model = EVENT_TYPES[f"fengqiao.petition.{step}.v1"]
    assert issubclass(model, PetitionStep)
    return model
