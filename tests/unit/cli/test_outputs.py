"""What stands where a command writes: links are followed, pipes written to, inputs and other outputs never lost."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import app
from deploy.outputs import check_outputs, drafted, writing
from shared.events import encode
from tests.support.lifecycle import Story
from tests.support.petitions import POLICY

ROW = {"id": 1, "petitioner": "p", "submitted_at": "2026-03-01T08:00:00Z", "title": "东湖小区停水", "text": "停水。"}
RULES = str(POLICY / "default.yaml")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode(Story().filed("2026-03-01")) + b"\n")
    return path


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 2, result.output
    return result.stderr


def read_from(fifo: Path) -> tuple[threading.Thread, list[bytes]]:
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    return reader, got


def given(command: str, source: Path, events: Path, *rest: str | Path) -> list[str]:
    more = {"link": [source], "backtest": [source, "--policy", RULES], "clocks": [events, "--as-of", "2026-05-01"]}
    return [command, *map(str, (*more[command], *rest))]


@pytest.mark.parametrize("command", ["link", "backtest", "clocks"])
class TestEveryCommand:
    def test_follows_a_link(self, tmp_path: Path, source: Path, events: Path, command: str) -> None:
        (tmp_path / "far").mkdir()
        link, target = tmp_path / "out.jsonl", tmp_path / "far" / "real.jsonl"
        link.symlink_to(target)
        for _ in range(2):  # the link dangles at first
            assert CliRunner().invoke(app, given(command, source, events, "--out", link)).exit_code == 0
            assert (link.is_symlink(), target.is_file()) == (True, True)
        assert [one.name for one in target.parent.iterdir()] == ["real.jsonl"]

    def test_writes_into_a_pipe(self, tmp_path: Path, source: Path, events: Path, command: str) -> None:
        reader, got = read_from(tmp_path / "pipe")
        result = CliRunner().invoke(app, given(command, source, events, "--out", tmp_path / "pipe"))
        kept = stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
        assert (result.exit_code, kept) == (0, True), result.output
        reader.join(10)
        assert all(json.loads(line) for line in got[0].splitlines())

    def test_does_not_lose_its_input(self, tmp_path: Path, source: Path, events: Path, command: str) -> None:
        before = source.read_bytes(), events.read_bytes()
        other = tmp_path / "other"
        other.symlink_to(events if command == "clocks" else source)
        for out in (events if command == "clocks" else source, other):
            assert "is an input of this command" in refused(*given(command, source, events, "--out", out))
        assert (source.read_bytes(), events.read_bytes()) == before
        assert other.is_symlink()


@pytest.mark.parametrize("option", ["--events", "--html"])
def test_one_file_for_two_outputs_is_refused(tmp_path: Path, source: Path, option: str) -> None:
    out = tmp_path / "x"
    said = refused("backtest", source, "--policy", RULES, "--out", out, option, tmp_path / "." / "x")
    assert said.splitlines() == [f"{option} {out} is written by --out too; name a file for each"]
    assert not out.exists()


def test_a_policy_is_not_lost_either(tmp_path: Path, source: Path) -> None:
    (tmp_path / "policies").mkdir()
    policy = tmp_path / "policies" / "p.yaml"
    policy.write_bytes(Path(RULES).read_bytes())
    for named in (policy, policy.parent):
        assert "is an input" in refused("backtest", source, "--policy", named, "--out", policy)


def test_what_was_written_to_stdout_stays(tmp_path: Path, source: Path) -> None:
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    code = "from deploy.cli import main; main()"
    with (tmp_path / "log").open("wb") as log:
        log.write(b"before\n")
        log.flush()
        done = subprocess.run(
            [sys.executable, "-c", code, "link", str(source), "--out", str(tmp_path / "stdout")],
            stdout=log,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / "log").read_bytes().splitlines()
    assert (first, json.loads(second)["id"]) == (b"before", 1)


def test_nothing_half_written_stays_and_permissions_do(tmp_path: Path) -> None:
    out = tmp_path / "f"
    out.write_text("old")
    out.chmod(0o600)
    with pytest.raises(ZeroDivisionError), writing(out) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert (out.read_text(), list(tmp_path.iterdir())) == ("old", [out])
    with writing(out) as file:
        file.write(b"new")
    assert (out.read_text(), stat.S_IMODE(out.stat().st_mode)) == ("new", 0o600)


def test_a_draft_hands_on_its_permissions(tmp_path: Path) -> None:
    with drafted(tmp_path / "new" / "f") as draft:
        draft.write_text("x")
        draft.chmod(0o640)
    assert (tmp_path / "new" / "f").read_text() == "x"
    assert stat.S_IMODE((tmp_path / "new" / "f").stat().st_mode) == 0o640


def test_the_null_device_takes_any_number_of_outputs(source: Path) -> None:
    check_outputs({"--out": Path(os.devnull), "--html": Path(os.devnull)}, source)


def test_a_link_to_itself_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(typer.Exit):
        check_outputs({"--out": tmp_path / "loop"})
    assert "cannot be written" in capsys.readouterr().err
