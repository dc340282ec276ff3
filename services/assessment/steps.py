"""From a lifecycle event on the bus to a step of the domain."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.assessment.domain.life import Step
from shared.clock import to_millis
from shared.events import (
    Event,
    PetitionAccepted,
    PetitionData,
    PetitionEvaluated,
    PetitionExtended,
    PetitionFiled,
    PetitionNotAccepted,
    PetitionStep,
)

_YEARS: Final = range(1949, 2200)
_LAST_NUMBER: Final = 2**63 - 1
"""The store keeps no larger one, and an absurd number must not stop the reader."""


class UnusableError(ValueError):
    """An event of the right type that no clock can work with; `reason` is a slug for the dead-letter header."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def step_of(event: Event) -> tuple[str, str, Step]:
    """Petition id, county code and step of a lifecycle event. Raises `UnusableError`."""
    data = event.data
    if not isinstance(data, PetitionData):
        raise UnusableError("not-a-petition-event", f"type {event.type}")
    kind = event.type.removeprefix("fengqiao.petition.").removesuffix(".v1")
    number = min(event.sequence, _LAST_NUMBER)
    if isinstance(data, PetitionFiled):
        step = Step(
            id=str(event.id),
            kind=kind,
            at=_moment(data.received_at),
            recorded=_moment(event.time),
            unit=data.responsible_unit or "",
            channel=data.channel,
            purpose=data.purpose,
            accused=data.accused_unit,
            joined=data.joined,
            topic=data.topic or "",
            number=number,
        )
    elif isinstance(data, PetitionStep):
        step = Step(
            id=str(event.id),
            kind=kind,
            at=_moment(data.at),
            recorded=_moment(event.time),
            unit=data.unit,
            number=number,
            **_details(data),
        )
    else:
        raise UnusableError("not-a-step", f"type {event.type}")
    return data.petition_id, data.jurisdiction, step


def _details(data: PetitionStep) -> dict[str, Any]:
    if isinstance(data, PetitionAccepted):
        return {"route": data.route, "notified": data.notified_at and _moment(data.notified_at)}
    if isinstance(data, PetitionNotAccepted):
        return {"notified": data.notified_at and _moment(data.notified_at)}
    if isinstance(data, PetitionExtended):
        return {"days": data.days, "approver": data.approver, "told": _moment(data.reason_told_at)}
    if isinstance(data, PetitionEvaluated):
        return {"solved": data.solved, "satisfied": data.satisfied}
    return {}


def _moment(moment: datetime) -> datetime:
    """In whole milliseconds, as it is stored: what is kept must order itself like what arrives."""
    if moment.year not in _YEARS:
        raise UnusableError("time-out-of-range", "a time lies outside 1949–2199")
    return to_millis(moment)
