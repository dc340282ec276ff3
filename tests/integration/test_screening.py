"""Screening on real parts: petitions become matters and flags, once each, whatever is killed or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from shared.events import (
    FINDINGS,
    WARNINGS,
    ObligationBreached,
    PetitionAccepted,
    WarningDiscarded,
    WarningVerified,
)
from tests.support.petitions import COUNTY, POLICY, START
from tests.support.screening import Screening, filed_event, later
from tests.support.spine import send_events, until

pytestmark = pytest.mark.stack


@pytest.fixture
async def screening(stack: Stack, tmp_path: Path) -> AsyncIterator[Screening]:
    service = Screening(stack, tmp_path)
    await service.topics()
    yield service
    service.close()


async def test_five_petitioners_become_one_flag_that_explains_itself(screening: Screening) -> None:
    screening.start()
    await screening.feed(*(filed_event(n, minutes=n) for n in range(5)), filed_event(9, 1, minutes=9))
    await screening.feed(*(filed_event(n, minutes=n) for n in range(5)))  # published twice
    await screening.healthy()
    await screening.stored(6)
    await until(lambda: _has(screening, 1), what="the flag on the bus")
    [event] = await screening.flag_events()
    data = event.data
    assert event.type == "fengqiao.flag.raised.v1"
    assert event.traceparent is not None
    assert event.traceparent.split("-")[1] == "b" * 32
    assert (data.kind, data.distinct_petitioners, data.level, data.observed) == ("collective_risk", 5, "III", 5)
    assert data.rule.policy == "fengqiao-default@1"
    assert len(data.petition_ids) == len(data.evidence) == 5
    assert "5名不同信访人" in data.explanation.zh
    [flag] = await screening.rows("flags")
    assert flag["_id"] == data.flag_id
    [matter] = await screening.rows("matters")
    assert (matter["petitions"], matter["petitioners"], matter["flags"]) == (5, 5, ["collective_risk"])
    async with screening.client() as client:
        page = (await client.get("/v1/matters")).json()
        assert "items" in page, page
        assert [row["id"] for row in page["items"]] == [data.matter]
        detail = (await client.get(f"/v1/matters/{data.matter}")).json()
        assert len(detail["members"]) == 5
        assert all("text" not in row and "petitioner" not in row for row in detail["members"])
        near = await client.get(
            "/v1/similar", params={"jurisdiction": COUNTY, "title": "翠湖花园小区地下车库漏水没人修"}
        )
        assert near.json()["matters"][0]["matter"] == data.matter
        assert (await client.get("/v1/matters", headers={"Authorization": ""})).status_code == 401
        assert (await client.get("/v1/matters/none")).json()["code"] == "matter-not-found"


async def _has(screening: Screening, count: int) -> bool:
    return len(await screening.flag_events()) >= count


async def test_a_kill_between_batches_neither_loses_nor_doubles(screening: Screening) -> None:
    first = screening.start(FAILPOINT="consumer.after_commit:1:exit")
    await screening.feed(*(filed_event(n, minutes=n) for n in range(4)))
    await asyncio.to_thread(first.wait, 30)
    screening.start()
    await screening.feed(*(filed_event(n, minutes=n) for n in range(3, 8)))
    await screening.stored(8)
    await until(lambda: _has(screening, 1), what="the flag")
    events = await screening.flag_events()
    assert events[0].type == "fengqiao.flag.raised.v1"
    assert events[0].data.distinct_petitioners == 5
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    [flag] = await screening.rows("flags")
    assert flag["distinct"] == 8


async def test_breaches_and_outcomes_reach_the_county_and_the_precision(screening: Screening) -> None:
    screening.start()
    await screening.feed(
        filed_event(0, petitioner="same"),
        later(
            PetitionAccepted(
                petition_id="run-p00000", jurisdiction=COUNTY, at=START + timedelta(minutes=1), unit=f"{COUNTY}.office"
            ),
            id="accepted",
            at=START,
        ),
    )
    await screening.stored(1)
    breach = ObligationBreached(
        petition_id="run-p00000",
        jurisdiction=COUNTY,
        unit=f"{COUNTY}.office",
        obligation="HANDLE",
        due=START,
        state="breached",
        basis="Art. 34",
        derivation="…",
        at=START + timedelta(minutes=2),
    )
    await send_events(screening.stack.kafka, screening.prefix + FINDINGS, [later(breach, id="breach", at=START)])

    async def taken() -> bool:
        rows = await screening.rows("petitions")
        return any(step["kind"] == "breached" for step in rows[0]["steps"])

    await until(taken, what="the breach at its petition")
    await screening.feed(filed_event(1, petitioner="same", minutes=30))
    await until(lambda: _has(screening, 2), what="the flags of a repeat after a missing reply")
    kinds = {e.data.kind: e.data for e in await screening.flag_events()}
    assert set(kinds) == {"unanswered_repeat", "cross_level_risk"}
    for verdict, kind in ((WarningVerified, "unanswered_repeat"), (WarningDiscarded, "cross_level_risk")):
        flag = kinds[kind]
        data = verdict(
            warning_id=f"w-{kind}",
            version=2,
            kind=kind,
            level="III",
            state="x",
            matter=flag.matter,
            jurisdiction=COUNTY,
            flag_id=flag.flag_id,
            at=START + timedelta(minutes=40),
        )
        await send_events(screening.stack.kafka, screening.prefix + WARNINGS, [later(data, id=kind, at=START)])
    async with screening.client("leader") as client:

        async def judged() -> bool:
            rules = (await client.get("/v1/precision")).json()["rules"]
            return {r["kind"]: r["precision"] for r in rules} == {"unanswered_repeat": 1.0, "cross_level_risk": 0.0}

        await until(judged, what="the precision")


async def test_staff_split_merge_and_contest_with_history(screening: Screening) -> None:
    screening.start()
    await screening.feed(*(filed_event(n, minutes=n) for n in range(6)), filed_event(20, 1, minutes=7))
    await screening.stored(7)
    await screening.healthy()
    rows = await screening.rows("petitions")
    garage = next(r["matter"] for r in rows if r["_id"] == "run-p00000")
    wages = next(r["matter"] for r in rows if r["_id"] == "run-p00020")
    async with screening.client() as client, screening.client("leader") as leader:
        merged = await client.post(f"/v1/matters/{garage}/merge", json={"other": wages, "reason": "同一承包商"})
        assert merged.status_code == 202, merged.text
        await until(lambda: _matters(screening, {garage}), what="one matter")
        detail = (await client.get(f"/v1/matters/{garage}")).json()
        assert (detail["petitions"], detail["merges"][0]["by"]) == (7, "demo.duty_officer")
        split = await client.post(
            f"/v1/matters/{garage}/split", json={"petitions": ["run-p00020", "run-p00000"], "reason": "并非一事"}
        )
        assert split.status_code == 202, split.text

        async def apart() -> bool:
            return len({r["matter"] for r in await screening.rows("petitions")}) == 2

        await until(apart, what="two matters")
        assert (
            await client.post(f"/v1/matters/{garage}/split", json={"petitions": ["x"], "reason": "测试一下"})
        ).status_code == 409
        [flag] = [f for f in await screening.rows("flags") if f["kind"] == "collective_risk"]
        url = f"/v1/flags/{flag['_id']}/contest"
        assert (await client.post(url, json={"reason": "重复计算"})).status_code == 201
        assert (await client.post(url, json={"reason": "重复计算"})).json()["code"] == "contest-open"
        own = await client.post(f"{url}/resolve", json={"outcome": "withdrawn", "reason": "核实不成立"})
        assert own.json()["code"] == "own-contest"
        done = await leader.post(f"{url}/resolve", json={"outcome": "withdrawn", "reason": "核实不成立"})
        assert done.json()["contest"]["state"] == "withdrawn"

        async def cleared() -> bool:
            return (await screening.rows("flags", _id=flag["_id"]))[0]["state"] == "cleared"

        await until(cleared, what="the flag cleared")
        assert (await client.get(f"/v1/flags/{flag['_id']}")).json()["reason"] == "contested"
        log = await screening.rows("audit")
        assert {row["action"] for row in log} == {"matter.merge", "matter.split", "flag.contest", "flag.withdrawn"}
    first = screening.processes[0]
    first.kill()
    await asyncio.to_thread(first.wait, 10)
    before = {r["_id"]: r["matter"] for r in await screening.rows("petitions")}
    screening.start()
    await screening.feed(filed_event(30, minutes=60))
    await screening.stored(8)
    after = {r["_id"]: r["matter"] for r in await screening.rows("petitions")}
    assert {id: after[id] for id in before} == before
    assert (await screening.rows("flags", _id=flag["_id"]))[0]["state"] == "cleared"


async def _matters(screening: Screening, expected: set[str]) -> bool:
    return {r["matter"] for r in await screening.rows("petitions")} == expected


async def test_a_policy_is_taken_up_without_a_restart_and_a_bad_one_is_not(
    screening: Screening, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    text = (POLICY / "default.yaml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    screening.start(FENGQIAO_POLICY=str(file), FENGQIAO_POLICY_POLL_S="0.2", FENGQIAO_TICK_S="0.2")
    await screening.feed(*(filed_event(n, minutes=3000 * n) for n in range(3)))
    await screening.stored(3)
    await screening.healthy()
    file.write_text(text.replace("petitioners: 5\n", "petitioners: 1\n", 1), encoding="utf-8")
    async with screening.client() as client:
        assert (await client.get("/v1/policy")).json()["in_force"] == "fengqiao-default@1"
        newer = text.replace("petitioners: 5\n", "petitioners: 3\n", 1).replace("version: 1\n", "version: 2\n", 1)
        file.write_text(newer, encoding="utf-8")
        await until(lambda: _has(screening, 1), what="the flag of the new policy")
        [event] = await screening.flag_events()
        assert (event.data.rule.policy, event.data.distinct_petitioners) == ("fengqiao-default@2", 3)
        assert (await client.get("/v1/policy")).json()["in_force"] == "fengqiao-default@2"
