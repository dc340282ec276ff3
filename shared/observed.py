"""One log line and two metrics a request, and its trace context; as plain ASGI, so that long streams pay nothing for it."""

from __future__ import annotations

import time
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observe import Metrics, trace_id, traceparent_of

_QUIET: Final = ("/health", "/metrics")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Outermost middleware, for refusals and crashes are seen as well.

    The line is written when the answer begins: a stream's end may be hours away.
    """

    def __init__(self, app: ASGIApp, *, service: str, metrics: Metrics, log: Any) -> None:
        self.app = app
        self._service = service
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        headers = Headers(scope=scope)
        traceparent = traceparent_of({k: headers[k] for k in ("traceparent", "tracestate") if k in headers})
        scope.setdefault("state", {})["traceparent"] = traceparent

        answered = False

        async def observed(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._tell(scope, int(message["status"]), time.monotonic() - started, traceparent)
            await send(message)

        try:
            await self.app(scope, receive, observed)
        except Exception:
            if not answered:  # the framework answers it, outside of here
                self._tell(scope, 500, time.monotonic() - started, traceparent)
            raise

    def _tell(self, scope: Scope, status: int, seconds: float, traceparent: str) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"  # a caller's own word is no label
        self._metrics.requests.labels(self._service, method, route, status).inc()
        self._metrics.request_seconds.labels(self._service, route).observe(seconds)
        if route not in _QUIET:
            self._log.info(
                "request_handled",
                method=method,
                route=route,
                status=status,
                trace_id=trace_id(traceparent),
                ms=round(seconds * 1000, 1),
            )
