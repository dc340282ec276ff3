"""Who may enter which step of a petition: a unit its own work, and never the petitioner's verdict on it."""

from typing import Any

import httpx
import pytest

from services.intake.handlers import Intake
from tests.support.intake import bearer, file, tables

LEAD, OTHER = "379911.construction_bureau", "379911.education_bureau"
VERDICT = {"type": "evaluated", "solved": True, "satisfied": True}


async def step(client: httpx.AsyncClient, id: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/petitions/{id}/events", json=body, headers=headers)


async def petition(client: httpx.AsyncClient, *steps: dict[str, Any]) -> str:
    """The id of a petition that lies with LEAD, after steps that a duty officer entered."""
    id = str((await file(client, topic="urban_construction")).json()["petition_id"])
    for body in steps:
        assert (await step(client, id, body, bearer())).status_code == 201
    return id


@pytest.mark.parametrize("unit", [LEAD, "379911"])
@pytest.mark.parametrize("named", [{}, {"unit": LEAD}])
async def test_a_unit_does_not_say_for_the_petitioner_that_it_is_solved(
    client: httpx.AsyncClient, intake: Intake, unit: str, named: dict[str, str]
) -> None:
    id = await petition(client, {"type": "accepted"}, {"type": "replied", "opinion": "support"})
    answer = await step(client, id, VERDICT | named, bearer("unit", unit))
    assert (answer.status_code, answer.json()["code"]) == (403, "evaluation-not-yours")
    assert "progress page" in answer.json()["detail"]
    assert "duty officer" in answer.json()["detail"]
    assert len(tables(intake).outbox) == 3


@pytest.mark.parametrize("unit", [None, "379911.petition_bureau"])
async def test_a_duty_officer_enters_what_the_petitioner_told(
    client: httpx.AsyncClient, intake: Intake, unit: str | None
) -> None:
    id = await petition(client, {"type": "accepted"}, {"type": "replied", "opinion": "support"})
    assert (await step(client, id, VERDICT, bearer(unit=unit))).status_code == 201
    event = tables(intake).outbox[-1]
    assert (event.type, event.data.unit) == ("fengqiao.petition.evaluated.v1", LEAD)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "accepted"},
        {"type": "not_accepted", "reasons": "已进入诉讼程序"},
        {"type": "objected", "reasons": "不属于本单位职责"},
        {"type": "met", "meeting": "handler"},
    ],
)
async def test_a_step_without_a_unit_is_of_the_one_that_has_the_petition(
    client: httpx.AsyncClient, intake: Intake, body: dict[str, Any]
) -> None:
    id = await petition(client, {"type": "assigned", "unit": OTHER})
    refused = await step(client, id, body, bearer("unit", LEAD))
    assert (refused.status_code, refused.json()["code"]) == (403, "unit-not-yours")
    assert len(tables(intake).outbox) == 2
    assert (await step(client, id, body, bearer("unit", OTHER))).status_code == 201
    assert tables(intake).outbox[-1].data.unit == OTHER


async def test_a_unit_reads_on_what_was_assigned_to_another_and_takes_it_back_in_its_own_name(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    id = await petition(client, {"type": "assigned", "unit": OTHER})
    own = bearer("unit", LEAD)
    assert (await client.get(f"/v1/petitions/{id}", headers=own)).status_code == 200
    assert len((await client.get("/v1/petitions", headers=own)).json()["items"]) == 1
    assert (await step(client, id, {"type": "accepted", "unit": LEAD}, own)).status_code == 201
    assert tables(intake).outbox[-1].data.unit == LEAD


@pytest.mark.parametrize("named", [{}, {"unit": OTHER}])
async def test_a_unit_above_enters_for_those_under_it(
    client: httpx.AsyncClient, intake: Intake, named: dict[str, str]
) -> None:
    id = await petition(client, {"type": "assigned", "unit": OTHER})
    assert (await step(client, id, {"type": "accepted", **named}, bearer("unit", "379911"))).status_code == 201
    assert tables(intake).outbox[-1].data.unit == OTHER


async def test_a_unit_still_hands_on_to_another(client: httpx.AsyncClient) -> None:
    id = await petition(client)
    assert (await step(client, id, {"type": "assigned", "unit": OTHER}, bearer("unit", LEAD))).status_code == 201
