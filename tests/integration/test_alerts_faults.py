"""Alerts killed at every commit boundary: no warning, no timer, no delivery is lost, and none happens twice."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from shared import audit
from shared.access import Principal
from tests.support.alerts import Alerts, flag, listening, read_until_resume
from tests.support.spine import until

pytestmark = pytest.mark.stack

POLICY = """
version: test
receivers: {desk: {type: console}, boss: {type: console}}
policies:
  p:
    notify: [desk]
    steps: [{after: 1s, call: [desk]}, {after: 1s, call: [boss]}]
    acknowledge_holds: 2s
levels: {I: p, II: p, III: p, IV: p}
"""
CALM = POLICY.replace("after: 1s", "after: 1h").replace("acknowledge_holds: 2s", "acknowledge_holds: 1h")


@pytest.fixture
async def alerts(stack: Stack, tmp_path: Path) -> AsyncIterator[Alerts]:
    alerts = Alerts(stack, tmp_path)
    await alerts.topics()
    yield alerts
    alerts.close()


def start(alerts: Alerts, policy: str = CALM, **extra: str) -> subprocess.Popen[bytes]:
    path = alerts.folder / "escalation.yaml"
    path.write_text(policy)
    return alerts.start(FENGQIAO_ESCALATION=str(path), **extra)


async def killed(process: subprocess.Popen[bytes]) -> None:
    assert await asyncio.to_thread(process.wait, 40) == 137


async def settled_down(
    alerts: Alerts, timers: frozenset[str] = frozenset({"escalation", "flush", "lapse"})
) -> dict[str, list[Any]]:
    """Everything in the store, once nothing is under way: no message pending, nothing unpublished, no timer due soon."""
    mongo = alerts.mongo()
    try:

        async def quiet() -> bool:
            pending = await mongo["deliveries"].count_documents({"status": "pending"})
            unpublished = await mongo["outbox"].count_documents({"pending": True})
            due = await mongo["timers"].count_documents({"kind": {"$in": sorted(timers)}})
            return pending == unpublished == due == 0 and await mongo["warnings"].count_documents({}) > 0

        await until(quiet, seconds=60, what=f"quiet alerts\n{alerts.log()[-2000:]}")
        names = ("warnings", "warning_log", "stream", "flags", "deliveries", "outbox")
        found = {name: await mongo[name].find({}).sort("_id", 1).to_list(None) for name in names}
        assert (await audit.verify(mongo)).ok
        return found
    finally:
        await mongo.close()


def whole(found: dict[str, list[Any]]) -> list[str]:
    """The invariants of a store; gives the actions of the one warning's log."""
    [warning] = found["warnings"]
    log = sorted(found["warning_log"], key=lambda row: row["version"])
    assert [row["version"] for row in log] == list(range(1, warning["version"] + 1))
    assert [row["_id"] for row in found["stream"]] == list(range(1, len(log) + 1))
    assert len(found["outbox"]) == len(log)
    assert {row["status"] for row in found["deliveries"]} <= {"sent"}
    return [row["action"] for row in log if row["action"] != "miss"]


@pytest.mark.parametrize(
    "boundary",
    ["consumer.before_transaction", "consumer.in_transaction", "mongo.before_commit", "consumer.after_commit"],
)
async def test_killed_while_a_flag_becomes_a_warning(alerts: Alerts, boundary: str) -> None:
    process = start(alerts, FAILPOINT=f"{boundary}:1:exit")
    await alerts.flags_in(flag(kind="life_safety", run=alerts.prefix))
    await killed(process)
    start(alerts)
    await alerts.healthy()
    await alerts.warnings(1)
    await alerts.flags_in(
        flag(kind="life_safety", run=alerts.prefix),
        flag(kind="life_safety", run=alerts.prefix, what="updated", petitioners=9, minute=1),
    )
    mongo = alerts.mongo()
    await until(lambda: has(mongo, "flags", 2), what="the second flag")
    await mongo.close()
    found = await settled_down(alerts, frozenset({"flush"}))
    assert whole(found) == ["raise", "update"]
    assert len(found["flags"]) == 2


async def has(mongo: Any, collection: str, count: int, **query: Any) -> bool:
    return bool(await mongo[collection].count_documents(query) >= count)


@pytest.mark.parametrize("boundary", ["alerts.before_transaction", "alerts.in_transaction", "alerts.after_commit"])
async def test_killed_while_an_officer_acknowledges(alerts: Alerts, boundary: str) -> None:
    process = start(alerts, FAILPOINT=f"{boundary}:1:exit")
    await alerts.healthy()
    await alerts.flags_in(flag(kind="life_safety", run=alerts.prefix))
    [warning] = await alerts.warnings(1)
    path = f"/v1/warnings/{warning['warning_id']}/acknowledge"
    async with alerts.client() as client:
        with pytest.raises(httpx.TransportError):
            await client.post(path, json={"expected_version": 1})
    await killed(process)
    start(alerts)
    await alerts.healthy()
    async with alerts.client() as client:
        again = await client.post(path, json={"expected_version": 1})
        assert (again.status_code, again.json()["state"]) == (200, "acknowledged")
    found = await settled_down(alerts, frozenset({"flush", "escalation"}))
    actions = whole(found)
    assert actions[:2] == ["raise", "acknowledge"]
    assert actions.count("acknowledge") == 1


