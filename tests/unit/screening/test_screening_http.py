"""Screening's routes: who may, what is refused, and that nothing of a person comes out."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.screening.domain.policy import Policies
from services.screening.handlers import Desk
from services.screening.http import add_routes
from services.screening.pipeline import Screening
from services.screening.ports import Wanted
from shared.access import Access, Principal, demo_principal, demo_token
from shared.bus import Received
from shared.clock import SystemClock
from shared.directory import directory
from shared.keys import load_key
from shared.settings import ServiceSettings
from shared.web import install
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, POLICIES
from tests.support.screening import filed_event


class Site:
    def __init__(self, secrets: Any, rate: str = "1000/second") -> None:
        policies: Policies = POLICIES
        self.store: Any = MemoryStore()
        self.screening = Screening(self.store, lambda: policies, SystemClock())
        app = FastAPI()
        install(app)
        settings = ServiceSettings(env="demo", secrets=secrets)
        access = Access.of(settings, SystemClock(), directory())
        add_routes(app, Desk(self.store, self.screening, lambda: policies, SystemClock()), access, rate)
        self.client = TestClient(app, raise_server_exceptions=False)
        self.key = load_key(secrets, "token", create=True)

    async def take(self, *events: Any) -> None:
        plan = await self.screening.prepare([Received("t", 0, n, e.time, None, e) for n, e in enumerate(events)])
        await self.store.transaction(lambda tx: self.screening.write(tx, plan))

    def as_(self, role: Any, **who: Any) -> dict[str, str]:
        principal = Principal(f"demo.{role}", role, **who) if who else demo_principal(role)
        return {"Authorization": f"Bearer {demo_token(self.key, principal)}"}


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    site = Site(tmp_path)
    with site.client:
        yield site


async def test_staff_read_and_nobody_else(site):
    await site.take(*(filed_event(n, minutes=n) for n in range(5)))
    for path in ("/v1/matters", "/v1/flags", "/v1/precision", "/v1/policy"):
        assert site.client.get(path).status_code == 401
        assert site.client.get(path, headers=site.as_("petitioner")).status_code == 403
        assert site.client.get(path, headers=site.as_("duty_officer")).status_code == 200
    [flag] = site.client.get("/v1/flags", headers=site.as_("leader")).json()["items"]
    assert flag["kind"] == "collective_risk"
    assert "petitioners" not in flag
    whole = site.client.get(f"/v1/matters/{flag['matter']}", headers=site.as_("leader")).text
    assert "who1" not in whole
    assert "盼" not in whole  # a word of the texts alone


async def test_another_units_and_another_countys_matters_are_not_there(site):
    await site.take(*(filed_event(n, minutes=n) for n in range(5)))
    other = site.as_("unit", unit="379911.education_bureau")
    own = site.as_("unit", unit="379911.construction_bureau")
    away = site.as_("leader", jurisdiction="379912")
    [row] = site.client.get("/v1/flags", headers=own).json()["items"]
    for who in (other, away):
        assert site.client.get("/v1/flags", headers=who).json()["items"] == []
        assert site.client.get(f"/v1/flags/{row['id']}", headers=who).json()["code"] == "flag-not-found"
        assert site.client.get(f"/v1/matters/{row['matter']}", headers=who).json()["code"] == "matter-not-found"


async def test_an_accusation_is_hidden_from_the_accused(site):
    event = filed_event(1, signals=("reprisal:reprisal",))
    data = event.data.model_copy(
        update={"purpose": "accusation", "title": "", "text": "", "accused_unit": "379911.construction_bureau"}
    )
    await site.take(event.model_copy(update={"data": data}))
    officer = site.as_("duty_officer")
    assert len(site.client.get("/v1/flags", headers=officer).json()["items"]) == 1
    assert len(site.client.get("/v1/precision", headers=officer).json()["rules"]) == 1
    for role in ("leader", "unit"):
        accused = site.as_(role, unit="379911.construction_bureau")
        assert site.client.get("/v1/flags", headers=accused).json()["items"] == []
        assert site.client.get("/v1/precision", headers=accused).json()["rules"] == []


async def test_pages_go_on_past_what_is_not_there_for_the_reader(site):
    visits = [filed_event(n, n % 4, minutes=n, channel="visit", representatives=6, headcount=7) for n in range(6)]
    await site.take(*visits)
    ask = {"kind": "over_representatives", "limit": 2}
    other, read, after = site.as_("unit", unit="379911.education_bureau"), 0, None
    while True:
        query = ask | ({"after": after} if after else {})
        page = site.client.get("/v1/flags", params=query, headers=other).json()
        assert page["items"] == []
        read, after = read + 1, page["next"]
        if after is None:
            break
    assert read > 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 422),
        (b'{"reason": "ok then", "reason": "x"}', 400),
        (b'{"reason": "no"}', 422),
        (b'{"reason": {"$gt": ""}}', 422),
        (b'{"reason": "enough", "_id": 1}', 422),
        (b"\xff", 400),
    ],
)
async def test_a_bad_body_is_a_problem_and_writes_nothing(site, body, status):
    await site.take(*(filed_event(n, minutes=n) for n in range(5)))
    [flag] = await site.store.flags(Wanted())
    headers = site.as_("duty_officer") | {"content-type": "application/json"}
    answer = site.client.post(f"/v1/flags/{flag['_id']}/contest", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "contest" not in site.store.rows["flags"][flag["_id"]]
    assert site.store.log == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1000000",
        "after=%00",
        "after=Zm9yZ2Vk",
        "after=MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMHx4",  # of the year 1
        "jurisdiction=12",
        "state=x",
        "jurisdiction[$gt]=1&limit=x",
        "cursor=x",
        "kind=weather",
    ],
)
def test_a_bad_query_is_refused(site, query):
    answer = site.client.get(f"/v1/flags?{query}", headers=site.as_("duty_officer"))
    assert answer.status_code == 422
    assert answer.json()["code"] in ("invalid-request", "cursor-invalid", "unknown-parameter")


@pytest.mark.parametrize("query", ["unit=", "unit=379911.Bureau", "unit=卫生局", "jurisdiction=３７９９１１"])
def test_matters_of_what_is_no_unit_are_refused(site, query):
    answer = site.client.get(f"/v1/matters?{query}", headers=site.as_("duty_officer"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_similar_shows_titles_alone_and_is_limited(tmp_path):
    site = Site(tmp_path, rate="2/minute")
    await site.take(*(filed_event(n, minutes=n) for n in range(3)))
    ask = {"jurisdiction": COUNTY, "title": "翠湖花园小区地下车库漏水", "text": "物业不管"}
    with site.client as client:
        found = client.get("/v1/similar", params=ask).json()
        assert found["complete"] is True
        assert set(found["matters"][0]) == {"matter", "petition_id", "title", "topic", "petitions", "score", "last_at"}
        assert client.get("/v1/similar", params=ask | {"jurisdiction": "379999"}).json() == {
            "matters": [],
            "complete": False,
        }
        limited = client.get("/v1/similar", params=ask)
        assert (limited.status_code, limited.json()["code"]) == (429, "too-many-requests")
