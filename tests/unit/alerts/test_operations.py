"""Where each role begins, and what an operator sees of the services."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.alerts.console.no_entry import first_page
from services.alerts.console.operations import row
from services.alerts.console.shell import PAGES
from services.alerts.console.system import State, System
from services.alerts.console.tables import Strong
from shared.access import Principal
from tests.support.alerts import BUREAU
from tests.unit.alerts.desk import Bench, visitor_of

WELL = {"status": "healthy", "reasons": [], "warnings": [], "lag": {"petition.events.v1": 2, "screening.flags.v1": 1}}
ILL = {"status": "unhealthy", "reasons": ["mongo does not answer"], "warnings": ["a key file"], "lag": {}}


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("duty_officer", "/"),
        ("unit", "/"),
        ("leader", "/"),
        ("auditor", "/"),
        ("operator", "/operations"),
        ("petitioner", None),
        ("channel", None),
    ],
)
async def test_each_role_begins_at_a_page_that_it_may_use(role: Any, address: str | None) -> None:
    visitor = await visitor_of(Bench(), Principal("a", role, BUREAU if role == "unit" else None))
    assert first_page(visitor, PAGES) == address


async def own() -> dict[str, Any]:
    return WELL


def system(answers: dict[str, httpx.Response | None]) -> System:
    def answer(request: httpx.Request) -> httpx.Response:
        found = answers[request.url.host]
        if found is None:
            raise httpx.ConnectError("refused")
        assert request.url.path == "/health"
        return found

    others = {name: f"http://{name}" for name in ("intake", "screening", "assessment")}
    return System(own, others, lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer)))


async def test_an_operator_sees_how_all_four_services_are() -> None:
    states = await system(
        {"intake": httpx.Response(503, json=ILL), "screening": httpx.Response(200, json=WELL), "assessment": None}
    ).states()
    assert [(state.name, state.status) for state in states] == [
        ("intake", "unhealthy"),
        ("screening", "healthy"),
        ("alerts", "healthy"),
        ("assessment", "unreachable"),
    ]
    visitor = await visitor_of(Bench(), Principal("op", "operator"))
    assert row(visitor, states[0])[1:] == [Strong("异常"), "mongo does not answer; a key file", "0"]
    assert row(visitor, states[1])[1:] == ["正常", "—", "3"]
    assert row(visitor, states[3])[1:] == [Strong("连接不上"), "—", "—"]


@pytest.mark.parametrize(
    "said", [b"<html>", b"[]", b"{}", b'{"status":"healthy","reasons":[],"warnings":[],"lag":{"a":"b"}}']
)
async def test_what_is_no_answer_of_a_service_is_unreachable(said: bytes) -> None:
    answers = {name: httpx.Response(200, content=said) for name in ("intake", "screening", "assessment")}
    states = await system(answers).states()
    assert State("intake", "unreachable") in states
