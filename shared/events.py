"""The contracts: every event that crosses a service border, and the CloudEvents 1.0 envelope around it.

These models are the only contract between the services. Additive changes stay in `v1`; anything else is a new type on a
`v2` topic. Readers ignore fields that newer writers add; writers may not add a field that names a natural person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MEDIA_TYPE: Final = "application/cloudevents+json"
SCHEMA_VERSION: Final = 1
PETITIONS: Final = "petition.events.v1"
FLAGS: Final = "screening.flags.v1"
WARNINGS: Final = "alerts.warnings.v1"
FINDINGS: Final = "assessment.findings.v1"
TOPICS: Final = (PETITIONS, FLAGS, WARNINGS, FINDINGS)
MAX_EVENT_BYTES: Final = 1_000_000
"""Kafka's own limit on a record is 1 MiB; an event larger than this is refused before it is written."""

Level = Literal["village", "town", "county", "prefecture", "province", "central"]
InternalLevel = Literal["I", "II", "III", "IV"]
"""紧急 I · 预警 II · 提醒 III · 关注 IV. Internal only: never one of the four public colours (突发事件应对法 Art. 63)."""
Purpose = Literal["suggestion", "accusation", "appeal", "consult"]
County = Annotated[str, Field(pattern=r"^\d{6}$", description="county code, six digits")]


class Contract(BaseModel):
    """A frozen wire model; unknown fields of newer writers are ignored, input values never appear in errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Bilingual(Contract):
    """One sentence in Chinese and in English."""

    zh: str
    en: str


# -- petition.events.v1 -----------------------------------------------------------------------------------------------


class PetitionData(Contract):
    """What every event of a petition's life carries."""

    topic_name: ClassVar[str] = PETITIONS
    petition_id: str
    jurisdiction: County

    def key(self) -> str:
        """Kafka key: the county, so that all petitions of a county stay in order."""
        return self.jurisdiction

    def subject(self) -> str:
        """CloudEvents subject."""
        return self.petition_id


class PetitionFiled(PetitionData):
    """A petition was registered. `title` and `text` are masked; they are empty for an accusation (检举控告)."""

    event_type: ClassVar[str] = "fengqiao.petition.filed.v1"
    channel: str
    title: str
    text: str
    petitioner: str = Field(description="pseudonym: keyed hash per jurisdiction, never an identity")
    submitted_at: AwareDatetime
    received_at: AwareDatetime
    purpose: Purpose = "appeal"
    topic: str | None = None
    responsible_unit: str | None = Field(default=None, description="lead unit named by the routing table")
    town: str | None = Field(default=None, description="unit code of the township the matter lies in")
    headcount: int | None = None
    representatives: int | None = None
    level_presented: Level | None = None
    level_competent: Level = "county"
    joined: str | None = Field(default=None, description="petition id whose matter the filer chose to join")
    accused_unit: str | None = None
    signals: tuple[str, ...] = Field(default=(), description="text signals found at intake where no text is sent")


class PetitionStep(PetitionData):
    """A later step of a petition. `actor` is an account id of staff, never a name."""

    at: AwareDatetime
    unit: str
    actor: str | None = None


class PetitionAssigned(PetitionStep):
    """转送/交办 to the unit that is to handle it (信访工作条例 Art. 22)."""

    event_type: ClassVar[str] = "fengqiao.petition.assigned.v1"
    from_unit: str | None = None
    method: Literal["transfer", "assign"] = "assign"


class PetitionObjected(PetitionStep):
    """The unit says the matter is not its own, with reasons (Art. 23: five working days)."""

    event_type: ClassVar[str] = "fengqiao.petition.objected.v1"
    reasons: str


class PetitionAccepted(PetitionStep):
    """受理, with the written notice; `route` is one of the six of Art. 31."""

    event_type: ClassVar[str] = "fengqiao.petition.accepted.v1"
    route: str = "petition_procedure"
    notified_at: AwareDatetime | None = None


class PetitionNotAccepted(PetitionStep):
    """不予受理: a named human decided and gave reasons."""

    event_type: ClassVar[str] = "fengqiao.petition.not_accepted.v1"
    reasons: str
    notified_at: AwareDatetime | None = None


