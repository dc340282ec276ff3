"""An identifier names one message that never changes; the feed has the newest messages first, and goes on to all others."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from services.alerts.cap import ATOM, cap_message
from services.alerts.domain.warning import Measure
from tests.support.alerts import flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.test_cap import check, text

PLAN = {"lead": "379911.construction_bureau#head", "measures": (Measure("接访", "379911.construction_bureau"),)}


async def cap(api: Api, id: str) -> bytes:
    answer = await api.get(f"/v1/cap/{id}")
    assert answer.status_code == 200
    return answer.content


async def test_every_change_is_a_message_of_its_own():
    api = Api()
    await api.hear(flag())
    id = (await api.one()).id
    seen = [await cap(api, id)]
    orders: list[tuple[str, dict[str, Any]]] = [
        ("acknowledge", {}),
        ("plan", PLAN),
        ("step_done", {"item": "report"}),
        ("on_scene", {}),
        ("silence", {"reason": "known", "until": api.clock.now() + timedelta(hours=1)}),
    ]
    for action, order in orders:
        if action == "step_done" and all(step.id != "report" for step in (await api.one()).steps):
            continue
        await api.take(id, action, **order)
        seen.append(await cap(api, id))
    roots = [check(one) for one in seen]
    assert len({text(one, "identifier") for one in roots}) == len(seen)
    assert {text(one, "msgType") for one in roots[1:]} == {"Update"}
    assert [text(roots[n], "references").count(",") // 2 for n in range(1, len(roots))] == list(range(1, len(roots)))
    assert text(roots[-1], "references").split()[-1].split(",")[1] == text(roots[-2], "identifier")


async def test_a_lapsed_acknowledgement_is_a_message():
    api = Api()
    await api.hear(flag(level="I", kind="life_safety"))
    id = (await api.one()).id
    await api.take(id, "acknowledge")
    before = check(await cap(api, id))
    await api.pass_time(days=2)
    after = check(await cap(api, id))
    assert text(before, "identifier") != text(after, "identifier")


async def test_a_change_between_two_reads_does_not_lend_its_identifier_to_the_content_before_it():
    api = Api()
    await api.hear(flag())
    warning = await api.one()
    before = cap_message(warning, await api.store.log(warning.id), api.desk.units)
    await api.take(warning, "acknowledge")
    assert cap_message(warning, await api.store.log(warning.id), api.desk.units) == before


def entries(feed: bytes) -> tuple[list[str], str | None]:
    """Ids of warnings in the feed's order, and the address of the next page."""
    root = ET.fromstring(feed)
    ids = [str(one.text) for one in root.findall(f"{{{ATOM}}}entry/{{{ATOM}}}id")]
    found = [link.get("href") for link in root.findall(f"{{{ATOM}}}link") if link.get("rel") == "next"]
    return [re.sub(r"urn:fengqiao:cap:|\.\d+$", "", id) for id in ids], found[0] if found else None


@pytest.fixture
async def many() -> Api:
    api = Api()
    await api.hear(*[flag(f"m{n}") for n in range(103)])
    return api


async def test_the_newest_message_is_first_however_old_its_warning(many):
    oldest = (await many.warnings())[-1]
    many.clock.advance(timedelta(minutes=5))
    await many.take(oldest, "settle", reason="done")
    feed = (await many.get("/v1/cap")).content
    assert entries(feed)[0][0] == oldest.id
    first = ET.fromstring(feed).find(f"{{{ATOM}}}entry/{{{ATOM}}}category")
    assert first is not None and first.get("term") == "Cancel"


async def test_the_pages_of_the_feed_have_every_warning_once(many):
    address: str | None = "/v1/cap?kind=collective_risk&jurisdiction=379911"
    found: list[str] = []
    pages = 0
    while address:
        ids, following = entries((await many.get(address)).content)
        assert following is None or "kind=collective_risk&jurisdiction=379911" in following
        found += ids
        pages += 1
        address = following
    assert pages == 2
    assert found == [warning.id for warning in await many.warnings()]


async def test_a_feed_that_ends_on_a_page_has_no_next():
    api = Api()
    await api.hear(*[flag(f"m{n}") for n in range(100)])
    ids, following = entries((await api.get("/v1/cap")).content)
    assert (len(ids), following) == (100, None)
    assert (await api.get("/v1/cap", cursor="x")).status_code == 422
