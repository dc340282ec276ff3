"""What `fengqiao dlq` prints: whole, as it came, and without people's numbers."""

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.commands import dlq

TOPIC = "petition.events.v1.screening.dlq"
SYSTEM = [
    ("dlq-reason", b"not-json"),
    ("dlq-orig-topic", b"petition.events.v1"),
    ("dlq-orig-partition", b"3"),
    ("dlq-orig-offset", b"123456"),
    ("dlq-orig-timestamp-ms", b"1790000000000"),
    ("dlq-failed-at", b"2026-07-17T08:00:00.123456+00:00"),
]


def call(monkeypatch: pytest.MonkeyPatch, value: bytes | None, headers: list[tuple[str, Any]], *words: str) -> str:
    async def collected(*_: object) -> list[Any]:
        return [SimpleNamespace(topic=TOPIC, offset=1234567, headers=[*SYSTEM, *headers], value=value)]

    monkeypatch.setattr(dlq, "_collect", collected)
    result = CliRunner().invoke(app, ["dlq", *words], env={"COLUMNS": "40"})
    assert result.exit_code == 0, repr(result.exception)
    return result.output


def test_what_list_prints_show_takes(monkeypatch) -> None:
    listed = call(monkeypatch, b"broken", [], "list").splitlines()
    assert len(listed) == 3
    assert listed[1].split() == [
        f"{TOPIC}@1234567",
        "not-json",
        "petition.events.v1[3]@123456",
        "2026-07-17T08:00:00.123456+00:00",
        "6",
    ]
    assert "broken" in call(monkeypatch, b"broken", [], "show", listed[1].split()[0])


TRACE = "00-13812345678a02929d0e0e47364bf92f-00f067aa0ba902b7-01"
HEADERS = [
    ("orig-a", "[/red] list[str] [missing] [bold]x[/bold]", "orig-a: [/red] list[str] [missing] [bold]x[/bold]"),
    ("orig-caller", "13812345678", "orig-caller: [phone]"),
    ("orig-13812345678", "x", "orig-[phone]: x"),
    ("orig-title", "\x1b]0;owned\x07", "orig-title: \\x1b]0;owned\\x07"),
    (
        "orig-b",
        "base64:" + base64.b64encode(b"\xb013812345678\xff").decode(),
        "orig-b: base64, decoded: \\xb0[phone]\\xff",
    ),
    ("orig-c", "base64:电话13812345678", "orig-c: base64:电话[phone]"),
    ("traceparent", TRACE, f"traceparent: {TRACE}"),
    ("orig-traceparent", "13812345678", "orig-traceparent: [phone]"),
]


@pytest.mark.parametrize(("name", "value", "line"), HEADERS)
def test_headers_are_printed_as_they_came_but_for_numbers(monkeypatch, name, value, line) -> None:
    shown = call(monkeypatch, b"x", [(name, value.encode())], "show", f"{TOPIC}@1234567").splitlines()
    assert line in shown
    assert "dlq-orig-timestamp-ms: 1790000000000" in shown


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (b"\xb013812345678 [/red]", "\\xb0[phone] [/red]"),  # the 0 of the escape is no digit of the number
        ("张三 13812345678 ".encode() + b"x" * 100, "张三 [phone] " + "x" * 100),
        (b"\x1b[2J", "\\x1b[2J"),
        (None, ""),
    ],
)
def test_the_value_is_printed_as_it_came_but_for_numbers(monkeypatch, value, line) -> None:
    assert call(monkeypatch, value, [], "show", f"{TOPIC}@1234567").splitlines()[-1] == line


@pytest.mark.parametrize(("words", "said"), [([], "1 dead letters would be sent again"), (["--send"], "sent 1")])
def test_what_does_not_say_where_it_came_from_is_left_and_told(monkeypatch, words, said) -> None:
    sent: list[int] = []
    own, foreign = (SimpleNamespace(topic=TOPIC, offset=n, headers=h, value=b"") for n, h in ((1, SYSTEM), (2, [])))

    async def collected(*_: object) -> list[Any]:
        return [own, foreign]

    async def send(_: object, letters: list[Any], rate: float) -> None:
        sent.extend(letter.offset for letter in letters)

    monkeypatch.setattr(dlq, "_collect", collected)
    monkeypatch.setattr(dlq, "_send", send)
    result = CliRunner().invoke(app, ["dlq", "replay", *words])
    assert result.exit_code == 1
    assert said in result.output
    assert "1 left where they are" in result.output
    assert sent == ([1] if words else [])
