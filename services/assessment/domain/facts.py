"""What units did for one petition, as the scorecard counts it. About the units' work, never about the petitioner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.assessment.domain.life import Life, Step
from services.assessment.domain.rules import ROUTES

_PETITION_PROCEDURE: Final = "petition_procedure"
_SETTLING: Final = ("replied", "not_accepted", "closed")
"""What ends a round, the weightiest first: a reply after a premature closing is the settlement."""


@dataclass(frozen=True)
class Facts:
    """One round of a petition: from the filing, or from what opened it again, until it is opened again.

    A matter that is reopened is settled anew, maybe by another unit in another period. What the first unit said and what
    was answered to it stay its own. `unit` settled the round or holds it; times are None for what has not happened.
    """

    petition: str
    jurisdiction: str
    unit: str
    received: datetime
    restricted: bool = False
    accused: str | None = None
    joined: str | None = None
    replied: datetime | None = None
    refused: datetime | None = None
    closed: datetime | None = None
    reopened: datetime | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    objected: bool = False
    extended: bool = False

    @property
    def settled(self) -> datetime | None:
        """When the unit said that it was done: the reply, else the refusal to accept, else the closing."""
        return self.replied or self.refused or self.closed


@dataclass(frozen=True)
class Decision:
    """What a unit decided last, within a round, on whether it takes the matter. `away`: refused, or led into another
    procedure of Art. 31; neither starts the sixty days."""

    petition: str
    unit: str
    at: datetime
    away: bool = False


def facts_of(life: Life) -> tuple[Facts, ...]:
    """The rounds of a life, the first one first; none while the filing has not arrived."""
    filed = life.filed
    if filed is None:
        return ()
    rounds = _rounds(life)
    found: list[Facts] = []
    holder = filed.unit or life.jurisdiction
    for number, own in enumerate(rounds):
        following = rounds[number + 1][0] if number + 1 < len(rounds) else None
        settled = _settlement(own)
        holder = _unit(own, settled, holder)
        answer = _answer(life, rounds, number)
        found.append(
            Facts(
                petition=life.petition,
                jurisdiction=life.jurisdiction,
                unit=holder,
                received=filed.at,
                restricted=filed.purpose == "accusation",
                accused=filed.accused,
                joined=filed.joined,
                replied=_at(_first(own, "replied")),
                refused=_at(_first(own, "not_accepted")),
                closed=_at(_first(own, "closed")),
                reopened=_at(following) if following is not None and following.kind == "reopened" else None,
                solved=None if answer is None else answer.solved,
                satisfied=None if answer is None else answer.satisfied,
                objected=any(s.kind == "objected" for s in own),
                extended=any(s.kind == "extended" for s in own),
            )
        )
    return tuple(found)


def decisions_of(life: Life) -> tuple[Decision, ...]:
    """What was decided on taking the matter, by round and unit; none while the filing has not arrived."""
    if life.filed is None:
        return ()
    return tuple(d for own in _rounds(life) for d in _decisions(life.petition, own))


def _decisions(petition: str, own: list[Step]) -> list[Decision]:
    last: dict[str, Decision] = {}
    for step in own:
        if step.kind in ("accepted", "not_accepted"):
            elsewhere = step.route in ROUTES and step.route != _PETITION_PROCEDURE
            last[step.unit] = Decision(petition, step.unit, step.at, elsewhere or step.kind == "not_accepted")
    return list(last.values())


def _rounds(life: Life) -> list[list[Step]]:
    rounds: list[list[Step]] = [[]]
    for step in life.steps:
        if _opens(step, _settlement(rounds[-1])):
            rounds.append([])
        rounds[-1].append(step)
    return rounds


def _opens(step: Step, settled: Step | None) -> bool:
    """Whether a step begins another round: nobody's reply or refusal is undone by what another unit does after it."""
    if settled is None:
        return False
    if step.kind == "reopened":
        return True
    if settled.kind == "not_accepted":
        return step.kind in ("assigned", "accepted")
    return settled.kind == step.kind == "replied" and settled.unit != step.unit


def _settlement(own: list[Step]) -> Step | None:
    return next((s for kind in _SETTLING if (s := _first(own, kind)) is not None), None)


def _unit(own: list[Step], settled: Step | None, before: str) -> str:
    if settled is not None and settled.kind != "closed":  # who closes the file is not always who handled the matter
        return settled.unit
    for kind in ("accepted", "assigned"):
        held = [s.unit for s in own if s.kind == kind]
        if held:
            return held[-1]
    return before


def _answer(life: Life, rounds: list[list[Step]], number: int) -> Step | None:
    """The petitioner's last answer to this round's settlement: before the next settlement they can only mean this one."""
    places = [None if (s := _settlement(own)) is None else s.place for own in rounds]
    start = places[number] if number else None
    end = next((p for p in places[number + 1 :] if p is not None), None)
    if number and start is None:
        return None
    answers = [
        s
        for s in life.steps
        if s.kind == "evaluated" and (start is None or s.place > start) and (end is None or s.place < end)
    ]
    return answers[-1] if answers else None


def _first(steps: list[Step], kind: str) -> Step | None:
    return next((s for s in steps if s.kind == kind), None)


def _at(step: Step | None) -> datetime | None:
    return None if step is None else step.at
