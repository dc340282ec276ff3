"""The consumer's use cases: petitions, findings and warnings come in, each county's engine says what is to be written.

A county's memory and its rows go together by a version: each write expects the one it was computed from. Where another owner
has written since, nothing is written and the memory is built anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.screening import codec, contract
from services.screening.domain.engine import County
from services.screening.domain.outcome import Filed, Item, Outcome
from services.screening.domain.policy import Policies
from services.screening.domain.restoring import rebuild
from services.screening.ports import CountyWrites, Inbox, Stale, Store, Transaction
from shared.bus import Received
from shared.clock import Clock
from shared.events import Event, PetitionFiled

INLINE: Final = 64
"""Batches above this many records are computed in a thread, so that the service still answers meanwhile."""

PATIENCE: Final = timedelta(minutes=5)
"""Between two attempts at most where work on a county fails again and again: to build it anew takes long."""
SETTLED: Final = timedelta(minutes=10)
"""So long after a start the clock on the wall ends no flag: petitions that came meanwhile may still wait in the topic."""

log = structlog.get_logger(__name__)


class Behind(Stale):
    """Found by reading, before any work: the store is ahead of what is in memory."""


@dataclass(slots=True)
class Held:
    """One county in memory. `moved`: when its newest petition came, for time passes when nothing comes. `since`: when it was built.

    `busy`: a thread works on it, and nothing else may touch it meanwhile, not even to read. `by_tick`: a tick held it, and no
    batch came since: one of this process may have been on its way into the store, unseen.
    """

    county: County
    version: int
    partition: int
    moved: datetime
    since: datetime
    pending: Outcome | None = None
    busy: bool = False
    by_tick: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A county whose memory was given up: how often in a row, and when it is held again."""

    times: int
    again: datetime


