"""The assessment's ledger in memory: the same port as the store, for tests without a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from services.assessment.domain.facts import Decision, Facts, decisions_of, facts_of
from services.assessment.domain.ledger import Change, Held, Row
from services.assessment.domain.life import Life, life_of
from services.assessment.domain.rules import HANDLE_EXT, WINDOWS
from services.assessment.ports import Confined, UnitCount, Wanted
from shared.events import Event

T = TypeVar("T")
_FIRST = datetime.min.replace(tzinfo=UTC)


class MemoryStore:
    """A dictionary of petitions and one of obligations; `events` is the outbox, an event id at most once."""

    def __init__(self) -> None:
        self.petitions: dict[str, Held] = {}
        self.obligations: dict[str, Row] = {}
        self.events: dict[str, Event] = {}

    async def transaction(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work`; what it raises leaves nothing behind."""
        before = (dict(self.petitions), dict(self.obligations), dict(self.events))
        try:
            return await work(None)
        except BaseException:
            self.petitions, self.obligations, self.events = before
            raise

    async def held(self, tx: Any, petitions: Collection[str]) -> dict[str, Held]:
        return {p: self.petitions[p] for p in petitions if p in self.petitions}

    async def rows(self, tx: Any, ids: Collection[str]) -> dict[str, Row]:
        return {i: self.obligations[i] for i in ids if i in self.obligations}

    async def save(self, tx: Any, changes: Sequence[Change]) -> None:
        for change in changes:
            self.petitions[change.held.petition] = change.held
            for row in change.rows:
                self.obligations[row.obligation.id] = row

    async def watched(self, tx: Any, now: datetime, limit: int) -> list[Row]:
        due = [(r.watch, i, r) for i, r in self.obligations.items() if r.watch is not None and r.watch <= now]
        return [r for _, _, r in sorted(due, key=lambda d: (d[0], d[1]))[:limit]]

    async def tell(self, tx: Any, rows: Sequence[Row], events: Sequence[Event]) -> None:
        for row in rows:
            kept = self.obligations[row.obligation.id]
            self.obligations[row.obligation.id] = replace(kept, told=row.told)
        await self.enqueue(events)

    async def enqueue(self, events: Sequence[Event]) -> None:
        """The outbox."""
        for event in events:
            self.events.setdefault(str(event.id), event)

    async def waiting(self, now: datetime) -> bool:
        return bool(await self.watched(None, now, 1))

    async def renew(self, limit: int) -> int:
        return 0

    async def page(
        self, wanted: Wanted, now: datetime, *, size: int, after: tuple[datetime | None, str] | None
    ) -> list[Row]:
        def place(row: Row) -> tuple[datetime, str]:
            return row.obligation.breach_at or _FIRST, row.obligation.id

        rows = [r for r in self.obligations.values() if self._shows(wanted.confined, r)]
        rows = [
            r
            for r in rows
            if (r.obligation.breach_at if wanted.state is None else r.obligation.state(now) == wanted.state)
        ]
        rows = [r for r in rows if wanted.code in (None, r.obligation.code)]
        rows = [r for r in rows if wanted.petition in (None, r.obligation.petition)]
        if after is not None:
            rows = [r for r in rows if place(r) > (after[0] or _FIRST, after[1])]
        return sorted(rows, key=place)[:size]

    async def counts(self, confined: Confined, now: datetime) -> list[UnitCount]:
        found: dict[str, list[str]] = {}
        for row in self.obligations.values():
            if row.open and row.obligation.code not in WINDOWS and self._shows(confined, row):
                found.setdefault(row.obligation.unit, []).append(row.obligation.state(now))
        return [UnitCount(u, len(s), s.count("due_soon"), s.count("breached")) for u, s in sorted(found.items())]

    async def units(self) -> frozenset[str]:
        return frozenset(r.obligation.unit for r in self.obligations.values()) | {f.unit for f in self._facts()}

    async def owed(self, confined: Confined, since: datetime, until: datetime) -> list[Row]:
        def wanted(row: Row) -> bool:
            o = row.obligation
            if o.breach_at is None:
                return since <= o.started < until
            return since < o.breach_at and (o.breach_at <= until or (o.code == HANDLE_EXT and o.started < until))

        return [
            r
            for r in self.obligations.values()
            if wanted(r) and r.obligation.code not in WINDOWS and self._shows(confined, r)
        ]

    async def facts(self, confined: Confined, since: datetime, until: datetime) -> list[Facts]:
        return [
            f
            for f in self._facts()
            if f.settled is not None and since <= f.settled < until
            if _visible(confined, f.unit, f.jurisdiction, f.accused, restricted=f.restricted)
        ]

    async def decisions(self, confined: Confined, since: datetime, until: datetime) -> list[Decision]:
        return [
            d
            for life in self._lives()
            for f in facts_of(life)[:1]
            for d in decisions_of(life)
            if since <= d.at < until
            if _visible(confined, d.unit, f.jurisdiction, f.accused, restricted=f.restricted)
        ]

    async def repeats(self, petitions: Collection[str]) -> Mapping[str, Sequence[datetime]]:
        found: dict[str, tuple[datetime, ...]] = {}
        for life in self._lives():
            for f in facts_of(life)[:1]:
                if f.joined in petitions and f.joined is not None and not f.restricted:
                    found[f.joined] = tuple(sorted((*found.get(f.joined, ()), f.received)))
        return found

    def _lives(self) -> Iterator[Life]:
        return (life_of(h.petition, h.jurisdiction, h.steps) for h in self.petitions.values())

    def _facts(self) -> list[Facts]:
        return [f for life in self._lives() for f in facts_of(life)]

    @staticmethod
    def _shows(confined: Confined, row: Row) -> bool:
        o = row.obligation
        return _visible(confined, o.unit, o.jurisdiction, row.accused, restricted=row.restricted)


def _visible(c: Confined, unit: str, jurisdiction: str, accused: str | None, *, restricted: bool) -> bool:
    if c.units is not None and unit not in c.units:
        return False
    if c.jurisdiction is not None and jurisdiction != c.jurisdiction:
        return False
    if accused in c.barred and accused is not None:
        return False
    return not (c.no_unknown_accusations and restricted and accused is None)
