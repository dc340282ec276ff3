"""The assessment on real parts: each finding once, whatever is killed; the pages of a running service."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from shared.access import demo_tokens
from shared.clock import BEIJING
from shared.events import FINDINGS, Event, decode
from shared.mongo import Mongo
from tests.support.lifecycle import Story
from tests.support.spine import ROOT, Spine, read_all, send_events, until

pytestmark = pytest.mark.stack

N = 30
NAME = "assessment-0"


class Assessment(Spine):
    """The service as a process of its own."""

    def mongo(self) -> Mongo:
        return Mongo(self.stack.mongo, f"{self.prefix.replace('.', '_')}fengqiao_assessment", app_name="test")

    def start(self, instance: str = NAME, **extra: str) -> subprocess.Popen[bytes]:
        more = {"FENGQIAO_ENV": "demo", "FENGQIAO_SECRETS": str(self.folder), "FENGQIAO_TICK_S": "0.2", **extra}
        log = (self.folder / f"{instance}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "services.assessment"],
            cwd=ROOT,
            env=self.environment(instance, **more),
            stdout=log,
            stderr=log,
        )
        self.processes.append(process)
        return process

    async def findings(self) -> list[Event]:
        return [decode(r.value) for r in await read_all(self.stack.kafka, self.prefix + FINDINGS)]

    async def wait_for_findings(self, count: int) -> list[Event]:
        """Wait until that many different findings are on the topic."""
        found: list[Event] = []

        async def done() -> bool:
            nonlocal found
            found = await self.findings()
            return len({e.id for e in found}) >= count

        try:
            await until(done, what=f"{count} findings")
        except AssertionError as error:
            raise AssertionError(f"{error}; {len(found)} came\n{self.log(NAME)[-3000:]}") from None
        return found


@pytest.fixture
async def spine(stack: Stack, tmp_path: Path) -> AsyncIterator[Assessment]:
    spine = Assessment(stack, tmp_path)
    await spine.topics()
    yield spine
    spine.close()


def day(ago: int) -> str:
    return (datetime.now(UTC).astimezone(BEIJING) - timedelta(days=ago)).strftime("%Y-%m-%d %H:%M:%S")


def overdue(run: str, n: int) -> list[Event]:
    """A petition whose transfer was due two weeks ago; every third one was transferred in time."""
    story = Story(f"{run}{n}", county=f"3799{11 + n % 4}")
    story.filed(day(29))
    if n % 3 == 0:
        story("assigned", day(28))
        story("accepted", day(27))
    return story.events


BOUNDARIES = [
    "assessment.ticker.before_transaction:1:exit",
    "assessment.ticker.in_transaction:1:exit",
    "assessment.ticker.in_transaction:1:raise",
    "assessment.ticker.after_commit:1:exit",
    "consumer.after_commit:1:exit",
]


@pytest.mark.parametrize("failpoint", BOUNDARIES)
async def test_each_finding_once_whatever_fails(spine: Assessment, failpoint: str) -> None:
    events = [e for n in range(N) for e in overdue(spine.prefix, n)]
    process = spine.start(FAILPOINT=failpoint)
    await send_events(spine.stack.kafka, spine.petitions, [*events, *events[: N // 2]])
    if failpoint.endswith("exit"):
        assert await asyncio.to_thread(process.wait, 30) == 137
        spine.start()
    kept = N // 3
    found = await spine.wait_for_findings(N - kept + 2 * kept)
    kinds = Counter((e.data.obligation, e.data.state) for e in {e.id: e for e in found}.values())
    assert kinds == {
        ("REG_TRANSFER", "breached"): N - kept,
        ("REG_TRANSFER", "met"): kept,
        ("NOTIFY", "met"): kept,
    }
    assert all(e.data.at <= datetime.now(UTC) for e in found)
    mongo = spine.mongo()
    assert await mongo["petitions"].count_documents({}) == N
    steps = (
        await mongo["petitions"]
        .aggregate([{"$group": {"_id": None, "n": {"$sum": {"$size": "$steps"}}}}])
        .to_list(None)
    )
    assert steps[0]["n"] == len(events)
    assert await mongo["obligations"].count_documents({"watch": {"$lte": datetime.now(UTC)}}) == 0
    await mongo.close()


async def test_a_running_service_answers_staff_and_shows_its_pages(spine: Assessment) -> None:
    spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [e for n in range(4) for e in overdue(spine.prefix, n)])
    await spine.wait_for_findings(6)
    base = f"http://127.0.0.1:{spine.ports[NAME]}"
    token = {"Authorization": f"Bearer {demo_tokens(spine.folder)['duty_officer']}"}
    async with httpx.AsyncClient(base_url=base) as client:
        listed: dict[str, Any] = (await client.get("/v1/obligations?state=breached", headers=token)).json()
        assert {i["obligation"] for i in listed["items"]} == {"REG_TRANSFER"}
        assert len(listed["items"]) == 2
        assert (await client.get("/v1/obligations")).status_code == 401
        page = await client.get("/")
        assert page.status_code == 200
        assert "登记转送" in page.text
        assert (await client.get("/assets/assessment.css")).status_code == 200
        assert (await client.get("/health")).status_code == 200
        spec = (await client.get("/openapi.json")).json()
        assert "/v1/units/{code}/scorecard" in spec["paths"]
        bus = (await client.get("/asyncapi.json")).json()
        assert any(FINDINGS in channel for channel in bus["channels"])


async def test_an_event_no_clock_can_use_goes_to_the_dead_letters_and_the_rest_goes_on(spine: Assessment) -> None:
    bad = Story(f"{spine.prefix}bad")
    event = bad.filed("2026-03-01")
    far = event.model_copy(
        update={"data": event.data.model_copy(update={"received_at": datetime(9000, 1, 1, tzinfo=UTC)})}
    )
    spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [far, *overdue(spine.prefix, 1)])
    (found,) = await spine.wait_for_findings(1)
    assert found.data.petition_id == f"{spine.prefix}1"
    mongo = spine.mongo()
    letters = await mongo["outbox"].find({"topic": {"$regex": "dlq$"}}).to_list(None)
    await mongo.close()
    assert len(letters) == 1
    assert "time-out-of-range" in str(letters[0]["headers"])
