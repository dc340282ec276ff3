"""What readers ask: obligations, open duties by unit, scorecards. Each answer is confined to what the reader may see."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from services.assessment.domain.ledger import Row
from services.assessment.domain.life import BEIJING
from services.assessment.domain.scorecard import Scorecard, scorecard, suppressed
from services.assessment.ports import Confined, Store, UnitCount, Wanted
from shared.access import Scope
from shared.clock import Clock
from shared.directory import Directory, UnknownCodeError
from shared.instants import parse_instant

DEFAULT_PERIOD = timedelta(days=90)
LONGEST_PERIOD = timedelta(days=400)
YEARS = range(1949, 2200)
UNITS_KEPT_S = 5


class RefusedError(Exception):
    """A question that has no answer; `code` is stable."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


@dataclass(frozen=True)
class Question:
    """Which obligations are wanted."""

    unit: str | None = None
    subtree: bool = False
    jurisdiction: str | None = None
    state: str | None = None
    code: str | None = None
    petition: str | None = None


class Reading:
    """Questions to the ledger."""

    def __init__(self, store: Store, clock: Clock, directory: Directory) -> None:
        self._store = store
        self.clock = clock
        self.directory = directory
        self._units: tuple[datetime, frozenset[str]] | None = None

    async def obligations(
        self, scope: Scope, question: Question, *, size: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """A page of obligations by deadline, and the cursor of the next page."""
        after = _read_cursor(cursor) if cursor else None
        confined = await self._confined(scope, question.unit, question.jurisdiction, subtree=question.subtree)
        if confined is None:
            return [], None
        wanted = Wanted(confined, question.state, question.code, question.petition)
        rows = await self._store.page(wanted, self.clock.now(), size=size + 1, after=after)
        shown, more = rows[:size], len(rows) > size
        return shown, _cursor(shown[-1]) if more else None

    async def counts(self, scope: Scope) -> list[UnitCount]:
        """Open duties by unit."""
        confined = await self._confined(scope, None, None)
        return [] if confined is None else await self._store.counts(confined, self.clock.now())

    async def scorecard(
        self, scope: Scope, unit: str, period: tuple[datetime, datetime], *, subtree: bool
    ) -> Scorecard:
        """One unit's scorecard; with `subtree` the units under it are counted in."""
        await self._check(scope, unit)
        confined = await self._confined(scope, unit, None, subtree=subtree)
        since, until = period
        if confined is None:
            return scorecard(unit, since, until, self.clock.now(), [], [], {})
        rows = await self._store.owed(confined, since, until)
        facts = await self._store.facts(confined, since, until)
        decisions = await self._store.decisions(confined, since, until)
        repeats = await self._store.repeats({f.petition for f in facts})
        return scorecard(unit, since, until, self.clock.now(), rows, facts, repeats, decisions)

    async def export(self, scope: Scope, period: tuple[datetime, datetime]) -> list[Scorecard]:
        """Every unit's scorecard, small counts suppressed."""
        confined = await self._confined(scope, None, None)
        if confined is None:
            return []
        since, until = period
        rows = await self._store.owed(confined, since, until)
        facts = await self._store.facts(confined, since, until)
        decisions = await self._store.decisions(confined, since, until)
        repeats = await self._store.repeats({f.petition for f in facts})
        now = self.clock.now()
        cards = []
        for unit in sorted({r.obligation.unit for r in rows} | {f.unit for f in facts} | {d.unit for d in decisions}):
            own = [r for r in rows if r.obligation.unit == unit]
            settled = [f for f in facts if f.unit == unit]
            decided = [d for d in decisions if d.unit == unit]
            cards.append(suppressed(scorecard(unit, since, until, now, own, settled, repeats, decided)))
        return cards

    def period(self, first: date | None, last: date | None) -> tuple[datetime, datetime]:
        """From the first day to the end of the last, Beijing time; by default the 90 days up to now."""
        now = self.clock.now()
        if any(day is not None and day.year not in YEARS for day in (first, last)):
            raise RefusedError(422, "period-invalid", "the days lie outside 1949–2199")
        until = now if last is None else datetime.combine(last + timedelta(days=1), time(), BEIJING)
        since = until - DEFAULT_PERIOD if first is None else datetime.combine(first, time(), BEIJING)
        if not timedelta(0) < until - since <= LONGEST_PERIOD:
            raise RefusedError(422, "period-invalid", f"a period has from 1 to {LONGEST_PERIOD.days} days")
        return since, until

    def name(self, unit: str, lang: str) -> str:
        """The unit's name, its code where nothing is known."""
        return self.directory.name(unit, "en" if lang == "en" else "zh")

    async def _check(self, scope: Scope, unit: str) -> None:
        """The same refusal for a unit that is not there and one that is not the reader's."""
        known = unit in await self._all_units()
        if not known:
            try:
                self.directory.unit(unit)
            except UnknownCodeError:
                raise _no_unit() from None
        if scope.unit is not None and not self.directory.covers(scope.unit, unit):
            raise _no_unit()
        if scope.jurisdiction is not None and self.directory.county_of(unit) not in (scope.jurisdiction, None):
            raise _no_unit()

    async def _confined(
        self, scope: Scope, unit: str | None, jurisdiction: str | None, *, subtree: bool = False
    ) -> Confined | None:
        """What of `scope` a question is about; None where that is nothing."""
        if scope.jurisdiction is not None and jurisdiction not in (None, scope.jurisdiction):
            return None
        base = Confined(None, scope.jurisdiction or jurisdiction, scope.barred, scope.unit is not None)
        if scope.unit is None and unit is None:
            return base
        known = await self._all_units()
        units = frozenset(known if unit is None else (self._under(unit, known) if subtree else {unit}))
        if scope.unit is not None:
            units &= self._under(scope.unit, known)
        return replace(base, units=units) if units else None

    def _under(self, unit: str, known: frozenset[str]) -> frozenset[str]:
        return frozenset({u for u in known if self.directory.covers(unit, u)} | {unit})

    async def _all_units(self) -> frozenset[str]:
        now = self.clock.now()
        if self._units is None or now - self._units[0] > timedelta(seconds=UNITS_KEPT_S):
            self._units = (now, await self._store.units())
        return self._units[1]


def _no_unit() -> RefusedError:
    return RefusedError(404, "unit-unknown", "there is no such unit")


def _cursor(row: Row) -> str:
    at = row.obligation.breach_at
    place = [None if at is None else at.isoformat(), row.obligation.id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime | None, str]:
    """It carries a place only; what may be seen is asked anew with every page."""
    try:
        at, key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        moment = None if at is None else parse_instant(at)
        key.encode()  # half a character, which JSON can hold, no store takes
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise RefusedError(422, "cursor-invalid", "the cursor is not one of ours; start from the first page") from None
    return moment, key
