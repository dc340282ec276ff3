"""What one connection may take of a service: how long an answer waits for its reader, what a WebSocket may send."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

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


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Uvicorn's, which would answer every ping at once, however many there are and whether the answers are read or not."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pings = 0
        self._counted_from = 0.0

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
