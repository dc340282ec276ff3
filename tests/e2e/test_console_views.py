"""What the console shows to whom and how: filters, languages, themes, roles, the wall, a dead feed, hostile titles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy.local.stack import Stack
from tests.support import night
from tests.support.alerts import Alerts
from tests.support.browser import Desk, in_thread, live, row_of, shot

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Visit = Callable[..., Page]
EDUCATION = "379911.education_bureau"
LABOUR = "379911.hr_social_security_bureau"
HOSTILE = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>{{7*7}}车库"


def test_filters_are_kept_in_the_address(desk: Desk, visit: Visit) -> None:
    mine = desk.raised("筛选甲", kind="collective_visit", level="II")
    other = desk.raised("筛选乙", unit=EDUCATION)
    page = live(visit("/?q=筛选"))
    expect(row_of(page, mine)).to_be_visible()
    expect(row_of(page, other)).to_be_visible()
    page.locator(".fq-chip.lv-II").click()
    expect(row_of(page, other)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"level=II&q="))
    page.locator(".fq-chip.lv-II").click()
    page.locator(".fq-filter-kind").click()
    page.get_by_role("option", name="集体访", exact=True).click()
    expect(row_of(page, other)).to_have_count(0)
    expect(page).to_have_url(re.compile("kind=collective_visit"))
    page.reload()
    expect(row_of(live(page), mine)).to_be_visible()
    expect(row_of(page, other)).to_have_count(0)
    page.goto(f"/?unit={EDUCATION}&town=379911001&state=raised&q=筛选")
    expect(row_of(page, other)).to_be_visible()
    expect(row_of(page, mine)).to_have_count(0)
    page.locator(".fq-search input").fill("没有这样的事项")
    expect(page.locator(".fq-empty")).to_have_text("没有符合筛选条件的预警")


def test_what_needs_a_person_most_stands_first(desk: Desk, visit: Visit) -> None:
    later = desk.raised("排序丙", kind="near_deadline", level="IV")
    had = desk.raised("排序乙", kind="collective_visit", level="II")
    life = desk.raised("排序甲", kind="life_safety", level="I")
    with desk.api() as client:
        client.post(f"/v1/warnings/{had}/acknowledge", json={})
    page = live(visit("/?q=排序"))
    expect(row_of(page, had)).to_contain_text("已签收")
    order = page.locator(".fq-row").evaluate_all("rows => rows.map(row => row.dataset.id)")
    assert order == [life, later, had]


def test_english_and_dark_are_one_click_away_and_stay(desk: Desk, visit: Visit) -> None:
    desk.raised("界面语言示例")
    page = live(visit("/"))
    page.locator(".fq-lang").click()
    expect(page.locator("nav .here")).to_have_text("Live")
    expect(page.locator(".fq-pulse b")).to_have_text("Live")
    expect(page.locator(".fq-live-head")).to_contain_text("Next step, due (internal)")
    expect(page.locator(".fq-row").first.locator("button")).to_have_text("Acknowledge")
    expect(page.locator(".fq-account")).to_contain_text("Demo account: duty officer")
    page.locator(".fq-theme").click()
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    page.reload()
    expect(live(page).locator("nav .here")).to_have_text("Live")
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    for path, title in (
        ("/district", "Townships × topics, 30 days"),
        ("/units", "Units"),
        ("/plans", "Six principles"),
    ):
        page.goto(path)
        expect(page.locator(".fq-card-title").first).to_have_text(title)
    chrome = page.locator(".fq-head").inner_text()
    assert not re.search("[一-鿿]", chrome.replace("中文", ""))


def test_a_hostile_title_is_text(desk: Desk, visit: Visit) -> None:
    id = desk.raised(HOSTILE)
    for path in ("/", f"/warnings/{id}", "/?wall=1", "/?lang=en"):
        page = live(visit(path))
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.evaluate("window.hacked") is None
        assert page.locator("img[src=x]").count() == 0


def test_a_busy_night_is_shown_until_the_feed_breaks(stack: Stack, tmp_path: Path, desk: Desk, visit: Visit) -> None:
    map_file = tmp_path / "towns.geojson"
    map_file.write_text(json.dumps(towns()), encoding="utf-8")
    alerts = Alerts(stack, tmp_path)
    in_thread(alerts.topics())
    process = alerts.start(FENGQIAO_GEOJSON=str(map_file))
    try:
        in_thread(alerts.healthy())
        page = live(visit("/", base=alerts.url()))
        line = page.locator(".fq-pulse")
        expect(line).to_contain_text("尚无事件")
        in_thread(alerts.flags_in(*night.flags(datetime.now(UTC), run=alerts.prefix)))
        expect(page.locator(".fq-row")).to_have_count(len(night.MATTERS))
        expect(line).to_contain_text("最近一条事件在")
        page.locator(".fq-row button").nth(2).click()
        expect(page.locator(".fq-row").last).to_contain_text("已签收")
        page.locator(".fq-news").click()
        shot(desk, page, "live")
        picture_pages(desk, page)

        stack.kafka_process.pause()
        try:
            expect(line).to_have_attribute("data-state", "dead")
            expect(line).to_contain_text("消息总线中断")
        finally:
            stack.kafka_process.resume()
        expect(line).to_have_attribute("data-state", "live")
        process.kill()
        process.wait(10)
        expect(line).to_have_attribute("data-state", "dead")
        expect(line).to_contain_text("接收中断")
        expect(line).to_contain_text("画面停在")
        expect(line).to_have_css("background-color", "rgb(179, 22, 27)")
        expect(page.locator(".fq-act button").first).to_have_css("pointer-events", "none")
        shot(desk, page, "dead")
    finally:
        alerts.close()


def picture_pages(desk: Desk, page: Page) -> None:
    """The other pages of that night; ends at the live list again."""
    page.goto("/?q=宏达")
    page.locator(".fq-row .fq-title").click()
    page.locator(".fq-do-verify").click()
    expect(page.locator(".fq-tag.state")).to_have_text("已核实")
    expect(page.locator(".fq-chart canvas").first).to_be_visible()
    shot(desk, page, "warning")
    page.goto("/district")
    expect(page.locator(".fq-map path")).to_have_count(len(night.TOWNS))
    expect(page.locator(".fq-map")).to_contain_text("溪东街道")
    expect(page.locator(".fq-heat canvas").first).to_be_visible()
    shot(desk, page, "district")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto("/?wall=1")
    expect(page.locator(".fq-row")).to_have_count(len(night.MATTERS))
    shot(desk, page, "wall")
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("/?lang=en&theme=dark")
    expect(live(page).locator(".fq-row")).to_have_count(len(night.MATTERS))
    shot(desk, page, "live-dark-en")
    page.goto("/")
    expect(live(page).locator(".fq-row")).to_have_count(len(night.MATTERS))


def towns() -> dict[str, Any]:
    """Five towns side by side."""
    features = []
    for n, code in enumerate(night.TOWNS):
        x, y = 117 + 0.1 * (n % 3) + 0.05 * (n // 3), 36.08 - 0.08 * (n // 3)
        ring = [[x, y], [x + 0.1, y + 0.01], [x + 0.1, y + 0.08], [x + 0.01, y + 0.09], [x, y]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": code}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def test_a_unit_sees_its_own_and_handles_nothing_else(desk: Desk, visit: Visit) -> None:
    own = desk.raised("单位视角之本单位", unit=LABOUR)
    foreign = desk.raised("单位视角之外单位", unit=EDUCATION)
    page = live(visit("/?q=单位视角", role="unit"))
    expect(row_of(page, own)).to_be_visible()
    expect(row_of(page, foreign)).to_have_count(0)
    assert page.locator("nav").inner_text().split() == ["实时预警", "区域态势", "单位", "静默", "预案", "演练"]
    page.goto(f"/warnings/{own}")
    live(page)
    offered = page.locator(".fq-do").all_inner_texts()
    assert "签收" in offered
    assert not {"核实", "交办", "了结", "静默", "排除"} & set(offered)
    answer = page.goto(f"/warnings/{foreign}")
    assert answer is not None
    assert answer.status == 404
    answer = page.goto("/reports")
    assert answer is not None
    assert answer.status == 403


def test_an_accused_unit_never_sees_the_accusation(desk: Desk, visit: Visit) -> None:
    accused = {"unit": "379911.discipline_supervision", "restricted": True, "accused_unit": LABOUR}
    id = desk.raised("检举某单位", kind="reprisal_risk", **accused)
    officer = live(visit("/?q=检举某单位"))
    expect(row_of(officer, id)).to_contain_text("检举控告·限知")
    unit = live(visit("/", role="unit"))
    expect(row_of(unit, id)).to_have_count(0)
    answer = unit.goto(f"/warnings/{id}")
    assert answer is not None
    assert answer.status == 404
    officer.goto(f"/warnings/{id}")
    live(officer).locator(".fq-do-assign").click()
    officer.locator(".fq-unit input").first.fill("区人力资源")
    expect(officer.get_by_role("option", name="区人力资源和社会保障局")).to_have_count(0)


def test_leader_auditor_and_operator_see_what_they_may(desk: Desk, visit: Visit) -> None:
    id = desk.raised("各角色所见")
    page = live(visit(f"/warnings/{id}", role="leader"))
    expect(page.locator(".fq-do")).to_have_count(0)
    expect(page.locator(".fq-report")).to_be_visible()
    page = live(visit(f"/warnings/{id}", role="auditor"))
    expect(page.locator(".fq-wtitle")).to_have_text("各角色所见")
    expect(page.locator(".fq-do, .fq-report, .fq-read, .fq-contest, .fq-merge")).to_have_count(0)
    page = visit("/plans", role="operator")
    expect(page.locator(".fq-empty")).to_contain_text("您的角色（运维）看不到此页。")
    expect(page.locator(".fq-empty")).to_contain_text("可以打开的角色：值班员、领导、责任单位、审计。")
    page.goto("/?lang=en")  # begins where it may
    expect(page).to_have_url(re.compile(r"/operations\?lang=en$"))
    expect(page.locator(".fq-service-table tr", has_text="alerts")).to_contain_text("healthy")
    page.goto("/plans")
    page.get_by_role("link", name="打开“运行状态”").click()
    expect(page.locator(".fq-service-table tr", has_text="assessment")).to_contain_text("连接不上")
    assert page.locator("nav").inner_text().split() == ["运行状态"]
    page.goto("/plans")
    page.locator(".fq-account").click()
    page.get_by_text("值班员", exact=True).click()
    expect(page.locator(".fq-principles")).to_be_visible()


def test_the_wall_screen_is_big_and_has_no_controls(desk: Desk, visit: Visit) -> None:
    id = desk.raised("大屏上的事项", kind="collective_visit")
    page = live(visit("/?wall=1", width=1920, height=1080))
    expect(row_of(page, id)).to_be_visible()
    assert page.locator("main input, main .q-btn, .fq-row button").count() == 0
    assert page.locator(".fq-head").count() == 0
    size = row_of(page, id).locator(".fq-title").evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
    assert size >= 24


def test_district_and_units_draw_what_is_there(desk: Desk, visit: Visit) -> None:
    desk.raised("区域态势示例", unit=EDUCATION)
    page = live(visit("/district"))
    for marker in (".fq-heat", ".fq-hours", ".fq-days"):
        expect(page.locator(f"{marker} canvas").first).to_be_visible()
    page.goto("/units")
    line = page.locator(".fq-unit-table tr", has_text="区教育和体育局")
    expect(line).to_be_visible()
    line.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"unit={re.escape(EDUCATION)}"))


def test_the_api_stays_the_apis(desk: Desk) -> None:
    with desk.api() as client:
        for path in ("/v1/nothing", "/nothing", "/auth/nothing"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert client.post("/v1/board").status_code == 405
        assert client.get("/health").status_code == 200
        socket = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        assert client.get(socket, headers={"Origin": desk.url}).status_code == 200
        assert client.get(socket, headers={"Origin": "https://elsewhere.example"}).status_code == 400
