"""`screening.flags.v1`: risks flagged, updated, cleared."""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime, Field

from shared.contracts.base import FLAGS, Bilingual, Contract, County, InternalLevel


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
