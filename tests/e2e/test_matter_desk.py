"""What staff do about a matter, in a real browser against the real screening; and a deadline that is owed no more."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.clock import BEIJING
from shared.events import PETITIONS
from tests.support.lifecycle import Story
from tests.support.spine import send_events
from tests.support.system import System, browsing, until

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.stack

CONTEST, JOIN, CLOCK = "370904", "370905", "379912"
"""A county a test, so that no matter of one is continued by another."""
STREETS = ("梧桐巷污水横流", "云锦花园地下车库漏水", "北河钢厂拖欠工资")


async def come(system: System, county: str, title: str, heads: int = 6) -> str:
    """People come about a matter; gives the petition."""
    body = {
        "channel": "visit",
        "jurisdiction": county,
        "title": title,
        "text": f"{title}，多次反映没有人管，请尽快解决。",
        "petitioner_ref": secrets.token_hex(6),
        "headcount": heads,
        "representatives": 3,
        "level_presented": "county",
    }
    async with system.client("intake") as client:
        answer = await client.post("/v1/petitions", json=body, headers={"idempotency-key": secrets.token_hex(8)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["petition_id"])


async def warning_of(system: System, petition: str, kind: str = "collective_visit") -> dict[str, Any]:
    """The warning that counts a petition."""
    async with system.warnings() as stream, asyncio.timeout(60):
        return (
            await anext(e async for e in stream if petition in e["data"]["petition_ids"] and e["data"]["kind"] == kind)
        )["data"]


async def ask(system: System, service: str, path: str) -> dict[str, Any]:
    async with system.client(service, "duty_officer") as client:
        return dict((await client.get(path)).json())


async def sign_in(system: System, page: Page, role: str, warning: dict[str, Any]) -> None:
    """Look at a warning as somebody else."""
    await page.goto(f"{system.url('alerts')}/auth/demo?role={role}&next=/warnings/{warning['warning_id']}")


async def say(page: Page, reason: str) -> None:
    """Give the reason that the open form asks for."""
    await page.locator(".fq-form .fq-reason textarea").fill(reason)
    await page.locator(".fq-form .fq-send").click()


@pytest.mark.browser
async def test_a_flag_is_contested_and_decided_in_the_console_and_counts(system: System) -> None:
    from playwright.async_api import expect

    warning = await warning_of(system, await come(system, CONTEST, f"{STREETS[0]}{secrets.token_hex(3)}"))
    async with browsing() as page:
        await sign_in(system, page, "duty_officer", warning)
        await page.locator(".fq-contest").click()
        await say(page, "并")
        await expect(page.locator(".q-notification").first).to_contain_text("至少三个字")
        await say(page, "同一家人反复计数")
        contested = page.locator(".fq-contested")
        await expect(contested).to_contain_text("有异议，待裁定")
        await expect(contested).to_contain_text("同一家人反复计数")
        assert await page.locator(".fq-withdraw").count() == 0, "nobody decides their own contest"
        await sign_in(system, page, "leader", warning)
        await page.locator(".fq-withdraw").click()
        await say(page, "核实确为重复计数")
        await expect(page.locator(".fq-contested")).to_contain_text("异议成立，研判撤销")
        await expect(page.locator(".fq-tag.state")).to_have_text("已撤销", timeout=20_000)
        await expect(page.locator(".fq-log").last).to_contain_text("异议成立，研判撤销")
    rules = (await ask(system, "screening", f"/v1/precision?jurisdiction={CONTEST}"))["rules"]
    [row] = [row for row in rules if row["kind"] == "collective_visit"]
    assert (row["flags"], row["right"], row["wrong"], row["precision"]) == (1, 0, 1, 0.0)


@pytest.mark.browser
async def test_matters_are_merged_and_split_in_the_console_with_reason_and_history(system: System) -> None:
    from playwright.async_api import expect

    run = secrets.token_hex(3)
    other = await warning_of(system, stray := await come(system, JOIN, f"{STREETS[2]}{run}", heads=19))
    await come(system, JOIN, f"{STREETS[2]}{run}", heads=17)
    warning = await warning_of(system, await come(system, JOIN, f"{STREETS[1]}{run}"))
    assert warning["matter"] != other["matter"]
    async with browsing() as page:
        await sign_in(system, page, "leader", warning)
        await expect(page.locator(".fq-members")).to_contain_text("1 件")
        assert await page.locator(".fq-merge, .fq-split").count() == 0, "only the duty officer does that"
        await sign_in(system, page, "duty_officer", warning)
        await page.locator(".fq-merge").click()
        await expect(page.locator(".fq-order")).to_contain_text("相同之处")
        await page.locator(".fq-other input").fill(STREETS[2])
        await page.get_by_role("option").first.click()
        look = page.locator(".fq-compare-place")
        for words in (STREETS[1], STREETS[2], "另一事项（并入）", "未发现共同之处", "另一事项人数更多"):
            await expect(look).to_contain_text(words)
        await say(page, "同一承包商的工程")
        log = page.locator(".fq-matter-log li")
        await expect(log).to_contain_text("同一承包商的工程", timeout=20_000)
        await expect(log).not_to_contain_text("正在执行", timeout=20_000)
        await expect(log).to_contain_text(f"并入本事项：“{STREETS[2]}{run}”（当时 2 名信访人、2 件）")
        await expect(page.locator(".fq-members")).to_contain_text("3 件")
        await expect(page.locator(".fq-facts")).to_contain_text("信访件 3 件", timeout=20_000)
        await expect(page.locator(".fq-facts")).to_contain_text("现场最多 19 人")
        await expect(page.locator(".fq-wtitle")).to_have_text(f"{STREETS[1]}{run}")
        assert (await ask(system, "screening", f"/v1/matters/{other['matter']}"))["merged_into"] == warning["matter"]
        await page.goto(f"{system.url('alerts')}/warnings/{other['warning_id']}")
        went = page.locator(".fq-into")
        await expect(went).to_have_text(f"本事项并入：“{STREETS[1]}{run}”（当时 1 名信访人、1 件）")

        await page.goto(f"{system.url('alerts')}/warnings/{warning['warning_id']}")
        await page.locator(".fq-split").click()
        await page.locator(".fq-member", has_text=STREETS[2]).first.click()
        await say(page, "实为两件事")
        await expect(log.first).to_contain_text("拆分", timeout=20_000)
        await expect(log.first).to_contain_text("实为两件事")
        await expect(log.first).to_contain_text(f"拆出：“{STREETS[2]}{run}”（当时 1 名信访人、1 件）", timeout=20_000)
        await expect(page.locator(".fq-members")).to_contain_text("2 件", timeout=20_000)
        members = (await ask(system, "screening", f"/v1/matters/{warning['matter']}"))["members"]
        assert stray not in {member["id"] for member in members}
        await page.locator(".fq-do-settle").click()
        await say(page, "已现场答复")
        await expect(page.locator(".fq-tag.state")).to_have_text("已了结")
        await expect(page.locator(".fq-ended")).to_be_visible()
        assert await page.locator(".fq-merge, .fq-split").count() == 0, "that warning has ended"
        await expect(page.locator(".fq-contest")).to_be_visible()
        await expect(page.locator(".fq-still")).to_contain_text("仍计入准确率")
        await expect(page.locator(".fq-steps .skipped").first).to_contain_text("未经")
        await expect(page.locator(".fq-steps .done")).to_contain_text("化解并了结")
        await page.locator(".fq-facts .fq-counted").first.hover()
        await expect(page.get_by_role("tooltip")).to_contain_text("同一人多次来件只计一名")
        await page.context.add_cookies([{"name": "fengqiao_lang", "value": "en", "url": system.url("alerts")}])
        await page.reload()
        await expect(log.first).to_contain_text("split off: ")
        await expect(page.locator(".fq-matter-card")).to_contain_text("The matter has 2 petitioners, 2 petitions now")
        await expect(page.locator(".fq-steps .skipped").first).to_contain_text("skipped")


async def test_an_extension_ends_the_warning_about_the_near_deadline_with_its_reason(system: System) -> None:
    def day(ago: int) -> str:
        return (datetime.now(UTC).astimezone(BEIJING) - timedelta(days=ago)).strftime("%Y-%m-%d %H:%M:%S")

    story = Story(f"clock-{secrets.token_hex(4)}", county=CLOCK)
    story.filed(day(56))
    story("assigned", day(56))
    story("accepted", day(55))
    kafka = system.supervisor.stack.kafka
    await send_events(kafka, PETITIONS, story.events)
    warning = await warning_of(system, story.petition, "near_deadline")
    assert warning["title"].endswith("即将到期")
    await send_events(kafka, PETITIONS, [story("extended", day(0))])
    found: dict[str, Any] = {}

    async def cancelled() -> bool:
        found.update(await ask(system, "alerts", f"/v1/warnings/{warning['warning_id']}"))
        return found["state"] == "cancelled"

    await until(cancelled, seconds=30, what="the end of the warning")
    assert "已依法延期" in found["log"][-1]["why"]["zh"]
    assert found["log"][-1]["reason"].endswith("extended under Art. 34")
    assert found["closed_why"]["en"].endswith("extended under Art. 34")