@dataclass(slots=True)
class Plan:
    """What a batch will write and publish."""

    writes: list[CountyWrites] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Screening:
    """The counties of this process."""

    def __init__(self, store: Store, policies: Callable[[], Policies], clock: Clock) -> None:
        self._store = store
        self._policies = policies
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._lost: dict[str, Lost] = {}
        self._overtaken: set[str] = set()
        self._lock = asyncio.Lock()

    # -- the processor of petition.events.v1 --------------------------------------------------------------------------

    async def load(self, partitions: Collection[int]) -> None:
        """Forget the counties of these partitions and build them anew from the store."""
        async with self._lock:
            for name in [n for n, held in self._held.items() if held.partition in partitions]:
                del self._held[name]
            for name in await self._store.counties(partitions):
                self._come_from_bus(name, await self._hold(name, None))

    async def prepare(self, batch: Sequence[Received]) -> Plan:
        """Let each county's engine take in its events, in memory; gives the documents and events that say so."""
        async with self._lock:
            by_county: dict[str, list[Received]] = {}
            for received in batch:
                by_county.setdefault(received.event.data.jurisdiction, []).append(received)
            plan = Plan()
            for name, events in by_county.items():
                with self._whole(name):
                    come = [item for r in events if (item := _item(r)) is not None]
                    filed_at = max((item.filing.at for item in come if isinstance(item, Filed)), default=None)
                    held = await self._hold(name, events[0].partition, filed_at)
                    self._come_from_bus(name, held)
                    items = await self._new(held, come)
                    traces = {str(r.event.data.petition_id): r.event for r in events}
                    before = held.county.newest
                    out = await self._run(held, lambda c=held.county, i=items: c.apply(i), len(items))  # type: ignore[misc]
                    if held.county.newest != before:
                        held.moved = self._clock.now()
                    self._plan(plan, held, out, traces)
            return plan

    async def write(self, tx: Transaction, plan: Plan) -> Sequence[Event]:
        """Write what was prepared. May run again: it sets values by natural key under the expected version."""
        for writes in plan.writes:
            await self._store.write(tx, writes)
        return plan.events

    # -- everything that does not come by that topic ------------------------------------------------------------------

    async def tick(self) -> None:
        """Take up findings and decisions that wait, changed policies, and flags whose time is over."""
        async with self._lock:
            policies = self._policies()
            names = [*self._held, *self._found_again()]
            waiting = await self._store.inbox(names)
            for name in names:
                try:
                    with self._whole(name):
                        held = await self._hold(name, None)
                        out = await self._due(held, waiting.get(name), policies)
                        if out or held.pending:
                            await self._write_out(held, out)
                except Stale:
                    log.info("county_overtaken", county=name, again=name in self._lost)
                else:
                    self._lost.pop(name, None)

    def _found_again(self) -> list[str]:
        """Lost counties whose time has come: what waits for them must not wait for their next petition."""
        now = self._clock.now()
        return [name for name, lost in self._lost.items() if name not in self._held and lost.again <= now]

    async def _due(self, held: Held, inbox: Inbox | None, policies: Policies) -> Outcome:
        county = held.county
        out = Outcome()
        if inbox is not None or county.policies is not policies or county.due(self._passed(held)):
            stored = await self._store.version(county.county)
            if stored > held.version:
                raise Behind(county.county)
            if stored < held.version:
                return out  # a batch is on its way into the store: at the next tick
            if county.policies is not policies:
                out.merge(await self._run(held, lambda: county.adopt(policies), INLINE + 1))
            if inbox is not None:
                steps = [codec.step(row) for row in inbox.steps]
                items: list[Item] = [step for step in steps if step.petition in county.placed]
                items += [codec.decision(row) for row in inbox.decisions]
                out.merge(county.apply(items))
                out.stepped += [step for step in steps if step.petition not in county.placed]  # its row keeps it
                out.taken += [step.id for step in steps]
            out.merge(county.advance(self._passed(held)))
        return out

    def _passed(self, held: Held) -> datetime | None:
        """Event time that has passed: the newest petition's, and the time since it came, less the lateness bound."""
        newest, now = held.county.newest, self._clock.now()
        if newest is None:
            return None
        since = max(timedelta(), now - held.moved) if now - held.since >= SETTLED else timedelta()
        return newest + since - held.county.linking.lateness

    async def _write_out(self, held: Held, out: Outcome) -> None:
        plan = Plan()
        self._plan(plan, held, out, {})

        async def work(tx: Transaction) -> None:
            await self._store.enqueue(tx, await self.write(tx, plan))

        await self._store.transaction(work)

    # -- memory -------------------------------------------------------------------------------------------------------

    def held(self, county: str) -> County | None:
        """A county's engine, if it is in this process and no thread works on it. Do not keep it over an `await`."""
        found = self._held.get(county)
        return None if found is None or found.busy else found.county

    @contextmanager
    def _whole(self, name: str) -> Iterator[None]:
        """Forget a county if work on it breaks off: its memory is half-changed or ahead of the store, and where the work was
        cancelled its thread goes on all the same. It is held again at the next tick, unless another owner has it now.
        """
        try:
            yield
        except BaseException as error:
            held = self._held.pop(name, None)
            before = self._lost.pop(name, None)  # it is put last, so that what fails always stops no other
            if isinstance(error, Stale):
                self._overtake(name, may_be_past=isinstance(error, Behind) or (held is not None and held.by_tick))
            else:
                times = before.times + 1 if before else 0
                pause = min(PATIENCE, timedelta(seconds=2.0 ** min(times, 20))) if times else timedelta()
                self._lost[name] = Lost(times, self._clock.now() + pause)
            raise

    def _overtake(self, name: str, *, may_be_past: bool) -> None:
        """The store went on without this county's memory. What was on its way when it was built (a batch of this process, the
        last write of an owner before) does so once, and it is held anew. What does so again, while no batch comes here, is
        another owner: to build its county after each of its writes would take the time of one's own.
        """
        if may_be_past and name not in self._overtaken:
            self._overtaken.add(name)
            self._lost[name] = Lost(0, self._clock.now())

    def _come_from_bus(self, name: str, held: Held) -> None:
        """The county is this process's, by a batch or a claim of its partition."""
        held.by_tick = False
        self._overtaken.discard(name)

    async def _hold(self, name: str, partition: int | None, filed_at: datetime | None = None) -> Held:
        """The county in memory. It is linked by the policy in force at its newest petition; where it has none, at `filed_at`."""
        found = self._held.get(name)
        if found is not None:
            if partition is not None:
                found.partition = partition
            return found
        policies, now = self._policies(), self._clock.now()
        county = County(name, policies, at=await self._store.newest(name) or filed_at or now)
        rows = await self._store.county(name, county.linking.keep_days)
        version, pending, moved = 0, None, now
        if rows is not None:
            version = rows.header["version"]
            partition = rows.header["partition"] if partition is None else partition
            # A row of before this was noted: its own time is the best guess, and does not start anew at each start.
            moved = rows.header.get("moved_at") or rows.header["newest"] or now
            pending = await _compute(
                lambda: rebuild(
                    county,
                    [codec.stored(row) for row in rows.petitions],
                    merges=[codec.merge(row) for row in rows.merges],
                    decisions=[codec.decision(row) for row in rows.decisions],
                    days={int(day): n for day, n in rows.header.get("days", {}).items()},
                    told=[codec.told(row) for row in rows.flags],
                    sequences={row["_id"]: row["sequence"] for row in rows.matters},
                ),
                len(rows.petitions),
            )
            log.info("county_restored", county=name, petitions=len(rows.petitions), matters=len(county.histories))
        held = Held(county, version, partition or 0, moved, now, pending or None, by_tick=True)
        self._held[name] = held
        return held

    async def _new(self, held: Held, items: list[Item]) -> list[Item]:
        """Leave out petitions that left the memory long ago and are stored: a record may be published again years later."""
        newest = held.county.newest
        if newest is None:
            return items
        limit = newest - timedelta(days=held.county.linking.keep_days)
        old = {i.filing.id for i in items if isinstance(i, Filed) and i.filing.at <= limit}
        known = await self._store.known(old) if old else set()
        return [i for i in items if not (isinstance(i, Filed) and i.filing.id in known)]

    @staticmethod
    async def _run(held: Held, work: Callable[[], Outcome], size: int) -> Outcome:
        held.busy = True
        out = await _compute(work, size)
        held.busy = False  # only here: a thread whose batch was cancelled goes on
        return out

    # -- documents ----------------------------------------------------------------------------------------------------

    def _plan(self, plan: Plan, held: Held, out: Outcome, causes: dict[str, Event]) -> None:
        if held.pending is not None:
            pending, held.pending = held.pending, None
            pending.merge(out)  # the older first
            out = pending
        county = held.county
        if not out and held.version:
            return
        writes = CountyWrites(county.county, held.version, _header(held, out))
        writes.petitions = [codec.petition(county.placed[pid], text) for pid, text in out.filed.items()]
        writes.places = [
            (pid, codec.place(county.placed[pid])) for pid in sorted(out.moved - set(out.filed)) if pid in county.placed
        ]
        writes.steps = [(step.petition, codec.step_document(step)) for step in out.stepped]
        writes.waiting = [codec.step_document(s) | {"_id": s.id, "county": county.county} for s in out.orphans]
        writes.taken = [*out.taken, *(step.id for step in out.stepped if step.petition in out.filed)]
        histories = [county.histories[name] for name in sorted(out.matters) if name in county.histories]
        writes.matters = [codec.matter(county, h) for h in histories if codec.worth_a_row(h)]
        raised = {notice.flag.id: notice.flag for notice in reversed(out.notices) if notice.what == "raised"}
        writes.flags = [codec.flag_document(told, raised.get(id)) for id, told in out.flags.items()]
        writes.merges = [codec.merge_document(county.county, merge) for merge in out.merges]
        writes.unmerged = list(out.unmerged)
        writes.decisions = [(decision.id, codec.taken_up(decision, out)) for decision in out.decided]
        writes.late = [
            {"_id": pid, "county": county.county, "at": county.placed[pid].member.filing.at, "newest": county.newest}
            for pid in out.late
        ]
        plan.writes.append(writes)
        held.version += 1
        for notice in out.notices:
            cause = next((causes[p] for p in reversed(notice.flag.petitions) if p in causes), None)
            plan.events.append(
                contract.event_of(
                    notice,
                    traceparent=cause.traceparent if cause else None,
                    causation=str(cause.id) if cause else None,
                )
            )


