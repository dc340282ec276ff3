"""Replays a file of messages, its counties side by side, without Kafka and MongoDB."""

from __future__ import annotations

import gc
import os
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any, cast

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
    with closing(
        _parts(groups, policies, count, tick)
    ) as parts:  # workers end here, whatever the error's traceback holds
        for part in parts:
            run.told += part.told
            run.matters |= part.matters
            run.merged |= part.merged
            run.late += part.late
            run.seconds |= part.seconds
    run.told.sort(key=lambda told: (told.at, told.flag.id, told.what))
    run.wall = perf_counter() - started
    return run


def _parts(
    groups: Mapping[str, list[Message]], policies: Policies, workers: int, tick: Callable[[int], None] | None
) -> Generator[Run, None, None]:
    if workers <= 1:
        for county, messages in groups.items():
            yield play(county, [filed(m, county) for m in messages], policies, tick)
        return
    waiting = sorted(groups, key=lambda county: len(groups[county]))  # the largest first, from the end
    busy: dict[Connection, str] = {}
    with _crew(workers) as crew:

        def send(worker: Connection) -> None:
            county = waiting.pop()
            busy[worker] = county
            try:
                worker.send((county, groups[county], policies))
            except OSError:
                raise _lost(county) from None

        for worker in crew[: len(waiting)]:
            send(worker)
        while busy:
            for worker in cast(list[Connection], wait(list(busy))):
                county = busy.pop(worker)
                try:
                    part: Run | Exception = worker.recv()
                except (EOFError, OSError):
                    raise _lost(county) from None
                if isinstance(part, Exception):
                    raise part
                if waiting:
                    send(worker)
                if tick is not None:
                    tick(len(groups[county]))
                yield part


def _lost(county: str) -> RuntimeError:
    return RuntimeError(f"the worker that replayed {county!r} was killed; was memory short?")


@contextmanager
def _crew(count: int) -> Iterator[list[Connection]]:
    """Workers, each at the end of a pipe; none of them outlives the block, however it ends.

    An executor would first finish what it has begun, and may wait for ever for a worker that was killed while it told its
    result. A worker has nothing to lose.
    """
    context = get_context("spawn")
    processes: list[Any] = []
    pipes: list[Connection] = []
    resource_tracker.ensure_running()  # it would take the signal off the mask below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                pipes.append(ours)
                with theirs:
                    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
                    processes.append(process)
                    process.start()
        finally:
            # Ctrl-C is for this process alone: workers keep the mask.
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield pipes
    finally:
        started = [process for process in processes if process.pid is not None]
        for process in started:
            process.kill()
        for process in started:
            process.join()
        for pipe in pipes:
            pipe.close()


def _serve(pipe: Connection, task: Callable[[str, list[Message], Policies], Run]) -> None:
    """A worker: replays the counties it is sent, until it is killed or the parent is gone."""
    Thread(target=_follow_parent, daemon=True).start()
    gc.disable()  # It ends with the replay: it need not look for cycles, in what it is sent neither (`play` says more).
    while True:
        try:
            county, messages, policies = pipe.recv()
        except EOFError:
            return
        try:
            part: Run | Exception = task(county, messages, policies)
        except Exception as error:  # raised again by the parent
            error.add_note(f"while {county!r} was replayed\n{traceback.format_exc()}")
            part = error
        pipe.send(part)


def _follow_parent() -> None:
    """End with the parent, also where it was killed and could end nobody."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
