"""The whole system for the end-to-end tests: one run of it, fed over HTTP, read everywhere it could have kept something."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from bson.raw_bson import RawBSONDocument
from httpx_sse import aconnect_sse
from pymongo import MongoClient

from deploy.kafka.topics import declared
from deploy.local.supervise import SERVICES, Supervisor
from tests.support.chromium import find

if TYPE_CHECKING:
    from playwright.async_api import Page


class System:
    """A running system."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def url(self, service: str) -> str:
        return self.supervisor.url(service)

    def headers(self, role: str = "duty_officer") -> dict[str, str]:
        return {"authorization": f"Bearer {self.supervisor.ready['tokens'][role]}"}

    def client(self, service: str, role: str | None = None) -> httpx.AsyncClient:
        headers = self.headers(role) if role else {}
        return httpx.AsyncClient(base_url=self.url(service), headers=headers, timeout=30, trust_env=False)

    def lines(self, service: str) -> list[dict[str, Any]]:
        """What a service has logged, as far as it is JSON."""
        found = []
        for line in self.supervisor.log(service).read_bytes().splitlines():
            if line.startswith(b"{") and line.endswith(b"}"):
                found.append(orjson.loads(line))
        return found

    @asynccontextmanager
    async def warnings(self, role: str = "duty_officer") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """CloudEvents of the alerts stream: those that stand, then those that come."""
        timeout = httpx.Timeout(10, read=90)
        async with (
            httpx.AsyncClient(headers=self.headers(role), timeout=timeout, trust_env=False) as client,
            aconnect_sse(client, "GET", f"{self.url('alerts')}/v1/stream") as source,
        ):
            source.response.raise_for_status()

            async def events() -> AsyncIterator[dict[str, Any]]:
                async for message in source.aiter_sse():
                    if message.event == "warning":
                        yield orjson.loads(message.data)

            yield events()

    # -- what was kept ------------------------------------------------------------------------------------------------

    @contextmanager
    def database(self, service: str) -> Iterator[Any]:
        """The database of a service, to count and to read in."""
        with MongoClient(self.supervisor.stack.mongo, serverSelectionTimeoutMS=5000) as client:
            yield client[f"fengqiao_{service}"]

    def count(self, service: str, collection: str, query: Mapping[str, Any] | None = None) -> int:
        with self.database(service) as database:
            return int(database[collection].count_documents(dict(query or {})))

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Every document of every service as its bytes, with `database.collection`."""
        with MongoClient(self.supervisor.stack.mongo, document_class=RawBSONDocument) as client:
            for service in SERVICES:
                database = client[f"fengqiao_{service}"]
                for name in database.list_collection_names():
                    for document in database[name].find(batch_size=5000):
                        yield f"{service}.{name}", document.raw

    async def records(self) -> list[ConsumerRecord]:
        """Every record of every declared topic, dead letters too."""
        return await everything(self.supervisor.stack.kafka, [topic.name for topic in declared()])

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Every log file of the run with its bytes."""
        for path in sorted((self.supervisor.state / "logs").rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()


async def everything(bootstrap: str, topics: list[str]) -> list[ConsumerRecord]:
    """All that these topics hold now."""
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()]
        assert {place.topic for place in places} == set(topics)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        expected = sum(ends[place] - starts[place] for place in places)
        found: list[ConsumerRecord] = []
        while len(found) < expected:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """Kafka, MongoDB and the four services as processes, for the length of a `with` block."""
    prefer = os.environ.get("FENGQIAO_LOCAL_PREFER", "process")
    with Supervisor(folder, prefer=prefer, quiet=True, reuse=False) as supervisor:
        yield System(supervisor)


async def until(check: Callable[[], bool | Awaitable[bool]], *, seconds: float = 60, what: object = "it") -> None:
    """Wait until `check` holds; fails with `what`, as it reads then, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about in {seconds:.0f} s")
        await asyncio.sleep(0.2)


@asynccontextmanager
async def browsing(language: str = "zh-CN") -> AsyncIterator[Page]:
    """A page of a real Chromium; what it complains about in its console fails nothing here. Skips where there is none."""
    from playwright.async_api import async_playwright

    path = await asyncio.to_thread(find)
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            context = await browser.new_context(locale=language, viewport={"width": 1440, "height": 900})
            yield await context.new_page()
        finally:
            await browser.close()
