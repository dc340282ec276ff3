"""What comes through the pages' WebSocket before NiceGUI sees it: only what the browser side of a page says.

Anything else ends the connection. The libraries behind would take it as far as they can, and leave a traceback in the log
for whatever they cannot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, Final

import socketio
import structlog
from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IDLE_S: Final = 30
"""a page answers the service's question every four seconds"""
_KINDS: Final = "123456"
"""engine.io: close, ping, pong, message, upgrade, noop"""
log = structlog.get_logger()


class Guarded:
    """The pages, with their WebSocket's frames looked at first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
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


def guard(server: socketio.AsyncServer) -> None:
    """Have `server` hear sensible messages only, over whatever transport; one that is not ends its connection."""
    names = frozenset(server.handlers["/"]) - {"connect", "disconnect"}
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
