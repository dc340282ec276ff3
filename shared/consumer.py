"""The batch consumer: records in, effects and progress in one transaction, exactly one effect a record.

The order of things is design §4: decode each record by itself, claim a partition at its first batch or after a quiet
second, apply a batch in one transaction, fall back to single records when a batch fails, wait when a dependency is down.
While a batch commits, the next is fetched and decoded: the handler only decodes and hands over to the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared import attempts
from shared.bus import Dead, PermanentError, Processor, Received, Rewrite, decode_record, raw_decoder, safe_parser
from shared.clock import Clock
from shared.deadletter import bare, dead_letter
from shared.failpoint import failpoint
from shared.mongo import Mongo, PyMongoError, Session, Unavailable, is_unavailable
from shared.newest import Newest
from shared.observe import HANDLED, Metrics, log_each, trace_id
from shared.outbox import outgoing, put
from shared.partitions import QUIET_S, Identity, Item, Partitions, Patience, by_partition, place
from shared.progress import Fenced, OffsetLost, Step, advance, applied
from shared.settings import ServiceSettings

UNEXPECTED_TRIES: Final = 5
CRASH_TRIES: Final = 5

log = structlog.get_logger(__name__)


class BatchConsumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Consumes one topic for one group and hands batches to a processor."""

    def __init__(
        self,
        who: Identity,
        processor: Processor,
        mongo: Mongo,
        settings: ServiceSettings,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.who = who
        self._processor = processor
        self._mongo = mongo
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._queue: asyncio.Queue[list[Item]] = asyncio.Queue(maxsize=1)
        self._newest = Newest()
        self._patience = Patience(who, metrics)
        self._partitions = Partitions(who, mongo, self._patience, settings.batch_max)
        self._commits: set[asyncio.Task[None]] = set()
        self._subscriber: Any = None
        self.lost: str | None = None
        self.moved_at = time.monotonic()

    # -- Kafka's side -------------------------------------------------------------------------------------------------

    def register(self, broker: KafkaBroker) -> None:
        """Subscribe through the broker. The acknowledgement policy is named here: the default would lose records."""
        self._subscriber = broker.subscriber(
            self.who.topic,
            # One Kafka group a topic: consumers of one group that want different topics would rebalance each other.
            group_id=f"{self.who.group}.{self.who.topic}",
            group_instance_id=self.who.instance,  # a restarted process gets its partitions back at once
            batch=True,
            max_records=self._settings.batch_max,
            batch_timeout_ms=self._settings.batch_wait_ms,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            auto_offset_reset="earliest",
            max_poll_interval_ms=1_800_000,
            session_timeout_ms=self._settings.session_timeout_ms,
            heartbeat_interval_ms=self._settings.session_timeout_ms // 5,
            rebalance_timeout_ms=60_000,
            fetch_max_wait_ms=100,
            listener=self,
            parser=safe_parser,
            decoder=raw_decoder,
            title=f"{self.who.group}:{self.who.topic}",
        )
        self._subscriber(self._on_batch)

    async def _on_batch(self, message: KafkaMessage) -> None:
        records: Sequence[ConsumerRecord] = message.raw_message
        await self._queue.put([self._looked_at(decode_record(r)) for r in records])

    def _looked_at(self, item: Item) -> Item:
        """The record, or a dead letter in its place if its id said something else before. A wrong count is told, no more."""
        if not isinstance(item, Received) or (verdict := self._newest.look(item)) is None:
            return item
        if verdict == "conflict" and item.raw is not None:
            return Dead(item.raw, "id-conflict", "IdConflict", "an event of this id said something else before")
        self._metrics.miscounted.labels(self.who.service, self.who.topic, verdict).inc()
        log.warning("sequence_broken", what=verdict, sequence=item.event.sequence, topic=self.who.topic, **_line(item))
        return item

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Forget the claims: a partition that comes back is claimed anew."""
        self._newest.forget_numbers()
        self._partitions.revoked({tp.partition for tp in revoked})

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing is claimed here: records arrive while this callback still runs (aiokafka)."""
        self.moved_at = time.monotonic()
        self._newest.forget_numbers()
        self._partitions.assigned({tp.partition for tp in assigned})

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber is not None else None

    def lag(self) -> dict[int, int]:
        """Records behind, by partition this process is assigned."""
        return {} if (consumer := self._consumer) is None else self._partitions.behind(consumer)

    def trouble(self) -> str | None:
        """Why this consumer is unhealthy, or None. Behind and not moving is unhealthy; idle is not."""
        if self.lost:
            return self.lost
        behind = {p: n for p, n in self.lag().items() if n > 0}
        waiting = bool(behind) or not self._queue.empty()
        still_s = time.monotonic() - self.moved_at
        if waiting and still_s > self._settings.stalled_after_s:
            return f"{self.who.topic}: behind by {sum(behind.values())} and not moving for {still_s:.0f} s"
        return None

    def silent_s(self) -> float | None:
        """Seconds since the broker answered any fetch; None while nothing is assigned, or records wait here."""
        consumer = self._consumer
        if consumer is None or not self._queue.empty():
            return None
        heard = [consumer.last_poll_timestamp(tp) for tp in consumer.assignment()]
        return max(0.0, time.time() - max(heard) / 1000) if heard and all(heard) else None

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Apply batches until cancelled."""
        while True:
            batch = await self._next_batch()
            try:
                await self._take_or_reclaim(batch)
                await self._claim_quiet()
            except OffsetLost as error:
                self.lost = str(error)
                log.error("offset_lost", topic=self.who.topic, detail=str(error))  # noqa: TRY400 - the text says it all
                await asyncio.Event().wait()  # stand still and be seen as unhealthy until a human decides

    async def _next_batch(self) -> list[Item]:
        """The next batch, or none after a while without."""
        try:
            async with asyncio.timeout(QUIET_S):
                return await self._queue.get()
        except TimeoutError:
            self._tell_lag()
            if not any(self.lag().values()):
                self.moved_at = time.monotonic()  # at rest; from here on "not moving" is counted
            return []

    async def _claim_quiet(self) -> None:
        """Claim what brought no record: only a claim goes to the store's offset, before Kafka's own or past an unreadable one."""
        while (partition := self._partitions.unclaimed()) is not None:
            await self._claim(partition)

    async def _take_or_reclaim(self, batch: list[Item]) -> None:
        try:
            await self._take(batch)
        except Fenced:
            self._metrics.fenced.labels(self.who.service, self.who.topic).inc()
            log.warning("fenced", topic=self.who.topic, hint="another owner claimed the partition")
            await self._reclaim(set(by_partition(batch)))

    async def _take(self, batch: list[Item]) -> None:
        fresh: list[Item] = []
        for partition, part in by_partition(batch).items():
            if not self._partitions.owns(partition):
                await self._claim(partition)
                continue  # fetched before the seek: it comes again, from the right place
            fresh.extend(self._partitions.due(partition, part, self._consumer))
        if not fresh:
            return
        if self._partitions.cautious(fresh):
            await self._one_by_one(fresh, counted=True)
            return
        try:
            await self._apply(fresh)
        except (Fenced, asyncio.CancelledError):
            raise
        except Exception as error:
            log.warning(
                "batch_falls_back",
                topic=self.who.topic,
                records=len(fresh),
                error=type(error).__name__,
                exc_info=not isinstance(error, PermanentError),
            )
            await self._reload(set(by_partition(fresh)))
            await self._one_by_one(fresh, counted=False)

    async def _claim(self, partition: int) -> None:
        await self._partitions.claim(partition, self._consumer, lambda: self._processor.load([partition]))
        self._metrics.claims.labels(self.who.service, self.who.topic).inc()

    async def _reclaim(self, partitions: set[int]) -> None:
        """After a fence: give a real new owner time to be the only one, then claim what Kafka still assigns to us."""
        for partition in partitions:
            self._partitions.forget(partition)
        await asyncio.sleep(0.5)
        consumer = self._consumer
        for partition in partitions:
            if consumer is not None and TopicPartition(self.who.topic, partition) in consumer.assignment():
                await self._claim(partition)

    async def _reload(self, partitions: set[int]) -> None:
        await self._patience.insist(lambda: self._processor.load(sorted(partitions)))

    # -- one transaction ----------------------------------------------------------------------------------------------

    async def _apply(self, items: Sequence[Item]) -> None:
        """Apply records in one transaction, waiting as long as a dependency is away."""
        started = time.monotonic()
        events = [i for i in items if isinstance(i, Received)]
        dead = [i for i in items if isinstance(i, Dead)]
        steps = self._partitions.steps(items)
        plan = await self._prepare(events) if events else None
        failed_at = self._clock.now()
        letters = [dead_letter(d, group=self.who.group, service=self.who.service, failed_at=failed_at) for d in dead]

        async def work(session: Session) -> None:
            await advance(self._mongo, session, steps)
            produced = await self._processor.write(session, plan) if events else ()
            records = [outgoing(e, prefix=self._settings.prefix) for e in produced]
            await put(self._mongo, session, [*records, *letters])
            await failpoint("consumer.in_transaction")

        await failpoint("consumer.before_transaction")
        await self._commit(work, steps)
        self._partitions.moved(steps)
        self.moved_at = time.monotonic()
        await failpoint("consumer.after_commit")
        self._commit_offsets(steps)
        # While the database works on the next batch there is time to write; before it is asked there is none to lose.
        asyncio.get_running_loop().call_soon(self._tell, items, dead, time.monotonic() - started)

    async def _prepare(self, events: Sequence[Received]) -> Any:
        """Let the processor compute; after an outage its memory is built anew first, it may be half-changed."""
        while True:
            try:
                return await self._processor.prepare(events)
            except (PyMongoError, Unavailable) as error:
                if not is_unavailable(error):
                    raise
                await self._patience.wait()
                await self._reload({e.partition for e in events})

    async def _commit(self, work: Any, steps: Sequence[Step]) -> None:
        while True:
            try:
                await self._mongo.transaction(work)
                return
            except Fenced:
                if await self._patience.insist(lambda: applied(self._mongo, steps)):
                    return  # a commit whose outcome was unknown had come through
                raise
            except Rewrite:
                continue
            except Unavailable:
                await self._patience.wait()

    async def _one_by_one(self, items: Sequence[Item], *, counted: bool) -> None:
        """Apply records singly, so that one that fails costs only itself."""
        for item in items:
            partition, offset, _ = place(item)
            if offset < (self._partitions.next(partition) or 0):
                continue  # the batch had been committed before it failed
            if isinstance(item, Dead):
                await self._apply_dead(item)
                continue
            tries = 0
            if counted:
                now = self._clock.now()
                tries = await self._patience.insist(partial(attempts.count, self._mongo, self.who.group, item, now))
            if tries > CRASH_TRIES:
                await self._bury(item, "max-attempts", "ProcessDied", "the process died while applying it", tries)
                continue
            await self._apply_or_bury(item)

    async def _apply_or_bury(self, item: Received) -> None:
        for attempt in range(1, UNEXPECTED_TRIES + 1):
            try:
                await self._apply([item])
                return
            except (Fenced, asyncio.CancelledError):
                raise
            except PermanentError as error:
                await self._reload({item.partition})
                await self._bury(item, error.reason, type(error).__name__, error.detail, attempt)
                return
            except Exception as error:
                log.warning(
                    "record_failed", topic=item.topic, offset=item.offset, error=type(error).__name__, attempt=attempt
                )
                await self._reload({item.partition})
                if attempt == UNEXPECTED_TRIES:
                    await self._bury(item, "unexpected", type(error).__name__, "", attempt)
                    return
                await asyncio.sleep(0.05 * 2**attempt)

    async def _bury(self, item: Received, reason: str, error_class: str, detail: str, attempts: int) -> None:
        await self._apply_dead(Dead(item.raw, reason, error_class, detail, attempts))

    async def _apply_dead(self, dead: Dead) -> None:
        """Bury a record; from the third try on without its headers, for a letter that fails would stop the partition."""
        for attempt in range(1, UNEXPECTED_TRIES + 1):
            try:
                await self._apply([dead if attempt < 3 else bare(dead)])
                return
            except (Fenced, asyncio.CancelledError):
                raise
            except Exception as error:
                if attempt == UNEXPECTED_TRIES:
                    raise
                where = {"topic": self.who.topic, "offset": dead.record.offset}
                log.warning("letter_failed", **where, error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(0.05 * 2**attempt)

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def _commit_offsets(self, steps: Sequence[Step]) -> None:
        """Tell Kafka, for lag only; not awaited, and its failure changes nothing."""
        consumer = self._consumer
        if consumer is None:
            return
        offsets = {TopicPartition(self.who.topic, s.claim.partition): s.to for s in steps}

        async def commit() -> None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.commit(offsets), 5)

        if len(self._commits) < 2:
            task = asyncio.create_task(commit())
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    def _tell(self, items: Sequence[Item], dead: Sequence[Dead], seconds: float) -> None:
        who = self.who
        self._metrics.batch_seconds.labels(who.service, who.topic).observe(seconds)
        self._metrics.records.labels(who.service, who.topic, "applied").inc(len(items) - len(dead))
        for letter in dead:
            self._metrics.records.labels(who.service, who.topic, "dead").inc()
            log.error(
                "record_dead",
                topic=who.topic,
                partition=letter.record.partition,
                offset=letter.record.offset,
                reason=letter.reason,
            )
        self._tell_lag()
        handled = [item for item in items if isinstance(item, Received)]
        log_each(log, HANDLED, map(_line, handled), topic=who.topic, batch=len(items), ms=round(seconds * 1000, 1))

    def _tell_lag(self) -> None:
        for partition, behind in self.lag().items():
            self._metrics.lag.labels(self.who.service, self.who.topic, partition).set(behind)


def _line(item: Received) -> dict[str, Any]:
    event = item.event
    return {
        "partition": item.partition,
        "offset": item.offset,
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "trace_id": trace_id(event.traceparent),
    }
