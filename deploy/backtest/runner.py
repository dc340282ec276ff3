"""Replays a file of messages, its counties side by side, without Kafka and MongoDB."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from deploy.backtest.county import Run, filed, play, work
from services.screening.domain.policy import Policies
from services.screening.domain.warming import warm_up
from services.screening.policyfile import read_policies
from shared.messagerows import Message


def replay(
    messages: Iterable[Message],
    policy: Path,
    *,
    county: str,
    workers: int | None = None,
    tick: Callable[[int], None] | None = None,
) -> Run:
    """All counties of the messages, side by side in `workers` processes (one for each core, at most one a county)."""
    groups: dict[str, list[Message]] = {}
    for message in messages:
        groups.setdefault(message.jurisdiction or county, []).append(message)
    policies = read_policies(policy)
    run = Run()
    count = min(workers or os.cpu_count() or 1, len(groups))
    if count <= 1:
        warm_up(policies)
    started = perf_counter()
    for part in _parts(groups, policies, count, tick):
        run.told += part.told
        run.matters |= part.matters
        run.late += part.late
        run.seconds |= part.seconds
    run.told.sort(key=lambda told: (told.at, told.flag.id, told.what))
    run.wall = perf_counter() - started
    return run


def _parts(
    groups: Mapping[str, list[Message]], policies: Policies, workers: int, tick: Callable[[int], None] | None
) -> Iterator[Run]:
    if workers <= 1:
        for county, messages in groups.items():
            yield play(county, [filed(m, county) for m in messages], policies, tick)
        return
    # A worker ends with the replay: it need not look for cycles, in what it is sent neither (`play` says more).
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        order = sorted(groups, key=lambda c: -len(groups[c]))
        waiting = {pool.submit(work, county, groups[county], policies): county for county in order}
        for done in as_completed(waiting):
            if tick is not None:
                tick(len(groups[waiting[done]]))
            yield done.result()
