"""Routes and pages over the ledger in memory: who sees what, and how it is shown."""

import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.assessment.handlers import keep, let_strike, read
from services.assessment.http import add_routes
from services.assessment.pages.routes import LOOK, add_pages
from services.assessment.policy import load_rules
from services.assessment.reading import Reading
from shared.access import Access, demo_principal, demo_token, with_scope
from shared.clock import FixedClock
from shared.directory import directory
from shared.keys import load_key
from shared.settings import ServiceSettings
from shared.web import install
from tests.support.chinese import half_width, read_out
from tests.support.lifecycle import BUREAU, COUNTY, HEALTH, REGISTRAR, Story, at
from tests.support.memory_assessment import MemoryStore

BOOK = load_rules()
NOW = at("2026-05-10 12:00")
CRAFTED = (("2026-01-01T00:00:00+00:00", "\ud800"), ("0001-01-01T00:00:00+14:00", "x"), ("2026-01-01T00:00:00Z", 7))


def place_of(time: str, key: object) -> str:
    """A cursor that nobody gave out."""
    return base64.urlsafe_b64encode(json.dumps([time, key]).encode()).decode()


class Site:
    def __init__(self, folder: Path, env: str = "demo") -> None:
        self.clock = FixedClock(NOW)
        self.store = MemoryStore()
        self.app = FastAPI()
        self.key = load_key(folder, "token", create=True)
        load_key(folder, "session", create=True)
        access = Access.of(ServiceSettings(env=env, secrets=folder), self.clock)  # type: ignore[arg-type]
        reading = Reading(self.store, self.clock, directory())
        install(self.app, look=LOOK)
        add_routes(self.app, reading, access)
        add_pages(self.app, reading, access)

    async def take(self, *stories: Story) -> None:
        events = [e for s in stories for e in s.events]
        await keep(self.store, None, read(events), BOOK)
        await let_strike(self.store, None, self.clock.now(), 500)

    def client(self, role: str | None = None, unit: str | None = None, county: str | None = None) -> httpx.AsyncClient:
        headers = {}
        if role is not None:
            principal = with_scope(demo_principal(role, unit), jurisdiction=county)  # type: ignore[arg-type]
            headers["Authorization"] = f"Bearer {demo_token(self.key, principal, self.clock)}"
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://site", headers=headers)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    plain = Story("P1")
    plain.filed("2026-03-01")
    plain("assigned", "2026-03-02")
    plain("accepted", "2026-03-03")
    near = Story("P2")
    near.filed("2026-04-27")
    accusation = Story("A1", unit="379911.discipline_supervision")
    accusation.filed("2026-03-01", purpose="accusation", accused_unit=BUREAU)
    await site.take(plain, near, accusation)
    yield site


async def petitions(client: httpx.AsyncClient, **query: Any) -> set[str]:
    answer = await client.get("/v1/obligations", params=query)
    assert answer.status_code == 200, answer.text
    return {item["petition"] for item in answer.json()["items"]}


async def test_obligations_say_how_they_came_about(site: Site) -> None:
    answer = await site.client("duty_officer").get(
        "/v1/obligations", params={"state": "breached", "obligation": "HANDLE"}
    )
    (item,) = answer.json()["items"]
    assert item["due"] == "2026-05-02T23:59:59+08:00"
    assert item["derivation"]["en"] == "accepted 03-03 + 60 d (Art. 34) → 05-02"
    assert item["unit_name"]["zh"] == "区住房和城乡建设局"
    assert item["state"] == "breached"


async def test_the_accused_unit_and_what_is_under_it_never_find_the_accusation(site: Site) -> None:
    assert "A1" in await petitions(site.client("duty_officer"))
    assert "A1" in await petitions(site.client("unit", REGISTRAR))
    for unit in (BUREAU,):
        client = site.client("unit", unit)
        assert "A1" not in await petitions(client)
        assert "A1" not in await petitions(client, petition="A1")
        assert "A1" not in (await client.get("/")).text
        assert (await client.get("/petitions/A1")).status_code == 404
    site.clock.advance(timedelta(seconds=10))
    other = Story("A2")
    other.filed("2026-03-01", purpose="accusation", accused_unit=COUNTY)
    await site.take(other)
    for unit in (COUNTY, REGISTRAR, "379911001"):  # the whole subtree of the accused, the registrar included
        client = site.client("unit", unit)
        assert "A2" not in await petitions(client)
        card = (await client.get(f"/v1/units/{unit}/scorecard")).json()
        assert "A2" not in json.dumps(card)
    counts = (await site.client("unit", REGISTRAR).get("/v1/units")).json()["items"]
    assert [c["breached"] for c in counts if c["unit"] == REGISTRAR] == [1]


