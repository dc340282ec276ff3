"""The local stack for real: Kafka and mongod start, work, survive kill -9, and never outlive their parent."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from motor.motor_asyncio import AsyncIOMotorClient

from deploy.local import containers, kafka
from deploy.local.errors import UnavailableError
from deploy.local.stack import Stack, running
from deploy.local.state import held
from deploy.local.supervise import SERVICES
from tests.support.stack import Topics, fresh

pytestmark = pytest.mark.stack


async def _produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"430102")
    finally:
        await producer.stop()


async def _consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=fresh("group"), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_records_go_through_kafka_in_order(stack: Stack, topics: Topics) -> None:
    (topic,) = await topics("petitions")
    sent = [f"{n}".encode() for n in range(20)]
    await _produce(stack.kafka, topic, sent)
    assert await _consume(stack.kafka, topic, len(sent)) == sent


async def test_mongo_is_a_replica_set_with_transactions(stack: Stack, mongo_db_name: str) -> None:
    client = AsyncIOMotorClient(stack.mongo)
    db = client[mongo_db_name]
    await db.create_collection("rows")
    async with await client.start_session() as session:
        async with session.start_transaction():
            await db.rows.insert_one({"_id": 1}, session=session)
        with pytest.raises(RuntimeError):
            async with session.start_transaction():
                await db.rows.insert_one({"_id": 2}, session=session)
                raise RuntimeError
    assert [row["_id"] async for row in db.rows.find()] == [1]
    limits = await client.admin.command("getParameter", 1, transactionLifetimeLimitSeconds=1)
    assert limits["transactionLifetimeLimitSeconds"] == 10
    client.close()


async def test_kafka_survives_kill_9_on_the_same_port_with_its_data(stack: Stack, topics: Topics) -> None:
    (topic,) = await topics("kept")
    await _produce(stack.kafka, topic, [b"before"])
    address, pid = stack.kafka, stack.kafka_process.pid
    stack.kafka_process.kill()
    assert not stack.kafka_process.alive()
    await asyncio.to_thread(stack.kafka_process.restart)
    assert stack.kafka == address
    assert stack.kafka_process.pid != pid
    await _produce(stack.kafka, topic, [b"after"])
    assert await _consume(stack.kafka, topic, 2) == [b"before", b"after"]


async def test_mongod_survives_kill_9_with_what_was_journaled(stack: Stack, mongo_db_name: str) -> None:
    client = AsyncIOMotorClient(stack.mongo, w="majority", journal=True)
    await client[mongo_db_name].rows.insert_one({"_id": 1})
    stack.mongo_process.kill()
    await asyncio.to_thread(stack.mongo_process.restart)
    assert await client[mongo_db_name].rows.count_documents({}) == 1
    client.close()


async def test_a_paused_mongod_goes_on_where_it_was(stack: Stack, mongo_db_name: str) -> None:
    client = AsyncIOMotorClient(stack.mongo)
    stack.mongo_process.pause()
    try:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.admin.command("ping"), 0.4)
        assert stack.mongo_process.alive()
    finally:
        stack.mongo_process.resume()
    assert (await client.admin.command("ping"))["ok"] == 1
    client.close()


async def test_a_named_broker_is_asked_whether_it_takes_idempotent_producers(stack: Stack) -> None:
    assert await asyncio.to_thread(kafka.takes_idempotent, stack.kafka)
    # Nobody answers here; the client's own complaint about it is not the point.
    assert not await asyncio.to_thread(kafka.takes_idempotent, "127.0.0.1:1", timeout=1)


async def test_topics_are_not_made_by_accident(stack: Stack) -> None:
    name = fresh("never")
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, request_timeout_ms=1500)
    await producer.start()
    with pytest.raises(KafkaError):
        await asyncio.wait_for(producer.send_and_wait(name, b"x"), 20)
    with contextlib.suppress(KafkaError):
        await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    assert name not in await admin.list_topics()
    await admin.close()


def _processes(state: Path) -> list[psutil.Process]:
    """Processes that have `state` on their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and any(str(state) in word for word in process.cmdline()):
                found.append(process)
    return found


def _until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


async def test_data_stay_for_the_next_start_even_on_other_ports(tmp_path: Path) -> None:
    with running(tmp_path, prefer="process", quiet=True) as first:
        await _make_topic(first.kafka, "kept")
        await _produce(first.kafka, "kept", [b"1"])
        client = AsyncIOMotorClient(first.mongo)
        await client.kept.rows.insert_one({"_id": 1})
        client.close()
    assert not _processes(tmp_path)
    (tmp_path / "ports.json").unlink()
    with running(tmp_path, prefer="process", quiet=True) as second:
        assert second.kafka != first.kafka
        await _produce(second.kafka, "kept", [b"2"])
        assert await _consume(second.kafka, "kept", 2) == [b"1", b"2"]
        client = AsyncIOMotorClient(second.mongo)
        async with await client.start_session() as session, session.start_transaction():
            await client.kept.rows.insert_one({"_id": 2}, session=session)
        assert await client.kept.rows.count_documents({}) == 2
        client.close()


async def _make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


_FAKE = Path(__file__).parents[1] / "support" / "fake_service.py"


# `fengqiao up` as its user starts it, but for the services, which are fakes.
_UP = f"""
import functools, sys
from deploy.commands import up
from deploy import cli
up.Supervisor = functools.partial(up.Supervisor, command=lambda name: [sys.executable, {str(_FAKE)!r}, name])
cli.app()
"""


