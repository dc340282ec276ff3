"""A night shift in the browser: see it come, understand it, verify, acknowledge, assign, plan, follow, settle, report."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from shared.access import Principal
from tests.support.browser import Desk, flag_of, live, row_of

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Visit = Callable[..., Page]


def form(page: Page) -> None:
    """Send the open form, and wait until it is gone."""
    page.locator(".fq-form .fq-send").click()
    expect(page.locator(".fq-form")).to_have_count(0)


def test_a_new_warning_shows_itself_and_is_followed_to_the_end(desk: Desk, visit: Visit) -> None:
    page = live(visit("/"))
    expect(page).to_have_title("实时预警 · 枫桥预警")
    id = desk.raised("宏达机械厂拖欠工资")
    row = row_of(page, id)
    expect(row).to_contain_text("宏达机械厂拖欠工资")
    for shown in ("集体访苗头", "待签收", "溪东街道", "区住房和城乡建设局", "签收预警"):
        expect(row).to_contain_text(shown)
    expect(row.locator(".fq-people b")).to_have_text("5")
    expect(page).to_have_title(re.compile(r"^\(1\) 实时预警"))
    expect(page.locator(".fq-news")).to_contain_text("1 条新预警")
    assert page.evaluate("window.fqRings") >= 1

    row.locator(".fq-title").click()
    expect(page.locator(".fq-wtitle")).to_have_text("宏达机械厂拖欠工资")
    why = page.locator(".fq-why")
    for shown in ("5 人反映同一事项", "collective_risk v1", "内部做法", "实测信访人数 5 · 阈值 5"):
        expect(why).to_contain_text(shown)
    expect(page.locator(".fq-evidence li")).to_have_count(5)
    expect(page.locator(".fq-chart canvas").first).to_be_visible()

    page.locator(".fq-do-verify").click()
    expect(page.locator(".fq-tag.state")).to_have_text("已核实")
    page.locator(".fq-do-acknowledge").click()
    expect(page.locator(".fq-tag.state")).to_have_text("已签收")
    page.locator(".fq-do-assign").click()
    expect(page.locator(".fq-unit input").first).to_have_value("区住房和城乡建设局")
    form(page)
    expect(page.locator(".fq-tag.state")).to_have_text("已交办")
    page.locator(".fq-do-plan").click()
    page.locator(".fq-measure .what input").fill("当面核对欠薪名册，三日内支付")
    form(page)
    expect(page.locator(".fq-work-plan")).to_contain_text("当面核对欠薪名册")
    page.locator(".fq-do-on_scene").click()
    form(page)
    expect(page.locator(".fq-tag.state")).to_have_text("已到场")
    expect(page.locator(".fq-arrival")).to_contain_text("区住房和城乡建设局主要负责人")
    page.locator(".fq-do-attach_plan").click()
    form(page)
    expect(page.locator(".fq-checklist li").first).to_be_visible()
    page.locator(".fq-checklist .q-checkbox").first.click()
    page.locator(".fq-form input").fill("已联系")
    form(page)
    expect(page.locator(".fq-checklist li.done")).to_contain_text("demo.duty_officer · 已联系")

    page.locator(".fq-do-settle").click()
    page.locator(".fq-form .fq-send").click()
    expect(page.locator(".q-notification")).to_contain_text("请填写理由")
    page.locator(".fq-reason textarea").fill("工资已付清，当面回访满意")
    form(page)
    expect(page.locator(".fq-tag.state")).to_have_text("已了结")
    expect(page.locator(".fq-review")).to_contain_text("工资已付清")
    expect(page.locator(".fq-actions button")).to_have_count(0)
    log = [line["action"] for line in desk.detail(id)["log"]]
    steps = ["raise", "verify", "acknowledge", "assign", "plan", "on_scene", "attach_plan", "tick", "settle"]
    assert log == steps
    page.goto("/")
    live(page)
    expect(row_of(page, id)).to_have_count(0)


def test_the_next_step_is_one_click_or_one_key_in_the_list(desk: Desk, visit: Visit) -> None:
    id = desk.raised("云锦花园车库一键处置")
    page = live(visit("/?q=车库一键处置"))
    row = row_of(page, id)
    row.locator("button").click()
    expect(row).to_contain_text("已签收 · demo.duty_officer")
    expect(row.locator("button")).to_have_text("核实")
    page.keyboard.press("j")
    expect(row).to_have_class(re.compile("selected"))
    page.keyboard.press("n")
    expect(row.locator("button")).to_have_text("交办")
    page.keyboard.press("n")
    expect(row).to_contain_text("已交办")
    expect(row.locator("button")).to_have_text("方案…")
    page.keyboard.press("n")
    expect(page.locator(".fq-form .fq-lead")).to_be_visible()
    assert desk.detail(id)["state"] == "assigned"


def test_the_second_of_two_officers_learns_who_was_first(desk: Desk, visit: Visit) -> None:
    id = desk.raised("两名值班员同时处置")
    first, second = visit(f"/warnings/{id}"), visit(f"/warnings/{id}", who=Principal("officer.b", "duty_officer"))
    live(second).locator(".fq-do-settle").click()
    second.locator(".fq-reason textarea").fill("已了结")
    live(first).keyboard.press("a")
    expect(first.locator(".fq-tag.state")).to_have_text("已签收")
    second.locator(".fq-form .fq-send").click()
    expect(second.locator(".q-notification")).to_contain_text("demo.duty_officer 已在")
    expect(second.locator(".fq-tag.state")).to_have_text("已签收")
    assert desk.detail(id)["acknowledged_by"] == "demo.duty_officer"


def test_what_others_do_shows_without_loading_again(desk: Desk, visit: Visit) -> None:
    id = desk.raised("他人操作即时可见")
    page = live(visit(f"/warnings/{id}"))
    with desk.api() as client:
        assert client.post(f"/v1/warnings/{id}/discard", json={"reason": "重复登记"}).status_code == 200
    expect(page.locator(".fq-tag.state")).to_have_text("已排除")
    expect(page.locator(".fq-history")).to_contain_text("重复登记")


def test_a_silence_has_a_reason_and_an_end_and_life_is_never_muted(desk: Desk, visit: Visit) -> None:
    id = desk.raised("可以静默的事项")
    page = live(visit(f"/warnings/{id}"))
    page.locator(".fq-do-silence").click()
    page.locator(".fq-reason textarea").fill("夜间施工已叫停，等待复测")
    form(page)
    expect(page.locator(".fq-facts")).to_contain_text("静默至")
    life = desk.raised("准备轻生的来电", kind="life_safety", level="I")
    page.goto(f"/warnings/{life}")
    live(page).locator(".fq-do-silence").click()
    expect(page.locator(".q-notification")).to_contain_text("不得静默")
    assert desk.detail(life)["silenced_until"] is None
    page.goto("/silences")
    line = page.locator(".fq-running tr", has_text="夜间施工已叫停")
    expect(line).to_contain_text("demo.duty_officer")
    line.locator(".fq-end").click()
    expect(page.locator(".fq-over tr", has_text="夜间施工已叫停")).to_be_visible()
    page.locator(".fq-new-silence").click()
    page.locator(".fq-kinds").click()
    page.get_by_role("option", name="超期", exact=True).click()
    page.keyboard.press("Escape")
    page.locator(".fq-reason textarea").fill("试试")
    page.locator(".fq-form .fq-send").click()
    expect(page.locator(".q-notification")).to_contain_text("不得静默")


def test_a_drill_is_marked_everywhere(desk: Desk, visit: Visit) -> None:
    page = live(visit("/drills"))
    page.locator(".fq-new-drill").click()
    page.locator(".fq-scenario input").fill("三十人在区政府门前聚集")
    page.locator(".fq-form .fq-send").click()
    expect(page.locator(".fq-whead .fq-tag.drill")).to_contain_text("演练 Exercise")
    id = page.url.rsplit("/", 1)[1].partition("?")[0]
    expect(page.locator(".fq-checklist li")).to_have_count(7)
    page.goto("/?q=三十人在区政府门前聚集")
    expect(row_of(page, id).locator(".fq-drill")).to_have_text("演练")
    page.goto("/plans")
    expect(page.locator(".fq-plan-collective_visit .drill").first).to_contain_text("Exercise")
    page.goto("/drills")
    expect(page.locator(".fq-drills tr", has_text="三十人在区政府门前聚集")).to_contain_text("待签收")
    assert desk.detail(id)["exercise"] is True


def test_a_special_report_is_made_sent_and_recorded(desk: Desk, visit: Visit) -> None:
    id = desk.raised("写入专报的事项")
    page = live(visit(f"/warnings/{id}"))
    page.locator(".fq-report").click()
    with page.expect_download() as download:
        page.locator(".fq-form .fq-send").click()
    assert download.value.suggested_filename.endswith(".docx")
    page.goto("/reports")
    page.locator(".fq-new-report").click()
    page.locator(".fq-form .q-select").nth(1).click()
    page.get_by_role("option", name="PDF").click()
    with page.expect_download() as download:
        page.locator(".fq-form .fq-send").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    expect(page.locator(".fq-reports tbody tr", has_text=".pdf")).to_contain_text("报区委区政府领导")
    expect(page.locator(".fq-reports tbody tr", has_text=".pdf")).to_contain_text("带班领导")
    expect(page.locator(".fq-reports tbody tr", has_text=".docx").first).to_contain_text("demo.duty_officer")


def test_a_petition_is_read_only_with_a_reason_and_the_audit_log_says_so(desk: Desk, visit: Visit) -> None:
    with desk.start_intake() as intake:
        body = {
            "channel": "web_portal",
            "jurisdiction": "379911",
            "title": "车库收费",
            "text": "地下车库从三月起按次收费，请核查。",
            "petitioner": {"name": "测试甲", "phone": "13800000000"},
            "topic": "urban_construction",
        }
        answer = intake.post("/v1/petitions", json=body, headers={"Idempotency-Key": f"k-{desk.alerts.prefix}"})
        petition = answer.json()["petition_id"]
    event = flag_of("查看信访内容", run=desk.alerts.prefix)
    data = event.data.model_copy(update={"petition_ids": (petition,), "evidence": ()})
    desk.send(event.model_copy(update={"data": data}))
    page = live(visit("/?q=查看信访内容"))
    page.locator(".fq-row .fq-title").click()
    page.locator(".fq-read").click()
    page.locator(".fq-form .fq-send").click()
    expect(page.locator(".q-notification")).to_contain_text("请填写查看理由")
    page.locator(".fq-reason textarea").fill("核实集体访苗头")
    form(page)
    expect(page.locator(".fq-evidence blockquote")).to_contain_text("按次收费")
    assert "测试甲" not in page.content()
    with desk.api("auditor") as client:
        [row] = client.get("/v1/audit", params={"object": petition}).json()["rows"]
    assert (row["actor"], row["action"], row["reason"]) == ("demo.duty_officer", "petition.text", "核实集体访苗头")


def test_a_reconnected_page_has_what_came_meanwhile(desk: Desk, visit: Visit) -> None:
    page = live(visit("/"))
    page.context.set_offline(True)
    expect(page.locator(".fq-pulse")).to_have_attribute("data-state", "dead")
    id = desk.raised("断线期间发生的事项")
    page.context.set_offline(False)
    expect(page.locator(".fq-pulse")).to_have_attribute("data-state", "live")
    expect(row_of(page, id)).to_be_visible()


def test_a_page_that_hangs_holds_up_no_other(desk: Desk, visit: Visit) -> None:
    hung, other = live(visit("/?q=卡住的页面")), live(visit("/?q=卡住的页面"))
    debugger = hung.context.new_cdp_session(hung)
    halts: list[object] = []
    debugger.on("Debugger.paused", lambda halt: halts.append(halt))  # noqa: PLW0108 - Playwright marks it
    debugger.send("Debugger.enable")
    debugger.send("Debugger.pause")
    id = desk.raised("卡住的页面旁边的事项")
    expect(row_of(other, id)).to_be_visible()
    later = desk.raised("卡住的页面旁边的又一事项")
    expect(row_of(other, later)).to_be_visible()
    assert len(halts) == 1, "the page stands still all this time"
    debugger.send("Debugger.resume")
    debugger.send("Debugger.disable")
    expect(row_of(hung, id)).to_be_visible()
    expect(row_of(hung, later)).to_be_visible()


def test_keys_work_on_after_escape_closed_a_form(desk: Desk, visit: Visit) -> None:
    page = live(visit(f"/warnings/{desk.raised('翠湖花园电梯停运')}"))
    for key in ("g", "m", "g"):
        page.keyboard.press(key)
        expect(page.locator(".fq-form")).to_be_visible()
        page.locator(".fq-form .fq-send").focus()
        page.keyboard.press("a")  # while a form is open, letters take no action
        page.keyboard.press("Escape")
        expect(page.locator(".fq-form")).to_have_count(0)
    expect(page.locator(".fq-tag.state")).to_have_text("待签收")
