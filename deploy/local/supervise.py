"""The stack and the four services under one roof: started, watched, started again when they die, ended together."""

import contextlib
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from deploy.local import ports
from deploy.local.children import end, signal_group
from deploy.local.choose import without_password
from deploy.local.errors import LocalStackError, log_tail
from deploy.local.parts import Part
from deploy.local.stack import Stack, running

SERVICES = ("intake", "screening", "alerts", "assessment")
GRACE = 6.0  # seconds the services have to end by themselves
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0  # seconds before a dead one is started again; doubles each time
_SETTLED = 10.0  # seconds after which a run counts as a good one
_TRIES = 5  # deaths in a row before the service was ever healthy that end the attempt
_POLL = 0.05

Say = Callable[[str], None]


def module_command(name: str) -> list[str]:
    """Return the command that runs a service."""
    return [sys.executable, "-m", f"services.{name}"]


def _apply_topics(bootstrap: str) -> Any:
    from deploy.commands.topics import apply_topics

    return apply_topics(bootstrap)


def _demo_tokens(secrets: Path) -> Mapping[str, str]:
    from shared.access import demo_tokens

    return demo_tokens(secrets)


class Supervisor:
    """Runs Kafka, MongoDB and the services for the length of a `with` block; entering returns once all are healthy.

    `say` gets a line for whatever its user should know. `command`, `topics` and `tokens` stand in for the real services,
    topics and tokens; `environment` is added to what the services are told. Raises LocalStackError, which says what to do.
    """

    def __init__(
        self,
        state: Path,
        *,
        services: Sequence[str] = SERVICES,
        prefer: str = "auto",
        ready_file: Path | None = None,
        quiet: bool = False,
        reuse: bool = True,
        say: Say = lambda line: None,
        command: Callable[[str], Sequence[str]] = module_command,
        topics: Callable[[str], Any] = _apply_topics,
        tokens: Callable[[Path], Mapping[str, str]] = _demo_tokens,
        environment: Mapping[str, str] | None = None,
        patience: float = 120.0,
    ) -> None:
        self.state = state.resolve()
        self.services = tuple(services)
        self.ready_file = ready_file
        self.secrets = self.state / "secrets"
        self.failure: LocalStackError | None = None
        self._options: dict[str, Any] = {"prefer": prefer, "quiet": quiet, "reuse": reuse}
        self._say = say
        self._command = command
        self._topics = topics
        self._make_tokens = tokens
        self._environment = dict(environment or {})
        self._patience = patience
        self._at_end = contextlib.ExitStack()
        self._stack: Stack | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._healthy_once: set[str] = set()
        self._tokens: dict[str, str] = {}
        self._holds = self._ready = False
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._watchers: list[threading.Thread] = []

    @property
    def stack(self) -> Stack:
        """The Kafka and MongoDB of this run."""
        if self._stack is None:
            raise LocalStackError("the stack is not running")
        return self._stack

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name: `kafka`, `mongod` (those started here) and the services."""
        found = {part.name: part.pid for part in self.stack.parts if part.owned}
        found |= {name: process.pid for name, process in self._processes.items()}
        return {name: pid for name, pid in found.items() if pid is not None}

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file holds: addresses, process ids, tokens by role."""
        return {
            "kafka": self.stack.kafka,
            "mongo": self.stack.mongo,
            **{name: self.url(name) for name in self.services},
            "pids": self.pids,
            "tokens": self._tokens,
        }

    def url(self, service: str) -> str:
        """Return the base URL of a service."""
        return f"http://{ports.HOST}:{self.stack.ports[service]}"

    def log(self, service: str) -> Path:
        """Return the file that a service's output goes to."""
        return self.state / "logs" / f"{service}.log"

    def kill(self, service: str) -> None:
        """Kill a service at once (SIGKILL); it is started again."""
        signal_group(self._processes[service], 9)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, seconds: float | None = None) -> None:
        """Block until `stop` is called, `seconds` are over or a service is given up (raises LocalStackError)."""
        self._over.wait(seconds)
        if self.failure is not None:
            raise self.failure

    def _start(self) -> None:
        self._stack = self._at_end.enter_context(
            running(self.state, **self._options, more_ports=self.services, when_held=self._take_over)
        )
        self._say(f"Kafka    {self.stack.kafka}  {self.stack.kafka_how}")
        self._say(f"MongoDB  {without_password(self.stack.mongo)}  {self.stack.mongo_how}")
        if not self.stack.idempotent:
            self._say("this broker has no idempotent producer: the services publish without it")
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
        self._tokens = dict(self._make_tokens(self.secrets))
        applied = self._topics(self.stack.kafka)
        if inspect.isawaitable(applied):
            import asyncio

            async def finish() -> None:
                await applied

            asyncio.run(finish())
        for part in self.stack.parts:
            if part.owned:
                self._watch(part.name, self._watch_part, part)
        for name in self.services:
            self._spawn(name)
            self._watch(name, self._watch_service, name)
        self._until_healthy()
        self._ready = True
        self._write()

    def _take_over(self) -> None:
        self._holds = True
        self._forget()  # what stands there names processes that are gone

    def _forget(self) -> None:
        # Until this run holds the state the file may be that of a run that goes on.
        if self._holds and self.ready_file is not None:
            self.ready_file.unlink(missing_ok=True)

    def _watch(self, name: str, target: Callable[..., None], argument: object) -> None:
        thread = threading.Thread(target=target, args=(argument,), name=f"watch-{name}", daemon=True)
        self._watchers.append(thread)
        thread.start()

    def _spawn(self, name: str) -> None:
        told = {
            "FENGQIAO_HOST": ports.HOST,
            "FENGQIAO_PORT": str(self.stack.ports[name]),
            "FENGQIAO_ENV": "demo",
            "FENGQIAO_INSTANCE": f"{name}-0",
            "FENGQIAO_SECRETS": str(self.secrets),
            "PYTHONUNBUFFERED": "1",
            **{f"FENGQIAO_{each.upper()}_URL": self.url(each) for each in self.services},
        }
        self._processes[name] = self.stack.children.spawn(
            self._command(name), log=self.log(name), env=self.stack.environment() | told | self._environment
        )

    def _until_healthy(self) -> None:
        until = time.monotonic() + self._patience
        waiting = list(self.services)
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while waiting:
                for name in list(waiting):
                    if self._healthy(client, name):
                        self._healthy_once.add(name)
                        waiting.remove(name)
                if self.failure is not None:
                    raise self.failure
                if waiting and time.monotonic() > until:
                    name = waiting[0]
                    raise LocalStackError(self._trouble(name, f"is not healthy after {self._patience:.0f} s"))
                if waiting and self._over.wait(_POLL):
                    raise self.failure or LocalStackError("stopped while the services were starting")

    def _healthy(self, client: httpx.Client, name: str) -> bool:
        try:
            return client.get(f"{self.url(name)}/health").status_code == 200
        except httpx.HTTPError:
            return False

    def _trouble(self, name: str, what: str) -> str:
        return f"the service {name} {what}. The end of {self.log(name)}:\n{log_tail(self.log(name))}"

    def _watch_service(self, name: str) -> None:
        delay, deaths, started = _FIRST_DELAY, 0, time.monotonic()
        while not self._over.wait(_POLL):
            code = self._processes[name].poll()
            if code is None:
                continue
            signal_group(self._processes[name], 9)  # what it had started itself
            deaths += 1
            if time.monotonic() - started > _SETTLED:
                delay = _FIRST_DELAY
            if name not in self._healthy_once and deaths >= _TRIES:
                self.failure = LocalStackError(self._trouble(name, f"died {deaths} times before it was healthy"))
                self._over.set()
                return
            self._say(f"{name} ended ({_ending(code)}); starting it again")
            if self._over.wait(delay):
                return
            delay = min(delay * 2, _LONGEST_DELAY)
            started = time.monotonic()
            try:
                self._spawn(name)
            except LocalStackError:  # the stack is being closed
                return
            self._write()

    def _watch_part(self, part: Part) -> None:
        delay = _FIRST_DELAY
        while not self._over.wait(_POLL):
            if part.alive():
                continue
            self._say(f"{part.name} ended; starting it again on the same port and data")
            try:
                part.revive()
            except LocalStackError as error:
                if self._over.is_set():
                    return
                self._say(str(error))
                self._over.wait(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
                continue
            delay = _FIRST_DELAY
            self._say(f"{part.name} is up again")
            self._write()

    def _write(self) -> None:
        if self.ready_file is None or not self._ready:
            return
        with self._writing:
            if self._over.is_set():
                return
            self.ready_file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.ready_file.with_name(f".{self.ready_file.name}.{os.getpid()}")
            draft.unlink(missing_ok=True)
            # It holds tokens: nobody else may read it, not even for a moment.
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(self.ready, file, indent=1)
            draft.replace(self.ready_file)

    def hurry(self) -> None:
        """Kill everything at once; for a user who cannot wait for `stop`."""
        self._over.set()
        if self._stack is not None:
            self._stack.children.close()

    def stop(self) -> None:
        """End the services, then Kafka and MongoDB, within 10 s; their data stay. May be called twice."""
        self._over.set()
        with self._writing:
            self._forget()
            self._holds = False  # a second call comes when the next run may be there already
        end(list(self._processes.values()), GRACE)
        self._at_end.close()
        for watcher in self._watchers:
            watcher.join(1.0)
        self._watchers.clear()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"
