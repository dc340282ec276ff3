"""`petition.events.v1`: the life of a petition."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.base import PETITIONS, Contract, County, Level, Purpose


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
