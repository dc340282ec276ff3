"""The contracts: every event that crosses a service border, and the CloudEvents 1.0 envelope around it.

These models are the only contract between the services. Additive changes stay in `v1`; anything else is a new type on a
`v2` topic. Readers ignore fields that newer writers add; writers may not add a field that names a natural person. The data
of each topic's events stands in a module of `shared.contracts`; everybody imports it from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import AwareDatetime, Field, ValidationError

from shared.contracts.base import (
    FINDINGS,
    FLAGS,
    PETITIONS,
    TOPICS,
    WARNINGS,
    Bilingual,
    Contract,
    County,
    InternalLevel,
    Level,
    Purpose,
)
from shared.contracts.findings import (
    ObligationBreached,
    ObligationData,
    ObligationDueSoon,
    ObligationMet,
    ObligationWithdrawn,
)
from shared.contracts.flags import (
    Evidence,
    FlagCleared,
    FlagData,
    FlagRaised,
    FlagUpdated,
    RuleRef,
)
from shared.contracts.petitions import (
    PetitionAccepted,
    PetitionAssigned,
    PetitionClosed,
    PetitionData,
    PetitionEvaluated,
    PetitionExecuted,
    PetitionExtended,
    PetitionFiled,
    PetitionMet,
    PetitionNotAccepted,
    PetitionObjected,
    PetitionReopened,
    PetitionReplied,
    PetitionServed,
    PetitionStep,
)
from shared.contracts.warnings import (
    WarningAcknowledged,
    WarningAssigned,
    WarningCancelled,
    WarningData,
    WarningDiscarded,
    WarningEscalated,
    WarningOnScene,
    WarningPlanAdopted,
    WarningRaised,
    WarningSettled,
    WarningSilenced,
    WarningUpdated,
    WarningVerified,
)

__all__ = [
    "EVENT_TYPES",
    "FINDINGS",
    "FLAGS",
    "MAX_EVENT_BYTES",
    "MEDIA_TYPE",
    "PETITIONS",
    "SCHEMA_VERSION",
    "TOPICS",
    "WARNINGS",
    "Bilingual",
    "Contract",
    "County",
    "Envelope",
    "Event",
    "EventData",
    "Evidence",
    "FlagCleared",
    "FlagData",
    "FlagRaised",
    "FlagUpdated",
    "InternalLevel",
    "InvalidEvent",
    "Level",
    "ObligationBreached",
    "ObligationData",
    "ObligationDueSoon",
    "ObligationMet",
    "ObligationWithdrawn",
    "PetitionAccepted",
    "PetitionAssigned",
    "PetitionClosed",
    "PetitionData",
    "PetitionEvaluated",
    "PetitionExecuted",
    "PetitionExtended",
    "PetitionFiled",
    "PetitionMet",
    "PetitionNotAccepted",
    "PetitionObjected",
    "PetitionReopened",
    "PetitionReplied",
    "PetitionServed",
    "PetitionStep",
    "Purpose",
    "RuleRef",
    "WarningAcknowledged",
    "WarningAssigned",
    "WarningCancelled",
    "WarningData",
    "WarningDiscarded",
    "WarningEscalated",
    "WarningOnScene",
    "WarningPlanAdopted",
    "WarningRaised",
    "WarningSettled",
    "WarningSilenced",
    "WarningUpdated",
    "WarningVerified",
    "decode",
    "derived_id",
    "encode",
    "new_event",
]

MEDIA_TYPE: Final = "application/cloudevents+json"
SCHEMA_VERSION: Final = 1
MAX_EVENT_BYTES: Final = 1_000_000
"""Kafka's own limit on a record is 1 MiB; an event larger than this is refused before it is written."""

EventData = PetitionData | FlagData | WarningData | ObligationData

