"""Children end with their parent, whatever ends it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from deploy.local.children import Children, end
from deploy.local.errors import LocalStackError

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
# A child that starts a grandchild and prints its id.
FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print('grandchild', p.pid, flush=True); time.sleep(600)",
]
PARENT = """
import sys, time
from pathlib import Path
from deploy.local.children import Children
log = Path(sys.argv[1])
child = Children().spawn(sys.argv[2:], log=log)
print(child.pid, flush=True)
time.sleep(600)
"""


def until(condition, seconds=20.0):
    """Wait for a condition; tell whether it came true."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def word_of(log: Path, word: str) -> str | None:
    if not log.exists():
        return None
    return next((line.split()[-1] for line in log.read_text().splitlines() if line.startswith(word)), None)


@pytest.fixture
def children():
    made = Children()
    yield made
    made.close()


def test_output_goes_to_the_log_and_is_appended(children, tmp_path):
    log = tmp_path / "logs" / "x.log"
    for word in ("first", "second"):
        assert children.spawn(["echo", word], log=log).wait(20) == 0
    assert log.read_text() == "first\nsecond\n"


def test_close_ends_children_and_grandchildren(children, tmp_path):
    log = tmp_path / "family.log"
    child = children.spawn(FAMILY, log=log)
    assert until(lambda: word_of(log, "grandchild"))
    children.close()
    assert child.returncode == -signal.SIGKILL
    assert until(lambda: gone(int(word_of(log, "grandchild"))))


def test_nothing_starts_after_close(children, tmp_path):
    children.close()
    with pytest.raises(LocalStackError):
        children.spawn(SLEEP, log=tmp_path / "x.log")


def test_a_child_survives_the_thread_that_started_it(children, tmp_path):
    started = []
    thread = threading.Thread(target=lambda: started.append(children.spawn(SLEEP, log=tmp_path / "x.log")))
    thread.start()
    thread.join()
    assert until(lambda: word_of(tmp_path / "x.log", "up"))  # the kernel's request is in place by now
    threading.Thread(target=lambda: None).start()
    with pytest.raises(subprocess.TimeoutExpired):
        started[0].wait(0.3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_takes_children_and_grandchildren_along(tmp_path, number):
    log = tmp_path / "family.log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log), *FAMILY], stdout=subprocess.PIPE, text=True)
    try:
        child = int(parent.stdout.readline())
        assert until(lambda: word_of(log, "grandchild"))
        grandchild = int(word_of(log, "grandchild"))
        assert not gone(child)
        assert not gone(grandchild)
    finally:
        parent.send_signal(number)
        parent.wait()
        parent.stdout.close()
    assert until(lambda: gone(child))
    assert until(lambda: gone(grandchild))


def test_the_guardian_alone_is_enough(children, tmp_path):
    """Where the kernel has no PDEATHSIG the pipe does it: here it closes while the child's real parent lives on."""
    child = children.spawn(SLEEP, log=tmp_path / "x.log")
    guardian = children._guardian
    guardian.stdin.close()
    assert child.wait(20) == -signal.SIGKILL
    guardian.wait()


def test_the_guardian_runs_what_is_left_for_it(children, tmp_path):
    mark = tmp_path / "mark"
    children.at_death(["touch", str(mark)])
    assert not mark.exists()
    children.close()
    assert mark.exists()


def test_end_gives_the_orderly_time_and_kills_the_stubborn(children, tmp_path):
    orderly = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(600)"
    )
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    logs = [tmp_path / "a.log", tmp_path / "b.log", tmp_path / "c.log"]
    programs = [
        children.spawn([sys.executable, "-c", code], log=log)
        for code, log in zip((orderly, stubborn, orderly), logs, strict=True)
    ]
    assert until(lambda: all(word_of(log, "up") for log in logs))
    os.kill(programs[2].pid, signal.SIGSTOP)  # a paused one still ends in order
    end(programs, grace=0.9)
    assert [p.returncode for p in programs] == [7, -signal.SIGKILL, 7]


def test_a_command_that_is_not_there_says_so_in_the_log(children, tmp_path):
    log = tmp_path / "x.log"
    assert children.spawn(["/nowhere/at/all"], log=log).wait(20) == 127
    assert "/nowhere/at/all" in log.read_text()


def test_a_long_log_is_set_aside(children, tmp_path, monkeypatch):
    monkeypatch.setattr("deploy.local.children._LOG_LIMIT", 10)
    log = tmp_path / "x.log"
    log.write_text("more than ten bytes\n")
    children.spawn(["echo", "new"], log=log).wait(20)
    assert log.read_text() == "new\n"
    assert (tmp_path / "x.log.1").read_text() == "more than ten bytes\n"
