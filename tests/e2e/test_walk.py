"""A walk: one petition from HTTP to the console, one trace on its way, and nothing of the person anywhere."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import httpx
import orjson
import pytest

from deploy.local.supervise import SERVICES
from tests.support.system import System, browsing, until

pytestmark = pytest.mark.stack

WALK, PRIVACY, REFUSED = "379911", "370902", "370903"
"""A county a test, so that no matter of one is continued by another."""
PERSON = {
    "name": "欧阳金丝雀",
    "phone": "13912345678",
    "id_number": "11010519491231002X",
    "address": "梧桐巷九十九号院三单元",
}
CANARIES = [value.encode() for value in (*PERSON.values(), "11010519491231002x", "139 1234 5678")]


def visit(place: str, county: str) -> dict[str, Any]:
    """Six people come about one matter; the text says who their speaker is."""
    return {
        "channel": "visit",
        "jurisdiction": county,
        "title": f"{place}拖欠工资",
        "text": f"我叫{PERSON['name']},身份证{PERSON['id_number']},电话139 1234 5678。{place}拖欠六人工资,请解决。",
        "petitioner": PERSON,
        "headcount": 6,
        "representatives": 3,
        "level_presented": "county",
    }


def said(content: bytes) -> list[str]:
    """The canaries that stand in there, whatever way JSON wrote them."""
    escaped = [orjson.dumps(c.decode()).strip(b'"') for c in CANARIES]
    ascii_only = [c.decode().encode("unicode_escape") for c in CANARIES]
    return sorted({c.decode() for c in {*CANARIES, *escaped, *ascii_only} if c in content})


async def bad_requests(system: System) -> list[httpx.Response]:
    """The person's data where they do not belong; each is refused."""
    phone, name, number = PERSON["phone"], PERSON["name"], PERSON["id_number"]
    good = visit("金丝雀厂", REFUSED)
    bodies: list[dict[str, Any]] = [
        {**good, "channel": name},
        {**good, "jurisdiction": number},
        {**good, name: phone},
        {**good, "petitioner": {**PERSON, "phone": name}},
        {**good, "petitioner": {**PERSON, "id_number": phone}},
        {**good, "petitioner": {**PERSON, "spouse": name}},
        {**good, "submitted_at": phone},
        {**good, "headcount": phone},
    ]
    answers = []
    async with system.client("intake") as client:
        for n, body in enumerate(bodies):
            key = {"idempotency-key": f"bad-{n}"}
            answers.append(await client.post("/v1/petitions", json=body, headers=key))
        raw = orjson.dumps(good)[:-5]
        for key in ("bad-raw", name.encode(), phone * 40):
            headers = {b"idempotency-key": key if isinstance(key, bytes) else key.encode()}
            headers[b"content-type"] = b"application/json"
            answers.append(await client.post("/v1/petitions", content=raw, headers=headers))
        answers.append(await client.get("/v1/progress", params={"receipt": phone, "code": name}))
        answers.append(await client.get(f"/v1/petitions/{phone}", headers=system.headers()))
        answers.append(await client.get(f"/{name}/{number}", params={"q": phone}))
        answers.append(await client.get("/v1/petitions", headers={"authorization": f"Bearer {number}"}))
    for service in SERVICES[1:]:
        async with system.client(service, "duty_officer") as client:
            answers.append(await client.get(f"/v1/{phone}", params={"name": name}))
            answers.append(await client.post("/v1/warnings", json=good))
    async with system.client("alerts", "duty_officer") as client:
        answers.append(await client.get(f"/v1/warnings/{phone}"))
    return answers


WAY = {
    "intake": {"event": "request_handled", "route": "/v1/petitions", "status": 201},
    "screening": {"event": "event_handled", "topic": "petition.events.v1"},
    "assessment": {"event": "event_handled", "topic": "petition.events.v1"},
    "alerts": {"event": "event_handled", "topic": "screening.flags.v1"},
}
"""The line in which each service says that it has done its part."""


def traced(system: System, service: str, trace: str) -> bool:
    wanted = {**WAY[service], "trace_id": trace}
    return any(wanted.items() <= line.items() for line in system.lines(service))


@pytest.mark.browser
async def test_one_petition_from_http_to_the_console(system: System) -> None:
    run = secrets.token_hex(4)
    place = f"枫林{run}厂"
    trace = secrets.token_hex(16)
    headers = {"idempotency-key": f"walk-{run}", "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}

    async with browsing() as page, system.warnings() as stream, system.client("intake") as client:
        await page.goto(system.url("alerts"))
        await page.wait_for_selector(".fq-live")
        filed = await client.post("/v1/petitions", json=visit(place, WALK), headers=headers)
        assert filed.status_code == 201, filed.text
        petition = filed.json()["petition_id"]
        async with asyncio.timeout(60):
            warning = await anext(event async for event in stream if petition in event["data"]["petition_ids"])
        data = warning["data"]
        assert (warning["type"], data["kind"]) == ("fengqiao.warning.raised.v1", "collective_visit")
        assert warning["traceparent"].split("-")[1] == trace
        row = page.locator(f'.fq-row[data-id="{data["warning_id"]}"]')
        await row.wait_for(timeout=30_000)
        assert place in await row.inner_text()
        assert said((await page.content()).encode()) == []

    await until(
        lambda: all(traced(system, name, trace) for name in SERVICES), seconds=30, what="the trace in four logs"
    )


async def test_nothing_of_the_person_is_anywhere(system: System) -> None:
    place = f"枫桥{secrets.token_hex(4)}厂"
    assert set(said(orjson.dumps(visit(place, PRIVACY)))) >= set(PERSON.values())
    async with system.client("intake") as client, system.warnings() as stream:
        filed = await client.post("/v1/petitions", json=visit(place, PRIVACY), headers={"idempotency-key": place[2:-1]})
        assert filed.status_code == 201, filed.text
        made = filed.json()
        async with asyncio.timeout(60):
            await anext(event async for event in stream if made["petition_id"] in event["data"]["petition_ids"])
        known = {"receipt": made["receipt"], "code": made["query_code"]}
        assert (await client.get("/v1/progress", params=known)).status_code == 200

    refused = await bad_requests(system)
    assert {answer.status_code // 100 for answer in refused} == {4}, [answer.status_code for answer in refused]
    for answer in refused:
        assert said(answer.content) == [], answer.request.url
        assert said(repr(answer.headers).encode()) == []

    records = await system.records()
    about = [record for record in records if place.encode() in (record.value or b"")]
    assert {record.topic for record in about} >= {"petition.events.v1", "screening.flags.v1", "alerts.warnings.v1"}
    for record in records:
        headers = b"".join(name.encode() + value for name, value in record.headers)
        assert said(b"".join((record.key or b"", record.value or b"", headers))) == [], record.topic
    assert [record.topic for record in records if record.topic.endswith(".dlq")] == []

    for name, content in system.written():
        assert said(content) == [], name
        assert made["query_code"].encode() not in content, name
    for name, document in system.documents():
        assert said(document) == [], name
    for service in SERVICES:
        async with system.client(service) as client:
            metrics = await client.get("/metrics")
            assert metrics.status_code == 200
            assert said(metrics.content) == [], service