class PetitionExtended(PetitionStep):
    """The one extension of Art. 34: at most 30 days, approved by the head of the unit, the petitioner told why."""

    event_type: ClassVar[str] = "fengqiao.petition.extended.v1"
    days: int = Field(ge=1, le=30)
    approver: str
    complexity: str
    reason_told_at: AwareDatetime


class PetitionReplied(PetitionStep):
    """The written opinion (信访处理意见书, Art. 32)."""

    event_type: ClassVar[str] = "fengqiao.petition.replied.v1"
    opinion: Literal["support", "explain", "reject"] | None = None


class PetitionServed(PetitionStep):
    """The opinion reached the petitioner; the time to ask for a review starts here (Art. 35)."""

    event_type: ClassVar[str] = "fengqiao.petition.served.v1"


class PetitionMet(PetitionStep):
    """One of the three meetings (三见面)."""

    event_type: ClassVar[str] = "fengqiao.petition.met.v1"
    meeting: Literal["unit_leader", "handler", "writer"]


class PetitionExecuted(PetitionStep):
    """A supporting opinion was carried out."""

    event_type: ClassVar[str] = "fengqiao.petition.executed.v1"


class PetitionClosed(PetitionStep):
    """办结."""

    event_type: ClassVar[str] = "fengqiao.petition.closed.v1"
    outcome: str | None = None


class PetitionReopened(PetitionStep):
    """重新办理, because closed was not solved."""

    event_type: ClassVar[str] = "fengqiao.petition.reopened.v1"
    reasons: str = ""


class PetitionEvaluated(PetitionStep):
    """The petitioner says whether it is solved; `solved=False` after a reply is a contested reply."""

    event_type: ClassVar[str] = "fengqiao.petition.evaluated.v1"
    solved: bool
    satisfied: bool | None = None


# -- screening.flags.v1 -----------------------------------------------------------------------------------------------


class RuleRef(Contract):
    """Which rule spoke, by which policy, on which legal basis."""

    id: str
    version: int
    policy: str = Field(description="id@version of the policy in force")
    basis: str = Field(description="article, or 'internal practice'")


class Evidence(Contract):
    """One petition that a flag counted."""

    petition_id: str
    at: AwareDatetime
    channel: str
    note: Bilingual | None = None


