"""The live stream: one reader of the numbered rows in each process, one bounded queue for each client.

Numbers are given out inside the transactions, by one counter: rows become visible in the order of their numbers and
without a gap, so "everything after n" is complete. A commit in this process wakes the reader; other processes' commits
are seen within 100 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from services.alerts.ports import Store, StreamRow
from shared.access import Scope
from shared.mongo import Unavailable

POLL_S: Final = 0.1
READ: Final = 1000
RETRY_MS: Final = 2000
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Client:
    """Somebody who listens. When the queue is full the client is closed; it comes again with its last id."""

    scope: Scope
    queue: asyncio.Queue[StreamRow | None]
    closed: bool = False


class Hub:
    """Reads the stream once and hands each row to every client that may see it."""

    def __init__(self, store: Store, *, queue: int = 1000) -> None:
        self._store = store
        self._size = queue
        self._clients: set[Client] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self.at = 0
        """number of the newest row that has been handed out"""
        self.overflows = 0

    def wake(self) -> None:
        """Something was committed in this process."""
        self._wake.set()

    def __len__(self) -> int:
        return len(self._clients)

    async def start(self) -> None:
        """Begin to read at the newest row."""
        self.at = await self._store.head()
        self._task = asyncio.create_task(self._run(), name="alerts.stream")
        self._started.set()

    async def stop(self) -> None:
        """End the reader and every client."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for client in list(self._clients):
            self.close(client)

    def close(self, client: Client) -> None:
        """End one client; what it has missed it gets when it comes again."""
        self._clients.discard(client)
        client.closed = True
        with contextlib.suppress(asyncio.QueueFull):  # a full queue wakes it as well
            client.queue.put_nowait(None)

    @property
    def alive(self) -> bool:
        """The reader runs."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while True:
            try:
                await self._hand_out()
            except (
                Exception
            ) as error:  # whatever it is, the reader goes on: a dead stream would look like a quiet night
                log.warning("stream_waits", error=type(error).__name__, exc_info=not isinstance(error, Unavailable))
                await asyncio.sleep(1)
            with contextlib.suppress(TimeoutError):  # not wait_for: in Python 3.11 it may swallow a cancellation
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _hand_out(self) -> None:
        while rows := await self._store.stream(self.at, READ):
            for row in rows:
                if row.seq != self.at + 1:
                    # a row was removed before it was read: whoever listens has missed it, and has to come again
                    log.warning("stream_gap", after=self.at, found=row.seq)
                    for client in list(self._clients):
                        self.close(client)
                for client in list(self._clients):
                    if row.shown_to(client.scope):
                        self._give(client, row)
                self.at = row.seq
            if len(rows) < READ:
                return

    def _give(self, client: Client, row: StreamRow) -> None:
        try:
            client.queue.put_nowait(row)
        except asyncio.QueueFull:
            self.overflows += 1
            self.close(client)

    @contextlib.asynccontextmanager
    async def listen(self, scope: Scope) -> AsyncIterator[Client]:
        """Take part. Rows after `hub.at` at this moment come through the queue."""
        await self._started.wait()
        client = Client(scope, asyncio.Queue(self._size))
        self._clients.add(client)
        try:
            yield client
        finally:
            self._clients.discard(client)

    async def follow(self, scope: Scope, last_id: str | None) -> AsyncGenerator[StreamRow | Reset | Resumed]:
        """Everything a client has to see, from its last id on, or from a snapshot where that id says nothing; then live."""
        async with self.listen(scope) as client:
            joined = await self._store.head()  # asked after joining: rows above come through the queue
            sent, reason = await self._resume_point(last_id, joined)
            if reason is None:
                try:
                    async for row in self._between(sent, joined, scope):
                        yield row
                except GapError:
                    reason = "expired"
                sent = max(sent, joined)
            if reason is not None:
                yield Reset(reason, joined)
                for row in await self._store.snapshot(scope):
                    yield row
                sent = joined
            yield Resumed(sent)
            while True:
                live = await client.queue.get()
                if live is None or client.closed:
                    return
                if live.seq > sent:
                    sent = live.seq
                    yield live

    async def _resume_point(self, last_id: str | None, head: int) -> tuple[int, str | None]:
        """Number to go on after, and why that is not possible, if it is not."""
        if last_id is None or not last_id.strip():
            return 0, "absent"
        if not (last_id.isascii() and last_id.isdecimal()) or len(last_id) > 18:
            return 0, "garbage"
        wanted = int(last_id)
        if wanted > head:
            return 0, "future"
        if wanted + 1 < await self._store.floor():
            return 0, "expired"
        return wanted, None

    async def _between(self, after: int, until: int, scope: Scope) -> AsyncIterator[StreamRow]:
        """Rows up to `until`; raises `GapError` where one is not there any more.

        What is removed goes by a row's time, and that of a row that waited in the broker for days lies before those of rows
        with lower numbers: the oldest row that is left does not say that all after it are.
        """
        while after < until:
            rows = await self._store.stream(after, READ)
            if not rows:
                raise GapError
            for row in rows:
                if after == until:
                    return
                if row.seq != after + 1:
                    raise GapError
                if row.shown_to(scope):
                    yield row
                after = row.seq


class GapError(Exception):
    """Rows that were asked for have been removed."""


@dataclass(frozen=True)
class Reset:
    """What follows is a snapshot: the id the client sent does not say where to go on."""

    reason: str
    seq: int


@dataclass(frozen=True)
class Resumed:
    """Everything up to this number has been sent; what follows is live."""

    seq: int


def frame(item: StreamRow | Reset | Resumed) -> bytes:
    """One server-sent event. JSON has no raw line breaks, so one data line is enough."""
    if isinstance(item, StreamRow):
        return f"id: {item.seq}\nevent: warning\ndata: {item.event}\n\n".encode()
    if isinstance(item, Reset):
        body = orjson.dumps({"reason": item.reason, "seq": item.seq}).decode()
        return f"retry: {RETRY_MS}\nevent: snapshot\ndata: {body}\n\n".encode()
    body = orjson.dumps({"seq": item.seq}).decode()
    return f"retry: {RETRY_MS}\nid: {item.seq}\nevent: resume\ndata: {body}\n\n".encode()
