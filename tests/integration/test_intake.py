"""The intake as a process on real parts: what was answered is there, once, whatever is killed on the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app as cli
from deploy.local.stack import Stack
from tests.support.intake import petition_body
from tests.support.intake_process import IntakeProcess
from tests.support.spine import free_port, read_all, until

pytestmark = pytest.mark.stack


@pytest.fixture
async def intake(stack: Stack, tmp_path: Path) -> AsyncIterator[IntakeProcess]:
    service = IntakeProcess(stack, tmp_path)
    await service.topics()
    yield service
    service.close()


async def test_kills_under_load(intake: IntakeProcess) -> None:
    intake.start()
    await intake.healthy()
    async with intake.client() as client:
        slots = asyncio.Semaphore(16)

        async def one(number: int) -> str:
            async with slots:
                return str((await intake.file(client, f"k{number}")).json()["petition_id"])

        jobs = [asyncio.create_task(one(number)) for number in range(300)]
        for done in (60, 140, 220):
            await until(lambda done=done: _are(jobs, done), what=f"{done} petitions")
            intake.processes[-1].kill()
            intake.start()
        answered = await asyncio.gather(*jobs)
    assert len(set(answered)) == 300
    events = await intake.published(300)
    assert {event.subject for event in events} == set(answered)
    assert set((await intake.counts()).values()) == {300}


async def _are(jobs: list[asyncio.Task[str]], done: int) -> bool:
    return sum(job.done() for job in jobs) >= done


async def test_fifty_at_once_over_two_processes_are_one_petition(intake: IntakeProcess) -> None:
    intake.start()
    intake.start("intake-1")
    await intake.healthy()
    other = f"http://127.0.0.1:{intake.ports['intake-1']}"
    async with intake.client() as one, httpx.AsyncClient(base_url=other, timeout=30) as two:
        answers = await asyncio.gather(*(intake.file(client, "same") for _ in range(25) for client in (one, two)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    await intake.published(1)
    assert set((await intake.counts()).values()) == {1}


async def test_steps_come_out_in_order_with_the_trace_of_their_request(intake: IntakeProcess) -> None:
    intake.start()
    await intake.healthy()
    trace = "a" * 32
    async with intake.client() as client:
        client.headers["traceparent"] = f"00-{trace}-{'b' * 16}-01"
        made = (await intake.file(client, "k1", topic="labour_dispute")).json()
        for body in ({"type": "accepted"}, {"type": "replied", "opinion": "support"}, {"type": "served"}):
            step = await client.post(f"/v1/petitions/{made['petition_id']}/events", json=body)
            assert step.status_code == 201
        page = await client.post("/progress", data={"receipt": made["receipt"], "code": made["query_code"]})
        assert "处理意见已送达" in page.text
        assert (await client.get("/")).status_code == 200
    events = await intake.published(4)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert {event.traceparent.split("-")[1] for event in events if event.traceparent} == {trace}
    assert any(trace in line for line in intake.log("intake-0").splitlines())


async def test_nothing_personal_is_on_the_topic_or_in_the_log(intake: IntakeProcess) -> None:
    intake.start()
    await intake.healthy()
    person = {"name": "王小明", "phone": "13800138000", "id_number": "11010519491231002X", "address": "桂花巷7号"}
    async with intake.client() as client:
        body = petition_body(title="我叫王小明", text="我叫王小明,电话13800138000,幸福家园停车难", petitioner=person)
        made = await client.post("/v1/petitions", json=body, headers={"idempotency-key": "k1"})
        await client.post("/v1/petitions", json={**body, "channel": "王小明"}, headers={"idempotency-key": "k2"})
        query = {"receipt": made.json()["receipt"], "code": made.json()["query_code"]}
        await client.get("/v1/progress", params=query)
    await intake.published(1)
    [record] = await read_all(intake.stack.kafka, intake.petitions)
    said = record.value.decode() + repr(record.headers) + intake.log("intake-0")
    for canary in ("王小明", "13800138000", "11010519491231002", "桂花巷", query["code"]):
        assert canary not in said
    assert "幸福家园停车难" in said


async def test_without_mongodb_it_answers_503_soon(intake: IntakeProcess) -> None:
    intake.start(FENGQIAO_MONGO=f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0")
    async with intake.client() as client:

        async def answers() -> bool:
            try:
                await client.get("/")
            except httpx.TransportError:
                return False
            return True

        await until(answers, what="the form")
        answer = await client.post("/v1/petitions", json=petition_body(), headers={"idempotency-key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")


async def test_replay_stores_a_file_once_and_names_its_bad_rows(intake: IntakeProcess, tmp_path: Path) -> None:
    intake.start()
    await intake.healthy()
    file = tmp_path / "messages.jsonl"
    rows = [
        {
            "id": n,
            "petitioner": f"A{n}",
            "submitted_at": "2019-02-28T11:25:05",
            "title": f"第{n}件",
            "text": f"道路损坏{n}",
        }
        for n in range(60)
    ]
    rows[10]["text"] = "。。。"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join([*lines[:20], "{", *lines[20:]]), encoding="utf-8")
    command = ["replay", str(file), "--speed", "max", "--url", intake.url, "--jurisdiction", "430102"]
    first = await asyncio.to_thread(CliRunner().invoke, cli, command)
    second = await asyncio.to_thread(CliRunner().invoke, cli, command)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    for output, accepted, duplicates in ((first.output, 59, 0), (second.output, 0, 59)):
        plain = " ".join(output.replace("│", " ").split())
        assert f"accepted {accepted}" in plain
        assert f"duplicates {duplicates}" in plain
        assert "text-invalid" in plain
        assert "not-json" in plain
    events = await intake.published(59)
    assert {event.partitionkey for event in events} == {"430102"}
    assert {event.data.submitted_at.isoformat() for event in events} == {"2019-02-28T03:25:05+00:00"}
