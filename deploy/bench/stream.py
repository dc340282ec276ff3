"""`fengqiao bench stream`: one warning to a thousand listeners, and a thousand reconnecting at once without a gap.

With `--idle` ten thousand that only listen, and one more that never reads: what they cost while nothing happens, whether the
service stays healthy, whether all are told and only the deaf one is closed.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil
from rich.progress import Progress

from deploy.bench.report import machine, save, tell
from deploy.kafka.topics import apply
from deploy.local.stack import running
from shared.access import demo_tokens

ASKED_S: Final = 1.0
STORM_S: Final = 10.0
ROUNDS: Final = 20
SPARE_FILES: Final = 200
IDLE_ROUNDS: Final = 10
DEAF_S: Final = 60.0
"""the service gives a client 30 s to read what it was sent"""


@dataclass
class Listener:
    """One stream client: a plain socket that notes when each number came."""

    host: str
    port: int
    token: str
    ids: list[int] = field(default_factory=list)
    seen_at: dict[int, float] = field(default_factory=dict)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: int = 0
    _task: asyncio.Task[None] | None = None
    _writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Open the stream, after the last number seen if there is one, and read on in the background."""
        self.resumed.clear()
        reader, self._writer = await asyncio.open_connection(self.host, self.port)
        last = f"Last-Event-ID: {self.ids[-1] if self.ids else 0}\r\n"
        self._writer.write(
            f"GET /v1/stream HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.token}\r\n{last}\r\n".encode()
        )
        await self._writer.drain()
        self._task = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        number = 0
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            async for line in reader:
                if line.startswith(b"id: "):
                    number = int(line[4:])
                elif line.startswith(b"event: resume"):
                    number = 0
                    self.resumed.set()
                elif line.startswith(b"data: ") and number:
                    self.ids.append(number)
                    self.seen_at.setdefault(number, time.monotonic())
                    number = 0
        self.ended += 1

    async def close(self) -> None:
        """Leave, as a browser does: without a word."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.transport.abort()


def files_for(clients: int) -> int:
    """Raise the limit on open files as far as allowed; gives the number of clients that fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + SPARE_FILES
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(clients, soft - SPARE_FILES)


