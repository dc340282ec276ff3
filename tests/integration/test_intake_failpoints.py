"""Every boundary of the intake × {exit, raise}: one petition a key, one outbox row, one event, and the same answer again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from services.intake.store import PETITIONS
from tests.support.intake import petition_body
from tests.support.intake_process import IntakeProcess
from tests.support.spine import until

pytestmark = pytest.mark.stack

STORING = ["intake.before_transaction", "intake.in_transaction", "mongo.before_commit", "intake.after_commit"]
RELAYING = ["relay.after_claim", "relay.after_publish", "relay.after_mark"]
AT_ONCE = 3


@pytest.fixture
async def intake(stack: Stack, tmp_path: Path) -> AsyncIterator[IntakeProcess]:
    service = IntakeProcess(stack, tmp_path)
    await service.topics()
    yield service
    service.close()


class Caller:
    """A channel that asks again under the same key until it is answered, and counts what went wrong on the way."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.troubles: Counter[int] = Counter()
        """by status; 0 is a connection that broke"""

    async def post(self, url: str, key: str, body: dict[str, Any]) -> httpx.Response:
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            try:
                answer = await self._client.post(url, json=body, headers={"idempotency-key": key})
            except httpx.TransportError:
                self.troubles[0] += 1
            else:
                if answer.status_code < 500:
                    assert answer.status_code == 201, answer.text
                    return answer
                assert answer.headers["content-type"].startswith("application/problem+json")
                assert "ailpoint" not in answer.text
                self.troubles[answer.status_code] += 1
            await asyncio.sleep(0.1)
        raise AssertionError(f"no answer for {key}")

    async def file(self, key: str) -> httpx.Response:
        text = f"幸福家园工地欠薪,第{key}件。"
        body = petition_body(text=text, topic="labour_dispute", petitioner={"phone": "13800138000"})
        return await self.post("/v1/petitions", key, body)

    async def some(self, *keys: str) -> dict[str, httpx.Response]:
        """Several at once."""
        return dict(zip(keys, await asyncio.gather(*(self.file(key) for key in keys)), strict=True))


async def assert_once(intake: IntakeProcess, caller: Caller, answers: dict[str, httpx.Response]) -> None:
    """One petition a key, one row of each kind, one event; and each key gives the answer that it gave before."""
    for key, again in (await caller.some(*answers)).items():
        assert again.json() == answers[key].json()
        assert again.headers["idempotent-replayed"] == "true"
    ids = {answer.json()["petition_id"] for answer in answers.values()}
    assert len(ids) == len({answer.json()["query_code"] for answer in answers.values()}) == len(answers)
    events = await intake.published(len(answers))
    assert sorted(str(event.subject) for event in events) == sorted(ids)
    assert set((await intake.counts()).values()) == {len(answers)}
    mongo = intake.mongo()
    assert {row["_id"] async for row in mongo[PETITIONS].find()} == ids
    await mongo.close()


async def test_a_process_that_dies_at_every_boundary_in_turn(intake: IntakeProcess) -> None:
    async def die() -> None:
        for boundary in (*STORING, *RELAYING):  # each successor finds what its predecessor left, and dies elsewhere
            process = intake.start(FAILPOINT=f"{boundary}:1:exit")
            assert await asyncio.to_thread(process.wait, 60) == 137, boundary
        intake.start()

    answers: dict[str, httpx.Response] = {}
    dying = asyncio.create_task(die())
    await asyncio.sleep(0)
    async with intake.client() as client:
        caller = Caller(client)
        while not dying.done():
            answers |= await caller.some(*(f"k{len(answers) + n}" for n in range(AT_ONCE)))
        await dying
        assert caller.troubles[0] > 0
        assert any("idempotent-replayed" in answer.headers for answer in answers.values())  # committed, then died
        await assert_once(intake, caller, answers)


async def test_an_error_at_every_boundary_of_filing(intake: IntakeProcess) -> None:
    points = [f"{boundary}:{n}:raise" for n, boundary in enumerate(STORING, 2)]
    points += [f"{boundary}:1:raise" for boundary in RELAYING]
    intake.start(FAILPOINT=",".join(points))
    answers: dict[str, httpx.Response] = {}
    async with intake.client() as client:
        caller = Caller(client)
        while len(answers) < 12 * AT_ONCE:
            answers |= await caller.some(*(f"k{len(answers) + n}" for n in range(AT_ONCE)))
        assert caller.troubles[500] >= len(STORING)  # what is filed together fails together
        await assert_once(intake, caller, answers)

    async def waited() -> bool:
        return intake.log("intake-0").count('"relay_waits"') == len(RELAYING)

    await until(waited, what="three errors of the relay")


async def test_an_error_at_every_boundary_of_a_step(intake: IntakeProcess) -> None:
    filings = 4
    filing = intake.start()
    steps = ({"type": "accepted"}, {"type": "replied", "opinion": "support"}, {"type": "served"})
    async with intake.client() as client:
        caller = Caller(client)
        petitions = [(await caller.file(f"k{n}")).json()["petition_id"] for n in range(filings)]
        filing.terminate()  # a conflict that is tried again passes a boundary twice: nobody can count where filing ends
        await asyncio.to_thread(filing.wait, 30)
        intake.start(FAILPOINT=",".join(f"{boundary}:{n}:raise" for n, boundary in enumerate(STORING, 1)))
        asked = [(f"/v1/petitions/{id}/events", f"{id}-{body['type']}", body) for body in steps for id in petitions]
        answers = [await caller.post(*one) for one in asked]
        assert caller.troubles[500] == len(STORING)
        again = [await caller.post(*one) for one in asked]
    assert [one.json() for one in again] == [one.json() for one in answers]
    assert {one.headers["idempotent-replayed"] for one in again} == {"true"}
    events = await intake.published(filings * 4)
    for id in petitions:
        assert [event.sequence for event in events if event.subject == id] == [1, 2, 3, 4]
    mongo = intake.mongo()
    assert {row["version"] async for row in mongo[PETITIONS].find()} == {4}
    await mongo.close()
