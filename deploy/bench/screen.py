"""`fengqiao bench screen`: from the petition's POST to the frame of a real browser that shows what came of it.

The console is open in a Chromium while visits are filed over HTTP. Each visit raises a warning or moves one by a step. The
stream tells which version of which warning a petition is first part of; the page stamps when it had painted that
version. Both are measured on the same petitions in one run.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import orjson
import psutil
from httpx_sse import aconnect_sse
from rich.progress import Progress, TaskID

from deploy.bench.chromium import ARGUMENTS, required
from deploy.bench.report import machine, save, tell
from deploy.bench.system import Draft, System, system, until, visit

if TYPE_CHECKING:
    from playwright.async_api import Page

ASKED_P99_S: Final = 1.0
PATIENCE_S: Final = 30.0
MATTERS: Final = 140
"""fewer than the list has lines, with the second warning that a much visited matter raises"""
STEP: Final = 1.3
"""by which each visit on a matter is larger than the one before: screening tells growth of a quarter"""
WATCH: Final = """
window.fqSeen = [];
const had = {};
new MutationObserver(() => {
  const fresh = [];
  for (const row of document.querySelectorAll('.fq-row')) {
    const { id, version } = row.dataset;
    if (had[id] !== version) { had[id] = version; fresh.push([id, Number(version)]); }
  }
  if (!fresh.length) return;
  requestAnimationFrame(() => {
    const after = new MessageChannel();  // a task of its own: it runs when the frame has been painted
    after.port1.onmessage = () => {
      const at = performance.timeOrigin + performance.now();
      for (const [id, version] of fresh) window.fqSeen.push([id, version, at]);
    };
    after.port2.postMessage(0);
  });
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-version'] });
"""


@dataclass
class Run:
    """What is known of the petitions of one run; all times are seconds of the machine's clock."""

    sent: dict[str, float] = field(default_factory=dict)
    told: dict[str, tuple[str, int, float]] = field(default_factory=dict)
    """petition → warning, version and time of the first message of the stream that has it"""
    painted: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """warning → versions and when each had been painted, in that order"""

    def shown(self, petition: str) -> float | None:
        """When the screen showed what came of a petition."""
        if petition not in self.told:
            return None
        warning, version, _ = self.told[petition]
        return next((at for number, at in self.painted.get(warning, ()) if number >= version), None)


def drafts(count: int, run: str, draw: random.Random) -> list[tuple[int, Draft]]:
    """Matters and visits in the order of filing: each matter is raised by its first visit, moved by each that follows."""
    planned: list[tuple[float, int, Draft]] = []
    matters = min(MATTERS, count)
    for place in range(matters):
        first = visit(place, f"{run}-{place}", draw)
        visits = count // matters + (place < count % matters)
        at, people = draw.random() / 2, 6.0
        for n in range(visits):
            body = {
                **first.body,
                "petitioner_ref": f"{run}-{place}-{n}",
                "external_id": f"{run}-{place}-{n}",
                "headcount": int(people),
            }
            planned.append((at, place, Draft(f"{run}-{place}-{n}", body)))
            at += (1 - at) / (visits - n) * draw.uniform(0.5, 1)
            people = max(people + 2, people * STEP)
    return [(place, one) for _, place, one in sorted(planned, key=lambda plan: plan[0])]


@asynccontextmanager
async def opened(url: str, program: str) -> AsyncIterator[Page]:
    """The live list in a browser of its own, signed in as the duty officer; fails when the page does."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            page = await (await browser.new_context(viewport={"width": 1366, "height": 768})).new_page()
            await page.add_init_script(WATCH)
            await page.goto(f"{url}/auth/demo?role=duty_officer&next=/")
            await page.wait_for_selector('.fq-pulse[data-state="live"]')
            await page.wait_for_selector(".fq-live")
            yield page
        finally:
            await browser.close()


async def clock_off(page: Page) -> float:
    """Seconds by which the browser's clock is ahead of this process's: the middle of the quickest of five questions."""
    found: list[tuple[float, float]] = []
    for _ in range(5):
        before = time.time()
        there = await page.evaluate("performance.timeOrigin + performance.now()") / 1000
        after = time.time()
        found.append((after - before, there - (before + after) / 2))
    return min(found)[1]


async def _listen(client: httpx.AsyncClient, url: str, token: str, run: Run, ready: asyncio.Event) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with aconnect_sse(client, "GET", f"{url}/v1/stream", headers=headers) as source:
        ready.set()
        async for message in source.aiter_sse():
            if message.event != "warning":
                continue
            at, data = time.time(), orjson.loads(message.data)["data"]
            for petition in data["petition_ids"]:
                run.told.setdefault(petition, (data["warning_id"], data["version"], at))


async def filed(
    running: System, page: Page, rate: float, seconds: float, progress: tuple[Progress, TaskID]
) -> dict[str, Any]:
    """File at a fixed rate for `seconds` and wait until all is on the screen."""
    name, run = f"scr-{uuid.uuid4().hex[:8]}", Run()
    todo = drafts(int(rate * seconds), name, random.Random(name))
    ready = asyncio.Event()
    limits = httpx.Limits(max_connections=100)
    ahead = await clock_off(page)
    await page.evaluate("window.fqSeen = []")

    last: dict[int, asyncio.Task[None]] = {}

    async def file(client: httpx.AsyncClient, one: Draft, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before  # a smaller visit that overtakes a larger one moves nothing
        moment = time.time()
        run.sent[await running.file(client, one)] = moment
        progress[0].advance(progress[1])

    async def all_shown() -> bool:
        for warning, version, at in await page.evaluate("window.fqSeen.splice(0)"):
            run.painted.setdefault(warning, []).append((version, at / 1000 - ahead))
        return all(run.shown(petition) is not None for petition in run.sent)

    async with (
        httpx.AsyncClient(timeout=None, trust_env=False) as stream,
        httpx.AsyncClient(timeout=20, limits=limits, trust_env=False) as client,
    ):
        listener = asyncio.create_task(
            _listen(stream, running.url("alerts"), running.tokens["duty_officer"], run, ready)
        )
        await asyncio.wait_for(ready.wait(), 20)
        started, filing = time.monotonic(), []
        for n, (matter, one) in enumerate(todo):
            await asyncio.sleep(max(0.0, started + n / rate - time.monotonic()))
            last[matter] = asyncio.create_task(file(client, one, last.get(matter)))
            filing.append(last[matter])
        await asyncio.gather(*filing)
        took = time.monotonic() - started
        try:
            await until(all_shown, seconds=PATIENCE_S, what="every petition on the screen")
        except TimeoutError:  # counted below
            pass
        finally:
            listener.cancel()
    return {
        "rate": rate,
        "filed_a_second": len(todo) / took,
        "petitions": len(todo),
        "warnings": len({warning for warning, *_ in run.told.values()}),
        "frames_with_news": len({at for stamps in run.painted.values() for _, at in stamps}),
        "clock_drift_ms": (await clock_off(page) - ahead) * 1000,
        "load_after": round(os.getloadavg()[0], 2),
        **figures(run),
    }


def figures(run: Run) -> dict[str, Any]:
    """Seconds from the POST to the stream, to the screen, and from the stream to the screen; and what never came."""
    shown = {petition: at for petition in run.sent if (at := run.shown(petition)) is not None}
    ways = {
        "stream": [run.told[p][2] - at for p, at in run.sent.items() if p in run.told],
        "screen": [at - run.sent[p] for p, at in shown.items()],
        "stream_to_screen": [at - run.told[p][2] for p, at in shown.items()],
    }
    return {
        "not_on_stream": len(run.sent) - len(ways["stream"]),
        "not_on_screen": len(run.sent) - len(shown),
        **{way: spread(waits) for way, waits in ways.items()},
    }


def spread(waits: list[float]) -> dict[str, float]:
    """Percentiles of seconds; infinite where nothing was measured."""
    if not waits:
        return dict.fromkeys(("p50_s", "p95_s", "p99_s", "max_s"), float("inf"))
    p50, p95, p99 = np.percentile(waits, (50, 95, 99))
    return {"p50_s": float(p50), "p95_s": float(p95), "p99_s": float(p99), "max_s": max(waits)}


async def _measure(running: System, program: str, rate: float, seconds: float, progress: Progress) -> dict[str, Any]:
    async with opened(running.url("alerts"), program) as page:
        warm = progress.add_task("warming up", total=30)
        await filed(running, page, 10, 3, (progress, warm))
        used = _cpu(running)
        task = progress.add_task(f"{rate:.0f} petitions/s", total=int(rate * seconds))
        result = await filed(running, page, rate, seconds, (progress, task))
        return {**result, "cpu_s": {name: spent - used[name] for name, spent in _cpu(running).items()}}


def _cpu(running: System) -> dict[str, float]:
    """CPU seconds so far: the services, the browser with all its processes, this process that files and listens."""
    own = psutil.Process()
    browser = [
        one for one in own.children(recursive=True) if "--type=" in " ".join(one.cmdline()) or "chrom" in one.name()
    ]
    return {
        **running.cpu(),
        "browser": sum(sum(one.cpu_times()[:2]) for one in browser),
        "bench": sum(own.cpu_times()[:2]),
    }


def bench(rate: float, seconds: float, json: Path | None) -> bool:
    """Measure, print, write; gives whether all was painted, and in time. Raises `BrowserMissingError`."""
    program, before = required(), machine()
    with system() as running, Progress(transient=True) as progress:
        result = asyncio.run(_measure(running, program, rate, seconds, progress))
    titles = {"stream": "POST → stream", "screen": "POST → painted", "stream_to_screen": "stream → painted"}
    rows = [
        (title, *(result[way][key] for key in ("p50_s", "p95_s", "p99_s", "max_s")), asked)
        for (way, title), asked in zip(titles.items(), ("", f"p99 ≤ {ASKED_P99_S:g}", ""), strict=True)
    ]
    tell(
        f"petition → screen, {result['petitions']:,} petitions at {rate:g}/s, {result['warnings']} warnings",
        ("seconds", "p50", "p95", "p99", "max", "asked"),
        rows,
        [
            f"never on the stream: {result['not_on_stream']}; never painted: {result['not_on_screen']}",
            f"filed at {result['filed_a_second']:.1f}/s; load {before['load_before'][0]} before, {result['load_after']} after",
            f"CPU s: {', '.join(f'{name} {spent:.1f}' for name, spent in result['cpu_s'].items())}",
        ],
    )
    save(json, {"bench": "screen", "machine": before, **result})
    return result["screen"]["p99_s"] <= ASKED_P99_S and not result["not_on_screen"]
