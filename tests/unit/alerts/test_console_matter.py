"""What the console asks of other services, and how it shows a matter's history."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from services.alerts.console.matter import LINKER, REFUSED, history
from services.alerts.console.remote import Remote, RemoteError
from shared.access import Principal, require
from shared.web import install
from tests.support.alerts import BUREAU
from tests.unit.alerts.desk import OFFICER, Bench, access_of, signed_in

UNIT = Principal("unit.a", "unit", BUREAU)


async def test_other_services_are_asked_in_the_visitors_name() -> None:
    room = Bench()
    access = access_of(room.clock)
    app = FastAPI()
    install(app)

    @app.get("/v1/petitions/{id}")
    async def petition(id: str, who: Principal = Depends(require(access, "unit"))) -> dict[str, str | None]:
        return {"petition_id": id, "by": who.account, "unit": who.unit}

    @app.get("/v1/matters/{id}/near")
    async def near(id: str, who: Principal = Depends(require(access))) -> dict[str, list[dict[str, str]]]:
        return {"items": [{"id": "m2", "to": id}]}

    @app.post("/v1/matters/{id}/{what}", status_code=202)
    async def decide(
        id: str, what: str, body: dict[str, Any], who: Principal = Depends(require(access))
    ) -> dict[str, Any]:
        return {"matter": id, "what": what, **body}

    @app.post("/v1/flags/{id}/contest", status_code=201)
    async def contest(id: str, who: Principal = Depends(require(access))) -> dict[str, str]:
        return {"flag": id, "by": who.account}

    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app))

    remote = Remote(access, "http://intake:8001", "http://screening:8002", client)
    who = await signed_in(access, UNIT)
    assert await remote.petition(who, "p1") == {"petition_id": "p1", "by": "unit.a", "unit": BUREAU}
    assert (await remote.contest(who, "f1", "重复"))["by"] == "unit.a"
    assert await remote.near(who, "m1") == [{"id": "m2", "to": "m1"}]
    merged = {"matter": "m1", "what": "merge", "other": "m2", "reason": "同一承包商"}
    assert await remote.merge(who, "m1", "m2", "同一承包商") == merged
    split = {"matter": "m1", "what": "split", "petitions": ["p1"], "reason": "两件事"}
    assert await remote.split(who, "m1", ["p1"], "两件事") == split
    with pytest.raises(RemoteError) as refused:
        await remote.petition(await signed_in(access, OFFICER), "p1")
    assert refused.value.code == "role-not-allowed"
    away = Remote(access, "http://127.0.0.1:9", "http://127.0.0.1:9")
    with pytest.raises(RemoteError) as refused:
        await away.petition(who, "p1")
    assert refused.value.code == "unreachable"


def test_the_history_of_a_matter_has_each_step_once_in_order_with_the_other_matter() -> None:
    decision = {"actor": "o1", "reason": "同一承包商", "applied": True}
    wages = {"matter": "b", "title": "拖欠工资", "petitions": 9, "petitioners": 7}
    off = {"matter": "c", "title": "停车位", "petitions": 2, "petitioners": 2}
    found = {
        "id": "a",
        "decisions": [
            {
                "kind": "split",
                "matter": "a",
                "at": "2026-03-03T09:00:00+08:00",
                "petitions": ["p1", "p2"],
                "subject": off,
                **decision,
                "applied": False,
            },
            {
                "kind": "merge",
                "matter": "a",
                "at": "2026-03-02T00:00:00Z",
                "petitions": [],
                "subject": wages,
                **decision,
            },
        ],
        "merges": [
            {"kept": "a", "at": "2026-03-02T00:00:00Z", "by": "o1", "subject": wages},
            {"kept": "z", "at": "2026-03-01T00:00:00Z", "by": LINKER},
        ],
    }
    assert [(line.kind, line.by, line.count, line.applied, line.inward, line.subject) for line in history(found)] == [
        ("merge", LINKER, 0, True, False, {}),
        ("merge", "o1", 0, True, True, wages),
        ("split", "o1", 2, False, False, off),
    ]
    [came] = [line for line in history({**found, "id": "c"}) if line.kind == "split"]
    assert came.inward, "the matter that was split off"
    late = {**found["decisions"][0], "applied": True, "refused": "matter-inactive"}
    [line] = history({"id": "a", "decisions": [late]})
    assert line.refused in REFUSED
    assert history({}) == []
