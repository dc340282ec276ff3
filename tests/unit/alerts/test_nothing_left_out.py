"""The board and the figures count every open warning, however old and however many; what is cut is said."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from services.alerts import queries
from services.alerts.console.board import Board
from services.alerts.queries import district, quality, units
from services.alerts.stream import Hub
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.desk import OFFICER, Bench


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)


async def crowd(room: Any, number: int = 10) -> None:
    """An old unanswered life-safety warning below many newer ones."""
    await room.hear(flag("old", kind="life_safety", level="I"))
    await room.hear(*[flag(f"m{n}", kind="pending_elsewhere", level="IV") for n in range(number)])


async def test_the_most_urgent_is_first_however_many_are_newer(small_pages, monkeypatch):
    monkeypatch.setattr("services.alerts.http.MAX_BOARD", 4)
    api = Api()
    await crowd(api)
    assert len(await queries.board(api.desk, OFFICER)) == 11
    body = (await api.get("/v1/board")).json()
    assert body["warnings"][0]["kind"] == "life_safety"
    assert (len(body["warnings"]), body["left_out"]) == (4, 7)
    assert (await api.get("/v1/board", kind="life_safety")).json()["left_out"] == 0


async def test_the_console_holds_every_open_warning(small_pages):
    room = Bench()
    await crowd(room)
    hub = Hub(room.store)
    await hub.start()
    board = Board(room.desk, hub)
    await board.start()
    try:
        async with asyncio.timeout(5):
            await board.loaded.wait()
        assert len(board.warnings) == 11
        assert board.ordered(room.clock.now())[0].kind == "life_safety"
    finally:
        await board.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await hub.stop()


async def test_a_warning_that_is_open_for_longer_than_the_window_is_counted_as_open():
    room = Bench()
    await room.hear(flag())
    room.clock.advance(timedelta(days=31))
    found = await district(room.desk, OFFICER)
    assert (sum(found.open_by_level.values()), found.heat) == (1, {})
    [row] = await units(room.desk, OFFICER, 30)
    assert (row.unit, row.open, row.settled) == (BUREAU, 1, 0)
    assert row.overdue_steps > 0


async def test_figures_of_a_window_are_not_cut(small_pages):
    room = Bench()
    await crowd(room)
    await room.take((await room.warnings())[0], "settle", reason="done")
    [row] = await units(room.desk, OFFICER, 30)
    assert (row.open, row.settled) == (10, 1)
    assert (await quality(room.desk, OFFICER, 30)).raised == 11
    found = await district(room.desk, OFFICER)
    assert sum(found.heat.values()) == found.by_hour[-1][1] == found.by_day[-1][1] == 11
    assert sum(found.open_by_level.values()) == 10
    assert len(await queries.recent(room.desk, OFFICER)) == 11


async def test_a_drill_is_counted_nowhere():
    api = Api()
    await api.hear(flag())
    body = {"kind": "collective_visit", "jurisdiction": "379911", "scenario": "门口聚集", "unit": BUREAU}
    assert (await api.post("/v1/drills", body)).status_code == 201
    assert (await api.get("/v1/warnings/counts")).json() == {
        "state": {"raised": 1},
        "level": {"III": 1},
        "kind": {"collective_risk": 1},
    }
    [row] = await units(api.desk, OFFICER, 30)
    assert row.open == 1