async def test_a_unit_sees_its_own_and_what_is_under_it(site: Site) -> None:
    assert await petitions(site.client("unit", BUREAU)) == {"P1"}
    assert await petitions(site.client("unit", HEALTH)) == set()
    assert (await site.client("unit", HEALTH).get(f"/v1/units/{BUREAU}/scorecard")).status_code == 404
    assert (await site.client("unit", BUREAU).get(f"/v1/units/{BUREAU}/scorecard")).status_code == 200
    assert await petitions(site.client("leader", county="379912")) == set()
    answer = await site.client("leader", county="379912").get(f"/v1/units/{BUREAU}/scorecard")
    assert answer.json()["code"] == "unit-unknown"


@pytest.mark.parametrize("path", ["/v1/obligations", "/v1/units", f"/v1/units/{BUREAU}/scorecard", "/v1/scorecards"])
async def test_staff_only(site: Site, path: str) -> None:
    anonymous = await site.client().get(path)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "token-missing")
    operator = await site.client("operator").get(path)
    assert (operator.status_code, operator.json()["code"]) == (403, "role-not-allowed")
    assert operator.json()["roles"] == ["auditor", "duty_officer", "leader", "unit"]
    page = await site.client("operator").get(path, headers={"accept": "text/html"})
    if not path.startswith("/v1/"):
        assert "可以打开的角色：审计、值班员、领导、责任单位。" in page.text
        assert 'href="/auth/login?next=' in page.text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/obligations?state=late", None),
        ("/v1/obligations?size=0", None),
        ("/v1/obligations?limit=abc", "unknown-parameter"),
        ("/v1/scorecards?since=x", "unknown-parameter"),
        ("/v1/obligations?cursor=%00", "cursor-invalid"),
        *((f"/v1/obligations?cursor={place_of(at, key)}", "cursor-invalid") for at, key in CRAFTED),
        ("/v1/obligations?cursor=WzEsMl0=", "cursor-invalid"),
        ("/v1/obligations?cursor=WyIyMDI2LTAxLTAxIiwieCJd", "cursor-invalid"),
        ("/v1/obligations?jurisdiction=37", None),
        ("/v1/obligations?jurisdiction=３７９９１１", None),
        ("/v1/obligations?unit=卫生局", None),
        (f"/v1/units/{BUREAU}/scorecard?from=2026-05-02&to=2026-05-01", "period-invalid"),
        (f"/v1/units/{BUREAU}/scorecard?from=2020-01-01", "period-invalid"),
        (f"/v1/units/{BUREAU}/scorecard?from=yesterday", None),
        (f"/v1/units/{BUREAU}/scorecard?to=9999-12-31", "period-invalid"),
        (f"/v1/units/{BUREAU}/scorecard?from=0001-01-01", "period-invalid"),
    ],
)
async def test_bad_questions_are_refused(site: Site, path: str, code: str | None) -> None:
    answer = await site.client("duty_officer").get(path)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert code in (None, answer.json()["code"])


