"""Obligations of a file of lifecycle events, without a service: `fengqiao clocks`."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.assessment.domain.life import BEIJING, Step, life_of
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.domain.rules import Rulebook
from services.assessment.steps import UnusableError, step_of
from shared.events import InvalidEvent, decode


@dataclass(frozen=True)
class BadLine:
    """A line that is not a lifecycle event; `reason` quotes nothing of it."""

    number: int
    reason: str


class Ledger:
    """Collects the steps of many petitions, in any order."""

    def __init__(self) -> None:
        self._steps: dict[str, list[Step]] = {}
        self._county: dict[str, str] = {}

    def add(self, number: int, line: bytes) -> BadLine | None:
        """Take one line (numbered from 1); says what is wrong with it, None for a good or an empty one."""
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if not line.strip():
            return None
        try:
            petition, jurisdiction, step = step_of(decode(line.strip()))
        except (InvalidEvent, UnusableError) as error:
            return BadLine(number, str(error))
        self._steps.setdefault(petition, []).append(step)
        if step.kind == "filed" or petition not in self._county:
            self._county[petition] = jurisdiction
        return None

    def __len__(self) -> int:
        return len(self._steps)

    def obligations(self, book: Rulebook, at: datetime) -> Iterator[tuple[str, tuple[Obligation, ...]]]:
        """Each petition and its obligations as they stood at a moment, in the order in which petitions first appear."""
        for petition, steps in self._steps.items():
            yield petition, obligations(life_of(petition, self._county[petition], steps).until(at), book)


def row(obligation: Obligation, at: datetime, lang: str) -> dict[str, object]:
    """One line of output. Times are Beijing time."""
    excluded = obligation.why_excluded(at)
    out: dict[str, object] = {
        "petition": obligation.petition,
        "obligation": obligation.code,
        "due": None if obligation.due_at is None else obligation.due_at.isoformat(),
        "state": obligation.state(at),
        "basis": obligation.basis,
        "derivation": getattr(obligation.derivation, lang),
        "unit": obligation.unit,
        "started": obligation.started.astimezone(BEIJING).isoformat(timespec="seconds"),
        "derivation_zh": obligation.derivation.zh,
    }
    if obligation.ended is not None and obligation.ended <= at:
        out["ended"] = obligation.ended.astimezone(BEIJING).isoformat(timespec="seconds")
    if excluded is not None:
        out["excluded"] = getattr(excluded, lang)
    if obligation.approver is not None:
        out["approver"] = obligation.approver
    return out


def rows(obligations_of: Iterable[Obligation], at: datetime, lang: str) -> Iterator[dict[str, object]]:
    """Lines of output of one petition."""
    return (row(o, at, lang) for o in obligations_of)
