"""What a unit did for one petition, as the scorecard counts it. About the unit's work, never about the petitioner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.assessment.domain.life import Life, Step

ENTERED_LATE: Final = timedelta(hours=24)
"""A step entered that much later than it is said to have happened counts as entered afterwards."""


@dataclass(frozen=True)
class Facts:
    """One petition. `unit` answered or holds it; times are None for what has not happened."""

    petition: str
    jurisdiction: str
    unit: str
    received: datetime
    restricted: bool = False
    accused: str | None = None
    joined: str | None = None
    replied: datetime | None = None
    closed: datetime | None = None
    reopened: datetime | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    objected: bool = False
    extended: bool = False
    acts: int = 0
    entered_late: int = 0

    @property
    def settled(self) -> datetime | None:
        """When the unit said that it was done: the reply, else the closing."""
        return self.replied or self.closed


def facts_of(life: Life) -> Facts | None:
    """Facts of a life; None while the filing has not arrived."""
    filed = life.filed
    if filed is None:
        return None
    own = [s for s in life.steps if s.kind not in ("filed", "evaluated")]
    settled = _first(life, "replied") or _first(life, "closed")
    answers = [s for s in life.steps if s.kind == "evaluated"]
    reopened = next(
        (s for s in life.steps if s.kind == "reopened" and settled is not None and s.at >= settled.at), None
    )
    return Facts(
        petition=life.petition,
        jurisdiction=life.jurisdiction,
        unit=_unit(life, filed),
        received=filed.at,
        restricted=filed.purpose == "accusation",
        accused=filed.accused,
        joined=filed.joined,
        replied=_at(_first(life, "replied")),
        closed=_at(_first(life, "closed")),
        reopened=_at(reopened),
        solved=answers[-1].solved if answers else None,
        satisfied=answers[-1].satisfied if answers else None,
        objected=any(s.kind == "objected" for s in life.steps),
        extended=any(s.kind == "extended" for s in life.steps),
        acts=len(own),
        entered_late=sum(s.recorded - s.at > ENTERED_LATE for s in own),
    )


def _unit(life: Life, filed: Step) -> str:
    for kinds in (("replied",), ("accepted",), ("assigned",)):
        held = [s.unit for s in life.steps if s.kind in kinds]
        if held:
            return held[-1]
    return filed.unit or life.jurisdiction


def _first(life: Life, kind: str) -> Step | None:
    return next((s for s in life.steps if s.kind == kind), None)


def _at(step: Step | None) -> datetime | None:
    return None if step is None else step.at
