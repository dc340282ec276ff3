"""`fengqiao bench pipeline`: the whole way from outbox to warning, and from petition to the screen."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import orjson
from httpx_sse import aconnect_sse
from rich.progress import Progress

from deploy.bench.report import machine, save, tell
from deploy.bench.system import SERVICES, System, draft, system, until, visit
from shared.clock import SystemClock
from shared.events import PETITIONS, PetitionFiled, derived_id, new_event
from shared.mongo import Mongo, Session
from shared.outbox import Outgoing, outgoing, put

ASKED_P99_S: Final = 1.0
_BATCH: Final = 1_000


async def _preload(running: System, count: int, run: str, draw: random.Random) -> None:
    """Put filed events into the intake's outbox, as fast as it takes them."""
    mongo = running.mongo("intake")
    moment = SystemClock().now()
    for start in range(0, count, _BATCH):
        events = []
        for n in range(start, min(count, start + _BATCH)):
            body = draft(n, run, draw).body
            data = PetitionFiled(
                petition_id=derived_id(run, str(n)),
                jurisdiction=body["jurisdiction"],
                channel=body["channel"],
                title=body["title"],
                text=body["text"],
                petitioner=f"{draw.getrandbits(64):016x}",
                submitted_at=moment,
                received_at=moment,
            )
            events.append(new_event(data, id=derived_id(run, "event", str(n)), source="/intake", time=moment))
        rows = [outgoing(e) for e in events]
        await mongo.transaction(partial(put_rows, mongo, rows))
    await mongo.close()


async def put_rows(mongo: Mongo, rows: Sequence[Outgoing], session: Session) -> None:
    """`put` in the order that a transaction calls it."""
    await put(mongo, session, rows)


async def throughput(running: System, count: int, progress: Progress) -> dict[str, Any]:
    """Events a second through relay, broker and the three consumers, and the CPU each takes."""
    run = f"pipe-{uuid.uuid4().hex[:8]}"
    task = progress.add_task("pipeline", total=count)
    stores = {name: running.mongo(name) for name in SERVICES}
    before = await _applied(stores)
    cpu = running.cpu()
    started = time.monotonic()
    finished: dict[str, float] = {}
    preload = asyncio.create_task(_preload(running, count, run, random.Random(5)))

    async def through() -> bool:
        if preload.done():
            preload.result()  # what went wrong there ends the benchmark
        now = await _applied(stores)
        for name in ("screening", "assessment"):
            if now[name] - before[name] >= count and name not in finished:
                finished[name] = time.monotonic() - started
        progress.update(task, completed=min(now[n] - before[n] for n in ("screening", "assessment")))
        return len(finished) == 2

    await until(through, seconds=600, what="all events applied", every=0.1)
    await preload
    seconds = max(finished.values())
    used = {name: spent - cpu[name] for name, spent in running.cpu().items()}
    for store in stores.values():
        await store.close()
    return {"events": count, "seconds": seconds, "per_service_s": finished, "cpu_s": used}


async def _applied(stores: dict[str, Any]) -> dict[str, int]:
    return {
        name: sum([row["next"] async for row in store["progress"].find({"topic": PETITIONS})])
        for name, store in stores.items()
    }


async def latency(running: System, rate: float, seconds: float, progress: Progress) -> dict[str, Any]:
    """From the moment a petition is sent to the moment its warning is on the stream, at a fixed rate."""
    run = f"lat-{uuid.uuid4().hex[:8]}"
    draw = random.Random(run)
    sent: dict[str, float] = {}
    shown: dict[str, float] = {}
    count = int(rate * seconds)
    task = progress.add_task(f"{rate:.0f} petitions/s", total=count)
    headers = {"Authorization": f"Bearer {running.tokens['duty_officer']}"}
    ready = asyncio.Event()

    async def listen(client: httpx.AsyncClient) -> None:
        async with aconnect_sse(client, "GET", f"{running.url('alerts')}/v1/stream", headers=headers) as source:
            ready.set()
            async for message in source.aiter_sse():
                if message.event != "warning":
                    continue
                data = orjson.loads(message.data).get("data", {})
                for petition in data.get("petition_ids", ()):
                    shown.setdefault(petition, time.monotonic())

    async def file(client: httpx.AsyncClient, n: int) -> None:
        moment = time.monotonic()
        petition = await running.file(client, visit(n, run, draw))
        sent[petition] = moment
        progress.advance(task)

    limits = httpx.Limits(max_connections=100)
    async with (
        httpx.AsyncClient(timeout=None, trust_env=False) as stream,
        httpx.AsyncClient(timeout=20, limits=limits, trust_env=False) as client,
    ):
        listener = asyncio.create_task(listen(stream))
        await asyncio.wait_for(ready.wait(), 20)
        started = time.monotonic()
        filing = []
        for n in range(count):
            await asyncio.sleep(max(0.0, started + n / rate - time.monotonic()))
            filing.append(asyncio.create_task(file(client, n)))
        await asyncio.gather(*filing)
        await until(lambda: _all(sent, shown), seconds=30, what="every warning on the stream")
        listener.cancel()
    times = np.array([shown[p] - sent[p] for p in sent])
    p50, p95, p99 = (float(np.percentile(times, q)) for q in (50, 95, 99))
    return {"rate": rate, "petitions": count, "p50_s": p50, "p95_s": p95, "p99_s": p99, "max_s": float(times.max())}


async def _all(sent: dict[str, float], shown: dict[str, float]) -> bool:
    return set(sent) <= set(shown)


async def _measure(running: System, count: int, rate: float, seconds: float, progress: Progress) -> tuple[Any, Any]:
    await latency(running, 10, 3, progress)  # warm-up
    quick = await latency(running, rate, seconds, progress)
    bulk = await throughput(running, count, progress)
    return quick, bulk


def bench(count: int, rate: float, seconds: float, json: Path | None) -> None:
    """Run both; print tables."""
    before = machine()
    with system() as running, Progress(transient=True) as progress:
        quick, bulk = asyncio.run(_measure(running, count, rate, seconds, progress))
    rows = [
        (name, count / bulk["per_service_s"][name] if name in bulk["per_service_s"] else "", used, 1e6 * used / count)
        for name, used in bulk["cpu_s"].items()
    ]
    tell(
        f"outbox → Kafka → services, {count:,} filed events",
        ("process", "events/s to the last", "CPU s", "CPU µs an event"),
        rows,
        [f"all applied after {bulk['seconds']:.1f} s: {count / bulk['seconds']:.0f} events/s"],
    )
    tell(
        f"petition → stream, {quick['petitions']:,} petitions at {rate:.0f}/s",
        ("p50 s", "p95 s", "p99 s", "max s", "asked p99 s"),
        [(quick["p50_s"], quick["p95_s"], quick["p99_s"], quick["max_s"], ASKED_P99_S)],
    )
    save(json, {"bench": "pipeline", "machine": before, "throughput": bulk, "latency": quick})
