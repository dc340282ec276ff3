"""A reason of any length that is accepted fits into a report."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.alerts import flag
from tests.unit.alerts.api import Api

LONG = "情况说明" * 500


@pytest.mark.parametrize("form", ["pdf", "docx"])
async def test_a_reason_of_2000_characters_is_in_the_report_of_its_warning(form):
    api = Api()
    await api.hear(flag())
    id = (await api.one()).id
    assert (await api.post(f"/v1/warnings/{id}/settle", {"reason": LONG})).status_code == 200
    assert (await api.post("/v1/documents", {"form": form, "warning_id": id})).status_code == 201


async def test_a_silence_with_a_reason_of_2000_characters_is_in_the_report_of_its_period():
    api = Api()
    now = api.clock.now()
    body = {"reason": LONG, "ends_at": (now + timedelta(hours=4)).isoformat()}
    assert (await api.post("/v1/silences", body)).status_code == 201
    span = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    assert (await api.post("/v1/documents", {"form": "pdf", **span})).status_code == 201
