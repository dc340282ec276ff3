"""What is offered is what may be done: by the role, to whom, and at the time that the form shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.console import actions
from services.alerts.console.actions import Actions
from services.alerts.console.forms import read_local
from services.alerts.domain.warning import Warning
from shared.access import Principal
from shared.clock import BEIJING
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.desk import Bench, visitor_of

UNIT = Principal("unit.a", "unit", BUREAU)
THEIRS = {"acknowledge", "on_scene", "plan", "step_done"}


async def test_a_unit_is_shown_what_its_role_may_do():
    api = Api()
    await api.hear(flag())
    id = (await api.one()).id
    assert set((await api.get(f"/v1/warnings/{id}", UNIT)).json()["allowed"]) <= THEIRS
    assert {"assign", "settle"} <= set((await api.get(f"/v1/warnings/{id}")).json()["allowed"])
    assert (await api.get(f"/v1/warnings/{id}", "leader")).json()["allowed"] == []
    taken = await api.post(f"/v1/warnings/{id}/acknowledge", {}, UNIT)
    assert set(taken.json()["allowed"]) == THEIRS
    for path in ("/v1/warnings", "/v1/board"):
        [row] = (await api.get(path, UNIT)).json()["warnings"]
        assert set(row["allowed"]) == THEIRS
    refused = await api.post(f"/v1/warnings/{id}/on-scene", {"expected_version": 1}, UNIT)
    assert (refused.status_code, set(refused.json()["allowed"])) == (409, THEIRS)


async def test_other_episodes_and_similar_ones_offer_a_role_no_more():
    api = Api()
    await api.hear(flag())
    first = await api.one()
    await api.take(first, "settle", reason="done")
    await api.hear(flag(minute=1, run="again", flag_id="f2"))
    newer = (await api.warnings(states=frozenset({"raised"})))[0]
    found = (await api.get(f"/v1/warnings/{first.id}", UNIT)).json()["episodes"]
    assert [row["warning_id"] for row in found] == [newer.id]
    assert set(found[0]["allowed"]) <= THEIRS


def at_work(visitor: Any, warning: Warning) -> Any:
    made: Any = Actions.__new__(Actions)
    made.visitor = visitor
    made.current = lambda: warning
    return made


async def accusation(room: Bench, **more: Any) -> Warning:
    await room.hear(flag(kind="reprisal_risk", restricted=True, accused_unit="379911001", **more))
    return await room.one()


async def test_the_accused_is_not_offered_as_lead_on_its_own_accusation():
    room = Bench()
    warning = await accusation(room, unit="379911.discipline_supervision")
    visitor = await visitor_of(room)
    units = visitor.console.desk.units
    under = {
        post for post in at_work(visitor, warning)._posts(warning) if units.covers("379911001", post.split("#")[0])
    }
    assert under == set()
    await room.hear(flag("m2"))
    plain = next(w for w in await room.warnings() if w.matter == "m2")
    assert {"379911001", "379911001#head"} <= set(at_work(visitor, plain)._posts(plain))


async def test_nor_where_it_was_the_responsible_unit():
    room = Bench()
    warning = await accusation(room, unit="379911001")
    posts = at_work(await visitor_of(room), warning)._posts(warning)
    assert "duty_officer" in posts
    assert not {"379911001", "379911001#head"} & posts.keys()
    assert at_work(await visitor_of(room), warning)._in_charge(warning) is None


class Field:
    """An input that nobody touches."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def props(self, _: str) -> Field:
        return self

    classes = props


@pytest.mark.parametrize("typed", [None, "2026-03-01T09:02"])
async def test_the_arrival_is_recorded_at_the_time_that_the_form_shows(typed, monkeypatch):
    room = Bench()
    await room.hear(flag())
    room.clock.advance(timedelta(minutes=5, seconds=40))
    opened = room.clock.now()
    shown: list[Field] = []

    def local_input(label: str, at: Any) -> Field:
        real = at.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M")
        shown.append(Field(typed or real))
        return shown[0]

    orders: list[Any] = []

    class Ready:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def form(action: str, warning: Warning, order: Any) -> Ready:
        orders.append(order)
        return Ready()

    class Ui:
        @staticmethod
        def select(options: Any, *, value: Any, label: str) -> Field:
            return Field(value)

    monkeypatch.setattr(actions, "local_input", local_input)
    monkeypatch.setattr(actions, "ui", Ui)
    warning = await room.take(await room.one(), "verify")
    made = at_work(await visitor_of(room), warning)
    made._form = form
    made._on_scene(warning)
    room.clock.advance(timedelta(minutes=3))  # the form stays open for a while
    order = orders[0]()
    assert order.arrived_at == read_local(shown[0].value)
    assert order.arrived_at == (opened.replace(second=0, microsecond=0) if typed is None else read_local(typed))
    taken = await room.take(warning, "on_scene", arrived=order.arrived, arrived_at=order.arrived_at)
    assert taken.arrivals[0].at == order.arrived_at