class FlagData(Contract):
    """A flag on a matter, explained. Its subject is a matter or a unit, never a person."""

    topic_name: ClassVar[str] = FLAGS
    flag_id: str
    kind: str
    matter: str
    jurisdiction: County
    petition_ids: tuple[str, ...] = Field(description="at most the 200 newest of those counted")
    petitioners: tuple[str, ...] = Field(description="distinct pseudonyms, at most 200")
    distinct_petitioners: int
    headcount: int = 0
    level: InternalLevel
    rule: RuleRef
    threshold: float
    observed: float
    margin: float
    explanation: Bilingual
    counter_evidence: tuple[Bilingual, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    at: AwareDatetime
    expires_at: AwareDatetime | None = None
    title: str = Field(default="", description="masked title of the matter")
    topic: str | None = None
    responsible_unit: str | None = None
    town: str | None = None
    restricted: bool = Field(default=False, description="an accusation: never shown to the accused unit's subtree")
    accused_unit: str | None = None

    def key(self) -> str:
        """Kafka key: the matter."""
        return self.matter

    def subject(self) -> str:
        """CloudEvents subject."""
        return self.matter


class FlagRaised(FlagData):
    """A risk was flagged for the first time in this episode."""

    event_type: ClassVar[str] = "fengqiao.flag.raised.v1"


class FlagUpdated(FlagData):
    """The same flag, with more behind it."""

    event_type: ClassVar[str] = "fengqiao.flag.updated.v1"


class FlagCleared(FlagData):
    """What was flagged no longer holds; `reason` says why."""

    event_type: ClassVar[str] = "fengqiao.flag.cleared.v1"
    reason: str = ""


# -- alerts.warnings.v1 -----------------------------------------------------------------------------------------------


class WarningData(Contract):
    """A warning of the command centre after a change. `actor` is an account id of staff."""

    topic_name: ClassVar[str] = WARNINGS
    warning_id: str
    version: int
    kind: str
    level: InternalLevel
    state: str
    matter: str
    jurisdiction: County
    responsible_unit: str | None = None
    episode: int = 1
    previous: str | None = Field(default=None, description="warning id of the episode before")
    flag_id: str | None = None
    title: str = ""
    petition_ids: tuple[str, ...] = ()
    distinct_petitioners: int = 0
    explanation: Bilingual | None = None
    topic: str | None = None
    town: str | None = None
    restricted: bool = False
    accused_unit: str | None = None
    exercise: bool = Field(default=False, description="a drill or a backtest: CAP status Exercise")
    actor: str | None = None
    reason: str | None = None
    at: AwareDatetime

    def key(self) -> str:
        """Kafka key: the warning."""
        return self.warning_id

    def subject(self) -> str:
        """CloudEvents subject."""
        return self.warning_id


class WarningRaised(WarningData):
    """A warning came up."""

    event_type: ClassVar[str] = "fengqiao.warning.raised.v1"


class WarningUpdated(WarningData):
    """More behind it, or another level."""

    event_type: ClassVar[str] = "fengqiao.warning.updated.v1"


class WarningVerified(WarningData):
    """An officer checked that it is real."""

    event_type: ClassVar[str] = "fengqiao.warning.verified.v1"


class WarningDiscarded(WarningData):
    """An officer checked that it is not, with reasons."""

    event_type: ClassVar[str] = "fengqiao.warning.discarded.v1"


class WarningAcknowledged(WarningData):
    """Somebody has it; escalation stops."""

    event_type: ClassVar[str] = "fengqiao.warning.acknowledged.v1"


class WarningAssigned(WarningData):
    """A unit has to deal with it."""

    event_type: ClassVar[str] = "fengqiao.warning.assigned.v1"


class WarningPlanAdopted(WarningData):
    """A special work plan (专门工作方案) was adopted."""

    event_type: ClassVar[str] = "fengqiao.warning.plan_adopted.v1"


class WarningOnScene(WarningData):
    """The head of the unit is on the scene."""

    event_type: ClassVar[str] = "fengqiao.warning.on_scene.v1"


class WarningEscalated(WarningData):
    """Nobody acknowledged in time: the next target was called."""

    event_type: ClassVar[str] = "fengqiao.warning.escalated.v1"


class WarningSettled(WarningData):
    """The trouble is over. A new one opens a new episode."""

    event_type: ClassVar[str] = "fengqiao.warning.settled.v1"


class WarningCancelled(WarningData):
    """What it stood on fell away (the flag was cleared)."""

    event_type: ClassVar[str] = "fengqiao.warning.cancelled.v1"


class WarningSilenced(WarningData):
    """Notifications about it pause until a stated time, by a stated author, for a stated reason."""

    event_type: ClassVar[str] = "fengqiao.warning.silenced.v1"


# -- assessment.findings.v1 -------------------------------------------------------------------------------------------


class ObligationData(Contract):
    """One deadline of one unit for one petition."""

    topic_name: ClassVar[str] = FINDINGS
    petition_id: str
    jurisdiction: County
    unit: str
    obligation: str = Field(description="REG_TRANSFER, NOTIFY, HANDLE, HANDLE_EXT, …")
    due: AwareDatetime
    state: Literal["due_soon", "breached", "met"]
    basis: str = Field(description="article")
    derivation: str = Field(description="how the date came about, in words")
    at: AwareDatetime
    matter: str | None = None
    explanation: Bilingual | None = Field(default=None, description="the derivation in both languages")
    restricted: bool = Field(default=False, description="an accusation: never shown to the accused unit's subtree")
    accused_unit: str | None = None

    def key(self) -> str:
        """Kafka key: the unit."""
        return self.unit

    def subject(self) -> str:
        """CloudEvents subject."""
        return self.unit


class ObligationDueSoon(ObligationData):
    """The deadline is near."""

    event_type: ClassVar[str] = "fengqiao.obligation.due_soon.v1"


class ObligationBreached(ObligationData):
    """The deadline passed unmet."""

    event_type: ClassVar[str] = "fengqiao.obligation.breached.v1"


class ObligationMet(ObligationData):
    """What was owed was done (possibly late: compare `at` with `due`)."""

    event_type: ClassVar[str] = "fengqiao.obligation.met.v1"


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
