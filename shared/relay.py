"""The outbox relay: pending rows go to Kafka, in order, and are marked. Safe to run twice, safe to kill anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from shared.clock import Clock
from shared.failpoint import FailpointError, failpoint
from shared.lease import Lease
from shared.mongo import Document, Mongo, PyMongoError, UpdateMany
from shared.outbox import COLLECTION, pending

BATCH: Final = 1_000
POLL_S: Final = 0.1
RENEW_S: Final = 5.0
SEND_TIMEOUT_S: Final = 30.0
REQUEST_MAX: Final = 2 * 1024 * 1024
"""Larger than any record of a topic: a dead letter is a record as it came, and its headers besides."""

log = structlog.get_logger(__name__)


class Relay:
    """Publishes one service's outbox while it holds the lease `outbox`."""

    def __init__(
        self,
        mongo: Mongo,
        *,
        bootstrap: str,
        idempotent: bool,
        owner: str,
        clock: Clock,
        published: Counter,
        stalled_s: Gauge,
    ) -> None:
        self._mongo = mongo
        self._bootstrap = bootstrap
        self._idempotent = idempotent
        self._clock = clock
        self._lease = Lease(mongo, "outbox", owner)
        self._owner = owner
        self._producer: AIOKafkaProducer | None = None
        self._wake = asyncio.Event()
        self._published = published
        self._stalled_s = stalled_s
        self._waiting_since: float | None = None
        self.reachable = False
        mongo.on_commit(self._wake.set)

    async def run(self) -> None:
        """Relay until cancelled. Whatever fails is tried again; nothing is given up."""
        try:
            while True:
                try:
                    if await self._lease.hold():
                        await self._publish_while_held()
                    else:
                        await asyncio.sleep(1)
                except (KafkaError, PyMongoError, TimeoutError, OSError, FailpointError) as error:
                    log.warning("relay_waits", error=type(error).__name__)
                    self.reachable = False
                    await self._drop_producer()
                    await asyncio.sleep(1)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._drop_producer(), 5)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._lease.release(), 2)

    async def _publish_while_held(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        await self._ensure_producer()
        while loop.time() < renew_at:
            self._wake.clear()
            if await self.publish_pending() == 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):  # wait_for may swallow a cancellation (Python 3.11)
                        await self._wake.wait()

    async def publish_pending(self) -> int:
        """Publish one batch of pending rows and mark them; returns how many there were."""
        rows = await pending(self._mongo, BATCH)
        if not rows:
            self._waiting_since = None
            self._stalled_s.set(0)
            return 0
        await failpoint("relay.after_claim")
        # Not the age of a row: `at` is the event's time, which may lie years back.
        self._waiting_since = self._waiting_since or time.monotonic()
        self._stalled_s.set(time.monotonic() - self._waiting_since)
        await self._send(rows)
        await failpoint("relay.after_publish")
        ids = [row["_id"] for row in rows]
        marked = {"$set": {"published_at": self._clock.now()}, "$unset": {"pending": ""}}
        await self._mongo[COLLECTION].bulk_write([UpdateMany({"_id": {"$in": ids}}, marked)])
        self._waiting_since = None
        self._published.inc(len(rows))
        await failpoint("relay.after_mark")
        return len(rows)

    async def _send(self, rows: list[Document]) -> None:
        """Hand all rows over in order and wait for every confirmation.

        One producer keeps the order within a partition: a batch that failed for good makes the later ones fail too
        (sequence numbers), so no event of a key overtakes the one before it. A time-out leaves the outcome unknown:
        the rows stay pending and go out again under the same ids.
        """
        producer = await self._ensure_producer()
        async with asyncio.timeout(SEND_TIMEOUT_S):
            waiting = [
                await producer.send(row["topic"], value=row["value"], key=row["key"], headers=_headers(row["headers"]))
                for row in rows
            ]
            await asyncio.gather(*waiting)
        self.reachable = True

    async def _ensure_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id=f"fengqiao.{self._owner}.relay",
                acks="all",
                enable_idempotence=self._idempotent,
                linger_ms=2,
                request_timeout_ms=15_000,
                max_batch_size=256 * 1024,
                max_request_size=REQUEST_MAX,
            )
            try:
                await asyncio.wait_for(producer.start(), 15)
            except BaseException:
                await _stop(producer)
                raise
            self._producer = producer
            self.reachable = True
        return self._producer

    async def _drop_producer(self) -> None:
        """Forget the producer: after a fatal error (sequence, epoch) only a new one can go on."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


def _headers(headers: dict[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]


async def _stop(producer: Any) -> None:
    """Stop within 3 s: an idempotent producer would wait for ever for a broker that is gone."""
    stop: Callable[[], Any] = producer.stop
    with contextlib.suppress(Exception):
        await asyncio.wait_for(stop(), 3)
