"""`fengqiao up`: Kafka, MongoDB and the four services in the foreground."""

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.errors import LocalStackError
from deploy.local.state import DEFAULT
from deploy.local.supervise import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The user or the system asked the program to end."""


@contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """Raise `Stopped` at the first SIGINT, SIGTERM or SIGHUP within the block; at a second one kill what is left."""
    asked = False

    def act(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            supervisor.hurry()
        else:
            asked = True
            raise Stopped

    before = {number: signal.signal(number, act) for number in _SIGNALS}
    try:
        yield
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
