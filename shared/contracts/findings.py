"""`assessment.findings.v1`: deadlines near, broken, met; and what was announced but is owed no more."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.base import FINDINGS, Bilingual, Contract, County


class ObligationData(Contract):
    """One deadline of one unit for one petition."""

    topic_name: ClassVar[str] = FINDINGS
    petition_id: str
    jurisdiction: County
    unit: str
    obligation: str = Field(description="REG_TRANSFER, NOTIFY, HANDLE, HANDLE_EXT, …")
    due: AwareDatetime
    state: Literal["due_soon", "breached", "met", "withdrawn"]
    basis: str = Field(description="article")
    derivation: str = Field(description="how the date came about, in words")
    at: AwareDatetime
    matter: str | None = None
    explanation: Bilingual | None = Field(default=None, description="the derivation in both languages")
    restricted: bool = Field(default=False, description="an accusation: never shown to the accused unit's subtree")
    accused_unit: str | None = None
    started_by: str | None = Field(
        default=None,
        description="event id that started the clock: tells two obligations of one petition and code apart",
    )
    renewal: int = Field(
        default=0,
        ge=0,
        description="how often it was announced anew: after a withdrawal, to another unit, for another day",
    )

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


class ObligationWithdrawn(ObligationData):
    """It was announced as near or broken, and steps that were entered later show that it is not owed; `reason` says why."""

    event_type: ClassVar[str] = "fengqiao.obligation.withdrawn.v1"
    reason: Bilingual
