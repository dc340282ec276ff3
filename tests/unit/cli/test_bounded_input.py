"""What no file and no option may say ends with a word, not with a traceback."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from deploy.cli import app

POLICY = Path(__file__).resolve().parents[3] / "deploy" / "policy" / "default.yaml"
HEAD = "id,petitioner,submitted_at,title,text,channel,headcount,representatives\n"


def row(id: int, headcount: str, representatives: str = "") -> str:
    told = "翠湖花园漏水,翠湖花园小区地下车库长期漏水"
    return f"{id},p{id},2026-03-02 09:0{id},{told},visit,{headcount},{representatives}\n"


def run(folder: Path, text: str, *more: str) -> tuple[int, str, list[dict[str, object]]]:
    source, out = folder / "m.csv", folder / "f.jsonl"
    source.write_text(HEAD + text, encoding="utf-8")
    done = CliRunner().invoke(app, ["backtest", str(source), "--policy", str(POLICY), "--out", str(out), *more])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return (
        done.exit_code,
        done.output,
        [orjson.loads(line) for line in out.read_bytes().splitlines()] if out.exists() else [],
    )


@pytest.mark.parametrize("count", ["9" * 5000, "9" * 400, "100001", "٩" * 400])
@pytest.mark.parametrize("column", ["headcount", "representatives"])
def test_a_count_that_no_petition_has_is_a_bad_row(tmp_path: Path, count: str, column: str) -> None:
    bad = row(2, count) if column == "headcount" else row(2, "6", count)
    code, said, flags = run(tmp_path, row(1, "7") + bad)
    assert code == 0
    assert f"row 2: {column}-invalid: {column} is a whole number of at most 100000" in said.replace("row 3", "row 2")
    assert "1 rows left out, 1 used" in said
    assert [flag["ids"] for flag in flags] == [["1"]]


def test_it_is_one_of_the_rows_that_strict_refuses(tmp_path: Path) -> None:
    code, said, flags = run(tmp_path, row(1, "7") + row(2, "9" * 400), "--strict")
    assert (code, flags) == (1, [])
    assert "nothing was written" in said


@pytest.mark.parametrize("count", ["100000", "0", "", "several", "-3"])
def test_others_are_used_as_before(tmp_path: Path, count: str) -> None:
    code, said, _ = run(tmp_path, row(1, count))
    assert code == 0
    assert "left out" not in said


@pytest.mark.parametrize("days", ["9999999999", "36601", "0"])
def test_a_window_longer_than_any_file_is_refused(tmp_path: Path, days: str) -> None:
    source, out = tmp_path / "m.csv", tmp_path / "o.jsonl"
    source.write_text(HEAD + row(1, "7"), encoding="utf-8")
    done = CliRunner().invoke(app, ["link", str(source), "--out", str(out), "--window", days])
    assert done.exit_code == 2
    assert "--window" in done.output
    assert not out.exists()


def test_the_longest_window_links(tmp_path: Path) -> None:
    source, out = tmp_path / "m.csv", tmp_path / "o.jsonl"
    source.write_text(HEAD + row(1, "7"), encoding="utf-8")
    done = CliRunner().invoke(app, ["link", str(source), "--out", str(out), "--window", "36600"])
    assert done.exit_code == 0
    assert out.read_bytes().count(b"\n") == 1
