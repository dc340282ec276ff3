"""What one connection may take of a service: head and time of a request, how long an answer waits, what a WebSocket may send.

What is refused here never becomes a request: the answer is a problem document all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import socket
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers as WebSocketHeaders
from websockets.http11 import Response

from shared.problem import PROBLEM_JSON, Problem, of_status

HEAD_BYTES: Final = 32 * 1024
"""bytes of the longest head of a request: its line and its headers"""
HEAD_LINES: Final = 100
"""headers of a request"""
HEAD_S: Final = 20.0
"""seconds for the head to arrive, also for a first byte on a new connection"""
WS_MESSAGE: Final = 1_000_000
"""bytes of the largest WebSocket message; a larger one closes the socket with 1009 before it has been read"""
WS_PING_S: Final = 10.0
"""seconds between two pings, and for the answer to one"""
WS_PINGS: Final = 20
"""pings a second that a client may send; browsers send none. More close the socket with 1008"""


def listening(config: uvicorn.Config, unread_s: float) -> socket.socket:
    """The socket that the server accepts on. What a client does not read for `unread_s` seconds ends its connection.

    Closing it is left to the kernel: a server that closes politely waits for the client to read what was sent. Only
    Linux can; elsewhere such a connection stays until the client goes.
    """
    listener = config.bind_socket()
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread_s * 1000))
    return listener


def more_files() -> None:
    """Raise the limit on open files as far as this process may: each listener of a stream is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


UNREADABLE: Final = Problem(400, "not-http", "this is not a request of HTTP/1.1 that can be read", title="Not HTTP")
HEAD_TOO_LARGE: Final = Problem(
    431, "head-too-large", f"a request may have {HEAD_LINES} headers, and {HEAD_BYTES} bytes with its address"
)
HEAD_TOO_SLOW: Final = Problem(408, "head-too-slow", "the request did not arrive in time")
BUSY: Final = Problem(503, "too-busy", "too many connections at once; try again", headers={"Retry-After": "2"})


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """The application for a connection too many."""
    answer = BUSY.response()
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)


class HeadTooLargeError(Exception):
    """Ends the parser's work on a head."""


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's, which takes in a head of any length, for as long as it pleases the client."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head: int | None = None
        """bytes of the head that is arriving"""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A first request is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. A head that goes on and on is refused before it has ended."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        before = self._head
        super().data_received(data)
        if self._head is not None and before is not None and not self.transport.is_closing():
            self._head = before + len(data)  # what the parser holds back counts too
            if self._head > HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The parser saw the first byte of a request."""
        super().on_message_begin()
        self._head = 0

    def on_url(self, url: bytes) -> None:
        """The parser read a part of the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser read a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))
        if len(self.headers) > HEAD_LINES:
            raise HeadTooLargeError

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head = None
        self._have_head()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, if the request is one that can begin a WebSocket."""
        if self.scope["method"] != "GET":
            self._refuse(UNREADABLE)
            return
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read or was not let to."""
        many = self.headers is not None and len(self.headers) > HEAD_LINES
        self._refuse(HEAD_TOO_LARGE if many or (self._head or 0) > HEAD_BYTES else UNREADABLE)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if app is service_unavailable:
            app = busy
        super()._start_asgi_task(cycle, app)

    def _count(self, size: int) -> None:
        self._head = (self._head or 0) + size
        if self._head > HEAD_BYTES:
            raise HeadTooLargeError

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def _have_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        if self._head is None:  # nothing was asked that could be answered
            self.transport.close()
        else:
            self._refuse(HEAD_TOO_SLOW)

    def _refuse(self, problem: Problem) -> None:
        self._have_head()
        body = problem.body()
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ndate: {email.utils.formatdate(usegmt=True)}\r\n"
            f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Uvicorn's, which would answer every ping at once, however many there are and whether the answers are read or not."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pings = 0
        self._counted_from = 0.0
        self.conn.reject = _rejection  # type: ignore[method-assign, assignment]

    def handle_ping(self) -> None:
        """Answer, but not a flood."""
        if self.close_sent:
            return
        now = self.loop.time()
        if now - self._counted_from >= 1:
            self._pings, self._counted_from = 0, now
        self._pings += 1
        if self._pings <= WS_PINGS:
            super().handle_ping()
            return
        self.conn.fail(1008, "too many pings")
        self.handle_parser_exception()


def _rejection(status: HTTPStatus | int, _: str) -> Response:
    """What a WebSocket that is not opened is answered."""
    body = of_status(int(status)).body()
    headers = {
        "Date": email.utils.formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": PROBLEM_JSON,
    }
    return Response(int(status), HTTPStatus(status).phrase, WebSocketHeaders(headers), body)
