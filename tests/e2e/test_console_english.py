"""The English console says nothing in Chinese but what people wrote: every page, every form; and small answers around it."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.alerts import finding
from tests.support.browser import Desk, in_thread, live

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Visit = Callable[..., Page]
READ = """() => {
  const WRITTEN = 'script, style, .fq-silences tbody, .fq-drills tbody, .fq-template .fq-line';  // other tests' own words
  const found = [document.title];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest(WRITTEN)) found.push(walk.currentNode.data);
  for (const one of document.querySelectorAll('[aria-label], [title], [placeholder]'))
    found.push(one.getAttribute('aria-label') || '', one.title || '', one.getAttribute('placeholder') || '');
  return found;
}"""


def chinese(page: Page) -> set[str]:
    """What a page says in Chinese, but for the switch to it."""
    return {text.strip() for text in page.evaluate(READ) if re.search("[\u3400-\u9fff]", text)} - {"中文"}


def test_no_page_and_no_form_says_anything_in_chinese(desk: Desk, visit: Visit) -> None:
    id = desk.raised("English wages", kind="collective_visit", level="II")
    in_thread(
        desk.alerts.findings_in(finding("english-1", "breached", run=desk.alerts.prefix, unit="379911.health_bureau"))
    )
    with desk.api() as client:
        for action, body in (("acknowledge", {}), ("verify", {}), ("emergency-plan", {"plan": "collective_visit"})):
            assert client.post(f"/v1/warnings/{id}/{action}", json=body).status_code == 200
    page = visit("/?lang=en")
    page.context.add_cookies([{"name": "fengqiao_lang", "value": "en", "url": desk.url}])
    for path in (
        "/?q=English",
        "/?kind=overdue",
        "/district",
        "/units",
        "/silences",
        "/drills",
        "/plans",
        "/reports",
        "/?wall=1&q=English",
    ):
        live(visit_again(page, path))
        page.wait_for_timeout(300)
        assert chinese(page) == set(), path
        if path == "/district":
            expect(page.locator(".fq-elsewhere")).to_contain_text("have neither town nor topic")
    visit_again(page, f"/warnings/{id}")
    live(page)
    assert chinese(page) == set()
    forms = page.locator(".fq-do:not(.fq-do-acknowledge):not(.fq-do-verify)")
    expect(forms.nth(4)).to_be_visible()
    for number in range(forms.count()):
        forms.nth(number).click()
        expect(page.locator(".fq-form")).to_be_visible()
        assert chinese(page) == set(), forms.nth(number).inner_text()
        page.keyboard.press("Escape")
        expect(page.locator(".fq-form")).to_have_count(0)


def visit_again(page: Page, path: str) -> Page:
    page.goto(path)
    return page


def test_values_in_the_address_that_are_none_are_left_out_and_said(desk: Desk, visit: Visit) -> None:
    id = desk.raised("地址中的筛选值")
    page = live(visit("/?kind=weather&unit=%3Cb%3Ex%3C/b%3E&town=1&level=I,V&state=x&q=地址中的筛选值"))
    expect(page.locator(".fq-ignored")).to_have_text("地址中有无效的筛选值，未采用：等级、类型、状态、单位、镇街")
    assert "weather" not in page.locator(".fq-main").inner_text()
    page.goto("/?kind=collective_risk&q=地址中的筛选值")
    expect(page.locator(f'.fq-row[data-id="{id}"]')).to_be_visible()
    expect(page.locator(".fq-ignored")).to_have_count(0)


def test_an_address_of_nobody_is_a_page_for_a_browser_and_a_problem_for_a_program(desk: Desk, visit: Visit) -> None:
    page = visit("/nope")
    expect(page.locator("h1:visible")).to_have_text("没有这个页面")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1:visible")).to_have_text("There is no such page")
    page.get_by_role("link", name="中文").click()
    page.get_by_role("main").get_by_role("link", name="返回实时预警").click()
    expect(page).to_have_url(re.compile("/$"))
    with httpx.Client(base_url=desk.url, trust_env=False) as client:
        answer = client.get("/nope", headers={"accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        for accept in ("application/json", "*/*"):
            answer = client.get("/nope", headers={"accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert (
            client.get("/v1/nope", headers={"accept": "text/html"}).headers["content-type"]
            == "application/problem+json"
        )
        icon = client.get("/favicon.ico")
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
