"""`fengqiao bench consumer`: one consumer alone beside the raw limit of this machine, in the same run."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.progress import Progress

from deploy.bench.report import machine, save, tell
from deploy.local.stack import Stack, temporary
from shared.events import FLAGS, PETITIONS, PetitionFiled, decode, derived_id, encode, new_event
from shared.mongo import Mongo

PARTITIONS: Final = 4
RAW_BATCH: Final = 500
COUNTIES: Final = [f"{n:06d}" for n in range(370900, 370940)]
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def records(count: int, matters: int, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of filed events, about 700 bytes each; matters are of very unequal size, as they are in life."""
    draw = random.Random(seed)
    weights = [1 / (rank + 10) for rank in range(matters)]
    chosen = draw.choices(range(matters), weights, k=count)
    for n, matter in enumerate(chosen):
        county = COUNTIES[matter % len(COUNTIES)]
        at = START + timedelta(seconds=120 * n)
        data = PetitionFiled(
            petition_id=derived_id("bench", str(seed), str(n)),
            jurisdiction=county,
            channel="hotline_12345",
            title=f"matter-{matter}",
            text="小区物业长期不处理漏水" * 4,
            petitioner=f"{draw.getrandbits(64):016x}",
            submitted_at=at,
            received_at=at,
        )
        event = new_event(data, id=derived_id("bench-event", str(seed), str(n)), source="/intake", time=at)
        yield county.encode(), encode(event)


async def _produce(stack: Stack, topic: str, count: int, matters: int, progress: Progress) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    prefix = topic.removesuffix(PETITIONS)
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1), NewTopic(prefix + FLAGS, 3, 1)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.kafka,
        acks="all",
        enable_idempotence=stack.idempotent,
        linger_ms=20,
        max_batch_size=2**18,
    )
    await producer.start()
    task = progress.add_task("producing", total=count)
    total = 0
    waiting: list[Any] = []
    for key, value in records(count, matters):
        total += len(value)
        waiting.append(await producer.send(topic, value=value, key=key))
        if len(waiting) == 5_000:
            await asyncio.gather(*waiting)
            progress.advance(task, len(waiting))
            waiting.clear()
    await asyncio.gather(*waiting)
    await producer.stop()
    progress.remove_task(task)
    return total // count


async def raw_limit(stack: Stack, topic: str, count: int) -> dict[str, float]:
    """Decode, insert_many of 500 (majority, journaled), commit the offset: what no consumer with effects can beat."""
    mongo = Mongo(stack.mongo, f"bench_raw_{uuid.uuid4().hex[:6]}", app_name="bench-raw")
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=stack.kafka,
        group_id=f"raw-{uuid.uuid4().hex[:6]}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    await mongo["events"].create_index("x")  # the collection exists before the clock starts
    process = psutil.Process()
    started, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
    seen = 0
    while seen < count:
        for batch in (await consumer.getmany(timeout_ms=200, max_records=RAW_BATCH)).values():
            rows = []
            for record in batch:
                event = decode(record.value)
                rows.append({"_id": str(event.id), "type": event.type, **event.data.model_dump()})
            await mongo["events"].insert_many(rows, ordered=False)
            await consumer.commit()
            seen += len(batch)
    seconds = time.perf_counter() - started
    used = sum(process.cpu_times()[:2]) - cpu
    await consumer.stop()
    await mongo._client.drop_database(mongo.name)
    await mongo.close()
    return {"seconds": seconds, "cpu_s": used, "counted": seen}


async def our_consumer(stack: Stack, topic: str, count: int, log: Path) -> dict[str, float]:
    """The service's process, from the first record it applied to the last, found exact afterwards."""
    prefix = topic.removesuffix(PETITIONS)
    environment = {**stack.environment(), "FENGQIAO_PREFIX": prefix, "FENGQIAO_PORT": "0"}
    mongo = Mongo(stack.mongo, f"{prefix.replace('.', '_')}fengqiao_bench", app_name="bench-watch")
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - before anything is measured
            [sys.executable, "-m", "deploy.bench.windows"], env=environment, stdout=out, stderr=out
        )
    try:
        await _until(lambda: _done(mongo, 1), process)
        started, cpu = time.perf_counter(), sum(psutil.Process(process.pid).cpu_times()[:2])
        before = await _applied(mongo)
        await _until(lambda: _done(mongo, count), process)
        seconds = time.perf_counter() - started
        used = sum(psutil.Process(process.pid).cpu_times()[:2]) - cpu
        rows = await mongo["petitions"].count_documents({})
    finally:
        process.kill()
        process.wait()
        await mongo._client.drop_database(mongo.name)
        await mongo.close()
    return {"seconds": seconds * count / (count - before), "cpu_s": used, "counted": rows}


async def _applied(mongo: Mongo) -> int:
    return sum([row["next"] async for row in mongo["progress"].find()])


async def _done(mongo: Mongo, count: int) -> bool:
    return await _applied(mongo) >= count


async def _until(check: Callable[[], Awaitable[bool]], process: subprocess.Popen[bytes]) -> None:
    while not await check():
        if process.poll() is not None:
            raise RuntimeError(f"the consumer ended with {process.returncode}")
        await asyncio.sleep(0.02)


def bench(count: int, matters: int, runs: int, json: Path | None) -> None:
    """Run raw limit and consumer in turn, `runs` times; print medians and the ratio."""
    before = machine()
    raws: list[dict[str, float]] = []
    ours: list[dict[str, float]] = []
    with temporary() as stack, Progress(transient=True) as progress:
        task = progress.add_task("measuring", total=2 * runs)
        for _ in range(runs):
            topic = f"b{uuid.uuid4().hex[:6]}.{PETITIONS}"
            size = asyncio.run(_produce(stack, topic, count, matters, progress))
            raws.append(asyncio.run(raw_limit(stack, topic, count)))
            progress.advance(task)
            ours.append(asyncio.run(our_consumer(stack, topic, count, Path(os.devnull))))
            progress.advance(task)
    raw_rate = [count / r["seconds"] for r in raws]
    our_rate = [count / r["seconds"] for r in ours]
    ratios = [o / r for o, r in zip(our_rate, raw_rate, strict=True)]
    ratio = statistics.median(ratios)
    rows = [
        ("raw limit: decode + insert_many of 500, majority, journaled, commit", statistics.median(raw_rate), 1.0),
        ("consumer: rows, windows, flags and progress in one transaction", statistics.median(our_rate), ratio),
    ]
    notes = [
        f"{count:,} events of {size} bytes, {PARTITIONS} partitions, {matters:,} matters, medians of {runs}; "
        f"counted {sorted({int(o['counted']) for o in ours})}",
        f"ratio {min(ratios):.2f} to {max(ratios):.2f}; asked for: 0.50",
        f"CPU of the process: raw {statistics.median(r['cpu_s'] for r in raws):.1f} s, "
        f"consumer {statistics.median(o['cpu_s'] for o in ours):.1f} s",
    ]
    tell("bench consumer", ("what", "events/s", "of the raw limit"), rows, notes)
    save(
        json,
        {
            "bench": "consumer",
            "machine": before,
            "events": count,
            "bytes": size,
            "raw": raws,
            "consumer": ours,
            "ratio": ratio,
        },
    )
