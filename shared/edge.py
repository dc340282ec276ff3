"""What surrounds every request: limits of URL, body and time, security headers, and the answer where something crashed."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.mongo import is_unavailable
from shared.observe import trace_id
from shared.problem import Problem

BODY_LIMIT: Final = 1024 * 1024
BODY_SECONDS: Final = 20.0
URL_LIMIT: Final = 8 * 1024
log = structlog.get_logger(__name__)

SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer a browser would send forms with Origin: null
    "content-security-policy": "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'",
}


class Edge:
    """Bounds URL, body size and body time; adds headers; turns a crash into a bare 500."""

    def __init__(self, app: ASGIApp, body_limits: Mapping[str, int]) -> None:
        self.app = app
        self.body_limits = body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _secure(message)
            await send(message)

        try:
            _check_url(scope)
            await self.app(scope, self._bounded(scope, receive), guarded_send)
        except Problem as problem:
            if not started:
                await problem.response()(scope, receive, guarded_send)
        except ClientDisconnect:  # there is nobody to answer, and what came is not whole
            log.info("http.gone", started=started)
        except Exception as error:
            if is_unavailable(error) and not started:
                await _storage_unavailable().response()(scope, receive, guarded_send)
                return
            # The message of an unknown error may quote the request: its class and its place go into the log.
            frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-5:]]
            trace = trace_id(scope.get("state", {}).get("traceparent"))
            log.error("http.crash", error=type(error).__name__, frames=frames, trace_id=trace)  # noqa: TRY400 - no message
            if started:
                raise RuntimeError("the answer broke off") from None
            crash = Problem(500, "internal-error", "something failed on our side; nothing is known to be written")
            await crash.response()(scope, receive, guarded_send)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        limit = next((size for path, size in self.body_limits.items() if scope["path"].startswith(path)), BODY_LIMIT)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise too_large(limit)
        state: MutableMapping[str, Any] = {"size": 0, "done": False, "until": None}

        async def bounded() -> Message:
            if state["done"]:  # an open stream waits here for its client to leave
                return await receive()
            if state["until"] is None:
                state["until"] = asyncio.get_running_loop().time() + BODY_SECONDS + limit / 200_000
            try:
                async with asyncio.timeout_at(state["until"]):
                    message = await receive()
            except TimeoutError:
                headers = {"Connection": "close"}
                raise Problem(408, "body-too-slow", "the body did not arrive in time", headers=headers) from None
            state["size"] += len(message.get("body", b""))
            state["done"] = not message.get("more_body", False)
            if state["size"] > limit:
                raise too_large(limit)
            return message

        return bounded


def _check_url(scope: Scope) -> None:
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > URL_LIMIT:
        raise Problem(414, "url-too-long", f"the address is longer than {URL_LIMIT} bytes")
    if any(ord(character) < 32 or character == "\x7f" for character in scope["path"]):
        raise Problem(400, "url-invalid", "the address holds control characters")


def _secure(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if "json" in headers.get("content-type", ""):
        headers.setdefault("cache-control", "no-store")


def _storage_unavailable() -> Problem:
    detail = "the store cannot be reached now; nothing is known to be written; try again"
    return Problem(503, "storage-unavailable", detail, headers={"Retry-After": "2"})


def too_large(limit: int) -> Problem:
    """413; what is still on its way is not read."""
    return Problem(413, "body-too-large", f"the body is larger than {limit} bytes", headers={"Connection": "close"})
