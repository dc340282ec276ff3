"""What never becomes a request: heads that cannot be read, have no end, or do not come, and sockets that do not open."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket

from shared import sockets
from shared.web import install

GET = b"GET /here HTTP/1.1\r\nHost: x\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def make_app() -> FastAPI:
    app = FastAPI()
    install(app)

    @app.api_route("/here", methods=["GET", "POST"])
    async def here() -> str:
        return "here"

    @app.websocket("/socket")
    async def socket(page: WebSocket) -> None:
        await page.accept()
        await page.close()

    return app


@contextlib.asynccontextmanager
async def served(**more: Any) -> AsyncIterator[int]:
    config = uvicorn.Config(
        make_app(),
        port=0,
        log_config=None,
        http=sockets.BoundedHttp,
        ws=sockets.BoundedWebSocket,
        lifespan="off",
        **more,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def said(port: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer, after which the server closes."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        for start in range(0, len(data), 4096):
            if answer.done():  # it does not wait for the end
                break
            writer.write(data[start : start + 4096])
            await asyncio.sleep(0.001)
        head = (await answer).decode().splitlines()
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.close()
    return int(head[0].split()[1]), headers, body


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"\x16\x03\x01\x02garbage\r\n\r\n", 400, "not-http"),
        (b"BREW /here HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not-http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "not-http"),
        (b"POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, "not-http"),
        (b"POST /here HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "not-http"),
        (b"POST /here HTTP/1.1\r\nHost: x\r\n" + UPGRADE + KEY + b"\r\n", 400, "not-http"),
        (GET + b"X-A: " + b"y" * 33_000 + b"\r\n\r\n", 431, "head-too-large"),
        (GET + b"X-A: " + b"y" * 500_000, 431, "head-too-large"),
        (GET + b"".join(b"X-%d: y\r\n" % n for n in range(101)) + b"\r\n", 431, "head-too-large"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431, "head-too-large"),
        (GET + UPGRADE + b"\r\n", 400, "http-400"),
        (b"GET /nope HTTP/1.1\r\nHost: x\r\n" + UPGRADE + KEY + b"\r\n", 403, "http-403"),
    ],
    ids=range(12),
)
async def test_the_answer_is_a_problem_document_all_the_same(data: bytes, status: int, code: str) -> None:
    async with served() as port:
        answered, headers, body = await said(port, data)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"].lower() == "close"
    found = json.loads(body)
    assert (answered, found["status"], found["code"]) == (status, status, code)


async def test_heads_within_the_bounds_are_read_one_after_another() -> None:
    head = GET + b"X-A: " + b"y" * 30_000 + b"\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(90)) + b"\r\n"
    async with served() as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(head)
            await reader.readuntil(b'"here"')
        writer.write(head + head)  # both at once
        await reader.readuntil(b'"here"')
        await reader.readuntil(b'"here"')
        writer.write(b"POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"z" * 100_000)
        await reader.readuntil(b'"here"')
        writer.close()


async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HEAD_S", 0.05)
    async with served() as port, asyncio.timeout(10):
        status, _, body = await said(port, GET + b"X-")
        assert (status, json.loads(body)["code"]) == (408, "head-too-slow")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""  # closed: nothing was asked
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + b"\r\n")
        await reader.readuntil(b'"here"')
        writer.write(b"\r\n")  # begins no request, and ends the time that a kept connection has
        assert await reader.read() == b""
        writer.close()


async def test_one_connection_too_many_is_told_so() -> None:
    async with served(limit_concurrency=1) as port:
        status, headers, body = await said(port, GET + b"\r\n")
    assert (status, json.loads(body)["code"]) == (503, "too-busy")
    assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
    assert headers["retry-after"] == "2"
