"""What a step may not do: take a petition from its unit, name a unit nobody knows, lie before the receipt, be lost twice."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.intake.documents import record_of
from services.intake.handlers import Intake
from tests.support.intake import NOW, bearer, file, petition_body, tables

LEAD, OTHER, BUREAU = "379911.construction_bureau", "379911.education_bureau", "379911.petition_bureau"
SUBMITTED, RECEIVED = NOW - timedelta(days=9), NOW - timedelta(days=4)


async def step(
    client: httpx.AsyncClient, id: str, body: dict[str, Any], headers: dict[str, str] | None = None, key: str = ""
) -> httpx.Response:
    sent = (headers or bearer()) | ({"idempotency-key": key} if key else {})
    return await client.post(f"/v1/petitions/{id}/events", json=body, headers=sent)


async def petition(client: httpx.AsyncClient, *steps: dict[str, Any]) -> str:
    """The id of a petition that lies with LEAD, after steps that a duty officer entered."""
    id = str((await file(client, topic="urban_construction")).json()["petition_id"])
    for body in steps:
        assert (await step(client, id, body)).status_code == 201
    return id


async def letter(client: httpx.AsyncClient) -> dict[str, str]:
    """A letter that was written, came later, and was entered later still."""
    body = petition_body(
        channel="letter",
        topic="urban_construction",
        submitted_at=SUBMITTED.isoformat(),
        received_at=RECEIVED.isoformat(),
    )
    answer = await client.post("/v1/petitions", json=body, headers=bearer() | {"idempotency-key": "letter"})
    found: dict[str, str] = answer.json()
    return found


ACCEPTED = ({"type": "assigned", "unit": LEAD}, {"type": "accepted"})
REPLIED = (*ACCEPTED, {"type": "replied", "opinion": "support"})


@pytest.mark.parametrize(
    ("before", "body"),
    [
        (ACCEPTED, {"type": "met", "meeting": "writer"}),
        (ACCEPTED, {"type": "replied", "opinion": "support"}),
        (REPLIED, {"type": "served"}),
        (REPLIED, {"type": "executed"}),
        (REPLIED, {"type": "closed"}),
        (REPLIED, {"type": "reopened", "reasons": "复核"}),
        (ACCEPTED[:1], {"type": "not_accepted", "reasons": "已进入诉讼程序"}),
        (ACCEPTED[:1], {"type": "objected", "reasons": "不属于本单位职责"}),
    ],
)
async def test_a_step_entered_for_another_unit_does_not_take_the_petition_from_the_one_that_has_it(
    client: httpx.AsyncClient, intake: Intake, before: tuple[dict[str, Any], ...], body: dict[str, Any]
) -> None:
    id = await petition(client, {"type": "assigned", "unit": OTHER}, *before)
    if body["type"] in {"objected", "not_accepted"}:
        assert (await step(client, id, {"type": "assigned", "unit": LEAD})).status_code == 201
    assert (await step(client, id, body | {"unit": BUREAU})).status_code == 201
    assert tables(intake).outbox[-1].data.unit == BUREAU
    assert tables(intake).petitions[id]["unit"] == LEAD
    assert (await client.get(f"/v1/petitions/{id}", headers=bearer("unit", LEAD))).status_code == 200


async def test_the_unit_changes_with_whom_it_is_assigned_to_and_who_accepts(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = await petition(client)
    for kind, unit in (("assigned", OTHER), ("accepted", BUREAU)):
        assert (await step(client, id, {"type": kind, "unit": unit})).status_code == 201
        assert tables(intake).petitions[id]["unit"] == unit


@pytest.mark.parametrize("unit", ["379911.nosuch_unit", "999999", "379911999", "430102001"])
@pytest.mark.parametrize("kind", ["assigned", "accepted"])
async def test_a_unit_that_the_directory_does_not_have_is_refused(
    client: httpx.AsyncClient, intake: Intake, unit: str, kind: str
) -> None:
    id = await petition(client)
    answer = await step(client, id, {"type": kind, "unit": unit})
    assert (answer.status_code, answer.json()["code"]) == (422, "unit-unknown")
    assert answer.json()["errors"][0]["field"] == "unit"
    assert unit not in answer.text
    assert len(tables(intake).outbox) == 1


async def test_every_unit_of_the_directory_and_a_department_of_any_county_is_taken(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = await petition(client)
    departments = [f"430102.{slug}" for slug in intake.units.departments]
    for unit in (*intake.units.units, *departments):
        answer = await step(client, id, {"type": "assigned", "unit": unit})
        assert answer.status_code == 201, unit


async def test_a_petition_that_lies_with_a_unit_of_an_older_directory_goes_on(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = await petition(client)
    tables(intake).petitions[id]["unit"] = "379911.old_bureau"
    for body in ({"type": "met", "meeting": "handler", "unit": "379911.old_bureau"}, {"type": "accepted"}):
        assert (await step(client, id, body)).status_code == 201


async def test_no_step_lies_before_the_receipt(client: httpx.AsyncClient) -> None:
    id = (await letter(client))["petition_id"]
    for at in (SUBMITTED, RECEIVED - timedelta(seconds=1)):
        answer = await step(client, id, {"type": "accepted", "at": at.isoformat()})
        assert (answer.status_code, answer.json()["code"]) == (422, "at-before-receipt")
        assert answer.json()["errors"][0]["field"] == "at"
    assert (await step(client, id, {"type": "accepted", "at": RECEIVED.isoformat()})).status_code == 201


async def test_nor_in_a_petition_that_was_kept_with_its_submission_as_the_last_time(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = (await letter(client))["petition_id"]
    tables(intake).petitions[id]["last_at"] = SUBMITTED
    assert record_of(tables(intake).petitions[id]).life.last_at == RECEIVED
    answer = await step(client, id, {"type": "accepted", "at": SUBMITTED.isoformat()})
    assert (answer.status_code, answer.json()["code"]) == (422, "at-before-receipt")


@pytest.mark.parametrize("told", ["1950-01-01T00:00:00Z", (RECEIVED - timedelta(seconds=1)).isoformat()])
async def test_nobody_was_told_of_an_extension_before_the_receipt(client: httpx.AsyncClient, told: str) -> None:
    id = (await letter(client))["petition_id"]
    extended = {"type": "extended", "days": 30, "approver": "li.si", "complexity": "涉及多个标段"}
    assert (await step(client, id, {"type": "accepted"})).status_code == 201
    answer = await step(client, id, extended | {"reason_told_at": told})
    assert (answer.status_code, answer.json()["code"]) == (422, "reason-told-at-before-receipt")
    assert answer.json()["errors"][0]["field"] == "reason_told_at"
    assert (await step(client, id, extended | {"reason_told_at": RECEIVED.isoformat()})).status_code == 201


async def test_the_progress_shows_when_it_was_received(client: httpx.AsyncClient) -> None:
    filed = await letter(client)
    seen = await client.get("/v1/progress", params={"receipt": filed["receipt"], "code": filed["query_code"]})
    assert [(one["type"], one["at"]) for one in seen.json()["steps"]] == [("filed", RECEIVED.isoformat())]


async def test_a_unit_that_handed_on_may_repeat_its_request(client: httpx.AsyncClient, intake: Intake) -> None:
    id = await petition(client, {"type": "assigned", "unit": LEAD})
    tables(intake).petitions[id]["responsible_unit"] = None
    own, body = bearer("unit", LEAD), {"type": "assigned", "unit": OTHER}
    first = await step(client, id, body, own, "k1")
    again = await step(client, id, body, own, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(tables(intake).outbox) == 3


async def test_but_nobody_else_learns_of_it_nor_another_step_by_its_key(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = await petition(client, {"type": "assigned", "unit": LEAD})
    tables(intake).petitions[id]["responsible_unit"] = None
    body = {"type": "assigned", "unit": OTHER}
    assert (await step(client, id, body, bearer("unit", LEAD), "k1")).status_code == 201
    for headers, sent, key in (
        (bearer("unit", LEAD, account="li.si"), body, "k1"),
        (bearer("unit", LEAD), body | {"method": "transfer"}, "k1"),
        (bearer("unit", LEAD), body, "k2"),
    ):
        assert (await step(client, id, sent, headers, key)).status_code == 404


async def test_the_reason_for_opening_or_erasing_an_identity_is_kept_masked(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    filed = await file(client, petitioner={"name": "王小明", "phone": "13800138000"})
    address = f"/v1/petitions/{filed.json()['petition_id']}/identity"
    reason = {"reason": "回访13800138000核实情况"}
    assert (await client.post(address, json=reason, headers=bearer())).status_code == 200
    assert (await client.request("DELETE", address, json=reason, headers=bearer("leader"))).status_code == 200
    kept = [row["reason"] for row in tables(intake).audit if row["action"].startswith("identity.")]
    assert kept == ["回访[电话]核实情况"] * 2
