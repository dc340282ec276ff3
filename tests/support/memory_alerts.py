"""The alerts store in memory, with the promises of the real one: all or nothing, one open warning a key, numbers without gaps."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from services.alerts.domain.findings import FindingRow, Moved, Place, placed
from services.alerts.domain.notify import Told, group_key
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Plan, Timer
from services.alerts.domain.warning import Change, Key, Text, Warning
from services.alerts.ports import (
    Delivery,
    Filter,
    FindingGroup,
    FlagRow,
    LogRow,
    StreamRow,
    Tx,
)
from services.alerts.rows import log_row, stream_row
from shared.access import Scope
from shared.directory import Directory
from shared.events import Event

T = TypeVar("T")


class OneOpenWarningError(Exception):
    """Two open warnings of one key."""


@dataclass
class State:
    warnings: dict[str, Warning] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)
    newest: dict[Key, str] = field(default_factory=dict)
    rows: dict[str, StreamRow] = field(default_factory=dict)
    stream: list[StreamRow] = field(default_factory=list)
    counter: int = 0
    log: list[LogRow] = field(default_factory=list)
    flags: dict[str, FlagRow] = field(default_factory=dict)
    findings: dict[str, tuple[FindingRow, ...]] = field(default_factory=dict)
    timers: dict[str, Timer] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    outbox: dict[str, Event] = field(default_factory=dict)


class MemoryTx:
    """One transaction on a copy of the state."""

    def __init__(self, state: State, units: Directory) -> None:
        self.s = state
        self._units = units

    async def warning(self, id: str) -> Warning | None:
        return self.s.warnings.get(id)

    async def latest(self, keys: Collection[Key]) -> dict[Key, Warning]:
        return {key: self.s.warnings[self.s.newest[key]] for key in keys if key in self.s.newest}

    async def open_on(self, matters: Collection[str]) -> list[Warning]:
        return [w for w in self.s.warnings.values() if w.open and w.matter in matters]

    async def open_of(self, kinds: Collection[str]) -> list[Warning]:
        return [w for w in self.s.warnings.values() if w.open and (not kinds or w.kind in kinds)]

    async def group(self, key: str, ids: Collection[str]) -> list[Warning]:
        return [w for w in self.s.warnings.values() if w.id in ids or (w.open and group_key(w) == key)]

    async def save(self, changes: Sequence[tuple[Change, Plan]]) -> None:
        for change, plan in changes:
            self.s.counter += 1
            warning = change.warning
            row, event = stream_row(change, self.s.counter, self._units)
            if change.action == "raise":
                if warning.id in self.s.warnings:
                    raise OneOpenWarningError(warning.id)
                self.s.place[warning.id] = self.s.counter
                self.s.newest[warning.key] = warning.id
            self.s.warnings[warning.id] = warning
            self.s.rows[warning.id] = row
            self.s.stream.append(row)
            self.s.log.append(log_row(change))
            self.s.outbox.setdefault(str(event.id), event)
            await self.set_timers(plan)
        open_keys = [w.key for w in self.s.warnings.values() if w.open]
        if len(open_keys) != len(set(open_keys)):
            raise OneOpenWarningError

    async def seen(self, ids: Collection[str]) -> set[str]:
        return {id for id in ids if id in self.s.flags}

    async def add_flags(self, rows: Sequence[FlagRow]) -> None:
        for row in rows:
            assert row.id not in self.s.flags
            self.s.flags[row.id] = row

    async def begin(self) -> None:
        pass

    async def set_findings(self, rows: Sequence[FindingRow]) -> list[Moved]:
        moved = []
        for row in rows:
            known = self.s.findings.get(row.id, ())
            after = placed(known, row)
            if after is not None:
                self.s.findings[row.id] = after
                moved.append(Moved(row, known[0].place if known else None, after[0].place))
        return moved

    async def finding_group(self, place: Place) -> FindingGroup:
        rows = [own[0] for own in self.s.findings.values() if own[0].place == place]
        newest = sorted(sorted(rows, key=lambda r: r.id), key=lambda r: r.at, reverse=True)[:200]
        first = min(rows, key=lambda r: (r.due, r.id), default=None)
        return FindingGroup(
            count=len(rows),
            petition_ids=tuple(r.petition_id for r in newest),
            basis=first.basis if first else "",
            derivation=first.derivation if first else Text("", ""),
        )

    async def timer(self, id: str) -> Timer | None:
        return self.s.timers.get(id)

    async def set_timers(self, plan: Plan) -> None:
        for kind, subject in plan.drop:
            self.s.timers = {i: t for i, t in self.s.timers.items() if (t.kind, t.subject) != (kind, subject)}
        for timer in plan.start:
            self.s.timers.setdefault(timer.id, timer)
        for timer in plan.sooner:
            there = self.s.timers.get(timer.id, timer)
            self.s.timers[timer.id] = replace(there, due=min(there.due, timer.due))

    async def end_timer(self, id: str) -> None:
        self.s.timers.pop(id, None)

    async def told(self, group: str) -> Told | None:
        return self.s.told.get(group)

    async def set_told(self, group: str, told: Told) -> None:
        self.s.told[group] = told

    async def silences(self, now: datetime) -> list[Silence]:
        return [s for s in self.s.silences.values() if s.starts_at <= now < s.ends_at]

    async def silence(self, id: str) -> Silence | None:
        return self.s.silences.get(id)

    async def put_silence(self, silence: Silence) -> None:
        self.s.silences[silence.id] = silence

    async def put_deliveries(self, rows: Sequence[Delivery]) -> None:
        for row in rows:
            self.s.deliveries.setdefault(row.id, row)

    async def put_document(self, row: Mapping[str, Any]) -> None:
        self.s.documents.setdefault(row["_id"], dict(row))

    async def audit(self, **row: Any) -> None:
        self.s.audit.append(row)


class MemoryStore:
    """The store."""

    def __init__(self, units: Directory) -> None:
        self.s = State()
        self._units = units
        self._lock = asyncio.Lock()
        self.on_commit: Callable[[], None] = lambda: None
        self.fail_before_commit = False

    async def run(self, work: Callable[[Tx], Awaitable[T]], *, point: str = "alerts") -> T:
        async with self._lock:
            draft = copy.copy(self.s)
            for name, value in vars(draft).items():
                setattr(draft, name, copy.copy(value))
            result = await work(MemoryTx(draft, self._units))
            if self.fail_before_commit:
                self.fail_before_commit = False
                raise RuntimeError("killed before the commit")
            self.s = draft
        self.on_commit()
        return result

    def _shown(self, warning: Warning, scope: Scope) -> bool:
        flag = warning.flag
        return scope.shows(
            warning.responsible_unit,
            flag.jurisdiction,
            restricted=flag.restricted,
            accused=flag.accused_unit,
            units=self._units,
        )

    async def get(self, id: str) -> Warning | None:
        return self.s.warnings.get(id)

    async def many(self, ids: Collection[str]) -> list[Warning]:
        return [self.s.warnings[id] for id in ids if id in self.s.warnings]

    async def find(self, scope: Scope, filter: Filter, *, before: int | None, limit: int) -> list[tuple[int, Warning]]:
        found = [
            (self.s.place[w.id], w)
            for w in self.s.warnings.values()
            if self._shown(w, scope) and self._fits(w, filter) and (before is None or self.s.place[w.id] < before)
        ]
        return sorted(found, key=lambda pair: -pair[0])[:limit]

    async def changed(
        self, scope: Scope, filter: Filter, *, before: int | None, limit: int
    ) -> list[tuple[int, Warning]]:
        found = [(self.s.rows[w.id].seq, w) for _, w in await self.find(scope, filter, before=None, limit=10**9)]
        return sorted((p for p in found if before is None or p[0] < before), key=lambda pair: -pair[0])[:limit]

    def _fits(self, w: Warning, f: Filter) -> bool:
        unit = w.responsible_unit
        return (
            (not f.states or w.state in f.states)
            and (not f.levels or w.level in f.levels)
            and (not f.kinds or w.kind in f.kinds)
            and (f.unit is None or (unit is not None and self._units.covers(f.unit, unit)))
            and f.jurisdiction in (None, w.flag.jurisdiction)
            and f.town in (None, w.flag.town)
            and f.topic in (None, w.flag.topic)
            and f.matter in (None, w.matter)
            and f.exercise in (None, w.exercise)
            and (f.since is None or w.raised_at >= f.since)
            and (f.until is None or w.raised_at < f.until)
            and (not f.text or f.text in w.flag.title)
        )

    async def counts(self, scope: Scope) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {"state": {}, "level": {}, "kind": {}}
        for w in self.s.warnings.values():
            if self._shown(w, scope) and not w.exercise:
                found["state"][w.state] = found["state"].get(w.state, 0) + 1
                if w.open:
                    found["level"][w.level] = found["level"].get(w.level, 0) + 1
                    found["kind"][w.kind] = found["kind"].get(w.kind, 0) + 1
        return found

    async def log(self, id: str) -> list[LogRow]:
        return sorted((row for row in self.s.log if row.warning_id == id), key=lambda row: row.version)

    async def flags(self, id: str) -> list[FlagRow]:
        return sorted((row for row in self.s.flags.values() if row.warning_id == id), key=lambda row: row.at)

    async def head(self) -> int:
        return self.s.counter

    async def floor(self) -> int:
        return self.s.stream[0].seq if self.s.stream else self.s.counter + 1

    async def stream(self, after: int, limit: int) -> list[StreamRow]:
        return [row for row in self.s.stream if row.seq > after][:limit]

    async def snapshot(self, scope: Scope) -> list[StreamRow]:
        rows = [self.s.rows[w.id] for w in self.s.warnings.values() if w.open and self._shown(w, scope)]
        return sorted(rows, key=lambda row: row.seq)

    async def due_timers(self, now: datetime, limit: int) -> list[Timer]:
        return sorted((t for t in self.s.timers.values() if t.due <= now), key=lambda t: t.due)[:limit]

    async def claim_delivery(self, now: datetime, until: datetime, *, busy: Collection[str] = ()) -> Delivery | None:
        due = [
            d
            for d in self.s.deliveries.values()
            if d.status == "pending" and d.next_at <= now and d.receiver not in busy
        ]
        if not due:
            return None
        first = min(due, key=lambda d: d.next_at)
        self.s.deliveries[first.id] = replace(first, next_at=until)
        return self.s.deliveries[first.id]

    async def mark_delivery(self, id: str, *, status: str, attempt: Mapping[str, Any], next_at: datetime) -> None:
        row = self.s.deliveries.get(id)
        if row is not None and row.status == "pending":
            attempts = (*row.attempts, dict(attempt))
            self.s.deliveries[id] = replace(row, status=status, attempts=attempts, next_at=next_at)

    async def deliveries(self, *, warning_id: str | None, status: str | None, limit: int) -> list[Delivery]:
        found = [
            d for d in self.s.deliveries.values() if warning_id in (None, *d.warnings) and status in (None, d.status)
        ]
        return sorted(found, key=lambda d: d.created_at, reverse=True)[:limit]

    async def all_silences(self, *, limit: int) -> list[Silence]:
        return sorted(self.s.silences.values(), key=lambda s: s.created_at, reverse=True)[:limit]

    async def document(self, id: str) -> dict[str, Any] | None:
        return self.s.documents.get(id)

    async def documents(self, *, warning_id: str | None, limit: int) -> list[dict[str, Any]]:
        found = [d for d in self.s.documents.values() if warning_id in (None, d.get("warning_id"))]
        return sorted(found, key=lambda d: d["at"], reverse=True)[:limit]
