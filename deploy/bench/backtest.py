"""How fast `fengqiao backtest` goes over a year of a big city, made by the simulator, county by county."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

from deploy.backtest.county import filed, play
from deploy.bench.report import machine, save, tell
from deploy.simulator.district import District
from services.screening.domain.outcome import Filed
from services.screening.domain.policy import Policies
from services.screening.domain.warming import warm_up
from services.screening.policyfile import read_policies
from services.screening.settings import PACKAGED
from shared.messages import Message

START = datetime(2025, 1, 1, tzinfo=UTC)


def county_year(number: int, per_day: float, days: float) -> list[Filed]:
    """A county's petitions of a year: the simulator's district under another seed."""
    code = f"37{number:04d}"
    rows = District(seed=number, start=START, days=days, per_day=per_day).filings()
    found = []
    for n, filing in enumerate(rows):
        body = filing.body
        person = str(body["petitioner"].get("phone") or n)
        more: dict[str, str] = {
            str(key): str(body[key])
            for key in ("channel", "headcount", "representatives", "level_presented", "topic")
            if key in body
        }
        message = Message(n, filing.key, person, filing.at, body["title"], body["text"], code, more)
        found.append(filed(message, code))
    return found


def _work(number: int, per_day: float, days: float, policies: Policies) -> tuple[int, int, float, float]:
    items = county_year(number, per_day, days)
    warm_up(policies)
    started = process_time()
    run = play(f"37{number:04d}", items, policies)
    return len(items), len(run.raised), sum(run.seconds.values()), process_time() - started


def bench(counties: int, per_day: float, days: float, json: Path | None) -> None:
    """Print and write petitions/s of the engine, on one process a core; making the petitions is not counted."""
    policies = read_policies(PACKAGED)
    workers = min(os.cpu_count() or 1, counties)
    started = perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_work, n, per_day, days, policies) for n in range(counties)]
        done = [job.result() for job in jobs]
    wall = perf_counter() - started
    petitions = sum(n for n, *_ in done)
    busy = sum(seconds for _, _, seconds, _ in done)
    cpu = sum(seconds for *_, seconds in done)
    figures = {
        "counties": counties,
        "petitions": petitions,
        "flags": sum(flags for _, flags, *_ in done),
        "processes": workers,
        "engine_seconds": round(busy, 1),
        "per_second": round(petitions / busy * workers),
        "cpu_seconds": round(cpu, 1),
        "per_cpu_second": round(petitions / cpu),
        "wall_seconds_with_making": round(wall, 1),
    }
    notes = (
        "one process a core; making the petitions and finding their signals is not counted",
        "a machine busy with other things shows in per_second, not in per_cpu_second",
    )
    tell("backtest, a year of a city", ("", "figure"), list(figures.items()), notes)
    save(json, {"machine": machine(), **figures})
