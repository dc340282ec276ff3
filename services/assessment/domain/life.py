"""The life of one petition as the clocks see it: its steps, in the order in which they happened.

What a step may carry is listed here. Nothing about a petitioner's conduct can be expressed, so nothing about it can
change a deadline (信访工作条例 Arts 26, 34, 47).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

BEIJING: Final = ZoneInfo("Asia/Shanghai")
CLOCK_SKEW: Final = timedelta(minutes=5)
"""A sender's clock may run ahead by this much, as at the intake."""

KINDS: Final = (
    "filed",
    "assigned",
    "objected",
    "accepted",
    "not_accepted",
    "extended",
    "met",
    "replied",
    "served",
    "executed",
    "closed",
    "evaluated",
    "reopened",
)
_RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
Place = tuple[datetime, int, int, str]
"""Where a step stands among those of its petition."""


@dataclass(frozen=True)
class Step:
    """One lifecycle event. `at`: when it happened (filed: receipt by the unit); `recorded`: when it was entered."""

    id: str
    kind: str
    at: datetime
    recorded: datetime
    unit: str = ""
    channel: str = ""
    purpose: str = "appeal"
    accused: str | None = None
    joined: str | None = None
    route: str = "petition_procedure"
    notified: datetime | None = None
    days: int = 0
    approver: str = ""
    told: datetime | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    topic: str = ""
    number: int = 1
    """1, 2, 3 … within the petition, as its writer counted; 1 where nobody did"""

    @property
    def place(self) -> Place:
        """What comes before what: by time, and within one moment (days are entered without an hour) by number.

        Only where no number tells them apart do the order of the procedure and the id decide.
        """
        return self.at, self.number, _RANK[self.kind], self.id

    @property
    def notice_given(self) -> bool:
        """False where the written notice (Art. 23) is dated after its own entry: then it had not been given."""
        return self.notified is None or self.notified <= self.recorded + CLOCK_SKEW

    @property
    def reason_told(self) -> bool:
        """Whether the petitioner had been told why (Art. 34) when that was entered."""
        return self.told is not None and self.told <= self.recorded + CLOCK_SKEW


@dataclass(frozen=True)
class Life:
    """A petition and its distinct steps in the order of their places: time, number, order of the procedure, event id."""

    petition: str
    jurisdiction: str
    steps: tuple[Step, ...]

    @property
    def filed(self) -> Step | None:
        """The registration, None while it has not arrived."""
        return next((s for s in self.steps if s.kind == "filed"), None)

    def until(self, moment: datetime) -> Life:
        """The same life without what happened after `moment`."""
        return Life(self.petition, self.jurisdiction, tuple(s for s in self.steps if s.at <= moment))


def life_of(petition: str, jurisdiction: str, steps: Iterable[Step]) -> Life:
    """Order steps; a step that came twice counts once."""
    distinct = {s.id: s for s in steps}
    ordered = sorted(distinct.values(), key=lambda s: s.place)
    return Life(petition, jurisdiction, tuple(ordered))


def day_of(moment: datetime) -> date:
    """The calendar day in Beijing."""
    return moment.astimezone(BEIJING).date()
