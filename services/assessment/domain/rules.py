"""Which clock holds where and when: effective-dated rules, a national base with provincial overlays.

A rule says how long and by which article. There is no field by which a clock could be stopped or paused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

REG_TRANSFER: Final = "REG_TRANSFER"
NOTIFY: Final = "NOTIFY"
OBJECT: Final = "OBJECT"
HANDLE: Final = "HANDLE"
HANDLE_EXT: Final = "HANDLE_EXT"
REVIEW_ASK: Final = "REVIEW_ASK"
CLOCKS: Final = (REG_TRANSFER, "NOTIFY_DIRECT", "NOTIFY_TRANSFERRED", OBJECT, HANDLE, HANDLE_EXT, REVIEW_ASK)
WINDOWS: Final = frozenset({OBJECT, REVIEW_ASK})
"""Rights that lapse, not duties that are broken: the time to object, the time to ask for a review."""
ROUTES: Final = (
    "judicial",
    "arbitration",
    "party_appeal",
    "admin_procedure",
    "duty_performance",
    "petition_procedure",
)
"""The six of Art. 31, as the code list `route` of the directory has them."""
CACHED: Final = 50_000
"""Entries a cache of days may hold before it is emptied."""

Calendar = Callable[[date], bool | None]
"""Whether a day is a working day; None where the holiday calendar does not know the year."""


@dataclass(frozen=True)
class Text:
    """One sentence in Chinese and in English."""

    zh: str
    en: str

    def __add__(self, other: Text) -> Text:
        return Text(self.zh + other.zh, self.en + other.en)


NOTHING: Final = Text("", "")


@dataclass(frozen=True)
class Clock:
    """How long something may take. `working`: `days` are working days; `soon`: calendar days before the deadline."""

    code: str
    days: int
    article: str
    instrument: Text
    working: bool = False
    soon: int = 3
    roll_over: bool = False
    cite: Text = NOTHING
    note: Text = NOTHING

    @property
    def basis(self) -> str:
        """Instrument and article."""
        return f"{self.instrument.zh} Art. {self.article}"

    @property
    def short(self) -> Text:
        """Article as the derivation prints it."""
        lead = self.cite
        return Text(f"{lead.zh}第{self.article}条", f"{lead.en} Art. {self.article}".strip())


@dataclass(frozen=True)
class Deadline:
    """The last day on which a duty is done in time, and what was counted on the way."""

    due: date
    skipped: tuple[date, ...] = ()
    assumed: bool = False
    """the holiday calendar did not know a year: Saturdays and Sundays only"""
    rolled_from: date | None = None


@dataclass(frozen=True)
class OwnNotice:
    """Matters of which some units (slugs) tell by provisions of their own (Art. 23 para. 4): any of the three suffices.

    The law goes by the matter: there is no way to waive the notice of a unit whatever it handles.
    """

    units: frozenset[str]
    purposes: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    """by which the unit accepted"""

    def of_matter(self, purpose: str, topic: str) -> bool:
        """Whether the filing by itself says that it is such a matter."""
        return purpose in self.purposes or topic in self.topics


@dataclass(frozen=True)
class Rules:
    """What holds in one place on one day."""

    clocks: Mapping[str, Clock]
    registrar: str = "petition_bureau"
    direct_channels: frozenset[str] = frozenset()
    not_petitions: frozenset[str] = frozenset()
    own_notice: tuple[OwnNotice, ...] = ()
    handle_routes: frozenset[str] = frozenset()
    """none given: all of them"""
    handle_purposes: frozenset[str] = frozenset()

    def elsewhere(self, route: str) -> bool:
        """Whether a route of Art. 31 leads to another procedure with its own period.

        A word that is none of the six leads nowhere: a slip of the pen takes nobody's sixty days (Art. 34).
        """
        return bool(self.handle_routes) and route in ROUTES and route not in self.handle_routes


@dataclass(frozen=True)
class Instrument:
    """One file of rules: from `since` (incl.) to `until` (excl.), in places whose code begins with one of `applies_to`."""

    id: str
    since: date
    until: date | None
    applies_to: tuple[str, ...]
    rules: Rules

    def holds(self, day: date, jurisdiction: str) -> bool:
        """Whether it is in force there and then."""
        in_time = self.since <= day and (self.until is None or day < self.until)
        return in_time and (not self.applies_to or jurisdiction.startswith(self.applies_to))


@dataclass
class Rulebook:
    """All instruments with the working-day calendar. Pure: the caches below only save work."""

    instruments: tuple[Instrument, ...]
    calendar: Calendar
    _rules: dict[tuple[date, str], Rules | None] = field(default_factory=dict, repr=False)
    _deadlines: dict[tuple[date, int, bool, bool], Deadline] = field(default_factory=dict, repr=False)
    lines: dict[tuple[object, ...], Text] = field(default_factory=dict, repr=False)
    """derivations written before: most petitions of a day share them"""

    def on(self, day: date, jurisdiction: str) -> Rules | None:
        """Rules of the clocks that start on a day in a place; None where no national instrument is in force (before 2005)."""
        key = (day, jurisdiction)
        if key not in self._rules:
            if len(self._rules) > CACHED:
                self._rules.clear()
            self._rules[key] = self._merged(day, jurisdiction)
        return self._rules[key]

    def deadline(self, start: date, clock: Clock, extra: int = 0) -> Deadline:
        """The last day of a clock that started on `start` (that day not counted), moved on by `extra` calendar days.

        An extension adds its days to the last day, however that was counted, and nothing else.
        """
        key = (start, clock.days, clock.working, clock.roll_over)
        found = self._deadlines.get(key)
        if found is None:
            if len(self._deadlines) > CACHED:
                self._deadlines.clear()
            found = self._deadlines[key] = count(*key, self.calendar)
        return replace(found, due=found.due + timedelta(days=extra)) if extra else found

    def _merged(self, day: date, jurisdiction: str) -> Rules | None:
        held = [i for i in self.instruments if i.holds(day, jurisdiction)]
        base = next((i for i in held if not i.applies_to), None)
        if base is None:
            return None
        clocks = dict(base.rules.clocks)
        for overlay in sorted((i for i in held if i.applies_to), key=lambda i: (len(max(i.applies_to)), i.since)):
            for code, clock in overlay.rules.clocks.items():
                clocks[code] = self._earlier(day, clock, clocks.get(code))
        own = base.rules
        return Rules(
            clocks,
            own.registrar,
            own.direct_channels,
            own.not_petitions,
            own.own_notice,
            own.handle_routes,
            own.handle_purposes,
        )

    def _earlier(self, day: date, clock: Clock, above: Clock | None) -> Clock:
        """Of an overlay's clock and the one it is laid over, the one due first if started on `day`; the overlay's of two
        due together.

        Ten working days are shorter than fifteen days, but not over the Spring Festival: only the days themselves tell.
        """
        longer = above is not None and self.deadline(day, clock).due > self.deadline(day, above).due
        return above if above is not None and longer else clock


def count(start: date, days: int, working: bool, roll_over: bool, calendar: Calendar) -> Deadline:
    """Count `days` from the day after `start`."""
    skipped: list[date] = []
    assumed = False

    def works(day: date) -> bool:
        nonlocal assumed
        known = calendar(day)
        if known is None:
            assumed = True
            return day.weekday() < 5
        return known

    due = start
    if working:
        left = days
        while left:
            due += timedelta(days=1)
            if works(due):
                left -= 1
            else:
                skipped.append(due)
    else:
        due += timedelta(days=days)
    rolled_from = None
    if roll_over and not works(due):
        rolled_from = due
        while not works(due):
            due += timedelta(days=1)
    return Deadline(due, tuple(skipped), assumed, rolled_from)
