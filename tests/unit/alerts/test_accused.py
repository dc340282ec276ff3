"""An accusation is not handled by whom it accuses, and a step that an act does is not ticked off without it."""

from __future__ import annotations

from typing import Any

import pytest

from services.alerts.domain.levels import DONE_BY
from services.alerts.domain.lifecycle import Refused, allowed
from services.alerts.domain.warning import Measure
from shared.access import Principal
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.desk import Bench

SOCIAL = "379911.hr_social_security_bureau"


async def with_accusation(accused: str = BUREAU) -> Bench:
    room = Bench()
    await room.hear(flag(kind="reprisal_risk", level="II", unit=SOCIAL, restricted=True, accused_unit=accused))
    await room.take(await room.one(), "verify")
    return room


def plan(lead: str, who: str) -> dict[str, Any]:
    return {"lead": lead, "measures": (Measure("核实", SOCIAL), Measure("约谈", who))}


@pytest.mark.parametrize(
    ("action", "order"),
    [
        ("assign", {"unit": BUREAU}),
        ("plan", plan(BUREAU, SOCIAL)),
        ("plan", plan(f"{BUREAU}#head", SOCIAL)),
        ("plan", plan("o1", f"{BUREAU}#head")),
        ("plan", plan("o1", f" {BUREAU} #head")),
        ("on_scene", {"arrived": f"{BUREAU}#head"}),
    ],
)
async def test_the_accused_unit_has_no_part_in_it(action: str, order: dict[str, Any]):
    room = await with_accusation()
    before = await room.one()
    with pytest.raises(Refused) as refused:
        await room.take(before, action, **order)
    assert refused.value.code == "accused-unit"
    assert await room.one() == before


async def test_nor_has_what_stands_under_it():
    room = await with_accusation("379911001")
    with pytest.raises(Refused) as refused:
        await room.take(await room.one(), "plan", **plan("379911001001#head", SOCIAL))
    assert refused.value.code == "accused-unit"


async def test_the_head_of_the_accused_unit_is_not_taken_to_have_arrived():
    room = Bench()
    await room.hear(flag(kind="collective_visit", level="II", restricted=True, accused_unit=BUREAU))  # and its unit
    await room.take(await room.one(), "verify")
    with pytest.raises(Refused) as refused:
        await room.take(await room.one(), "on_scene")
    assert refused.value.code == "accused-unit"


async def test_of_several_accused_none_has_a_part_in_it():
    room = Bench()
    other = "379911.education_bureau"
    kind = "cross_level_visit"
    await room.hear(
        flag(kind=kind, unit=SOCIAL, restricted=True, accused_unit=BUREAU, flag_id="a"),
        flag(kind=kind, unit=SOCIAL, restricted=True, accused_unit=other, flag_id="b", minute=1),
    )
    for unit in (BUREAU, other):
        with pytest.raises(Refused) as refused:
            await room.take(await room.one(), "assign", unit=unit)
        assert refused.value.code == "accused-unit"


async def test_others_lead_and_carry_it_out():
    room = await with_accusation()
    warning = await room.take(await room.one(), "plan", **plan(f"{SOCIAL}#head", "o1"))
    warning = await room.take(warning, "on_scene")
    assert (warning.state, warning.arrivals[0].who) == ("on_scene", f"{SOCIAL}#head")


@pytest.mark.parametrize("role", ["duty_officer", "unit"])
async def test_a_step_that_an_act_does_is_not_ticked_off(role: str):
    api = Api()
    await api.hear(flag(kind="collective_visit", level="I", unit=BUREAU))
    warning = await api.one()
    who = Principal("x1", role, BUREAU if role == "unit" else None)  # type: ignore[arg-type]
    assert {step.id for step in warning.steps} == {*DONE_BY, "report"}
    for step in DONE_BY:
        answer = await api.post(f"/v1/warnings/{warning.id}/steps/{step}", {}, who)
        assert (answer.status_code, answer.json()["code"]) == (409, "step-needs-action")
    assert await api.one() == warning
    assert (await api.post(f"/v1/warnings/{warning.id}/steps/none", {}, who)).status_code == 404
    done = await api.post(f"/v1/warnings/{warning.id}/steps/report", {}, who)
    assert (done.status_code, [s["id"] for s in done.json()["steps"] if s["done_at"]]) == (200, ["report"])
    assert "step_done" in allowed(warning)
