"""What a shell script hears from `link`, `backtest`, `clocks` and `replay` when rows of its file are bad."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from shared.events import encode
from tests.support.lifecycle import Story
from tests.support.petitions import POLICY

GOOD = {
    "id": 1,
    "petitioner": "p",
    "submitted_at": "2026-03-01T08:00:00Z",
    "title": "东湖小区停水",
    "text": "停水三天。",
}
LATER = GOOD | {"id": 2}
DOUBLED = GOOD | {"title": "另一件"}
UNTIMED = GOOD | {"id": 3, "submitted_at": "yesterday"}
ANCIENT = GOOD | {"id": 4, "submitted_at": "0001-01-01 00:00:00"}
MORE = {"link": [], "backtest": ["--policy", str(POLICY / "default.yaml")]}


def run(tmp_path: Path, command: str, rows: list[object], *more: str):
    source, out = tmp_path / "m.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = CliRunner().invoke(app, [command, str(source), "--out", str(out), *MORE[command], *more])
    return result, out


@pytest.mark.parametrize("command", ["link", "backtest"])
class TestMessages:
    def test_bad_rows_are_counted_and_the_others_go_on(self, tmp_path, command):
        result, out = run(tmp_path, command, [GOOD, DOUBLED, UNTIMED, ANCIENT, LATER])
        assert (result.exit_code, out.exists()) == (0, True), result.output
        lines = result.stderr.splitlines()
        assert lines[:4] == [
            "row 2: id-doubled: row 1 has the same id",
            "row 3: time-invalid: submitted_at is no date and time of 1949 to 2199",
            "row 4: time-invalid: submitted_at is no date and time of 1949 to 2199",
            "m.jsonl: 3 rows left out, 2 used",
        ]

    def test_strict_ends_with_1_and_writes_nothing(self, tmp_path, command):
        result, out = run(tmp_path, command, [GOOD, DOUBLED], "--strict")
        assert (result.exit_code, out.exists()) == (1, False)
        assert "m.jsonl: 1 rows left out, 1 used" in result.stderr
        result, out = run(tmp_path, command, [GOOD, LATER], "--strict")
        assert (result.exit_code, out.exists(), "left out" in result.stderr) == (0, True, False)

    @pytest.mark.parametrize("rows", [[UNTIMED], [UNTIMED, "text"], []])
    @pytest.mark.parametrize("strict", [[], ["--strict"]])
    def test_no_usable_row_is_2(self, tmp_path, command, rows, strict):
        result, out = run(tmp_path, command, rows, *strict)
        assert (result.exit_code, out.exists()) == (2, False)
        assert result.stderr.splitlines()[-1].startswith("m.jsonl: ")


def test_clocks_likewise(tmp_path):
    source, out = tmp_path / "events.jsonl", tmp_path / "out.jsonl"
    given = ["clocks", str(source), "--as-of", "2026-05-01", "--out", str(out)]
    source.write_bytes(b"{\n" + encode(Story().filed("2026-03-01")))
    strict = CliRunner().invoke(app, [*given, "--strict"])
    assert (strict.exit_code, out.exists()) == (1, False)
    assert CliRunner().invoke(app, given).exit_code == 0
    out.unlink()
    source.write_bytes(b"{\n{\n")
    none = CliRunner().invoke(app, given)
    assert (none.exit_code, out.exists()) == (2, False)
    assert "holds no event" in none.stderr


def test_replay_with_nothing_to_send_is_2(tmp_path):
    source = tmp_path / "m.jsonl"
    source.write_text(json.dumps(UNTIMED), encoding="utf-8")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        codes = [
            CliRunner().invoke(app, ["replay", str(source), "--url", url, *more]).exit_code
            for more in ([], ["--strict"])
        ]
    assert codes == [2, 1]
