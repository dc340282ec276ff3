"""Where the obligations of petitions stand, by what assessment found of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.alerts.domain.warning import Text

STATES: Final = ("due_soon", "breached", "met", "withdrawn")
"""How far a duty has come. What was met in time, but entered after its breach was announced, says a time before the
breach; so the state decides what comes after what, and the time only between two of one state."""


@dataclass(frozen=True)
class Place:
    """A unit's petitions that stand in one state for one obligation: one warning. Accusations are never among the others:
    each accused unit has a warning of its own, which is not there for that unit (信访工作条例 Art. 30)."""

    unit: str
    obligation: str
    state: str
    jurisdiction: str
    restricted: bool = False
    accused_unit: str | None = None

    @property
    def owner(self) -> str:
        """The unit, and for one that serves several counties the county too: who sees a county sees nothing of others."""
        return self.unit if self.unit.startswith(self.jurisdiction) else f"{self.unit}@{self.jurisdiction}"

    @property
    def matter(self) -> str:
        """What its warning is about."""
        own = f"unit:{self.owner}/{self.obligation}"
        return f"{own}/accusation:{self.accused_unit or 'unknown'}" if self.restricted else own


@dataclass(frozen=True)
class FindingRow:
    """Where one obligation of one petition stands. `id` is `petition/obligation`.

    A petition may owe the same twice, one after the other (`started_by` tells them apart): the notice of a second unit,
    the answer after a reopening.
    """

    id: str
    petition_id: str
    obligation: str
    unit: str
    jurisdiction: str
    state: str
    due: datetime
    at: datetime
    basis: str
    derivation: Text
    matter: str | None = None
    started_by: str = ""
    renewal: int = 0
    restricted: bool = False
    accused_unit: str | None = None
    reason: Text | None = None
    """why it was withdrawn"""

    @property
    def order(self) -> tuple[int, datetime, int, datetime]:
        """What comes after what within one start of the clock."""
        return self.renewal, self.due, STATES.index(self.state), self.at

    @property
    def place(self) -> Place:
        """Whose it is, and how far it has come."""
        return Place(self.unit, self.obligation, self.state, self.jurisdiction, self.restricted, self.accused_unit)

    def same(self, other: FindingRow) -> bool:
        """Whether it is the same start of the clock; findings of an older writer do not name it."""
        return self.started_by == other.started_by or (
            "" in (self.started_by, other.started_by) and self.due == other.due
        )


@dataclass(frozen=True)
class Moved:
    """A finding that changed something: where the petition's obligation counted before, and where it counts now."""

    row: FindingRow
    before: Place | None
    after: Place


def _weight(row: FindingRow) -> tuple[bool, datetime, bool, tuple[int, datetime, int, datetime]]:
    return row.state != "withdrawn", row.due, row.state != "met", row.order


def placed(known: Sequence[FindingRow], row: FindingRow) -> tuple[FindingRow, ...] | None:
    """The rows of one petition and obligation after a finding, the one that counts first; None where it says nothing new.

    What is owed and due last counts, of two due together what is not done; a withdrawn one only where there is no other.
    """
    rest = [other for other in known if not other.same(row)]
    here = [other for other in known if other.same(row)]
    if any(row.order <= other.order for other in here):
        return None
    return tuple(sorted((row, *rest), key=_weight, reverse=True))
