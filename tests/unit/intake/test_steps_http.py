"""The life of a petition over HTTP: what may follow what, what a step needs, and that a repeated request does nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.intake.domain.steps import ONLY_ONCE, STEPS, TRANSITIONS
from services.intake.handlers import Intake
from shared import failpoint
from shared.clock import FixedClock
from tests.support.intake import NOW, bearer, client_of, make_app, make_intake, petition_body, tables

UNIT = "379911.construction_bureau"
RECEIVED = "2026-11-20T08:00:00Z"
FIELDS: dict[str, dict[str, Any]] = {
    "assigned": {"unit": UNIT, "from_unit": "379911.petition_bureau", "method": "assign"},
    "objected": {"unit": UNIT, "reasons": "不属于本单位职责"},
    "accepted": {"unit": UNIT, "route": "petition_procedure"},
    "not_accepted": {"unit": UNIT, "reasons": "已进入诉讼程序"},
    "extended": {
        "unit": UNIT,
        "days": 30,
        "approver": "li.si",
        "complexity": "涉及多个标段",
        "reason_told_at": "2026-11-24T07:00:00Z",
    },
    "replied": {"unit": UNIT, "opinion": "support"},
    "served": {"unit": UNIT},
    "met": {"unit": UNIT, "meeting": "handler"},
    "executed": {"unit": UNIT},
    "closed": {"unit": UNIT, "outcome": "已解决"},
    "reopened": {"unit": UNIT, "reasons": "问题未解决"},
    "evaluated": {"solved": False},
}
PATHS: dict[str, list[str]] = {
    "received": [],
    "assigned": ["assigned"],
    "objected": ["assigned", "objected"],
    "accepted": ["accepted"],
    "not_accepted": ["not_accepted"],
    "replied": ["accepted", "replied"],
    "served": ["accepted", "replied", "served"],
    "executed": ["accepted", "replied", "executed"],
    "closed": ["accepted", "replied", "closed"],
    "reopened": ["accepted", "replied", "reopened"],
}


@pytest.fixture
async def petition(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.post(
        "/v1/petitions",
        json=petition_body(topic="urban_construction", submitted_at=RECEIVED, received_at=RECEIVED),
        headers=bearer() | {"idempotency-key": "filed"},
    )
    found: dict[str, str] = answer.json()
    return found


async def step(
    client: httpx.AsyncClient, petition: dict[str, str], kind: str, *, key: str | None = None, **changes: Any
) -> httpx.Response:
    headers = bearer() | ({"idempotency-key": key} if key else {})
    body = {"type": kind, **FIELDS[kind], **changes}
    return await client.post(
        f"/v1/petitions/{petition['petition_id']}/events",
        json={name: value for name, value in body.items() if value is not None},
        headers=headers,
    )


@pytest.mark.parametrize("state", TRANSITIONS)
async def test_every_step_that_may_follow_is_taken_and_every_other_is_409(
    client: httpx.AsyncClient, petition: dict[str, str], state: str
) -> None:
    for kind in PATHS[state]:
        assert (await step(client, petition, kind)).status_code == 201
    for kind in STEPS:
        if kind in TRANSITIONS[state]:
            continue
        answer = await step(client, petition, kind)
        assert (answer.status_code, answer.json()["code"]) == (409, "transition-not-allowed")
        assert set(answer.json()["allowed"]) == set(TRANSITIONS[state])
    first = next(iter(TRANSITIONS[state]))
    answer = await step(client, petition, first)
    assert answer.status_code == 201
    assert answer.json()["status"] == TRANSITIONS[state][first]


async def test_the_whole_way_is_numbered_and_told(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    way = [
        "assigned",
        "accepted",
        "met",
        "extended",
        "replied",
        "served",
        "evaluated",
        "executed",
        "closed",
        "reopened",
    ]
    versions = [(await step(client, petition, kind)).json()["version"] for kind in way]
    assert versions == list(range(2, 12))
    events = tables(intake).outbox
    assert [event.sequence for event in events] == list(range(1, 12))
    assert [event.type.split(".")[2] for event in events[1:]] == way
    times = [event.time for event in events]
    assert times == sorted(set(times))
    assert {event.causationid for event in events[1:]} == {str(events[0].id)}


@pytest.mark.parametrize(
    ("path", "kind", "missing"),
    [
        ([], "not_accepted", "reasons"),
        (["assigned"], "objected", "reasons"),
        (["accepted"], "extended", "approver"),
        (["accepted"], "extended", "complexity"),
        (["accepted"], "extended", "reason_told_at"),
        (["accepted"], "extended", "days"),
        (["accepted"], "met", "meeting"),
        (["accepted", "replied"], "evaluated", "solved"),
    ],
)
async def test_what_the_law_asks_for_has_to_be_there(
    client: httpx.AsyncClient, petition: dict[str, str], path: list[str], kind: str, missing: str
) -> None:
    for one in path:
        await step(client, petition, one)
    answer = await step(client, petition, kind, **{missing: None})
    assert (answer.status_code, answer.json()["code"]) == (422, "field-missing")
    assert answer.json()["errors"][0]["field"] == missing


@pytest.mark.parametrize("route", ["petition_procedures", "litigation"])
async def test_a_route_is_one_of_article_31(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake, route: str
) -> None:
    answer = await step(client, petition, "accepted", route=route)
    assert (answer.status_code, answer.json()["code"]) == (422, "route-unknown")
    assert answer.json()["errors"][0]["field"] == "route"
    assert answer.json()["detail"] == f"one of: {', '.join(intake.units.codes['route'])}"
    assert len(tables(intake).outbox) == 1
    for known in intake.units.codes["route"]:
        assert known in answer.json()["detail"]
    assert (await step(client, petition, "accepted", route="party_appeal")).status_code == 201


@pytest.mark.parametrize(
    ("kind", "field", "minutes", "code"),
    [
        ("accepted", "notified_at", 6, "notified-at-in-future"),
        ("not_accepted", "notified_at", 6, "notified-at-in-future"),
        ("accepted", "notified_at", 60 * 24 * 1500, "notified-at-in-future"),
        ("accepted", "notified_at", -60 * 24 * 4 - 1, "notified-at-before-receipt"),
        ("extended", "reason_told_at", -60 * 24 * 4 - 1, "reason-told-at-before-receipt"),
        ("extended", "reason_told_at", 6, "reason-told-at-in-future"),
        ("accepted", "notified_at", 5, None),
        ("accepted", "notified_at", 0, None),
        ("extended", "reason_told_at", 5, None),
        ("extended", "reason_told_at", -60, None),
    ],
)
async def test_what_the_petitioner_was_told_has_happened(
    client: httpx.AsyncClient, petition: dict[str, str], kind: str, field: str, minutes: int, code: str | None
) -> None:
    """Entered ahead of time it would end a clock (Art. 23) or lengthen one (Art. 34) on a notice nobody has."""
    if kind == "extended":
        await step(client, petition, "accepted")
    told = (NOW + timedelta(minutes=minutes)).isoformat()
    answer = await step(client, petition, kind, **{field: told})
    assert (answer.status_code, answer.json().get("code")) == ((422, code) if code else (201, None))
    if code:
        assert answer.json()["errors"][0]["field"] == field


async def test_a_notice_may_be_as_old_as_the_receipt(client: httpx.AsyncClient) -> None:
    body = petition_body(channel="letter", topic="urban_construction", submitted_at="2026-11-18T08:00:00Z")
    body["received_at"] = "2026-11-20T08:00:00Z"
    filed = await client.post("/v1/petitions", json=body, headers=bearer() | {"idempotency-key": "letter"})
    early = await step(client, filed.json(), "accepted", at="2026-11-20T09:00:00Z", notified_at="2026-11-20T07:59:59Z")
    assert (early.status_code, early.json()["code"]) == (422, "notified-at-before-receipt")
    taken = await step(client, filed.json(), "accepted", at="2026-11-20T09:00:00Z", notified_at="2026-11-20T08:00:00Z")
    assert taken.status_code == 201


@pytest.mark.parametrize("days", [0, 31, -1, 365])
async def test_an_extension_has_at_most_thirty_days(
    client: httpx.AsyncClient, petition: dict[str, str], days: int
) -> None:
    await step(client, petition, "accepted")
    assert (await step(client, petition, "extended", days=days)).status_code == 422


async def test_there_is_one_extension_and_no_pause(client: httpx.AsyncClient, petition: dict[str, str]) -> None:
    await step(client, petition, "accepted")
    assert (await step(client, petition, "extended")).status_code == 201
    second = await step(client, petition, "extended")
    assert (second.status_code, second.json()["code"]) == (409, "transition-not-allowed")
    assert frozenset({"extended"}) == ONLY_ONCE
    for kind in ("paused", "suspended", "postponed"):
        answer = await client.post(
            f"/v1/petitions/{petition['petition_id']}/events", json={"type": kind}, headers=bearer()
        )
        assert answer.status_code == 422


async def test_a_field_of_another_step_is_refused(client: httpx.AsyncClient, petition: dict[str, str]) -> None:
    answer = await step(client, petition, "accepted", days=10)
    assert (answer.status_code, answer.json()["code"]) == (422, "field-not-allowed")


async def test_the_same_key_does_a_step_once(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    first = await step(client, petition, "accepted", key="s1")
    again = await step(client, petition, "accepted", key="s1")
    other = await step(client, petition, "accepted", key="s1", route="judicial")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(tables(intake).outbox) == 2


async def test_fifty_at_once_with_one_key_are_one_step(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    answers = await asyncio.gather(*(step(client, petition, "assigned", key="s1") for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert len(tables(intake).outbox) == 2


async def test_a_stale_version_is_409(client: httpx.AsyncClient, petition: dict[str, str]) -> None:
    assert (await step(client, petition, "assigned", version=1)).status_code == 201
    stale = await step(client, petition, "accepted", version=1)
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (409, "version-conflict", 2)
    assert (await step(client, petition, "accepted", version=2)).status_code == 201


@pytest.mark.parametrize(
    ("at", "code"),
    [("2026-11-24T08:05:01Z", "at-in-future"), ("2026-11-20T07:59:59Z", "at-before-receipt")],
)
async def test_a_step_lies_between_the_one_before_it_and_now(
    client: httpx.AsyncClient, petition: dict[str, str], at: str, code: str
) -> None:
    answer = await step(client, petition, "accepted", at=at)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_step_may_be_entered_later_and_keeps_its_own_time(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    await step(client, petition, "accepted", at="2026-11-21T08:00:00+08:00")
    event = tables(intake).outbox[1]
    assert event.data.at.isoformat() == "2026-11-21T00:00:00+00:00"
    assert event.time > tables(intake).outbox[0].time


async def test_a_clock_set_back_does_not_turn_events_around(petition: dict[str, str]) -> None:
    clock = FixedClock(NOW)
    intake = make_intake(clock=clock)
    async with client_of(make_app(intake)) as client:
        made = await client.post("/v1/petitions", json=petition_body(), headers={"idempotency-key": "a"})
        clock.advance(timedelta(seconds=-10))
        assert (await step(client, made.json(), "accepted")).status_code == 201
    events = tables(intake).outbox
    assert events[1].time - events[0].time == timedelta(milliseconds=1)
    assert events[1].data.at >= events[0].data.submitted_at


async def test_free_words_of_staff_are_masked_on_the_way_out(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    await step(client, petition, "not_accepted", reasons="联系人:张三丰,电话13800138000,已起诉")
    assert tables(intake).outbox[1].data.reasons == "联系人:[姓名],电话[电话],已起诉"


async def test_the_actor_is_the_caller_and_only_a_duty_officer_enters_for_others(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake
) -> None:
    address = f"/v1/petitions/{petition['petition_id']}/events"
    body = {"type": "not_accepted", "reasons": "已进入诉讼程序", "actor": "wang.wu", "unit": UNIT}
    await client.post(address, json=body, headers=bearer("unit", UNIT, account="unit.clerk"))
    assert tables(intake).outbox[1].data.actor == "unit.clerk"
    await client.post(
        address, json={"type": "reopened", "actor": "wang.wu", "unit": UNIT, "reasons": "复核"}, headers=bearer()
    )
    assert tables(intake).outbox[2].data.actor == "wang.wu"


async def test_roles_and_units_are_kept_apart(client: httpx.AsyncClient, petition: dict[str, str]) -> None:
    address = f"/v1/petitions/{petition['petition_id']}"
    body = {"type": "accepted", "unit": UNIT}
    other = bearer("unit", "379911.education_bureau")
    assert (await client.post(f"{address}/events", json=body)).status_code == 401
    assert (await client.get(address)).status_code == 401
    assert (await client.get("/v1/petitions")).status_code == 401
    for role in ("auditor", "operator", "leader"):
        assert (await client.post(f"{address}/events", json=body, headers=bearer(role))).status_code == 403
    assert (await client.get(address, headers=bearer("operator"))).status_code == 403
    assert (await client.get(address, headers=other)).status_code == 404
    assert (await client.post(f"{address}/events", json=body, headers=other)).status_code == 404
    own = bearer("unit", UNIT)
    foreign = await client.post(f"{address}/events", json={**body, "unit": "379911.education_bureau"}, headers=own)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "unit-not-yours")
    assert (await client.post(f"{address}/events", json=body, headers=own)).status_code == 201


@pytest.mark.parametrize("point", ["intake.before_transaction", "intake.in_transaction", "intake.after_commit"])
async def test_a_step_that_failed_is_done_once_by_the_same_request(
    client: httpx.AsyncClient, petition: dict[str, str], intake: Intake, point: str
) -> None:
    failpoint.arm(f"{point}:1:raise")
    try:
        failed = await step(client, petition, "accepted", key="s1")
        answer = await step(client, petition, "accepted", key="s1")
    finally:
        failpoint.arm("")
    assert (failed.status_code, answer.status_code) == (500, 201)
    assert len(tables(intake).outbox) == 2


async def test_progress_needs_receipt_and_code_and_tells_neither_apart(
    client: httpx.AsyncClient, petition: dict[str, str]
) -> None:
    await step(client, petition, "not_accepted")
    good = {"receipt": petition["receipt"], "code": petition["query_code"]}
    loose = {"receipt": petition["receipt"].replace("-", " ").lower(), "code": f" {petition['query_code'].lower()} "}
    for query in (good, loose):
        answer = await client.get("/v1/progress", params=query)
        assert answer.json()["status"] == "not_accepted"
        assert [one["type"] for one in answer.json()["steps"]] == ["filed", "not_accepted"]
        assert "zhang.san" not in answer.text
    wrong = [
        {**good, "code": "A" * 10},
        {**good, "receipt": "379911-20261124-22222222"},
        {**good, "receipt": "x"},
        {"receipt": "", "code": ""},
    ]
    answers = [await client.get("/v1/progress", params=query) for query in wrong]
    assert {(one.status_code, one.text) for one in answers} == {(404, answers[0].text)}
    assert answers[0].json()["code"] == "receipt-or-code-wrong"
