"""Open warnings of the whole district in memory: one listener and one read a change, whatever the number of pages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from services.alerts.domain.warning import OPEN_STATES, Warning
from services.alerts.handlers import Desk
from services.alerts.ports import Filter, StreamRow
from services.alerts.queries import each, urgency
from services.alerts.stream import Hub
from shared.access import Scope

GATHER_S: Final = 0.02
CHECK_S: Final = 2.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Pulse:
    """Whether news still arrives. `trouble` is a slug of what stands in the way, None while all is well."""

    trouble: str | None
    last_at: datetime | None
    """time of the newest event of the stream"""
    number: int
    """number of that event"""


@dataclass(eq=False)
class Watch:
    """One page that is told what changed. Changes pile up as ids only: a slow page costs nothing and holds nobody."""

    changed: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, ids: set[str]) -> None:
        """These warnings are different now."""
        self.changed |= ids
        self.woken.set()

    async def news(self, seconds: float) -> set[str]:
        """Ids that changed since the last call, as soon as there are any, or nothing after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        self.woken.clear()
        ids, self.changed = self.changed, set()
        return ids


class Board:
    """What every page's list is drawn from. `start` after the hub has started."""

    def __init__(self, desk: Desk, hub: Hub, troubles: Callable[[], list[str]] = list) -> None:
        self._desk = desk
        self._hub = hub
        self._troubles = troubles
        self._tasks: list[asyncio.Task[None]] = []
        self._watches: set[Watch] = set()
        self._sorted: tuple[int, int, list[Warning]] = (-1, -1, [])
        self._version = 0
        self.warnings: dict[str, Warning] = {}
        self.loaded = asyncio.Event()
        self.pulse = Pulse("starting", None, 0)

    async def start(self) -> None:
        """Begin to follow the stream."""
        self._tasks = [
            asyncio.create_task(self._follow(), name="alerts.console.board"),
            asyncio.create_task(self._check(), name="alerts.console.pulse"),
        ]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        """Take part in the news."""
        watch = Watch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    @property
    def pages(self) -> int:
        """Number of pages that watch."""
        return len(self._watches)

    def ordered(self, now: datetime) -> list[Warning]:
        """Open warnings in the order in which they need a person now; sorted once a second and change for all pages."""
        second = int(now.timestamp())
        if self._sorted[:2] != (self._version, second):
            rows = sorted(self.warnings.values(), key=lambda warning: urgency(warning, now))
            self._sorted = (self._version, second, rows)
        return self._sorted[2]

    async def _follow(self) -> None:
        while True:
            try:
                async with self._hub.listen(Scope()) as client:
                    await self._load()
                    while True:
                        first = await client.queue.get()
                        if first is None or client.closed:  # too much at once: read everything anew
                            break
                        await asyncio.sleep(GATHER_S)
                        rows = [first]
                        while not client.queue.empty():
                            if (row := client.queue.get_nowait()) is not None:
                                rows.append(row)
                        await self._take(rows)
            except (
                Exception
            ) as error:  # the store is away, or something nobody foresaw: begin anew, and say so meanwhile
                self.pulse = Pulse("store", self.pulse.last_at, self.pulse.number)
                log.warning("console_board_restarts", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _load(self) -> None:
        store = self._desk.store
        # every one: the newest alone could leave out an old one that nobody has answered. What changes while the pages are
        # read comes through the queue afterwards
        found = [warning async for warning in each(self._desk, Scope(), Filter(states=frozenset(OPEN_STATES)))]
        newest = await store.stream(max(0, await store.head() - 1), 1)
        before = set(self.warnings)
        self.warnings = {warning.id: warning for warning in found}
        self._told({*before, *self.warnings}, newest[-1].at if newest else None)
        self.loaded.set()

    async def _take(self, rows: list[StreamRow]) -> None:
        ids = {row.warning_id for row in rows}
        found = {warning.id: warning for warning in await self._desk.store.many(ids)}
        for id in ids:
            if (warning := found.get(id)) is not None and warning.open:
                self.warnings[id] = warning
            else:
                self.warnings.pop(id, None)
        self._told(ids, rows[-1].at)

    def _told(self, ids: set[str], at: datetime | None) -> None:
        self._version += 1
        self.pulse = Pulse(self.pulse.trouble, at or self.pulse.last_at, self._hub.at)
        for watch in self._watches:
            watch.tell(ids)

    async def _check(self) -> None:
        """Ask the store where the stream stands: a reader that sleeps, or a store that is away, must not look calm."""
        behind = 0
        while True:
            trouble: str | None = None
            try:
                async with asyncio.timeout(
                    CHECK_S
                ):  # not wait_for: before Python 3.12 that can swallow the end of the task
                    head = await self._desk.store.head()
                behind = behind + 1 if head > self._hub.at else 0
                if behind > 1:
                    trouble = "behind"
            except Exception:
                trouble = "store"
            if not self._hub.alive:
                trouble = "stopped"
            elif not self.loaded.is_set():
                trouble = trouble or "starting"
            elif trouble is None and self._troubles():
                trouble = "source"
            self.pulse = Pulse(trouble, self.pulse.last_at, self._hub.at)
            await asyncio.sleep(CHECK_S)
