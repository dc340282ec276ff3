"""`fengqiao replay`: pace, what is sent for a row, patience while the intake is away, and what it says at the end."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.cli import app as cli
from deploy.commands import replay
from deploy.commands.replay import Outcome, Pace, Sender, address_of, feed, request_of, table
from shared.messages import BadRow, Message

AT = datetime(2019, 2, 28, 3, 25, 5, tzinfo=UTC)


def message(row: int = 1, **changes: object) -> Message:
    return Message(
        **{
            "row": row,
            "id": str(row),
            "petitioner": "A1",
            "submitted_at": AT,
            "title": "标题",
            "text": "内容",
            **changes,
        }
    )  # type: ignore[arg-type]


def test_speeds() -> None:
    first, later = message(1), message(2, submitted_at=AT + timedelta(hours=1))
    assert Pace.parse("max").due(7, later, first) == 0
    assert Pace.parse("50").due(100, later, first) == 2
    assert Pace.parse("3600x").due(1, later, first) == 1
    for text in ("0", "-1", "fast", "0x", "nan"):
        with pytest.raises(ValueError, match=r"speed|float"):
            Pace.parse(text)


def test_a_row_is_one_request_whoever_sends_it() -> None:
    key, body = request_of(message(), channel="letter", jurisdiction="379911", name="f")
    assert body == {
        "channel": "letter",
        "jurisdiction": "379911",
        "title": "标题",
        "text": "内容",
        "submitted_at": "2019-02-28T03:25:05+00:00",
        "petitioner_ref": "A1",
    }
    assert request_of(message(), channel="letter", jurisdiction="379911", name="f")[0] == key
    assert request_of(message(2), channel="letter", jurisdiction="379911", name="f")[0] != key
    assert request_of(message(), channel="letter", jurisdiction="379911", name="g")[0] != key
    elsewhere = message(jurisdiction="430102", petitioner="")
    assert "petitioner_ref" not in request_of(elsewhere, channel="letter", jurisdiction="379911", name="f")[1]
    assert request_of(elsewhere, channel="letter", jurisdiction="379911", name="f")[1]["jurisdiction"] == "430102"


async def sent(answers: list[httpx.Response | Exception], rows: int = 1) -> tuple[Outcome, int]:
    waiting = iter(answers)
    asked = 0

    def reply(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        answer = next(waiting)
        if isinstance(answer, Exception):
            raise answer
        return answer

    outcome = Outcome()
    async with httpx.AsyncClient(base_url="http://intake", transport=httpx.MockTransport(reply)) as client:
        sender = Sender([client], outcome, lambda: None)
        for row in range(rows):
            await sender.send(row + 1, f"k{row}", {"title": "标题"})
    return outcome, asked


async def test_it_waits_while_the_intake_is_away() -> None:
    answers = [httpx.ConnectError("gone"), httpx.Response(503), httpx.Response(429), httpx.Response(201)]
    outcome, asked = await sent(answers)
    assert (outcome.accepted, outcome.failed, asked) == (1, [], 4)


async def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PATIENCE_S", 0.01)
    outcome, _ = await sent([httpx.ConnectError("gone")] * 20)
    assert outcome.failed == [(1, "ConnectError")]


async def test_answers_are_told_apart() -> None:
    problem = {"code": "text-invalid", "detail": "no text"}
    answers = [
        httpx.Response(201),
        httpx.Response(201, headers={"idempotent-replayed": "true"}),
        httpx.Response(422, json=problem),
        httpx.Response(404, text="?"),
    ]
    outcome, _ = await sent(answers, rows=4)
    assert (outcome.accepted, outcome.duplicates, outcome.done) == (1, 1, 4)
    assert [(row, code) for row, code, _ in outcome.rejected] == [(3, "text-invalid"), (4, "http-404")]


async def test_no_more_are_under_way_than_told() -> None:
    under_way = most = 0

    async def send(_row: int, _message: Message) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    outcome = Outcome()
    rows = [message(n) if n != 5 else BadRow(5, "not-json", "no JSON") for n in range(1, 40)]
    await feed(rows, send, outcome, Pace(), 4)
    assert most == 4
    assert outcome.rejected == [(5, "not-json", "no JSON")]


def test_the_table_names_reasons_and_rows() -> None:
    outcome = Outcome(accepted=3, duplicates=1, rejected=[(n, "text-invalid", "no text") for n in range(30)], seconds=2)
    outcome.failed.append((99, "ConnectError"))
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table(outcome))
    said = capture.get()
    for part in ("35 rows in 2.0 s", "accepted", "text-invalid: no text", "0, 1, 2", "…", "no answer", "99"):
        assert part in said


def test_where_the_intake_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENGQIAO_INTAKE_URL", "http://env")
    ready = tmp_path / "ready.json"
    assert address_of("", ready) == "http://env"
    ready.write_text(json.dumps({"intake": "http://ready"}), encoding="utf-8")
    assert address_of("", ready) == "http://ready"
    assert address_of("http://told", ready) == "http://told"


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("m.jsonl", b"", [], "no bytes"),
        ("m.doc", b"x", [], "ends in"),
        ("m.csv", b"a,b\n", [], "no column for"),
        ("m.jsonl", b"{}", ["--speed", "fast"], "fast"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    tmp_path: Path, name: str, content: bytes, options: list[str], said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    result = CliRunner().invoke(cli, ["replay", str(file), "--url", "http://127.0.0.1:1", *options])
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_no_intake_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FENGQIAO_INTAKE_URL", raising=False)
    file = tmp_path / "m.jsonl"
    file.write_bytes(orjson.dumps({}))
    result = CliRunner().invoke(cli, ["replay", str(file), "--ready-file", str(tmp_path / "none.json")])
    assert result.exit_code == 2
    assert "fengqiao up" in result.output


def test_messages_go_in_the_order_of_their_time_whatever_the_order_of_the_file() -> None:
    rows = [message(1, submitted_at=AT), message(2, submitted_at=AT - timedelta(days=1)), BadRow(3, "not-json", "")]
    assert [row.row for row in replay.in_time_order(rows)] == [3, 2, 1]
