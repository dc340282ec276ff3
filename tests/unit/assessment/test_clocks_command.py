"""`fengqiao clocks`: a file of events in, a line an obligation out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from shared.events import encode
from tests.support.lifecycle import Story


def run(tmp_path: Path, lines: list[bytes], *more: str, as_of: str = "2026-05-01") -> tuple[list[dict[str, str]], str]:
    source, out = tmp_path / "events.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    result = CliRunner().invoke(app, ["clocks", str(source), "--as-of", as_of, "--out", str(out), *more])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], result.output


def test_a_petition_from_receipt_to_breach(tmp_path: Path) -> None:
    story = Story()
    story.filed("2026-02-27")
    story("assigned", "2026-02-28")
    story("accepted", "2026-03-01")
    rows, _ = run(tmp_path, [encode(e) for e in story.events])
    handle = next(r for r in rows if r["obligation"] == "HANDLE")
    assert handle | {"petition": "P1"} == handle
    assert {"petition", "obligation", "due", "state", "basis", "derivation"} <= set(handle)
    assert handle["due"] == "2026-04-30T23:59:59+08:00"
    assert handle["state"] == "breached"
    assert handle["derivation"] == "accepted 03-01 + 60 d (Art. 34) → 04-30"
    chinese, _ = run(tmp_path, [encode(e) for e in story.events], "--lang", "zh")
    assert next(r for r in chinese if r["obligation"] == "HANDLE")["derivation"] == "受理 03-01 + 60日（第34条）→ 04-30"


def test_bad_lines_are_numbered_and_the_others_go_on(tmp_path: Path) -> None:
    story = Story()
    good = encode(story.filed("2026-03-01"))
    far = json.loads(good)
    far["data"]["received_at"] = "9999-12-31T23:59:59Z"
    lines = [b"{", b"", good, b'{"type": "secret-13800138000"}', json.dumps(far).encode(), b"\xff\xfe", b"null"]
    rows, said = run(tmp_path, lines)
    assert [r["obligation"] for r in rows] == ["REG_TRANSFER"]
    for number in (1, 4, 5, 6, 7):
        assert f"line {number}: " in said
    assert "line 2" not in said
    assert "line 3" not in said
    assert "13800138000" not in said
    assert "5 bad lines" in said


def test_order_and_repetition_of_lines_change_nothing(tmp_path: Path) -> None:
    story = Story()
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", "2026-03-05")
    lines = [encode(e) for e in story.events]
    first, _ = run(tmp_path, lines)
    again, _ = run(tmp_path, [*reversed(lines), *lines])
    assert first == again


def test_a_moment_without_zone_is_beijing_and_a_day_means_its_end(tmp_path: Path) -> None:
    story = Story()
    lines = [encode(story.filed("2026-03-01"))]
    assert run(tmp_path, lines, as_of="2026-03-16")[0][0]["state"] == "due_soon"
    assert run(tmp_path, lines, as_of="2026-03-16T16:00:00Z")[0][0]["state"] == "breached"
    assert run(tmp_path, lines, as_of="2026-03-17T00:00:00")[0][0]["state"] == "breached"


@pytest.mark.parametrize("day", ["2026-03-01", "20260301", "2026-W09-7"])
def test_a_day_in_any_form_means_its_end(tmp_path: Path, day: str) -> None:
    lines = [encode(Story().filed("2026-03-01T10:00:00+08:00"))]
    assert [row["state"] for row in run(tmp_path, lines, as_of=day)[0]] == ["pending"]
    assert run(tmp_path, lines, as_of=f"{day}T00:00")[0] == []


def test_a_byte_order_mark_takes_no_event(tmp_path: Path) -> None:
    lines = [encode(Story().filed("2026-03-01T10:00:00+08:00"))]
    assert run(tmp_path, [b"\xef\xbb\xbf" + lines[0]])[0] == run(tmp_path, lines)[0] != []


@pytest.mark.parametrize("bad", ["yesterday", "2026-13-01", "0001-01-01", "2026-W09", "2026W09"])
def test_a_moment_that_is_none_is_refused(tmp_path: Path, bad: str) -> None:
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"")
    result = CliRunner().invoke(app, ["clocks", str(source), "--as-of", bad, "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_an_event_is_refused(tmp_path: Path, content: bytes) -> None:
    source, out = tmp_path / "events.jsonl", tmp_path / "o"
    source.write_bytes(content)
    result = CliRunner().invoke(app, ["clocks", str(source), "--as-of", "2026-01-01", "--out", str(out)])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [f"{source} holds no event; each line is a CloudEvent of petition.events.v1"]
    assert list(tmp_path.iterdir()) == [source]


def test_bad_rules_are_named(tmp_path: Path) -> None:
    source, rules = tmp_path / "events.jsonl", tmp_path / "rules.yaml"
    source.write_bytes(b"")
    rules.write_text("id: x\n", encoding="utf-8")
    result = CliRunner().invoke(
        app, ["clocks", str(source), "--as-of", "2026-01-01", "--out", str(tmp_path / "o"), "--rules", str(rules)]
    )
    assert result.exit_code == 2
    assert "rules.yaml" in result.output.replace("\n", "")
