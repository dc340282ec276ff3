"""Helpers for tests of the spine: records to send, a counting process to kill, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.kafka.topics import apply, declared
from deploy.local.stack import Stack
from shared.events import FLAGS, PETITIONS, Event, PetitionFiled, derived_id, encode, new_event
from shared.mongo import Mongo

ROOT = Path(__file__).resolve().parents[2]
COUNTY = "370911"


def filed(n: int, *, title: str = "拖欠工资", run: str = "run", county: str = COUNTY) -> Event:
    """The filed event of petition number `n` of a run; the same arguments give the same event."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    data = PetitionFiled(
        petition_id=f"{run}-{n}",
        jurisdiction=county,
        channel="hotline_12345",
        title=title,
        text="春节前的工资到现在没有发。",
        petitioner=f"p{n}",
        submitted_at=at,
        received_at=at,
    )
    trace = f"00-{uuid.uuid5(uuid.NAMESPACE_URL, f'{run}{n}').hex}-{n:016x}-01" if n else None
    return new_event(data, id=derived_id(run, str(n)), source="/intake", time=at, traceparent=trace)


async def send(
    bootstrap: str, topic: str, records: Iterable[tuple[bytes | None, bytes | None, list[tuple[str, Any]]]]
) -> None:
    """Produce raw records in order."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_request_size=2**21
    )
    await producer.start()
    try:
        waiting = [await producer.send(topic, value=v, key=k, headers=h) for k, v, h in records]
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


async def send_events(bootstrap: str, topic: str, events: Iterable[Event]) -> None:
    """Produce events as the relay would."""
    await send(bootstrap, topic, [(e.partitionkey.encode(), encode(e), []) for e in events])


async def read_all(bootstrap: str, topic: str) -> list[Any]:
    """Every record that the topic holds now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        places = list(consumer.assignment()) or [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        ends = await consumer.end_offsets(places)
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(batch)
        return found
    finally:
        await consumer.stop()


async def until(check: Callable[[], Awaitable[bool]], *, seconds: float = 40, what: str = "it") -> None:
    """Wait until `check` holds; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not await check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about in {seconds} s")
        await asyncio.sleep(0.1)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Spine:
    """A broker prefix and databases of one test's own, and the processes it started."""

    stack: Stack
    folder: Path
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}.")
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def petitions(self) -> str:
        return self.prefix + PETITIONS

    @property
    def flags(self) -> str:
        return self.prefix + FLAGS

    @property
    def dlq(self) -> str:
        return f"{self.petitions}.{self.prefix}counting.dlq"

    def mongo(self) -> Mongo:
        return Mongo(self.stack.mongo, f"{self.prefix.replace('.', '_')}fengqiao_counting", app_name="test")

    async def topics(self) -> None:
        """The declared topics under this prefix, and the counting group's dead letters."""
        await apply(self.stack.kafka, prefix=self.prefix)
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.kafka)
        await admin.start()
        config = next(topic.config for topic in declared() if topic.name.endswith(".dlq"))
        await admin.create_topics([NewTopic(self.dlq, 1, 1, topic_configs=config)])
        await admin.close()

    def environment(self, instance: str, **extra: str) -> dict[str, str]:
        self.ports.setdefault(instance, free_port())
        return {
            **self.stack.environment(),
            "FENGQIAO_PREFIX": self.prefix,
            "FENGQIAO_INSTANCE": instance,
            "FENGQIAO_PORT": str(self.ports[instance]),
            "FENGQIAO_SESSION_TIMEOUT_MS": "6000",
            **extra,
        }

    def start(self, instance: str = "counting-0", **extra: str) -> subprocess.Popen[bytes]:
        """Start a counting process; `FAILPOINT=…` goes in `extra`."""
        log = (self.folder / f"{instance}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.counting"],
            cwd=ROOT,
            env=self.environment(instance, **extra),
            stdout=log,
            stderr=log,
        )
        self.processes.append(process)
        return process

    def log(self, instance: str = "counting-0") -> str:
        return (self.folder / f"{instance}.log").read_text(encoding="utf-8", errors="replace")

    async def health(self, instance: str = "counting-0") -> dict[str, Any]:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{self.ports[instance]}/health")
            return {"code": answer.status_code, **answer.json()}

    async def metrics(self, instance: str = "counting-0") -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self.ports[instance]}/metrics")).text

    async def drained(self, count: int) -> None:
        """Wait until `count` petitions are counted and the outbox is empty."""
        mongo = self.mongo()

        async def done() -> bool:
            row = await mongo["count"].find_one({"_id": "all"})
            pending = await mongo["outbox"].count_documents({"pending": True})
            return bool(row) and row["n"] >= count and pending == 0

        try:
            await until(done, what=f"{count} petitions counted and published")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None
        finally:
            await mongo.close()

    async def published(self, count: int) -> None:
        """Wait until `count` outbox rows, flags and dead letters alike, are published."""
        mongo = self.mongo()

        async def done() -> bool:
            return bool(await mongo["outbox"].count_documents({"published_at": {"$exists": True}}) == count)

        await until(done, what=f"{count} rows published")
        await mongo.close()

    async def check_exact(self, ids: set[str]) -> None:
        """Each petition has had its effect once, and its one flag is published (records may be doubled, ids not)."""
        mongo = self.mongo()
        seen = {row["_id"] async for row in mongo["seen"].find()}
        counted = (await mongo["count"].find_one({"_id": "all"}))["n"]
        await mongo.close()
        assert seen == ids
        assert counted == len(ids)
        published = [r.value for r in await read_all(self.stack.kafka, self.flags)]
        assert {v for v in published if v} and len(set(published)) == len(ids)

    def close(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
        with ThreadPoolExecutor(1) as pool:  # a loop may be running here
            pool.submit(asyncio.run, self._drop_topics()).result()

    async def _drop_topics(self) -> None:
        """Leave the broker as it was: after a kill it looks through every log that is there, before it answers."""
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.kafka, request_timeout_ms=5_000)
        try:
            await admin.start()
            own = [name for name in await admin.list_topics() if name.startswith(self.prefix)]
            if own:
                await admin.delete_topics(own)
        except KafkaError:  # a test may have stopped it
            return
        finally:
            await admin.close()
