"""Every answer is counted and has its line, also where the request was refused or crashed before or behind its route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from structlog.testing import capture_logs

from shared import edge
from shared.mongo import Unavailable
from shared.observe import Metrics, trace_id
from shared.observed import Observed
from shared.problem_page import Look, both
from shared.web import install

pytestmark = pytest.mark.usefixtures("unbound_logs")
LOOK = Look(both("枫桥", "Fengqiao"), "body { margin: 0; }", ())
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NAME = "张三13812345678"


class Observing:
    """An application put together in the order of the services: observed first, then the edge."""

    def __init__(self, look: Look | None = LOOK) -> None:
        self.metrics = Metrics("x")
        self.app = FastAPI()
        self.app.add_middleware(Observed, service="x", metrics=self.metrics, log=structlog.get_logger())
        install(self.app, look=look)

        @self.app.post("/v1/crash")
        async def crash() -> None:
            raise KeyError(NAME)

        @self.app.post("/v1/away")
        async def away() -> None:
            raise Unavailable("x")

        @self.app.post("/v1/body")
        async def body(request: Request) -> int:
            return len(await request.body())

    async def ask(self, method: str, url: str, **options: Any) -> tuple[httpx.Response, list[MutableMapping[str, Any]]]:
        """The answer, and the lines that were logged for it."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            with capture_logs() as lines:
                answer = await client.request(method, url, headers={"traceparent": TRACE}, **options)
        return answer, lines

    def counted(self, status: int, route: str) -> float:
        labels = {"service": "x", "method": "POST", "route": route, "status": str(status)}
        return self.metrics.registry.get_sample_value("fengqiao_http_requests_total", labels) or 0


async def growing() -> AsyncIterator[bytes]:
    yield b"x" * (edge.BODY_LIMIT + 1)


async def stalling() -> AsyncIterator[bytes]:
    await asyncio.sleep(5)
    yield b"x"


@pytest.mark.parametrize("look", [None, LOOK], ids=["documents", "pages"])
@pytest.mark.parametrize(
    ("url", "content", "status", "route"),
    [
        ("/v1/body", b"x", 200, "/v1/body"),
        ("/v1/crash", b"", 500, "/v1/crash"),
        ("/v1/away", b"", 503, "/v1/away"),
        ("/v1/body", b"x" * (edge.BODY_LIMIT + 1), 413, "unmatched"),
        ("/v1/" + "a" * edge.URL_LIMIT, b"", 414, "unmatched"),
        (f"/v1/%00?name={NAME}", b"", 400, "unmatched"),
        ("/v1/nowhere", b"", 404, "unmatched"),
    ],
)
async def test_every_answer_is_counted_and_has_its_line(look, url, content, status, route) -> None:
    observing = Observing(look)
    answer, lines = await observing.ask("POST", url, content=content)
    assert answer.status_code == status
    assert observing.counted(status, route) == 1
    [line] = [line for line in lines if line["event"] == "request_handled"]
    assert (line["status"], line["route"], line["trace_id"]) == (status, route, trace_id(TRACE))
    assert NAME not in str(lines)
    assert set(line) == {"event", "log_level", "method", "route", "status", "trace_id", "ms"}  # no address, no query


async def test_a_body_that_grows_too_large_or_comes_too_slowly_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    observing = Observing()
    answer, lines = await observing.ask("POST", "/v1/body", content=growing())
    assert (answer.status_code, observing.counted(413, "/v1/body")) == (413, 1)
    monkeypatch.setattr(edge, "BODY_SECONDS", -edge.BODY_LIMIT / 200_000)
    answer, lines = await observing.ask("POST", "/v1/body", content=stalling())
    assert (answer.status_code, observing.counted(408, "/v1/body")) == (408, 1)
    assert [line["status"] for line in lines if line["event"] == "request_handled"] == [408]


async def test_the_line_of_a_crash_has_the_trace_of_its_request() -> None:
    _, lines = await Observing().ask("POST", "/v1/crash")
    assert [line["trace_id"] for line in lines if line["event"] == "http.crash"] == [trace_id(TRACE)]


async def test_what_breaks_outside_the_edge_is_counted_once_too() -> None:
    observing = Observing()

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    observing.app.user_middleware.insert(1, type(observing.app.user_middleware[1])(lambda _app: broken))
    answer, lines = await observing.ask("POST", "/v1/body")
    assert (answer.status_code, observing.counted(500, "unmatched")) == (500, 1)
    assert len([line for line in lines if line["event"] == "request_handled"]) == 1
