"""`received_at`: for what came before it was entered. It starts a unit's clock, so not everybody may say it."""

from datetime import timedelta

import pytest

from tests.support.intake import (
    COUNTY,
    NOW,
    bearer,
    client_of,
    fixed_clock,
    make_app,
    make_intake,
    petition_body,
    tables,
)
from tests.support.memory_intake import Tables

EARLIER = (NOW - timedelta(days=3)).isoformat()
KEY = {"Idempotency-Key": "letter-1"}


async def test_a_letter_entered_late_keeps_the_day_it_came() -> None:
    intake = make_intake(clock=fixed_clock())
    async with client_of(make_app(intake)) as client:
        body = petition_body(channel="letter", submitted_at=EARLIER, received_at=EARLIER)
        answer = await client.post("/v1/petitions", json=body, headers=bearer() | KEY)
        assert answer.status_code == 201, answer.text
    petition = (await intake.petition(answer.json()["petition_id"])).petition
    assert petition.received_at == NOW - timedelta(days=3)
    assert petition.registered_at == NOW


@pytest.mark.parametrize(
    ("submitted", "received"),
    [(NOW - timedelta(days=3), NOW - timedelta(days=4)), (NOW - timedelta(days=3), NOW + timedelta(hours=1))],
)
async def test_it_lies_between_submission_and_now(submitted: object, received: object) -> None:
    async with client_of(make_app(make_intake(clock=fixed_clock()))) as client:
        body = petition_body(channel="letter", submitted_at=submitted.isoformat(), received_at=received.isoformat())
        answer = await client.post("/v1/petitions", json=body, headers=bearer() | KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "received-at-invalid")


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (bearer("auditor"), 403)])
async def test_it_is_not_for_everybody_to_say(headers: dict[str, str], status: int) -> None:
    intake = make_intake(clock=fixed_clock())
    async with client_of(make_app(intake)) as client:
        body = petition_body(channel="letter", submitted_at=EARLIER, received_at=EARLIER)
        answer = await client.post("/v1/petitions", json=body, headers=headers | KEY)
    assert answer.status_code == status


@pytest.mark.parametrize("role", ["duty_officer", "unit"])
@pytest.mark.parametrize("channel", ["letter", "web_portal"])
@pytest.mark.parametrize("received", [EARLIER, None])
async def test_staff_of_a_county_file_for_that_county(role: str, channel: str, received: str | None) -> None:
    """As they import for it alone: a backdated receipt would start a clock of another county's."""
    unit = "379911.construction_bureau" if role == "unit" else None
    own = bearer(role, unit, jurisdiction=COUNTY)
    body = petition_body(channel=channel, submitted_at=EARLIER, received_at=received)
    intake = make_intake(clock=fixed_clock())
    async with client_of(make_app(intake, open_channels=frozenset({"web_portal"}))) as client:
        other = await client.post("/v1/petitions", json=body | {"jurisdiction": "370102"}, headers=own | KEY)
        assert (other.status_code, other.json()["code"]) == (403, "jurisdiction-not-yours")
        assert tables(intake) == Tables()
        assert (await client.post("/v1/petitions", json=body, headers=own | KEY)).status_code == 201


async def test_who_has_no_county_files_for_any() -> None:
    body = petition_body(channel="letter", jurisdiction="370102", submitted_at=EARLIER, received_at=EARLIER)
    async with client_of(make_app(make_intake(clock=fixed_clock()))) as client:
        assert (await client.post("/v1/petitions", json=body, headers=bearer() | KEY)).status_code == 201


async def test_a_petitioner_writes_to_any_county() -> None:
    own = bearer("petitioner", jurisdiction=COUNTY)
    async with client_of(make_app(make_intake(clock=fixed_clock()))) as client:
        answer = await client.post("/v1/petitions", json=petition_body(jurisdiction="370102"), headers=own | KEY)
    assert answer.status_code == 201
