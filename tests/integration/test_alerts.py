"""Alerts on real parts: flags become warnings, everybody hears of them, and no action is taken twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from shared.access import Principal
from tests.support.alerts import BUREAU, Alerts, finding, flag, listening, read_until_resume

pytestmark = pytest.mark.stack


@pytest.fixture
async def alerts(stack: Stack, tmp_path: Path) -> AsyncIterator[Alerts]:
    alerts = Alerts(stack, tmp_path)
    await alerts.topics()
    yield alerts
    alerts.close()


async def test_a_flag_becomes_a_warning_that_the_stream_tells_and_an_officer_ends(alerts: Alerts) -> None:
    alerts.start()
    await alerts.healthy()
    async with listening(alerts) as stream, asyncio.timeout(30):
        assert [one.event for one in await read_until_resume(stream)] == ["snapshot", "resume"]
        await alerts.flags_in(flag(run=alerts.prefix))
        raised = await anext(stream)
        assert (raised.event, raised.id) == ("warning", "1")
        event = raised.data
        assert event["type"] == "fengqiao.warning.raised.v1"
        assert event["traceparent"].split("-")[1] == "a" * 32
        id = event["data"]["warning_id"]
        assert event["subject"] == id
        async with alerts.client() as client:
            answer = await client.post(f"/v1/warnings/{id}/acknowledge", json={"expected_version": 1})
            assert answer.status_code == 200, answer.text
            assert answer.json()["state"] == "acknowledged"
            other = alerts.headers(Principal("demo.second", "duty_officer"))
            late = await client.post(f"/v1/warnings/{id}/acknowledge", json={"expected_version": 1}, headers=other)
            assert late.status_code == 409
            assert late.json()["by"] == "demo.duty_officer"
            assert "settle" in late.json()["allowed"]
            assert (await client.post(f"/v1/warnings/{id}/settle", json={})).status_code == 422
            done = await client.post(f"/v1/warnings/{id}/settle", json={"reason": "退费已到位"})
            assert done.json()["state"] == "settled"
            detail = (await client.get(f"/v1/warnings/{id}")).json()
            assert [row["action"] for row in detail["log"]] == ["raise", "acknowledge", "settle"]
        types = [(await anext(stream)).data["type"].split(".")[2] for _ in range(2)]
        assert types == ["acknowledged", "settled"]


async def test_a_settled_warning_does_not_swallow_the_next(alerts: Alerts) -> None:
    alerts.start()
    await alerts.healthy()
    first = flag(run=alerts.prefix)
    await alerts.flags_in(first)
    [warning] = await alerts.warnings(1)
    async with alerts.client() as client:
        answer = await client.post(f"/v1/warnings/{warning['warning_id']}/settle", json={"reason": "已化解"})
        assert answer.status_code == 200
    await alerts.flags_in(first, flag(run=alerts.prefix, what="updated", petitioners=7, minute=30))
    again, before = await alerts.warnings(2)
    assert (again["state"], again["episode"], again["previous"]) == ("raised", 2, before["warning_id"])
    assert before["state"] == "settled"


async def test_a_flood_of_deadlines_is_one_warning_a_unit_and_obligation(alerts: Alerts) -> None:
    alerts.start()
    await alerts.healthy()
    soon = [finding(f"p{n}", "due_soon", run=alerts.prefix) for n in range(300)]
    late = [finding(f"p{n}", "breached", minute=5, run=alerts.prefix) for n in range(40)]
    await alerts.findings_in(*soon, *late)
    found = {row["kind"]: row for row in await alerts.warnings(2)}
    async with alerts.client() as client:

        async def observed(kind: str) -> float:
            return (await client.get(f"/v1/warnings/{found[kind]['warning_id']}")).json()["rule"]["observed"]

        async with asyncio.timeout(20):
            while (await observed("overdue"), await observed("near_deadline")) != (40, 260):
                await asyncio.sleep(0.1)
    assert found["overdue"]["responsible_unit"] == BUREAU
