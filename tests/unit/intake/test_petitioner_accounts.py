"""An account of a petitioner files by the channels that are open, and not what only an organ can say."""

from typing import Any

import pytest

from tests.support.intake import bearer, client_of, make_app, make_intake, petition_body, tables
from tests.support.memory_intake import Tables

OPEN = frozenset({"web_portal", "dept_website"})
KEY = {"idempotency-key": "k1"}


@pytest.mark.parametrize(
    ("channel", "more"),
    [
        ("visit", {"headcount": 300, "representatives": 5, "level_presented": "central"}),
        ("leader_reception", {"headcount": 9}),
        ("inspection", {}),
        ("superior_transfer", {}),
        ("letter", {}),
    ],
)
async def test_a_petitioner_does_not_file_for_an_organ(channel: str, more: dict[str, Any]) -> None:
    intake = make_intake()
    async with client_of(make_app(intake, open_channels=OPEN)) as client:
        body = petition_body(channel=channel, **more)
        answer = await client.post("/v1/petitions", json=body, headers=bearer("petitioner") | KEY)
    assert (answer.status_code, answer.json()["code"]) == (403, "channel-not-open")
    assert "dept_website, web_portal" in answer.json()["detail"]
    assert tables(intake) == Tables()


@pytest.mark.parametrize("channel", sorted(OPEN))
async def test_but_by_an_open_channel(channel: str) -> None:
    async with client_of(make_app(make_intake(), open_channels=OPEN)) as client:
        body = petition_body(channel=channel)
        answer = await client.post("/v1/petitions", json=body, headers=bearer("petitioner") | KEY)
    assert answer.status_code == 201


async def test_where_none_is_open_they_are_shown_to_the_form() -> None:
    async with client_of(make_app(make_intake(), open_channels=frozenset())) as client:
        answer = await client.post("/v1/petitions", json=petition_body(), headers=bearer("petitioner") | KEY)
    assert (answer.status_code, answer.json()["code"]) == (403, "channel-not-open")
    assert "form" in answer.json()["detail"]


@pytest.mark.parametrize("role", ["duty_officer", "unit"])
async def test_staff_file_by_every_channel(role: str) -> None:
    own = bearer(role, "379911.construction_bureau" if role == "unit" else None)
    async with client_of(make_app(make_intake(), open_channels=OPEN)) as client:
        body = petition_body(channel="visit", headcount=300)
        assert (await client.post("/v1/petitions", json=body, headers=own | KEY)).status_code == 201
