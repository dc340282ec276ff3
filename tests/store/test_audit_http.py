"""`GET /v1/audit` over the real database: who may read it, what it finds."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from deploy.local.stack import Stack
from shared import audit
from shared.audit_http import audit_routes
from shared.mongo import Mongo
from shared.web import install
from tests.support.intake import NOW, bearer, client_of, fixed_clock, make_access

pytestmark = pytest.mark.stack


@pytest.fixture
async def client(stack: Stack, mongo_db_name: str) -> AsyncIterator[httpx.AsyncClient]:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="test-audit")
    await mongo.ensure_indexes(audit.INDEXES)
    for n, (actor, thing) in enumerate([("zhang.san", "p1"), ("li.si", "p1"), ("zhang.san", "p2")]):
        at = NOW + timedelta(seconds=n)
        await mongo.transaction(
            lambda s, a=actor, o=thing, at=at: audit.record(  # type: ignore[misc]
                mongo, s, actor=a, action="identity.read", object=o, at=at, reason="核实"
            )
        )
    app = FastAPI()
    install(app)
    app.include_router(audit_routes(make_access(fixed_clock()), mongo))
    async with client_of(app) as one:
        yield one
    await mongo.close()


async def test_an_auditor_finds_who_did_what_newest_first(client: httpx.AsyncClient) -> None:
    async def found(**query: str) -> list[tuple[str, str, str]]:
        answer = await client.get("/v1/audit", params=query, headers=bearer("auditor"))
        assert answer.status_code == 200
        return [(row["actor"], row["object"], row["reason"]) for row in answer.json()["rows"]]

    zhang1, li, zhang2 = ("zhang.san", "p1", "核实"), ("li.si", "p1", "核实"), ("zhang.san", "p2", "核实")
    assert await found() == [zhang2, li, zhang1]
    assert await found(object="p1") == [li, zhang1]
    assert await found(actor="zhang.san") == [zhang2, zhang1]
    assert await found(actor="li.si", object="p2") == []
    assert await found(limit="1") == [zhang2]


@pytest.mark.parametrize("role", ["duty_officer", "leader", "unit", "operator", "petitioner", "channel"])
async def test_nobody_else_reads_it(client: httpx.AsyncClient, role: str) -> None:
    unit = "379911.construction_bureau" if role == "unit" else None
    answer = await client.get("/v1/audit", headers=bearer(role, unit))
    assert (answer.status_code, answer.json()["code"]) == (403, "role-not-allowed")


async def test_an_auditor_of_one_county_does_not_read_the_log_of_all(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/audit", headers=bearer("auditor", jurisdiction="379911"))
    assert (answer.status_code, answer.json()["code"]) == (403, "jurisdiction-not-yours")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "object=", f"actor={'x' * 101}", "since=1"])
async def test_a_query_that_it_cannot_use_is_422(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/audit?{query}", headers=bearer("auditor"))).status_code == 422
