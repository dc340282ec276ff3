"""The public form in a real browser: filed, looked up, in both languages, with the keyboard alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from deploy.local.stack import Stack
from tests.support import chromium
from tests.support.intake_process import IntakeProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.fixture
async def intake(stack: Stack, tmp_path: Path) -> AsyncIterator[IntakeProcess]:
    service = IntakeProcess(stack, tmp_path)
    await service.topics()
    service.start()
    await service.healthy()
    yield service
    service.close()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    program = await asyncio.to_thread(chromium.find)
    if program is None:
        pytest.skip("no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = await browser.new_context(java_script_enabled=False)
        yield await context.new_page()
        await browser.close()


async def test_a_person_files_and_looks_up_without_scripts(intake: IntakeProcess, page: Page) -> None:
    await page.goto(intake.url)
    await page.locator("#title").fill("拖欠工资")
    await page.locator("#text").fill("幸福家园二期工地拖欠三十人工资。")
    await page.locator("#phone").fill("abc")
    await page.locator("#address").press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("电话号码应为5到15位数字")
    await expect(page.locator("#title")).to_have_value("拖欠工资")
    await page.locator("#phone").fill("13800138000")
    await page.get_by_role("button", name="提交").click()
    await expect(page.get_by_role("heading", name="已登记")).to_be_visible()
    receipt, code = await page.locator("#receipt").inner_text(), await page.locator("#code").inner_text()
    await page.get_by_role("main").get_by_role("link", name="查询办理进度").click()
    await expect(page.get_by_label("信访编号")).to_have_value(receipt)
    await page.get_by_label("查询码").fill(code)
    await page.get_by_role("button", name="查询").click()
    await expect(page.locator("#status")).to_have_text("已收到，待转送交办")
    assert code not in page.url
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", name="Look up progress")).to_be_visible()
    await expect(page.locator("#status")).to_have_text("Received, to be passed on")
    assert code not in page.url
    assert (await intake.counts())["petitions"] == 1
