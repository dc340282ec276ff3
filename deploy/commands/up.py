"""`fengqiao up`: Kafka, MongoDB and the four services in the foreground."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.errors import LocalStackError
from deploy.local.state import DEFAULT
from deploy.local.supervise import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The user or the system asked the program to end. An event loop lets it through from whatever task it hits."""


@dataclass
class Ending:
    """How the first signal ends the program: `by` is called where it is set, else `Stopped` is raised."""

    by: Callable[[], object] | None = None
    asked: bool = False

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Cancel the running task at the signal: an exception raised meanwhile would end only the task it hits."""
        task = asyncio.current_task()
        assert task is not None  # this is entered in a coroutine
        self.by = partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
        try:
            yield
        except asyncio.CancelledError:
            raise (Stopped if self.asked else asyncio.CancelledError) from None
        finally:
            self.by = None


@contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[Ending]:
    """End the block with `Stopped` at the first SIGINT, SIGTERM or SIGHUP; at a second one kill what is left."""
    ending = Ending()

    def act(number: int, frame: FrameType | None) -> None:
        if ending.asked:
            supervisor.hurry()
            return
        ending.asked = True
        if ending.by is None:
            raise Stopped
        ending.by()

    before = {number: signal.signal(number, act) for number in _SIGNALS}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def up(
    state: Annotated[Path, typer.Option(help="where data, logs, keys and ports are kept")] = DEFAULT,
    ready_file: Annotated[
        Path | None, typer.Option(help="written as JSON once all are healthy: addresses, process ids, tokens")
    ] = None,
    prefer: Annotated[str, typer.Option(help="auto, process or container")] = "auto",
) -> None:
    """Run Kafka, MongoDB and the four services until Ctrl-C; the data stay for the next start."""
    console = Console(highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(line, markup=False)

    supervisor = Supervisor(state, prefer=prefer, ready_file=ready_file, say=say)
    try:
        with stopped_by_signals(supervisor), contextlib.suppress(Stopped), supervisor:
            for name in supervisor.services:
                say(f"{name:<11}{supervisor.url(name)}")
            say(f"all healthy; logs in {supervisor.state / 'logs'}; Ctrl-C ends it")
            supervisor.wait()
    except LocalStackError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        raise typer.Exit(1) from None
