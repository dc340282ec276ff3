"""A command that is stopped ends at once and leaves nothing; what it cannot do it says before any work."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from aiokafka.errors import KafkaConnectionError

from deploy import cli
from deploy.outputs import check_outputs, writing
from shared.mongo import Unavailable
from tests.support.petitions import POLICY

ROW = {"id": 1, "petitioner": "p", "submitted_at": "2026-03-01T08:00:00Z", "title": "东湖小区停水", "text": "停水。"}
SLOW_COUNTIES = """
import os, sys, time
from pathlib import Path

def slow(county, messages, policies):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(60)

if __name__ == "__main__":
    from deploy import cli
    from deploy.backtest import runner

    runner.work = slow
    os.environ["PIDS"] = sys.argv.pop()
    cli.main()
"""
SLOW_WRITING = """
import time
from contextlib import contextmanager
from deploy import cli
from deploy.commands import link

real = link.writing

@contextmanager
def slow(path):
    with real(path) as file:
        file.write(b"half")
        print("writing", flush=True)
        time.sleep(60)
        yield file

link.writing = slow
cli.main()
"""


def messages(path: Path, counties: int = 1) -> Path:
    rows = [ROW | {"id": n, "jurisdiction": f"county-{n}"} for n in range(counties)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """A shell that runs the tests beside something else has them ignore Ctrl-C, and whatever they start inherits that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"  # nobody may have reaped it


@pytest.fixture
def replaying(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A backtest whose two workers are busy with the first of six counties, and their ids."""
    program, pids = tmp_path / "slow.py", tmp_path / "pids"
    program.write_text(SLOW_COUNTIES)
    pids.mkdir()
    source = messages(tmp_path / "m.jsonl", 6)
    given = ["backtest", source, "--policy", POLICY / "default.yaml", "--workers", "2", "--out", tmp_path / "f", pids]
    running = subprocess.Popen(
        [sys.executable, str(program), *map(str, given)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert until(lambda: len(list(pids.iterdir())) == 2 or running.poll() is not None, 30)
        yield running, [int(path.name) for path in pids.iterdir()]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


@pytest.mark.parametrize(
    ("send", "number", "code"),
    [
        (os.killpg, signal.SIGINT, 130),
        (os.kill, signal.SIGINT, 130),
        (os.kill, signal.SIGTERM, 143),
        (os.kill, signal.SIGHUP, 129),
        (os.kill, signal.SIGKILL, -9),
    ],
)
def test_a_backtest_that_is_stopped_ends_at_once_with_its_workers(
    replaying: tuple[subprocess.Popen[str], list[int]], send: Callable[[int, int], None], number: int, code: int
) -> None:
    running, workers = replaying
    assert len(workers) == 2
    send(running.pid, number)
    assert running.wait(30) == code
    assert until(lambda: not any(map(alive, workers)), 30)
    assert "Traceback" not in running.communicate(timeout=30)[1]


def test_a_worker_that_is_killed_is_told(replaying: tuple[subprocess.Popen[str], list[int]]) -> None:
    running, workers = replaying
    os.kill(workers[0], signal.SIGKILL)
    assert running.wait(30) == 1
    assert "worker" in running.communicate(timeout=30)[1]
    assert until(lambda: not any(map(alive, workers)), 30)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_nothing_half_written_stays(tmp_path: Path, number: int, code: int) -> None:
    assert stopped_while_writing(tmp_path, number) == code
    assert list((tmp_path / "out").iterdir()) == []


def test_nor_where_the_signal_comes_twice(tmp_path: Path) -> None:
    """As `timeout` sends it. The second may come when all is tidied up and the interpreter about to go."""
    assert stopped_while_writing(tmp_path, signal.SIGTERM, signal.SIGTERM) in {143, -signal.SIGTERM}
    assert list((tmp_path / "out").iterdir()) == []


def test_what_nohup_lets_go_on_goes_on(tmp_path: Path) -> None:
    assert stopped_while_writing(tmp_path, signal.SIGHUP, signal.SIGTERM, nohup=True) == 143


def stopped_while_writing(tmp_path: Path, *numbers: int, nohup: bool = False) -> int:
    (tmp_path / "out").mkdir()
    source = messages(tmp_path / "m.jsonl")
    command = [sys.executable, "-c", SLOW_WRITING, "link", str(source), "--out", str(tmp_path / "out" / "f")]
    if nohup:
        command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"writing\n"
            for number in numbers:
                running.send_signal(number)
                if nohup:
                    time.sleep(0.3)
            return running.wait(30)
        finally:
            running.kill()


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder that takes no new file."""
    if os.geteuid() == 0:
        if not Path("/proc/sys").is_dir():
            pytest.skip("no folder is closed to root here")
        return Path("/proc/sys")
    (tmp_path / "sealed").mkdir(mode=0o500)
    return tmp_path / "sealed"


@pytest.mark.parametrize("below", ["f.jsonl", "deeper/f.jsonl"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_that_takes_no_file_is_told_before_any_work(
    tmp_path: Path, sealed: Path, below: str, capsys: pytest.CaptureFixture[str], *, linked: bool
) -> None:
    path = sealed / below
    if linked:
        path = tmp_path / "link"
        path.symlink_to(sealed / below)
    with pytest.raises(typer.Exit) as ended:
        check_outputs({"--html": path})
    said = capsys.readouterr().err
    assert ended.value.exit_code == 2
    assert said.startswith(f"--html {path} cannot be written (") and ".partial" not in said


def test_a_name_that_is_too_long_likewise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / ("n" * 300), tmp_path / ("n" * 300) / "f", tmp_path / "new" / ("n" * 300)):
        with pytest.raises(typer.Exit):
            check_outputs({"--out": path})
        assert f"--out {path} cannot be written (" in capsys.readouterr().err


def test_the_look_at_a_folder_leaves_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    check_outputs({"--out": tmp_path / "there", "--html": tmp_path / "a" / "b" / "f"})
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "old"


def test_a_file_in_place_of_a_folder_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(typer.Exit):
        check_outputs({"--out": tmp_path / "file" / "f"})
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_file_that_is_meant_is_named_when_it_cannot_be_written(tmp_path: Path, sealed: Path) -> None:
    with pytest.raises(OSError, match=r"f\.jsonl") as error, writing(sealed / "f.jsonl"):
        pass
    assert ".partial" not in str(error.value)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "said"),
    [(Unavailable("x"), "MongoDB does not answer"), (KafkaConnectionError("x"), "Kafka does not answer")],
)
@pytest.mark.usefixtures("handlers")
def test_a_server_that_is_away_is_2(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> None:
        raise error

    monkeypatch.setattr(cli, "app", away)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"fengqiao: {said}")


def test_a_terminal_without_chinese_gets_help(tmp_path: Path) -> None:
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = ended(["--help"], env=os.environ | plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert "backtest" in done.stdout and "\\u67ab" in done.stdout


def test_a_pipe_is_no_message_file(tmp_path: Path) -> None:
    pipe = tmp_path / "m.jsonl"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["/bin/sh", "-c", f"echo '{{}}' > '{pipe}'"], stderr=subprocess.DEVNULL)
    try:
        done = ended(["link", str(pipe), "--out", str(tmp_path / "f")])
    finally:
        writer.kill()
        writer.wait()
    assert done.returncode == 2
    assert "pipe" in done.stderr and len(done.stderr.splitlines()) == 1


def ended(arguments: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from deploy.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)