async def test_pages_of_obligations_follow_each_other(site: Site) -> None:
    client, seen, cursor = site.client("auditor"), [], None
    while True:
        answer = (
            await client.get("/v1/obligations", params={"size": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 6


async def test_scorecard_has_its_parts_and_what_stands_beside(site: Site) -> None:
    contested = Story("P5")
    contested.filed("2026-03-01")
    contested("assigned", "2026-03-02")
    contested("accepted", "2026-03-03")
    contested("replied", "2026-04-20")
    contested("evaluated", "2026-04-22", solved=False)
    await site.take(contested)
    answer = await site.client("duty_officer").get(f"/v1/units/{BUREAU}/scorecard?from=2026-03-01&to=2026-05-09")
    measures = {m["figure"]["key"]: m for m in answer.json()["measures"]}
    reply = measures["reply_on_time"]
    assert (reply["figure"]["numerator"], reply["figure"]["denominator"], reply["figure"]["rate"]) == (1, 2, 0.5)
    beside = {f["key"]: f for f in reply["beside"]}
    assert beside["contested"]["rate"] == 1.0
    assert (
        measures["solved"]["figure"] | {"numerator": 0, "denominator": 1, "no_answer": 0}
        == measures["solved"]["figure"]
    )


async def test_export_across_units_hides_small_counts(site: Site) -> None:
    client = site.client("leader")
    cards = (await client.get("/v1/scorecards?from=2026-03-01&to=2026-05-09")).json()["items"]
    figures = [f for c in cards for m in c["measures"] for f in (m["figure"], *m["beside"])]
    assert {c["unit"] for c in cards} >= {BUREAU, REGISTRAR}
    assert figures
    assert not [f for f in figures if f["denominator"] in (1, 2, 3, 4)]
    text = (await client.get("/v1/scorecards?from=2026-03-01&to=2026-05-09&format=csv")).text
    assert text.startswith("\ufeffunit,name,measure")


class TestPages:
    async def test_demo_visitor_is_signed_in_and_sees_both(self, site: Site) -> None:
        client = site.client()
        page = await client.get("/")
        assert page.status_code == 200
        assert 'lang="zh-CN"' in page.text
        assert "受理 03-03 + 60日（第34条）→ 05-02" in page.text
        assert "fengqiao_demo" in page.headers["set-cookie"]
        assert "script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        english = await client.get("/?lang=en")
        assert "accepted 03-03 + 60 d (Art. 34) → 05-02" in english.text
        assert 'id="breached">2<' in english.text
        assert 'id="due-soon">1<' in english.text

    async def test_unit_page_shows_scorecard_and_duties(self, site: Site) -> None:
        page = await site.client().get(f"/units/{BUREAU}?lang=en")
        assert page.status_code == 200
        assert 'id="reply_on_time"' in page.text
        assert "contested after the reply" in page.text
        assert "There is no total and no rank" in page.text
        assert (await site.client().get("/units/nothing")).status_code == 404

    async def test_what_is_left_out_says_why_in_the_language_of_the_page(self, site: Site) -> None:
        story = Story("P7")
        story.filed("2026-03-01")
        for step, day in (("assigned", "2026-03-02"), ("accepted", "2026-03-03"), ("extended", "2026-04-20")):
            story(step, day)
        await site.take(story)
        client = site.client("duty_officer")
        address = f"/v1/units/{BUREAU}/scorecard?from=2026-03-01&to=2026-05-09"
        measures = (await client.get(address)).json()["measures"]
        [figure] = [m["figure"] for m in measures if m["figure"]["key"] == "reply_on_time"]
        [left_out] = figure["excluded"]
        assert left_out["count"] == 1
        shown = {lang: read_out((await client.get(f"/units/{BUREAU}?lang={lang}")).text) for lang in ("zh", "en")}
        assert f"不计：{left_out['reason']['zh']} 1" in shown["zh"]
        assert f"excluded: {left_out['reason']['en']} 1" in shown["en"]

    async def test_petition_page_lists_every_deadline(self, site: Site) -> None:
        page = await site.client().get("/petitions/P1")
        assert page.text.count("<tr class=") == 4
        assert (await site.client().get("/petitions/P9")).status_code == 404

    @pytest.mark.parametrize("path", ["/", f"/units/{BUREAU}", "/petitions/P1"])
    async def test_every_column_state_and_figure_is_explained(self, site: Site, path: str) -> None:
        client = site.client()
        chinese, english = (await client.get(path)).text, (await client.get(path, params={"lang": "en"})).text
        assert half_width(read_out(chinese)) == []
        for page, due, state in (
            (chinese, "最后一天（北京时间）", "已过截止日仍未完成"),
            (english, "the last day", "it is not done"),
        ):
            columns = re.findall(r'<th scope="col" title="([^"]+)">', page)
            assert any(due in column for column in columns)
            assert state in page
            assert page.count("<dt") - page.count("<dd") == 0
        assert not re.search(
            "[\u3400-\u9fff]", re.sub(r"《[^》]*》|中文", "", "".join(re.findall(r"<d[td][^>]*>.*?</d[td]>", english)))
        )

    async def test_each_figure_of_a_scorecard_says_how_it_is_counted(self, site: Site) -> None:
        page = (await site.client().get(f"/units/{BUREAU}?lang=en")).text
        told = page.partition('id="figures"')[2].partition("</details>")[0]
        assert told.count("<dt>") == 16
        assert "those answered in time" in told
        assert told.count("<dd></dd>") == 0

    async def test_role_can_be_switched_in_the_demo(self, site: Site) -> None:
        client = site.client()
        page = await client.get("/?as=unit")
        assert "承办单位" in page.text
        assert "P1" not in (await client.get("/")).text  # the cookie keeps the role: another unit's desk
        assert (await client.get("/?as=operator")).status_code == 200

    async def test_markup_in_names_is_shown_as_text(self, site: Site) -> None:
        story = Story("<b>x</b>", unit="<script>alert(1)</script>")
        story.filed("2026-05-01")
        story("assigned", "2026-05-01")
        story("accepted", "2026-05-09", unit="<script>alert(1)</script>")
        await site.take(story)
        page = await site.client().get("/?lang=en")
        assert "<script>" not in page.text

    async def test_production_has_no_automatic_sign_in(self, tmp_path: Path) -> None:
        site = Site(tmp_path, env="production")
        for path in ("/", "/?as=leader", f"/units/{BUREAU}"):
            answer = await site.client().get(path)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/auth/login")