@asynccontextmanager
async def alerts_alone(folder: Path) -> AsyncIterator[tuple[str, int, str, psutil.Process]]:
    """Kafka, MongoDB and one alerts process: host, port, a duty officer's token, the process."""
    with running(folder, quiet=True, reuse=False, more_ports=("alerts",)) as stack:
        await apply(stack.kafka)
        port = stack.ports["alerts"]
        environment = {
            **stack.environment(),
            "FENGQIAO_ENV": "demo",
            "FENGQIAO_SECRETS": str(folder / "secrets"),
            "FENGQIAO_PORT": str(port),
            "FENGQIAO_LOG_LEVEL": "WARNING",
        }
        with (folder / "alerts.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", "services.alerts"], env=environment, stdout=log, stderr=log
            )
            try:
                await _healthy(f"http://127.0.0.1:{port}", process)
                yield "127.0.0.1", port, demo_tokens(folder / "secrets")["duty_officer"], psutil.Process(process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


async def _healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError("alerts ended while it was starting")
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/health")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise TimeoutError("alerts did not become healthy in 60 s")


async def _warn(client: httpx.AsyncClient, n: int) -> float:
    """Raise one warning; gives when the request was sent."""
    body = {"kind": "collective_visit", "level": "II", "jurisdiction": "379911", "scenario": f"压力测试 {n}"}
    sent = time.monotonic()
    answer = await client.post("/v1/drills", json=body)
    answer.raise_for_status()
    return sent


async def _all_have(listeners: list[Listener], number: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if all(one.ids and one.ids[-1] >= number for one in listeners):
            return True
        await asyncio.sleep(0.01)
    return False


async def fan_out(listeners: list[Listener], client: httpx.AsyncClient, rounds: int = ROUNDS) -> dict[str, Any]:
    """One warning at a time to everybody: from the request that raises it to the last listener."""
    last_s: list[float] = []
    every: list[float] = []
    missing = 0
    start = listeners[0].ids[-1] if listeners[0].ids else 0
    for n in range(1, rounds + 1):
        sent = await _warn(client, n)
        if not await _all_have(listeners, start + n, 10):
            missing += sum(one.ids[-1] < start + n if one.ids else 1 for one in listeners)
        waits = [one.seen_at[start + n] - sent for one in listeners if start + n in one.seen_at]
        every += waits
        last_s.append(max(waits, default=float("inf")))
    return {
        "rounds": rounds,
        "p50_ms": float(np.percentile(every, 50) * 1000),
        "p99_ms": float(np.percentile(every, 99) * 1000),
        "last_listener_ms_median": float(np.median(last_s) * 1000),
        "last_listener_ms_worst": max(last_s) * 1000,
        "missing": missing,
    }


async def idle(
    listeners: list[Listener], client: httpx.AsyncClient, process: psutil.Process, seconds: float
) -> dict[str, Any]:
    """Nothing happens for a while, then a warning; then so many that a client which never reads is found out."""
    host, port, token = listeners[0].host, listeners[0].port, listeners[0].token
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, port))
        deaf.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        mine = deaf.getsockname()[1]
        used, began, answers = sum(process.cpu_times()[:2]), time.monotonic(), []
        while time.monotonic() - began < seconds:
            asked = time.monotonic()
            (await client.get("/health")).raise_for_status()
            answers.append(time.monotonic() - asked)
            await asyncio.sleep(0.5)
        idle_cpu = (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began)
        memory = process.memory_info().rss / 2**20
        told = await fan_out(listeners, client, IDLE_ROUNDS)

        def held() -> bool:
            return any(one.raddr and one.raddr.port == mine for one in process.net_connections())

        for _ in range(int(DEAF_S * 2)):
            if not held():
                break
            await asyncio.sleep(0.5)
        return {
            "idle_s": seconds,
            "idle_cpu_share": idle_cpu,
            "health_worst_ms": max(answers) * 1000,
            "alerts_mib": memory,
            "alerts_mib_after": process.memory_info().rss / 2**20,
            "fan_out": told,
            "deaf_closed": not held(),
            "others_closed": sum(one.ended for one in listeners),
        }


async def storm(listeners: list[Listener], client: httpx.AsyncClient) -> dict[str, Any]:
    """Everybody leaves and comes back within ten seconds, while warnings go on being raised."""
    ended = asyncio.Event()
    raised = 0

    async def keep_raising() -> None:
        nonlocal raised
        while not ended.is_set():
            raised += 1
            await _warn(client, 1000 + raised)
            await asyncio.sleep(0.2)

    raising = asyncio.create_task(keep_raising())
    started = time.monotonic()

    async def again(one: Listener, after: float) -> float:
        await asyncio.sleep(after)
        await one.close()
        began = time.monotonic()
        await one.connect()
        await asyncio.wait_for(one.resumed.wait(), 60)
        return time.monotonic() - began

    waits = await asyncio.gather(*(again(one, STORM_S * place / len(listeners)) for place, one in enumerate(listeners)))
    took = time.monotonic() - started
    ended.set()
    await raising
    head = max(one.ids[-1] for one in listeners)
    caught_up = await _all_have(listeners, head, 20)
    gaps = sum(set(one.ids) != set(range(1, head + 1)) for one in listeners)
    backwards = sum(any(b < a for a, b in zip(one.ids, one.ids[1:], strict=False)) for one in listeners)
    return {
        "raised_during": raised,
        "took_s": took,
        "reconnect_p50_ms": float(np.percentile(waits, 50) * 1000),
        "reconnect_p99_ms": float(np.percentile(waits, 99) * 1000),
        "head": head,
        "caught_up": caught_up,
        "listeners_with_a_gap": gaps,
        "listeners_going_back": backwards,
    }


