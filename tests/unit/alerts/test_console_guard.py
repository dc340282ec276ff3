"""What is let through to the pages' WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.alerts.console import guard
from services.alerts.console.guard import Guarded, sensible, sensible_payload

NAMES = {"handshake", "event"}


@pytest.mark.parametrize(
    "said",
    [
        "0",
        '0{"token":"x"}',
        "1",
        '2["event",{"client_id":"x"}]',
        '213["handshake",{"client_id":"x","tab_id":null}]',
    ],
)
def test_what_a_page_says(said: str) -> None:
    assert sensible(said, NAMES)


@pytest.mark.parametrize(
    "said",
    [
        b"0",
        None,
        "",
        "z",
        "7",
        "2",
        "2{",
        "2{}",
        "2[]",
        '2["event"]',
        '2["event",{}]',
        '2["event",{"client_id":1}]',
        '2[["event"],{"client_id":"x"}]',
        '2["other",{"client_id":"x"}]',
        '2["event",{"client_id":"x"},1]',
        '2/other,["event",{"client_id":"x"}]',
        "0/other,",
        '0"x"',
        '3["event",{"client_id":"x"}]',
        '51-["event",{"client_id":"x"}]',
        '61-["event",{"client_id":"x"}]',
        "599999999999999999999-[]",
        "2" + "[" * 100_000,
    ],
)
def test_what_no_page_says(said: Any) -> None:
    assert not sensible(said, NAMES)


async def heard(*frames: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the application behind it receives and what the client is sent, when the client sends `frames` and is silent."""
    coming, got, sent = list(frames), [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not got or got[-1]["type"] != "websocket.disconnect":
            got.append(await receive())
        await send({"type": "websocket.send", "text": "late"})

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await Guarded(app)({"type": "websocket"}, receive, send)  # type: ignore[arg-type]
    return got, sent


async def test_a_frame_that_is_no_packet_is_not_heard() -> None:
    packet = {"type": "websocket.receive", "text": "3"}
    for frame, code in (({"bytes": b"4"}, 1003), ({"text": "x"}, 1002), ({"text": ""}, 1002)):
        got, sent = await heard(packet, {"type": "websocket.receive", **frame})
        assert got == [packet, {"type": "websocket.disconnect", "code": code}]
        assert [(one["type"], one.get("code")) for one in sent] == [("websocket.close", code)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"0",
        b"2probe",
        b"5",
        b"6",
        b"b4AAA",
        b"4",
        b"4zzz",
        b'd=42["event",{"client_id":"x"}]',
        b'40\x1e42["event",1]',
        b"40\x1e",
        b"3\x1e" * 20 + b"3",
        b'42["nobody",{"client_id":"x"}]',
        b"42" + b"[" * 50_000,
    ],
    ids=range(16),
)
def test_what_no_page_says_over_plain_requests(body: bytes) -> None:
    assert not sensible_payload(body, NAMES)


@pytest.mark.parametrize("body", [b"3", b"1", b"40", b'40\x1e42["handshake",{"client_id":"x"}]\x1e3'])
def test_what_a_page_says_over_plain_requests(body: bytes) -> None:
    assert sensible_payload(body, NAMES)


async def test_a_silent_connection_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "IDLE_S", 0.01)
    got, sent = await heard({"type": "websocket.connect"})
    assert [one["type"] for one in got] == ["websocket.connect", "websocket.disconnect"]
    assert [one.get("code") for one in sent] == [1008]