async def _compute(work: Callable[[], Outcome], size: int) -> Outcome:
    return await asyncio.to_thread(work) if size > INLINE else work()


def _header(held: Held, out: Outcome) -> dict[str, object]:
    days = held.county.rate.days
    return {
        "version": held.version + 1,
        "partition": held.partition,
        "newest": held.county.newest,
        "moved_at": held.moved,
        **{f"days.{day}": days.get(day, 0) for day in out.days},
    }


def _item(received: Received) -> Item | None:
    if isinstance(received.event.data, PetitionFiled):
        return contract.filed_of(received.event, received.at)
    return contract.step_of(received.event, received.at)


async def keep_findings(store: Store, tx: Transaction, events: Iterable[Event]) -> None:
    """Leave the breaches of reply deadlines for the owners of the counties."""
    rows = [
        codec.step_document(step) | {"_id": step.id, "county": event.data.jurisdiction}
        for event in events
        if (step := contract.breach_of(event)) is not None
    ]
    await store.put_steps(tx, rows)


async def keep_outcomes(store: Store, tx: Transaction, events: Iterable[Event]) -> None:
    """Keep whether the officers found the flags to be right: the precision figure is made of it."""
    rows = [
        {
            "_id": event.data.warning_id,
            "flag": event.data.flag_id,
            "version": event.data.version,
            "state": event.type.split(".")[2],
            "at": event.data.at,
        }
        for event in events
        if event.data.flag_id is not None and event.type.split(".")[2] in ("verified", "discarded")
    ]
    await store.put_outcomes(tx, rows)
