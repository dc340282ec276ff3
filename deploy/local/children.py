"""Child processes that end when their parent ends, however it ends.

On Linux the kernel kills each child at the parent's death (PR_SET_PDEATHSIG). A guardian process kills the process
groups, so that grandchildren go too; elsewhere it does the whole work.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from deploy.local.errors import LocalStackError

_GUARDIAN = str(Path(__file__).with_name("guardian.py"))
_LOG_LIMIT = 50 * 1024 * 1024  # bytes; a longer log is set aside (.1) at the next start of its part
# What asks the kernel for PDEATHSIG is a thread: a child dies when the *thread* that started it ends. So one thread,
# which lives as long as the process, starts them all.
_jobs: "queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]"
_jobs = queue.SimpleQueue()
_starter: threading.Thread | None = None
_starter_lock = threading.Lock()


def _serve_starts() -> None:
    while True:
        job, answer = _jobs.get()
        try:
            answer.set_result(job())
        except BaseException as error:  # handed to the caller, who raises it
            answer.set_exception(error)


def _in_starter(job: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    global _starter
    with _starter_lock:
        if _starter is None or not _starter.is_alive():
            _starter = threading.Thread(target=_serve_starts, name="starter", daemon=True)
            _starter.start()
    answer: Future[subprocess.Popen[bytes]] = Future()
    _jobs.put((job, answer))
    return answer.result()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a child and all that it started; nothing happens if they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class Children:
    """The child processes of one stack. Thread-safe; `close` kills what is left."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may close while its own thread is in here
        self._closed = False
        self._living: list[subprocess.Popen[bytes]] = []
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called; nothing starts any more."""
        return self._closed

    def spawn(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `command` in a process group of its own; its output is appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(log.suffix + ".1"))
        wrapped = [sys.executable, "-I", "-S", _GUARDIAN, "exec", str(os.getpid()), *command]
        with log.open("ab") as out, self._lock:
            if self._closed:
                raise LocalStackError("the stack is being stopped")

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    wrapped,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    start_new_session=True,
                )

            process = _in_starter(start)
            for gone in [p for p in self._living if p.poll() is not None]:
                self._living.remove(gone)
                self._tell(f"-{gone.pid}")
            self._living.append(process)
            self._tell(f"+{process.pid}")
        return process

    def at_death(self, command: Sequence[str]) -> None:
        """Have the guardian run `command` once the parent is gone (to remove a container, for example)."""
        with self._lock:
            self._tell("!" + json.dumps(list(command)))

    def close(self, grace: float = 0.0) -> None:
        """End every child: SIGTERM, up to `grace` seconds, SIGKILL. Nothing starts afterwards."""
        with self._lock:
            self._closed = True
            living = [p for p in self._living if p.poll() is None]
        end(living, grace)
        with self._lock:
            if self._guardian is not None and self._guardian.stdin is not None:
                with contextlib.suppress(OSError):
                    self._guardian.stdin.close()
                self._guardian.wait()
                self._guardian = None

    def _tell(self, line: str) -> None:
        if self._guardian is None or self._guardian.poll() is not None:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", _GUARDIAN, "watch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            line = "\n".join([*(f"+{p.pid}" for p in self._living if p.poll() is None), line])
        assert self._guardian.stdin is not None
        with contextlib.suppress(OSError):
            self._guardian.stdin.write(line.encode() + b"\n")
            self._guardian.stdin.flush()


def end(processes: Sequence[subprocess.Popen[bytes]], grace: float) -> None:
    """End processes together: SIGTERM, up to `grace` seconds, SIGKILL for the group of each; reap them."""
    for process in processes:
        signal_group(process, signal.SIGCONT)  # a paused one could not act on SIGTERM
        if grace > 0:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
    until = time.monotonic() + grace
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
        signal_group(process, signal.SIGKILL)
    for process in processes:
        process.wait()
