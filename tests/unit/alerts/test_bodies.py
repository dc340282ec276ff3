"""What would be accepted and change nothing is refused, with what is allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.bodies import DrillBody, SilenceBody
from services.alerts.labels import KINDS
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api

BLANK = ["", " ", "\u3000\u3000", "\t\n", "\u200b"]
DRILL = {"kind": "collective_visit", "jurisdiction": "379911", "scenario": "门口聚集"}


def silence_body(api: Api, **more: Any) -> dict[str, Any]:
    return {"reason": "已派员", "ends_at": (api.clock.now() + timedelta(hours=1)).isoformat(), **more}


@pytest.mark.parametrize("reason", BLANK)
async def test_a_blank_reason_reads_no_text(reason):
    api = Api()
    await api.hear(flag())
    path = f"/v1/warnings/{(await api.one()).id}/text-views"
    answer = await api.post(path, {"reason": reason, "petition_id": "m1-p0"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")
    assert not api.store.s.audit
    assert (await api.post(path, {"reason": "核实", "petition_id": "m1-p0"})).status_code == 201


@pytest.mark.parametrize("kinds", [["collectiv_risk"], ["collective_risk", ""], [" "], ["COLLECTIVE_RISK"]])
async def test_a_silence_of_a_kind_that_is_none_says_which_there_are(kinds):
    api = Api()
    answer = await api.post("/v1/silences", silence_body(api, kinds=kinds))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("kinds")
    if "" not in kinds:
        assert all(kind in answer.json()["errors"][0]["detail"] for kind in KINDS)
    assert not api.store.s.silences


@pytest.mark.parametrize("unit", ["no.such", "379911.nobody", "unassigned", " "])
async def test_a_silence_of_a_unit_that_is_none_is_refused(unit):
    api = Api()
    answer = await api.post("/v1/silences", silence_body(api, unit=unit))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-unit")
    assert "379911.education_bureau" in answer.json()["detail"]
    assert not api.store.s.silences
    made = await api.post("/v1/silences", silence_body(api, unit=BUREAU, kinds=["collective_risk"]))
    assert made.status_code == 201


@pytest.mark.parametrize("more", [{"kind": "nonsense"}, {"kind": "foo"}, *({"scenario": blank} for blank in BLANK)])
async def test_a_drill_of_no_kind_or_without_words_is_refused(more):
    api = Api()
    answer = await api.post("/v1/drills", DRILL | more)
    [name] = more
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)
    if name == "kind":
        assert "collective_visit, " in answer.json()["errors"][0]["detail"]
    assert not api.store.s.warnings


def test_the_kinds_are_in_the_description_of_the_api():
    assert DrillBody.model_json_schema()["properties"]["kind"]["enum"] == list(KINDS)
    assert SilenceBody.model_json_schema()["properties"]["kinds"]["items"]["enum"] == list(KINDS)
