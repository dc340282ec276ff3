"""One running part of the stack: a broker or a database, and what can be done to it."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.local.children import Children, end, signal_group
from deploy.local.errors import LocalStackError, log_tail


class Part(Protocol):
    """A part that was started here, or one that somebody else runs (`owned` is false: hands off)."""

    @property
    def name(self) -> str:
        """`kafka` or `mongod`."""

    @property
    def address(self) -> str:
        """Bootstrap server or URI; stays the same over a restart."""

    @property
    def how(self) -> str:
        """Which one was taken and why, one line."""

    @property
    def owned(self) -> bool:
        """Whether the part was started here."""

    @property
    def pid(self) -> int | None:
        """The id of its process on this machine; None where it has none here."""

    def alive(self) -> bool:
        """Whether it is running (a paused one is)."""

    def kill(self) -> None:
        """Kill it at once (SIGKILL) and leave its data as they are."""

    def restart(self) -> None:
        """Start it again, on the same port and data, and wait until it answers; one that still runs is killed first."""

    def revive(self) -> None:
        """Start it again as `restart` does, unless it runs."""

    def pause(self) -> None:
        """Stop its clock (SIGSTOP)."""

    def resume(self) -> None:
        """Let a paused one go on (SIGCONT)."""

    def stop(self, grace: float) -> None:
        """End it in order, within `grace` seconds, then by force."""


@dataclass
class ProcessPart:
    """A part that is a child process of ours."""

    name: str
    address: str
    how: str
    children: Children
    command: Sequence[str]
    log: Path
    # Returns once the part answers; gets a function that raises when the process has ended or time is up.
    wait: Callable[[Callable[[], None]], None]
    env: Mapping[str, str] | None = None
    timeout: float = 60.0
    owned: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _starting: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.process = self.children.spawn(self.command, log=self.log, env=self.env)
        until = time.monotonic() + self.timeout
        process = self.process

        def check() -> None:
            if process.poll() is not None:
                raise LocalStackError(self._trouble(f"ended with code {process.returncode} before it answered"))
            if time.monotonic() > until:
                raise LocalStackError(self._trouble(f"did not answer within {self.timeout:.0f} s"))

        self.wait(check)

    def _trouble(self, what: str) -> str:
        return (
            f"{self.name} {what}. The end of {self.log}:\n{log_tail(self.log)}\n"
            "  Free memory or disk, or give another directory with --state; "
            f"or name a running one in FENGQIAO_{'KAFKA' if self.name == 'kafka' else 'MONGO'}."
        )

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now or ran last."""
        return None if self.process is None else self.process.pid

    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken it away."""
        if self.process is not None:
            end([self.process], grace=0)

    def restart(self) -> None:
        """Kill what is left and start again on the same port and data."""
        with self._starting:
            self.kill()
            self.start()

    def revive(self) -> None:
        """Start again if it does not run; waits for a restart that somebody else is at."""
        with self._starting:
            if not self.alive():
                self.start()

    def pause(self) -> None:
        """SIGSTOP."""
        if self.process is not None:
            signal_group(self.process, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            signal_group(self.process, signal.SIGCONT)

    def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds."""
        if self.process is not None:
            end([self.process], grace)


@dataclass(frozen=True)
class ExternalPart:
    """A part that somebody else runs and the environment names."""

    name: str
    address: str
    how: str
    owned: bool = False
    pid: int | None = None

    def alive(self) -> bool:
        """Not ours to watch: taken as running."""
        return True

    def _refuse(self) -> None:
        raise LocalStackError(f"{self.name} at {self.address} was not started here and is left alone")

    def kill(self) -> None:
        """Refuse."""
        self._refuse()

    def restart(self) -> None:
        """Refuse."""
        self._refuse()

    def revive(self) -> None:
        """Refuse."""
        self._refuse()

    def pause(self) -> None:
        """Refuse."""
        self._refuse()

    def resume(self) -> None:
        """Refuse."""
        self._refuse()

    def stop(self, grace: float) -> None:
        """Leave it alone."""
