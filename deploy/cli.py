"""The `fengqiao` command: one entry, one module a command under `deploy/commands`, imported when it is called."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper, UnsupportedOperation
from time import monotonic
from types import FrameType
from typing import Any, Final, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

REPEAT_S: Final = 1.0
"""A signal that comes again so soon is the same (`timeout` sends it to the process and to its group): tidying up goes on."""


@dataclass(frozen=True)
class Entry:
    """Where a command stands, and its line in the overview."""

    target: str
    """module below `deploy.commands`, and the function or group in it"""
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "demo": Entry("demo:demo", "The whole system with a living district in it."),
    "up": Entry("up:up", "Kafka, MongoDB and the four services, until Ctrl-C."),
    "replay": Entry("replay:replay", "Feed a file of messages through the intake."),
    "link": Entry("link:link", "Link a file of messages into matters, offline."),
    "backtest": Entry("backtest:backtest", "Replay messages through linking and rules on event time."),
    "policy": Entry("policy:app", "Check policy files."),
    "classify": Entry("classify:app", "Train, use and evaluate the category classifier."),
    "clocks": Entry("clocks:clocks", "Obligations of a file of lifecycle events, offline."),
    "bench": Entry("bench:app", "Measure, print a table, write JSON."),
    "topics": Entry("topics:app", "Create the declared topics."),
    "dlq": Entry("dlq:app", "Dead letters: list, show, send again."),
    "progress": Entry("progress:app", "Where each consumer group stands."),
    "audit": Entry("audit:app", "Verify the audit log."),
    "secrets": Entry("secrets:app", "Make key and password files."),
}


class Commands(TyperGroup):
    """Loads a command when it is called: `fengqiao --help` is quick, and one that cannot load does not hinder the rest."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """A stand-in that knows its line in the overview."""
        entry = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help, short_help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> TyperCommand | TyperGroup:
    """Import a command."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    found: Any = getattr(import_module(f"deploy.commands.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
        alone.command(name)(found)
        return cast(TyperCommand, get_command(alone))
    group = get_group(found)
    group.name = name
    return group


app = typer.Typer(
    name="fengqiao",
    help="枫桥 Fengqiao: early warning and accountability for citizens' petitions.",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)


@app.callback()
def fengqiao() -> None:
    """枫桥 Fengqiao: early warning and accountability for citizens' petitions."""


def main() -> None:
    """Run the command line. What a person can mend (a file, a key, a server that is away) is one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Chinese
    _end_by_signals()
    try:
        app()
    except Exception as error:
        mendable = _mendable(error)
        if mendable is None:
            raise
        line, code = mendable
        print(f"fengqiao: {line}", file=sys.stderr)
        sys.exit(code)


def _end_by_signals() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, so that it tidies up. `up` and `demo` put their own in place."""
    last = -REPEAT_S

    def end(number: int, _: FrameType | None) -> None:
        nonlocal last
        before, last = last, monotonic()
        if last - before >= REPEAT_S:
            raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, end)


def _mendable(error: Exception) -> tuple[str, int] | None:
    """What to say, and the exit code: 2 where nothing was done."""
    from aiokafka.errors import KafkaConnectionError  # not before it is needed: `fengqiao --help` is quick

    from shared.keys import KeyMissingError
    from shared.mongo import is_unavailable

    if isinstance(error, KafkaConnectionError):
        return "Kafka does not answer; FENGQIAO_KAFKA names its bootstrap servers", 2
    if is_unavailable(error):
        return "MongoDB does not answer; FENGQIAO_MONGO names it", 2
    if isinstance(error, UnsupportedOperation) and "seekable" in str(error):
        return "an input is a pipe, which cannot be read from its beginning again; save it as a file and name that", 2
    if isinstance(error, KeyMissingError | OSError):
        return str(error), 1
    return None
