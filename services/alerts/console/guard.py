"""What comes to the pages before NiceGUI sees it: of their socket only what the browser side of a page says.

Anything else ends the connection, or is refused where the socket is played over plain requests. The libraries behind would
take it as far as they can, and leave a traceback in the log for whatever they cannot. Their errors leave here as problems.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Container
from typing import Any, Final

import socketio
import structlog
from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problem import Problem, of_status
from shared.sockets import WS_MESSAGE
from shared.web import read_body

SOCKET: Final = "/_nicegui_ws/"
IDLE_S: Final = 30
"""a page answers the service's question every four seconds"""
_KINDS: Final = "123456"
"""engine.io: close, ping, pong, message, upgrade, noop"""
_POSTED: Final = "134"
"""of these, what a page sends where it has no WebSocket"""
_METHODS: Final = ("GET", "POST")
PACKETS: Final = 16
"""in one request; engine.io takes no more"""
log = structlog.get_logger()


class Guarded:
    """The pages, with what is sent to their socket looked at first: its events have `names`, `sessions` are the open ones."""

    def __init__(self, app: ASGIApp, names: Collection[str] = (), sessions: Container[str] = ()) -> None:
        self._app = app
        self._names = names
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raises `Problem` for a request that is refused."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            if scope["path"].startswith(SOCKET):
                receive = await self._polled(Request(scope, receive))
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _polled(self, request: Request) -> Receive:
        """The same request, once it is known to be one that a page's script makes where it has no WebSocket."""
        if request.method not in _METHODS:
            raise of_status(405, {"Allow": ", ".join(_METHODS)})
        query = request.query_params
        if "j" in query or ("sid" in query and query["sid"] not in self._sessions):
            raise Problem(400, "socket-unknown", "this connection has ended, or never began; load the page again")
        body = await read_body(request, WS_MESSAGE)
        if request.method == "POST" and not sensible_payload(body, self._names):
            log.warning("console_socket_refused", reason="not a page's message")
            raise Problem(400, "socket-message", "this is not what a page says")
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else await request.receive()

        return receive

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Message | None = None

        async def told(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400 and not _is_page(message):
                refused = message
            elif refused is None:
                await send(message)

        await self._app(scope, receive, told)
        if refused is not None:
            allow = Headers(scope=refused).get("allow")
            raise of_status(refused["status"], {"Allow": allow} if allow else None)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended = False

        async def end(code: int, reason: str) -> Message:
            nonlocal ended
            ended = True
            log.warning("console_socket_refused", reason=reason)
            await send({"type": "websocket.close", "code": code, "reason": reason})
            return {"type": "websocket.disconnect", "code": code}

        async def heard() -> Message:
            try:
                async with asyncio.timeout(IDLE_S):
                    message = await receive()
            except TimeoutError:
                return await end(1008, "silent")
            if message["type"] != "websocket.receive":
                return message
            text = message.get("text")
            if text is None:
                return await end(1003, "binary")
            return message if text[:1] in _KINDS and text else await end(1002, "not a packet")

        async def told(message: Message) -> None:
            if not ended:
                await send(message)

        await self._app(scope, heard, told)


def sensible(data: Any, names: Collection[str]) -> bool:
    """Whether a socket.io message is one that a page sends: it begins, it ends, or tells one of `names` about itself."""
    if not isinstance(data, str):
        return False
    try:
        packet = Packet(encoded_packet=data)
    except (ValueError, TypeError, LookupError, RecursionError):
        return False
    if packet.namespace not in (None, "/") or packet.attachment_count:
        return False
    if packet.packet_type in (CONNECT, DISCONNECT):
        return packet.data is None or isinstance(packet.data, dict)
    if packet.packet_type != EVENT or not isinstance(packet.data, list) or len(packet.data) != 2:
        return False
    name, body = packet.data
    return isinstance(name, str) and name in names and isinstance(body, dict) and isinstance(body.get("client_id"), str)


def sensible_payload(body: bytes, names: Collection[str]) -> bool:
    """Whether the body of a request holds packets of engine.io, and sensible messages in them."""
    try:
        packets = body.decode().split("\x1e")
    except UnicodeDecodeError:
        return False
    return len(packets) <= PACKETS and all(
        packet[:1] in _POSTED and bool(packet) and (packet[0] != "4" or sensible(packet[1:], names))
        for packet in packets
    )


def _is_page(start: Message) -> bool:
    return Headers(scope=start).get("content-type", "").startswith("text/html")


def events(server: socketio.AsyncServer) -> frozenset[str]:
    """Names of what a page tells about itself."""
    return frozenset(server.handlers["/"]) - {"connect", "disconnect"}


def guard(server: socketio.AsyncServer) -> None:
    """Have `server` hear sensible messages only, over whatever transport; one that is not ends its connection."""
    names = events(server)
    engine = server.eio
    take = engine.handlers["message"]

    async def heard(sid: str, data: Any) -> None:
        if sensible(data, names):
            await take(sid, data)
            return
        log.warning("console_socket_refused", reason="not a page's message")
        await engine.disconnect(sid)

    engine.on("message", heard)
    engine.cors_allowed_origins = None  # a page's socket is opened by the page's own site only
    for name in ("engineio.server", "socketio.server"):
        logging.getLogger(name).handlers.clear()  # the service's own log has them already, a line of JSON each
