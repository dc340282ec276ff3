"""The local stack: Kafka and MongoDB for a demo, a test run or a benchmark, from whatever this machine has."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import choose, ports, progress
from deploy.local.children import Children
from deploy.local.errors import LocalStackError
from deploy.local.parts import Part
from deploy.local.state import held

GRACE = 3.0  # seconds for Kafka and mongod to end in order


@dataclass(frozen=True)
class Stack:
    """A running Kafka and MongoDB."""

    kafka_process: Part
    mongo_process: Part
    idempotent: bool
    ports: dict[str, int]
    children: Children

    @property
    def kafka(self) -> str:
        """Bootstrap server."""
        return self.kafka_process.address

    @property
    def mongo(self) -> str:
        """URI with the replica set."""
        return self.mongo_process.address

    @property
    def kafka_how(self) -> str:
        """Which broker was taken and why."""
        return self.kafka_process.how

    @property
    def mongo_how(self) -> str:
        """Which mongod was taken and why."""
        return self.mongo_process.how

    @property
    def parts(self) -> tuple[Part, Part]:
        """Both."""
        return self.kafka_process, self.mongo_process

    def environment(self) -> dict[str, str]:
        """What a process is told that uses it, over what this one was told."""
        # A file with a URI, meant for containers, would go before the URI given here.
        inherited = {name: value for name, value in os.environ.items() if name != "FENGQIAO_MONGO_FILE"}
        idempotent = str(int(self.idempotent))
        return inherited | {
            "FENGQIAO_KAFKA": self.kafka,
            "FENGQIAO_MONGO": self.mongo,
            "FENGQIAO_IDEMPOTENT": idempotent,
        }


@contextmanager
def running(
    state: Path,
    *,
    prefer: str = "auto",
    quiet: bool = False,
    reuse: bool = True,
    test_commands: bool = False,
    more_ports: tuple[str, ...] = (),
    when_held: Callable[[], object] = lambda: None,
) -> Iterator[Stack]:
    """Run Kafka and MongoDB with data, logs and ports under `state` for the length of a `with` block.

    `prefer` is `auto`, `process` or `container`; FENGQIAO_LOCAL_PREFER overrides `auto`. With `reuse=False` the data of
    an earlier run go first. `more_ports` are further names to find free ports for. `when_held` is called once `state` is this
    run's, before anything starts. Raises LocalStackError, which says what to do.
    """
    state = state.resolve()
    with held(state), contextlib.ExitStack() as at_end:
        when_held()
        if not reuse:
            for folder in ("kafka", "mongo"):
                shutil.rmtree(state / folder, ignore_errors=True)
        chosen = ports.choose(("kafka", "kafka_controller", "mongo", *more_ports), state)
        children = Children()
        at_end.callback(children.close)
        view = at_end.enter_context(progress.view(quiet=quiet))

        def fetching(done: int, total: int, by: str) -> None:
            if children.closed:
                raise LocalStackError("the stack is being stopped")
            view.fetching(done, total, by)

        request = choose.Request(state, chosen, children, choose.order(prefer), fetching, test_commands, keep=reuse)
        with ThreadPoolExecutor(2, thread_name_prefix="start") as pool:
            kafka_start = pool.submit(choose.kafka, request)
            mongo_start = pool.submit(choose.mongo, request)
            both: list[Future[Any]] = [kafka_start, mongo_start]
            try:
                wait(both, return_when=FIRST_EXCEPTION)
                for start in both:
                    if start.done():
                        start.result()
                kafka, idempotent = kafka_start.result()
                mongo = mongo_start.result()
            except BaseException:
                children.close()  # the other one must not wait for its time-out
                raise
        at_end.callback(_stop, (kafka, mongo))
        view.close()
        yield Stack(kafka, mongo, idempotent, chosen, children)


def _stop(parts: tuple[Part, Part]) -> None:
    with ThreadPoolExecutor(len(parts), thread_name_prefix="stop") as pool:
        list(pool.map(lambda part: part.stop(GRACE), parts))


@contextmanager
def temporary(*, prefer: str = "auto", quiet: bool = True, test_commands: bool = False) -> Iterator[Stack]:
    """Run the stack in a directory of its own that is removed afterwards (benchmarks, tests)."""
    with (
        tempfile.TemporaryDirectory(prefix="fengqiao-", ignore_cleanup_errors=True) as folder,
        running(Path(folder), prefer=prefer, quiet=quiet, reuse=False, test_commands=test_commands) as stack,
    ):
        yield stack