async def _measure(clients: int, folder: Path, progress: Progress, idle_s: float) -> dict[str, Any]:
    async with alerts_alone(folder) as (host, port, token, process):
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers, timeout=30) as client:
            listeners = [Listener(host, port, token) for _ in range(clients)]
            task = progress.add_task("connecting", total=clients)
            began = time.monotonic()
            for start in range(0, clients, 50):
                part = listeners[start : start + 50]
                await asyncio.gather(*(one.connect() for one in part))
                await asyncio.gather(*(asyncio.wait_for(one.resumed.wait(), 60) for one in part))
                progress.advance(task, len(part))
            connected_s = time.monotonic() - began
            if idle_s:
                progress.update(task, description="nothing happens")
                found = await idle(listeners, client, process, idle_s)
                await _leave(listeners)
                return {"clients": clients, "connect_s": connected_s, **found}
            progress.update(task, description="one warning to all")
            told = await fan_out(listeners, client)
            progress.update(task, description="reconnect storm")
            stormed = await storm(listeners, client)
            memory = process.memory_info().rss / 2**20
            await _leave(listeners)
            return {
                "clients": clients,
                "connect_s": connected_s,
                "fan_out": told,
                "storm": stormed,
                "alerts_mib": memory,
            }


async def _leave(listeners: list[Listener]) -> None:
    for one in listeners:
        await one.close()


def _run(clients: int, idle_s: float = 0) -> tuple[dict[str, Any], list[str]]:
    """The figures, and what kept them from being about as many clients as asked."""
    fits = files_for(clients)
    notes = [] if fits == clients else [f"the limit on open files allows {fits} clients; raise it with ulimit -n"]
    before = machine()
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as progress:
        result = asyncio.run(_measure(fits, Path(folder), progress, idle_s))
    return {"machine": before, "asked": clients, **result}, notes


def bench_idle(clients: int, seconds: float, json: Path | None) -> bool:
    """Many that only listen: measure, print, write; gives whether all were told and only the deaf one was closed."""
    result, notes = _run(clients, seconds)
    told = result["fan_out"]
    rows = [
        ["idle listeners", result["clients"], f"asked {clients}"],
        ["connecting them all, s", result["connect_s"], ""],
        ["CPU of alerts while idle, cores", result["idle_cpu_share"], f"for {seconds:.0f} s"],
        ["/health meanwhile, worst ms", result["health_worst_ms"], ""],
        ["memory of alerts, MiB", result["alerts_mib"], f"{result['alerts_mib_after']:,.0f} after the warnings"],
        ["warning → listener, p50 ms", told["p50_ms"], ""],
        ["warning → listener, p99 ms", told["p99_ms"], ""],
        ["warning → last listener, worst ms", told["last_listener_ms_worst"], f"{told['rounds']} warnings"],
        ["listeners that missed one", told["missing"], "asked 0"],
        ["listeners closed", result["others_closed"], "asked 0"],
        ["the one that never reads is closed", str(result["deaf_closed"]), "asked True"],
    ]
    tell("Many that only listen, and one that never reads", ["what", "measured", "target"], rows, notes)
    save(json, result)
    return bool(result["deaf_closed"] and not told["missing"] and not result["others_closed"])


def bench(clients: int, json: Path | None) -> bool:
    """Measure, print, write; gives whether the targets were met."""
    result, notes = _run(clients)
    told, stormed = result["fan_out"], result["storm"]
    rows = [
        ["listeners", result["clients"], f"asked {clients}"],
        ["connecting them all, s", result["connect_s"], ""],
        ["warning → listener, p50 ms", told["p50_ms"], ""],
        ["warning → listener, p99 ms", told["p99_ms"], ""],
        ["warning → last listener, worst ms", told["last_listener_ms_worst"], f"asked ≤ {ASKED_S * 1000:.0f}"],
        ["listeners that missed one", told["missing"], "asked 0"],
        ["storm: all back after, s", stormed["took_s"], f"{STORM_S:.0f} s of reconnects"],
        ["storm: one reconnect, p99 ms", stormed["reconnect_p99_ms"], ""],
        ["storm: listeners with a gap", stormed["listeners_with_a_gap"], "asked 0"],
        ["storm: listeners going back", stormed["listeners_going_back"], "asked 0"],
        ["memory of alerts, MiB", result["alerts_mib"], ""],
    ]
    tell("One warning to everybody, and everybody again", ["what", "measured", "target"], rows, notes)
    save(json, result)
    return bool(
        told["last_listener_ms_worst"] <= ASKED_S * 1000
        and not told["missing"]
        and stormed["caught_up"]
        and not stormed["listeners_with_a_gap"]
        and not stormed["listeners_going_back"]
    )
