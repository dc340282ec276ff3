"""Silences and drills over HTTP: what cannot be muted, and whose they are to make, see and end."""

from __future__ import annotations

from shared.access import Principal
from tests.support.alerts import flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.test_api import ACCUSED, BODIES, TOWN_UNIT, with_warning


async def test_life_safety_cannot_be_silenced_over_http():
    api, id = await with_warning("life_safety")
    answer = await api.post(f"/v1/warnings/{id}/silence", BODIES["silence"])
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot-be-silenced")
    body = {"reason": "x", "kinds": ["life_safety"], "ends_at": "2026-03-01T12:00:00+08:00"}
    assert (await api.post("/v1/silences", body)).json()["code"] == "cannot-be-silenced"


async def test_silences_are_made_shown_and_ended():
    api, _ = await with_warning()
    body = {"reason": "演练", "kinds": ["collective_risk"], "ends_at": "2026-03-01T12:00:00+08:00"}
    made = await api.post("/v1/silences", body)
    assert made.status_code == 201
    assert (made.json()["author"], made.json()["reason"]) == ("demo.duty_officer", "演练")
    async with api.client() as client:
        ended = await client.delete(f"/v1/silences/{made.json()['id']}")
        assert ended.json()["ended_by"] == "demo.duty_officer"
        assert (await client.delete("/v1/silences/none")).status_code == 404
    assert len((await api.get("/v1/silences")).json()["silences"]) == 1
    assert (await api.get("/v1/silences", TOWN_UNIT)).json()["silences"] == []


async def test_a_countys_officer_mutes_and_rehearses_in_that_county_alone():
    api, id = await with_warning()
    own, away = (Principal("o3", "duty_officer", jurisdiction=code) for code in ("379911", "379912"))
    body = {"reason": "演练", "kinds": ["collective_risk"], "ends_at": "2026-03-01T12:00:00+08:00"}
    everywhere = (await api.post("/v1/silences", body)).json()["id"]
    here = await api.post("/v1/silences", body, own)
    assert here.json()["jurisdiction"] == "379911"
    other = await api.post("/v1/silences", body | {"jurisdiction": "379912"}, own)
    assert (other.status_code, other.json()["code"]) == (403, "jurisdiction-not-yours")
    await api.post(f"/v1/warnings/{id}/silence", BODIES["silence"])
    assert [s["id"] for s in (await api.get("/v1/silences", away)).json()["silences"]] == [everywhere]
    for who, silence, status in ((away, here.json()["id"], 404), (own, everywhere, 403), (own, here.json()["id"], 200)):
        async with api.client(who) as client:
            assert (await client.delete(f"/v1/silences/{silence}")).status_code == status
    drill = {"kind": "collective_visit", "jurisdiction": "379912", "scenario": "集体访"}
    assert (await api.post("/v1/drills", drill, own)).status_code == 403
    assert (await api.post("/v1/drills", drill, away)).status_code == 201


async def test_the_accused_do_not_learn_of_an_accusation_from_a_silence():
    api = Api()
    await api.hear(flag(restricted=True, accused_unit=ACCUSED))
    await api.post(f"/v1/warnings/{(await api.one()).id}/silence", BODIES["silence"])
    assert len((await api.get("/v1/silences")).json()["silences"]) == 1
    for who in (Principal("l", "leader", ACCUSED), Principal("u", "unit", ACCUSED)):
        assert (await api.get("/v1/silences", who)).json()["silences"] == []