@pytest.mark.parametrize(
    "boundary", ["alerts.timer.before_transaction", "alerts.timer.in_transaction", "alerts.timer.after_commit"]
)
@pytest.mark.parametrize("nth", [1, 3])
async def test_killed_while_a_timer_fires(alerts: Alerts, boundary: str, nth: int) -> None:
    process = start(alerts, POLICY, FAILPOINT=f"{boundary}:{nth}:exit")
    await alerts.flags_in(flag(kind="life_safety", run=alerts.prefix))
    await killed(process)
    start(alerts, POLICY)
    found = await settled_down(alerts)
    assert whole(found) == ["raise", "escalate", "escalate"]
    calls = sorted(row["receiver"] for row in found["deliveries"] if row["reason"] == "escalated")
    assert calls == ["boss", "desk"]
    told = [row for row in found["deliveries"] if row["reason"] == "first"]
    assert len(told) == 1
    log = sorted(found["warning_log"], key=lambda row: row["version"])
    gaps = [(b["at"] - a["at"]).total_seconds() for a, b in pairwise(log) if b["action"] == "escalate"]
    assert all(gap >= 1 for gap in gaps)  # never early


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_mark"])
async def test_killed_while_a_message_is_sent(alerts: Alerts, point: str) -> None:
    process = start(alerts, FAILPOINT=f"alerts.delivery.{point}:1:exit")
    await alerts.flags_in(flag(kind="life_safety", run=alerts.prefix))
    await killed(process)
    start(alerts)
    found = await settled_down(alerts, frozenset({"flush"}))
    assert whole(found) == ["raise"]
    [row] = found["deliveries"]
    assert (row["receiver"], row["reason"], row["status"]) == ("desk", "first", "sent")


async def test_two_processes_fire_each_timer_once_and_tell_each_others_clients(alerts: Alerts) -> None:
    start(alerts, POLICY)
    other = {"FENGQIAO_ESCALATION": str(alerts.folder / "escalation.yaml")}
    alerts.start("alerts-1", **other)
    await alerts.healthy()
    await alerts.healthy("alerts-1")
    async with listening(alerts) as first, alerts.client(instance="alerts-1") as client, asyncio.timeout(40):
        await read_until_resume(first)
        await alerts.flags_in(flag(kind="life_safety", run=alerts.prefix))
        got = [await anext(first) for _ in range(3)]
        assert [one.data["type"].split(".")[2] for one in got] == ["raised", "escalated", "escalated"]
        id = got[0].data["subject"]
        answer = await client.post(f"/v1/warnings/{id}/settle", json={"reason": "done"})
        assert answer.status_code == 200
        assert (await anext(first)).data["type"] == "fengqiao.warning.settled.v1"
    found = await settled_down(alerts)
    assert whole(found) == ["raise", "escalate", "escalate", "settle"]


async def test_no_call_starts_after_an_acknowledgement_was_answered(alerts: Alerts) -> None:
    start(alerts, POLICY.replace("acknowledge_holds: 2s", "acknowledge_holds: 1h"))
    alerts.start("alerts-1", FENGQIAO_ESCALATION=str(alerts.folder / "escalation.yaml"))
    await alerts.healthy()
    await alerts.healthy("alerts-1")
    await alerts.flags_in(*(flag(f"m{n}", run=alerts.prefix) for n in range(20)))
    warnings = await alerts.warnings(20)
    async with alerts.client() as one, alerts.client(Principal("o2", "duty_officer"), "alerts-1") as two:

        async def acknowledge(place: int, id: str) -> int:
            await asyncio.sleep(place * 0.05)  # around the time of the first call
            return (await (one, two)[place % 2].post(f"/v1/warnings/{id}/acknowledge", json={})).status_code

        codes = await asyncio.gather(*(acknowledge(n, w["warning_id"]) for n, w in enumerate(warnings)))
    assert set(codes) == {200}
    mongo = alerts.mongo()
    await until(lambda: none_left(mongo, "timers", kind="escalation"), what="no timer of a chain")
    for warning in warnings:
        log = await mongo["warning_log"].find({"warning_id": warning["warning_id"]}).sort("version", 1).to_list(None)
        actions = [row["action"] for row in log if row["action"] in ("acknowledge", "escalate")]
        assert actions[-1] == "acknowledge"
        assert actions.count("acknowledge") == 1
    await mongo.close()


async def none_left(mongo: Any, collection: str, **query: Any) -> bool:
    return bool(await mongo[collection].count_documents(query) == 0)


async def test_the_stream_has_no_gap_while_its_process_is_killed(alerts: Alerts) -> None:
    process = start(alerts)
    await alerts.healthy()
    seen: list[int] = []
    for round in range(3):
        with pytest.raises((httpx.TransportError, StopAsyncIteration)):
            async with listening(alerts, last=str(seen[-1]) if seen else "0") as stream, asyncio.timeout(30):
                await alerts.flags_in(*(flag(f"m{round}-{n}", run=alerts.prefix) for n in range(10)))
                while True:
                    one = await anext(stream)
                    if one.event == "warning":
                        seen.append(int(one.id or 0))
                    if len(seen) % 10 == 5 and process.poll() is None:
                        process.kill()
        process.wait(10)
        process = start(alerts)
        await alerts.healthy()
    mongo = alerts.mongo()
    await until(lambda: has(mongo, "stream", 30), what="thirty rows")
    await mongo.close()
    async with listening(alerts, last=str(seen[-1])) as stream:
        seen += [int(one.id or 0) for one in await read_until_resume(stream) if one.event == "warning"]
    assert seen == list(range(1, 31))
