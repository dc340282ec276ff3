"""Filing over HTTP: groups A (through the route), C and D of the bad inputs, idempotency, topics, failures."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from services.intake.handlers import Intake
from services.intake.ports import Proposal
from shared import failpoint
from shared.events import encode
from tests.support.intake import ID_NUMBER, RATES, bearer, client_of, file, make_app, make_intake, petition_body, tables
from tests.support.memory_intake import Tables


async def test_a_petition_is_registered_with_everything_that_belongs_to_it(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    answer = await file(client, petitioner={"name": "王小明", "phone": "13800138000"}, topic="labour_dispute")
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"petition_id", "receipt", "query_code", "status"}
    assert body["status"] == "received"
    assert len(body["query_code"]) == 10
    assert body["receipt"].startswith("379911-20261124-")
    rows = tables(intake)
    assert [len(t) for t in (rows.petitions, rows.identities, rows.keys, rows.requests, rows.audit, rows.outbox)] == [
        1
    ] * 6
    event = rows.outbox[0]
    assert event.data.responsible_unit == "379911.hr_social_security_bureau"
    assert (event.subject, event.partitionkey, event.sequence) == (body["petition_id"], "379911", 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channel": "pigeon"}, "channel-unknown"),
        ({"topic": "no_such_topic"}, "topic-unknown"),
        ({"jurisdiction": "37991"}, "invalid-request"),
        ({"jurisdiction": "３７９９１１"}, "invalid-request"),
        ({"title": ""}, "invalid-request"),
        ({"title": "题" * 201}, "invalid-request"),
        ({"title": " \u200b\u3000"}, "title-invalid"),
        ({"text": ""}, "invalid-request"),
        ({"text": "文" * 20_001}, "invalid-request"),
        ({"text": " \n\t\u3000"}, "text-invalid"),
        ({"text": "。。。!!??——……"}, "text-invalid"),
        ({"text": "\u200b\u200d\ufeff"}, "text-invalid"),
        ({"headcount": 5}, "headcount-not-a-visit"),
        ({"channel": "visit", "headcount": 0}, "invalid-request"),
        ({"channel": "visit", "headcount": -1}, "invalid-request"),
        ({"channel": "visit", "headcount": "5"}, "invalid-request"),
        ({"channel": "visit", "headcount": True}, "invalid-request"),
        ({"channel": "visit", "headcount": 2, "representatives": 3}, "representatives-exceed-headcount"),
        ({"channel": "visit", "representatives": 3}, "representatives-exceed-headcount"),
        ({"channel": "letter", "representatives": 1}, "representatives-not-a-visit"),
        ({"level_presented": "galaxy"}, "invalid-request"),
        ({"purpose": "revenge"}, "invalid-request"),
        ({"accused_unit": "379911.construction_bureau"}, "accused-without-accusation"),
        ({"purpose": "accusation", "accused_unit": "张局长"}, "invalid-request"),
        ({"joined": "00000000-0000-0000-0000-000000000000"}, "joined-unknown"),
        ({"joined": "x"}, "invalid-request"),
        ({"town": "379911"}, "invalid-request"),
        ({"town": "379912001"}, "town-not-in-county"),
        ({"town": "379912001001"}, "town-not-in-county"),
        ({"external_id": ""}, "invalid-request"),
        ({"external_id": "x" * 101}, "invalid-request"),
        ({"external_id": "a\nb"}, "invalid-request"),
        ({"petitioner": {"phone": "abc"}}, "identity-invalid"),
        ({"petitioner": {"id_number": "110105194912310021"}}, "identity-invalid"),
        ({"petitioner": {"id_number": "110105194913310020"}}, "identity-invalid"),
        ({"petitioner": {"nick": "x"}}, "invalid-request"),
        ({"petitioner": {"name": {"$gt": ""}}}, "invalid-request"),
        ({"submitted_at": "2026-11-24T08:05:01Z"}, "submitted-in-future"),
        ({"submitted_at": "2026-11-24T08:00:00"}, "invalid-request"),
        ({"submitted_at": "2026-11-24T24:00:00Z"}, "invalid-request"),
        ({"submitted_at": "2016-12-31T23:59:60Z"}, "invalid-request"),
        ({"submitted_at": "2027-02-29T00:00:00Z"}, "invalid-request"),
        ({"submitted_at": "0001-01-01T00:00:00Z"}, "invalid-request"),
        ({"submitted_at": "9999-12-31T00:00:00Z"}, "invalid-request"),
        ({"submitted_at": "10000-01-01T00:00:00Z"}, "invalid-request"),
        ({"submitted_at": 0}, "invalid-request"),
        ({"submitted_at": 1764000000000}, "invalid-request"),
        ({"_id": "x"}, "invalid-request"),
    ],
)
async def test_what_is_not_in_order_is_422_and_leaves_nothing(
    client: httpx.AsyncClient, intake: Intake, changes: dict[str, Any], code: str
) -> None:
    answer = await file(client, **changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert tables(intake) == Tables()


@pytest.mark.parametrize(
    ("changes", "submitted"),
    [
        ({}, "2026-11-24T08:00:00.000Z"),
        ({"submitted_at": "2026-11-24T08:04:59Z"}, "2026-11-24T08:00:00.000Z"),
        ({"submitted_at": "2016-11-24T08:00:00+08:00"}, "2016-11-24T00:00:00.000Z"),
        ({"submitted_at": "2026-11-24T12:00:00+14:00"}, "2026-11-23T22:00:00.000Z"),
        ({"submitted_at": "2026-11-23T12:00:00-12:00"}, "2026-11-24T00:00:00.000Z"),
        ({"title": "）"}, "2026-11-24T08:00:00.000Z"),
        ({"text": "🆘"}, "2026-11-24T08:00:00.000Z"),
        ({"title": "题" * 200, "text": "文" * 20_000}, "2026-11-24T08:00:00.000Z"),
        ({"channel": "visit", "headcount": 5, "representatives": 5}, "2026-11-24T08:00:00.000Z"),
        ({"channel": "leader_reception", "headcount": 1}, "2026-11-24T08:00:00.000Z"),
        ({"jurisdiction": "430102"}, "2026-11-24T08:00:00.000Z"),
    ],
)
async def test_what_is_in_order_is_taken(
    client: httpx.AsyncClient, intake: Intake, changes: dict[str, Any], submitted: str
) -> None:
    answer = await file(client, **changes)
    assert answer.status_code == 201
    wire = json.loads(encode(tables(intake).outbox[0]))
    assert wire["data"]["submitted_at"].replace("Z", ".000Z").replace(".000.000Z", ".000Z") == submitted


async def test_every_channel_of_the_list_can_file(client: httpx.AsyncClient, intake: Intake) -> None:
    for channel in intake.codes.channels:
        assert (await file(client, channel=channel)).status_code == 201
    assert len(tables(intake).petitions) == 13


async def test_the_same_key_and_body_give_the_same_answer(client: httpx.AsyncClient, intake: Intake) -> None:
    first = await file(client)
    second = await file(client)
    assert second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(tables(intake).petitions) == len(tables(intake).outbox) == 1


async def test_the_same_key_with_another_body_is_422(client: httpx.AsyncClient, intake: Intake) -> None:
    await file(client)
    answer = await file(client, title="别的事")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert len(tables(intake).petitions) == 1


async def test_the_same_key_on_another_channel_is_another_petition(client: httpx.AsyncClient, intake: Intake) -> None:
    first = await file(client)
    second = await file(client, channel="letter")
    assert first.json()["petition_id"] != second.json()["petition_id"]
    assert len(tables(intake).petitions) == 2


async def test_fifty_at_once_with_one_key_are_one_petition(client: httpx.AsyncClient, intake: Intake) -> None:
    answers = await asyncio.gather(*(file(client) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(tables(intake).petitions) == len(tables(intake).outbox) == 1


async def test_an_external_number_is_taken_once(client: httpx.AsyncClient) -> None:
    first = await file(client, "k1", external_id="12345-001", petitioner={"name": "王小明"})
    other = await file(client, "k2", external_id="12345-001")
    same = await file(client, "k3", external_id="12345-001", petitioner={"name": "王小明"})
    channel = await file(client, "k4", external_id="12345-001", channel="letter")
    assert (other.status_code, other.json()["code"]) == (409, "external-id-taken")
    assert "王" not in other.text
    assert first.json()["petition_id"] not in other.text
    assert same.json() == first.json()
    assert channel.status_code == 201


@pytest.mark.parametrize("key", [None, "", "x" * 201, "a b", "键"])
async def test_a_missing_or_strange_key_is_400(client: httpx.AsyncClient, intake: Intake, key: str | None) -> None:
    headers = {} if key is None else {"idempotency-key": key.encode()}
    answer = await client.post("/v1/petitions", json=petition_body(), headers=headers)
    assert answer.status_code == 400
    assert tables(intake) == Tables()


async def test_texts_are_kept_byte_for_byte(client: httpx.AsyncClient) -> None:
    title = "𠮷野家 𬬭 㐀 👨‍👩‍👧‍👦"
    text = '\u202e倒写\u202c \u200b零宽 e\u0301 é Z̴͎͝a̷l̶ <script>alert(1)</script> {{7*7}} ${jndi:ldap://x} "><img onerror=1> \r\n'
    made = await file(client, title=title, text=text)
    view = (await client.get(f"/v1/petitions/{made.json()['petition_id']}", headers=bearer())).json()
    assert (view["title"], view["text"]) == (title, text)


async def test_nfc_nfd_and_full_width_are_the_same_text(client: httpx.AsyncClient) -> None:
    made = await file(client, "k1", title="café 12", text="同一段文字")
    await file(client, "k2", title="cafe\u0301 １２", text="同一段 文字\u200b")
    await file(client, "k3", title="café 13", text="同一段文字")
    view = (await client.get(f"/v1/petitions/{made.json()['petition_id']}", headers=bearer())).json()
    assert view["same_text"] == 1


async def test_ways_to_write_one_phone_or_id_number_are_one_petitioner(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    for number, phone in enumerate(
        ("13800138000", "１３８００１３８０００", "+86 138-0013-8000", "0086 138 0013 8000")
    ):
        await file(client, f"p{number}", petitioner={"phone": phone})
    for number, id_number in enumerate((ID_NUMBER, ID_NUMBER.lower(), "110105491231002", " 110105 19491231 002x")):
        await file(client, f"i{number}", petitioner={"id_number": id_number, "phone": f"1390013900{number}"})
    pseudonyms = [row["petitioner"] for row in tables(intake).petitions.values()]
    assert len(set(pseudonyms[:4])) == 1
    assert len(set(pseudonyms[4:])) == 1
    assert pseudonyms[0] != pseudonyms[4]


async def test_a_filer_may_join_a_matter_of_the_same_county(client: httpx.AsyncClient, intake: Intake) -> None:
    first = (await file(client, "k1")).json()["petition_id"]
    accusation = (await file(client, "k2", purpose="accusation")).json()["petition_id"]
    joined = await file(client, "k3", joined=first)
    assert joined.status_code == 201
    assert tables(intake).outbox[-1].data.joined == first
    for changes in ({"joined": accusation}, {"joined": first, "jurisdiction": "430102"}):
        assert (await file(client, "k4", **changes)).json()["code"] == "joined-unknown"


async def test_an_accusation_joins_nothing(client: httpx.AsyncClient, intake: Intake) -> None:
    """Whoever counts what joined a matter would find it (Art. 30); the answer is the same whatever id was sent."""
    known = (await file(client, "k1")).json()["petition_id"]
    for number, joined in enumerate((known, "00000000-0000-4000-8000-000000000000")):
        accused = {"purpose": "accusation", "accused_unit": "379911.construction_bureau"}
        answer = await file(client, f"a{number}", joined=joined, **accused)
        assert (answer.status_code, answer.json()["code"]) == (422, "joined-with-accusation")
        assert answer.json()["errors"][0]["field"] == "joined"
    assert len(tables(intake).petitions) == 1


async def test_a_topic_is_proposed_where_none_was_sent() -> None:
    intake = make_intake(propose=lambda title, text: Proposal("labour_dispute", sure=True))
    async with client_of(make_app(intake)) as client:
        made = await file(client)
        view = (await client.get(f"/v1/petitions/{made.json()['petition_id']}", headers=bearer())).json()
    assert (view["topic"], view["topic_source"]) == ("labour_dispute", "proposed")
    assert view["responsible_unit"] == "379911.hr_social_security_bureau"


async def test_an_unsure_proposal_waits_for_a_person() -> None:
    intake = make_intake(
        propose=lambda title, text: Proposal("labour_dispute", sure=False, zh="需要人工判断", en="a person decides")
    )
    async with client_of(make_app(intake)) as client:
        made = await file(client)
        view = (await client.get(f"/v1/petitions/{made.json()['petition_id']}", headers=bearer())).json()
    assert (view["topic"], view["topic_source"], view["responsible_unit"]) == (None, "none", None)
    assert (view["proposed_topic"], view["proposed_why"]) == (
        "labour_dispute",
        {"zh": "需要人工判断", "en": "a person decides"},
    )


async def test_without_a_topic_it_waits_unassigned(client: httpx.AsyncClient) -> None:
    made = await file(client)
    view = (await client.get(f"/v1/petitions/{made.json()['petition_id']}", headers=bearer())).json()
    assert (view["topic"], view["topic_source"], view["responsible_unit"], view["unit"]) == (None, "none", None, None)


async def test_too_many_from_one_address_are_429() -> None:
    async with client_of(make_app(make_intake(), {**RATES, "filing": "3/minute"})) as client:
        codes = [(await file(client, f"k{n}")).status_code for n in range(5)]
        spoofed = await client.post(
            "/v1/petitions",
            json=petition_body(),
            headers={"idempotency-key": "k9", "x-forwarded-for": "203.0.113.9"},
        )
    assert codes == [201, 201, 201, 429, 429]
    assert spoofed.status_code == 429
    assert int(spoofed.headers["retry-after"]) > 0


@pytest.mark.parametrize("point", ["intake.before_transaction", "intake.in_transaction", "intake.after_commit"])
async def test_a_failure_at_any_boundary_is_healed_by_the_same_request(
    client: httpx.AsyncClient, intake: Intake, point: str
) -> None:
    failpoint.arm(f"{point}:1:raise")
    try:
        failed = await file(client)
        answer = await file(client)
    finally:
        failpoint.arm("")
    assert (failed.status_code, failed.json()["code"]) == (500, "internal-error")
    assert answer.status_code == 201
    assert len(tables(intake).petitions) == len(tables(intake).outbox) == len(tables(intake).audit) == 1
