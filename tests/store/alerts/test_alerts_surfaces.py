"""What the surfaces ask of the store: by the newest change, of receivers that are free, and figures without exercises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.handlers import Desk, Drill, Order, start_drill, take
from services.alerts.ports import Delivery, Filter, Store
from services.alerts.queries import board, changed
from shared.access import Principal, Scope
from tests.support.alerts import AT, flag
from tests.support.alerts_fed import flags_in

OFFICER = Principal("o1", "duty_officer")


async def test_the_newest_change_is_first_and_pages_have_each_once(store: Store, desk: Desk) -> None:
    await flags_in(store, *[flag(f"m{n}") for n in range(5)])
    oldest = (await store.find(Scope(), Filter(), before=None, limit=9))[-1][1]
    await take(desk, OFFICER, oldest.id, Order("settle", cause="c1", reason="done"))
    found, before = [], None
    while True:
        some, before = await changed(desk, OFFICER, Filter(), before=before, limit=2)
        found += [warning.matter for warning in some]
        if before is None:
            break
    assert found == ["m0", "m4", "m3", "m2", "m1"]
    assert [w.matter for w in (await changed(desk, OFFICER, Filter(matter="m2")))[0]] == ["m2"]
    assert (await changed(desk, Principal("u", "unit", "379999"), Filter()))[0] == []


async def test_the_board_reads_page_after_page(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.queries.PAGE", 2)
    await flags_in(store, flag("old", kind="life_safety", level="I"), *[flag(f"m{n}") for n in range(4)])
    found = await board(desk, OFFICER)
    assert (len(found), found[0].kind) == (5, "life_safety")


async def test_a_busy_receiver_is_passed_over(store: Store) -> None:
    row = Delivery("d1", "dead", "first", (), {}, AT, AT)
    await store.run(lambda tx: tx.put_deliveries([row, replace(row, id="d2", receiver="desk", next_at=AT)]))
    now, until = AT + timedelta(seconds=1), AT + timedelta(seconds=20)
    taken = await store.claim_delivery(now, until, busy=["dead"])
    assert taken is not None and taken.id == "d2"
    assert await store.claim_delivery(now, until, busy=["dead"]) is None
    taken = await store.claim_delivery(now, until)
    assert taken is not None and taken.id == "d1"


async def test_what_an_address_has_is_kept_with_the_message(store: Store) -> None:
    await store.run(lambda tx: tx.put_deliveries([Delivery("d1", "chat", "first", (), {}, AT, AT)]))
    attempt = {"at": AT, "ok": False, "code": "refused", "detail": "", "delivered": ["a1b2"]}
    await store.mark_delivery("d1", status="pending", attempt=attempt, next_at=AT)
    taken = await store.claim_delivery(AT, AT + timedelta(seconds=20))
    assert taken is not None and list(taken.attempts[0]["delivered"]) == ["a1b2"]


async def test_exercises_are_not_counted(store: Store, desk: Desk) -> None:
    await flags_in(store, flag("m1"))
    await start_drill(desk, OFFICER, Drill("d", "collective_visit", "I", "379911", "x"), "c1")
    assert await store.counts(Scope()) == {
        "state": {"raised": 1},
        "level": {"III": 1},
        "kind": {"collective_risk": 1},
    }
