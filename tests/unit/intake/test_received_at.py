"""`received_at`: for what came before it was entered. It starts a unit's clock, so not everybody may say it."""

from datetime import timedelta

import pytest

from tests.support.intake import NOW, bearer, client_of, fixed_clock, make_app, make_intake, petition_body

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
