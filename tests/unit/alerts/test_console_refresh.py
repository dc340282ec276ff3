"""What an open page is told, and how often: lines drawn once a change, the line under the head not at every beat."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from services.alerts.console import live, shell
from services.alerts.console.board import Pulse
from services.alerts.console.live import Live
from services.alerts.console.shell import Page
from services.alerts.domain.warning import Warning
from tests.unit.alerts.desk import Bench
from tests.unit.alerts.test_console import raised, visitor_of


async def test_a_line_is_drawn_again_when_its_warning_changed_or_a_minute_passed(monkeypatch: Any) -> None:
    room = Bench()
    one, other = await raised(room, matter="m1"), await raised(room, matter="m2")
    drawn: list[str] = []
    draw = live.row

    def counted(visitor: Any, warning: Warning, now: Any) -> dict[str, Any]:
        drawn.append(warning.id)
        return draw(visitor, warning, now)

    monkeypatch.setattr(live, "row", counted)
    page = Live(await visitor_of(room), SimpleNamespace())  # type: ignore[arg-type]
    now = room.clock.now().replace(second=1, microsecond=0)
    first = page._rows([one, other], now)
    assert drawn == [one.id, other.id]
    assert page._rows([other, one], now + timedelta(seconds=50)) == first
    assert drawn == [one.id, other.id]
    await room.take(one, "verify")
    changed = room.store.s.warnings[one.id]
    assert page._rows([changed, other], now + timedelta(seconds=50))[one.id]["version"] == changed.version
    assert drawn == [one.id, other.id, one.id]
    page._rows([changed, other], now + timedelta(seconds=60))
    assert drawn[3:] == [one.id, other.id]
    page._rows([other], now + timedelta(seconds=60))
    assert set(page._lines) == {other.id}


async def test_the_line_under_the_head_moves_at_quiet_beats_and_at_trouble_but_not_at_each_of_many(
    monkeypatch: Any,
) -> None:
    room = Bench()
    visitor = await visitor_of(room)
    board = visitor.console.board
    board.pulse = Pulse(None, room.clock.now(), 1)
    monkeypatch.setattr(shell.ui.context.__class__, "client", SimpleNamespace())
    page = Page(visitor, {})
    told: list[str | None] = []

    class Line:
        async def run_method(self, name: str, news: dict[str, Any], *, timeout: float) -> None:
            told.append(news["trouble"])

    page.pulse = Line()  # type: ignore[assignment]
    at = [100.0]
    monkeypatch.setattr(shell.time, "monotonic", lambda: at[0])
    await page._tick(quiet=False)
    await page._tick(quiet=False)
    assert told == [None]
    await page._tick(quiet=True)
    assert told == [None, None]
    at[0] += shell.TICK_S
    await page._tick(quiet=False)
    assert told == [None] * 3
    board.pulse = Pulse("store", room.clock.now(), 1)
    await page._tick(quiet=False)
    assert told == [None, None, None, "store"]
