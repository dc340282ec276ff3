"""`alerts.warnings.v1`: the life of a warning."""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime, Field

from shared.contracts.base import WARNINGS, Bilingual, Contract, County, InternalLevel


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