_CLASSES: Final[tuple[type[Any], ...]] = (
    PetitionFiled,
    PetitionAssigned,
    PetitionObjected,
    PetitionAccepted,
    PetitionNotAccepted,
    PetitionExtended,
    PetitionReplied,
    PetitionServed,
    PetitionMet,
    PetitionExecuted,
    PetitionClosed,
    PetitionReopened,
    PetitionEvaluated,
    FlagRaised,
    FlagUpdated,
    FlagCleared,
    WarningRaised,
    WarningUpdated,
    WarningVerified,
    WarningDiscarded,
    WarningAcknowledged,
    WarningAssigned,
    WarningPlanAdopted,
    WarningOnScene,
    WarningEscalated,
    WarningSettled,
    WarningCancelled,
    WarningSilenced,
    ObligationDueSoon,
    ObligationBreached,
    ObligationMet,
    ObligationWithdrawn,
)
EVENT_TYPES: Final[dict[str, type[Any]]] = {cls.event_type: cls for cls in _CLASSES}
"""Every event type of v1 and the model of its data."""


class Envelope(Contract):
    """CloudEvents 1.0 in structured mode, without the data. Attribute names have no underscores, as the standard asks."""

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    partitionkey: str
    sequence: int = Field(default=1, ge=1, description="1, 2, 3 … within the subject")
    schemaversion: int = Field(default=1, ge=1)
    traceparent: str | None = Field(default=None, pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
    causationid: str | None = None


class Event(Envelope):
    """An event with its data, as handlers see it."""

    data: Any


class InvalidEvent(ValueError):  # noqa: N818 - a verdict on a record
    """A record that is no event of ours. `reason` is a stable slug for the dead-letter header; no input is quoted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def derived_id(cause: str, *parts: str) -> str:
    """An event id that the same cause always yields again, so that a replay emits nothing new."""
    return str(uuid5(NAMESPACE_URL, "/".join((cause, *parts))))


def new_event(
    data: EventData,
    *,
    id: str,
    source: str,
    time: datetime,
    sequence: int = 1,
    traceparent: str | None = None,
    causation: str | None = None,
) -> Event:
    """Wrap `data` in its envelope; type, subject and key come from the data's own class."""
    return Event(
        id=UUID(id),
        source=source,
        type=type(data).event_type,  # type: ignore[union-attr]
        subject=data.subject(),
        time=time,
        partitionkey=data.key(),
        sequence=sequence,
        schemaversion=SCHEMA_VERSION,
        traceparent=traceparent,
        causationid=causation,
        data=data,
    )


def encode(event: Event) -> bytes:
    """The record value: the whole envelope as JSON."""
    return orjson.dumps(event.model_dump(mode="json", exclude_none=True))


def decode(value: bytes | None) -> Event:
    """Read a record value. Raises `InvalidEvent` and nothing else, whatever the bytes are."""
    if value is None:
        raise InvalidEvent("tombstone", "the value is null")
    if not value:
        raise InvalidEvent("empty", "the value has no bytes")
    if len(value) > MAX_EVENT_BYTES:
        raise InvalidEvent("too-large", f"{len(value)} bytes, allowed are {MAX_EVENT_BYTES}")
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent("not-json", f"at byte {error.pos}") from None
    if not isinstance(raw, dict):
        raise InvalidEvent("not-an-object", f"JSON of type {type(raw).__name__}")
    return _typed(raw)


def _typed(raw: dict[str, Any]) -> Event:
    version = raw.get("schemaversion", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InvalidEvent("newer-schema", f"schemaversion {version}, this reader knows {SCHEMA_VERSION}")
    model = EVENT_TYPES.get(raw["type"]) if isinstance(raw.get("type"), str) else None
    if model is None:
        raise InvalidEvent("unknown-type", "the event type is missing or not one of this version")
    try:
        data = model.model_validate(raw.pop("data", None))
        return Event.model_validate({**raw, "data": data})
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False)[:5])
        raise InvalidEvent("schema", f"{error.error_count()} fields do not fit: {fields}") from None