class Up:
    """A running `fengqiao up` with fake services."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.state, self.ready = folder / "state", folder / "ready.json"
        self.out = (folder / "out.txt").open("w+", encoding="utf-8")
        words = ["up", "--state", str(self.state), "--ready-file", str(self.ready), "--prefer", "process"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _UP, *words], stdout=self.out, stderr=subprocess.STDOUT, env=os.environ | environment
        )

    def said(self) -> str:
        self.out.seek(0)
        return self.out.read()

    def until_ready(self) -> dict[str, Any]:
        assert _until(lambda: self.ready.exists() or self.process.poll() is not None, 120), self.said()
        assert self.process.poll() is None, self.said()
        return _read(self.ready)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.out.close()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(**environment: str) -> Up:
        started.append(Up(tmp_path, **environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_up_writes_the_ready_file_and_keeps_it_true(up: Callable[..., Up]) -> None:
    run = up()
    ready = run.until_ready()
    assert set(ready) == {"kafka", "mongo", *SERVICES, "pids", "tokens"}
    assert list(ready["tokens"]) == ["duty_officer", "operator", "leader", "unit", "auditor"]
    assert stat.S_IMODE(run.ready.stat().st_mode) == 0o600
    assert stat.S_IMODE((run.state / "secrets").stat().st_mode) == 0o700
    assert set(ready["pids"]) == {"kafka", "mongod", *SERVICES}
    told = httpx.get(f"{ready['alerts']}/health").json()
    assert told["FENGQIAO_KAFKA"] == ready["kafka"]
    assert told["FENGQIAO_MONGO"] == ready["mongo"]
    assert told["FENGQIAO_INTAKE_URL"] == ready["intake"]
    assert (told["FENGQIAO_INSTANCE"], told["FENGQIAO_ENV"], told["FENGQIAO_IDEMPOTENT"]) == ("alerts-0", "demo", "1")

    for name in ("screening", "kafka", "mongod"):
        before = _read(run.ready)["pids"][name]
        os.kill(before, signal.SIGKILL)
        assert _until(lambda: _read(run.ready)["pids"][name] != before), run.said()  # noqa: B023
    after = _read(run.ready)
    assert {k: v for k, v in after.items() if k != "pids"} == {k: v for k, v in ready.items() if k != "pids"}
    assert _until(lambda: httpx.get(f"{after['screening']}/health").status_code == 200)

    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(10) == 0, run.said()
    assert not run.ready.exists()
    assert not _processes(run.state)
    assert all(not psutil.pid_exists(pid) for pid in after["pids"].values())
    assert "as a process" in run.said()


def test_nothing_outlives_a_killed_up_and_the_next_one_starts(up: Callable[..., Up]) -> None:
    run = up(FAKE_CHILD="intake")
    pids = list(run.until_ready()["pids"].values())
    log = (run.state / "logs" / "intake.log").read_text()
    grandchild = int(log.split()[1])
    assert psutil.pid_exists(grandchild)
    run.process.kill()
    run.process.wait()
    assert _until(lambda: not _processes(run.state) and not any(map(psutil.pid_exists, [*pids, grandchild])), 20)
    run.ready.unlink()  # of the killed run: what comes now is the next one's
    again = up()
    again.until_ready()
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(10) == 0, again.said()


def test_a_stubborn_service_does_not_hold_up_the_end(stack: Stack, up: Callable[..., Up]) -> None:
    run = up(FAKE_STUBBORN="intake,alerts", FENGQIAO_KAFKA=stack.kafka, FENGQIAO_MONGO=stack.mongo)
    pids = run.until_ready()["pids"]
    assert set(pids) == set(SERVICES)  # what somebody else runs is not ours to end
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(10) == 0, run.said()
    assert not any(map(psutil.pid_exists, pids.values()))
    assert stack.kafka_process.alive()
    assert "the broker that FENGQIAO_KAFKA names" in run.said()


def test_a_service_that_cannot_start_is_given_up_with_its_last_words(stack: Stack, up: Callable[..., Up]) -> None:
    run = up(FAKE_DIES="assessment", FENGQIAO_KAFKA=stack.kafka, FENGQIAO_MONGO=stack.mongo)
    assert run.process.wait(60) == 1
    assert "assessment died 5 times before it was healthy" in run.said()
    assert "the reason is here" in run.said()
    assert not run.ready.exists()
    assert not _processes(run.state)


def test_ctrl_c_while_starting_leaves_nothing_behind(up: Callable[..., Up]) -> None:
    run = up()
    assert _until(lambda: _processes(run.state / "mongo"))
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(10) == 0, run.said()
    assert not _processes(run.state)


def test_the_state_directory_of_a_running_up_is_refused(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with held(tmp_path / "state"):
        run = up()
        assert run.process.wait(30) == 1
    assert f"in use by process {os.getpid()}" in run.said()


@pytest.mark.docker
async def test_containers_are_taken_where_they_can_be_had(tmp_path: Path) -> None:
    for image in (containers.KAFKA_IMAGE, containers.MONGO_IMAGE):
        try:
            containers.with_image(image)
        except UnavailableError as error:
            pytest.skip(str(error))
    with running(tmp_path, prefer="container", quiet=True, reuse=False) as boxed:
        assert "in a container" in boxed.kafka_how
        assert "in a container" in boxed.mongo_how
        await _make_topic(boxed.kafka, "boxed")
        await _produce(boxed.kafka, "boxed", [b"before"])
        for part in boxed.parts:
            part.kill()
            assert not part.alive()
            await asyncio.to_thread(part.revive)
        assert await _consume(boxed.kafka, "boxed", 1) == [b"before"]
        client = AsyncIOMotorClient(boxed.mongo)
        async with await client.start_session() as session, session.start_transaction():
            await client.boxed.rows.insert_one({"_id": 1}, session=session)
        client.close()
    assert not any(part.alive() for part in boxed.parts)
