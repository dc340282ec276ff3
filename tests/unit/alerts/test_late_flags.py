"""Flags are old by their number among the matter's, not by the time of what they tell: a visit may be entered late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.contract import flag_of
from services.alerts.domain.episodes import older
from services.alerts.domain.warning import Flag
from services.screening.contract import event_of
from shared.access import Principal
from shared.events import Event
from tests.support.alerts import AT, BUREAU, COUNTY, flag
from tests.support.petitions import DAY, START, county, filed, step
from tests.unit.alerts.desk import Bench

HANDED_TO = "379911.hr_social_security_bureau"


def numbered(number: int, **more: Any) -> Event:
    """The matter's nth flag event."""
    return flag(**{"run": str(number), **more}).model_copy(update={"sequence": number})


def outcomes(room: Bench) -> list[str]:
    return [row.outcome for row in room.store.s.flags.values()]


async def test_a_larger_visit_that_is_registered_late_is_heard_of():
    room, engine = Bench(), county()
    for number, minutes, heads in ((1, 0, 8), (2, 60, 12), (3, 30, 45)):
        out = engine.apply([filed(number, minutes=minutes, channel="visit", headcount=heads)])
        await room.hear(*[event_of(notice) for notice in out.notices])
    warning = await room.one()
    assert (warning.level, warning.flag.headcount) == ("I", 45)
    assert warning.flag.at == START + timedelta(minutes=60)  # times never go back


async def test_an_answer_that_is_entered_late_ends_the_warning_and_its_calls():
    room, engine = Bench(), county()
    first = filed(1, petitioner="same")

    def then(id: str, kind: Any, day: float, **more: Any) -> Any:
        return step(id, first, kind, START + day * DAY, **more)

    letters = [filed(10 + n, petitioner="same", at=START + (61.5 + n / 50) * DAY) for n in range(4)]
    for item in (first, then("1", "accepted", 1), then("2", "breached", 61, breach="x"), *letters):
        notices = engine.apply([item]).notices
        if notices:
            await room.hear(*[event_of(notice) for notice in notices])
    assert {w.state for w in await room.warnings(kinds={"unanswered_repeat"})} == {"raised"}
    await room.hear(*[event_of(notice) for notice in engine.apply([then("3", "replied", 61.51)]).notices])
    assert {w.state for w in await room.warnings()} == {"cancelled"}
    await room.pass_time(hours=9)
    assert room.told("escalated") == []


@pytest.mark.parametrize("kind", ["collective_visit", "collective_risk", "unanswered_repeat"])
async def test_a_closed_warning_swallows_no_flag_of_another_id(kind: str):
    room = Bench()
    await room.hear(flag(kind=kind, minute=60, flag_id="F1"))
    await room.take(await room.one(), "settle", reason="已办结")
    await room.hear(flag(kind=kind, minute=50, flag_id="F2", petitioners=4))
    new, settled = await room.warnings()
    assert (new.state, new.previous, new.flag.flag_id) == ("raised", settled.id, "F2")


async def test_a_dead_letter_that_is_sent_again_is_old_whatever_its_time():
    room = Bench()
    await room.hear(numbered(1), numbered(3, what="updated", petitioners=9, minute=5))
    await room.hear(numbered(2, what="updated", petitioners=7, minute=30))
    assert (await room.one()).flag.distinct_petitioners == 9
    await room.take(await room.one(), "settle", reason="已办结")
    await room.hear(numbered(2, what="updated", petitioners=12, minute=40, run="other"))
    assert len(await room.warnings()) == 1
    assert outcomes(room)[2:] == ["stale", "stale"]
    await room.hear(numbered(4, what="updated", petitioners=12, minute=1))
    assert [w.episode for w in await room.warnings()] == [2, 1]


@pytest.mark.parametrize("kind", ["collective_risk", "cross_level_visit"])
@pytest.mark.parametrize("taken", [True, False])
async def test_what_was_told_before_a_clear_does_not_undo_it(kind: str, taken: bool):
    room = Bench()
    await room.hear(numbered(1, kind=kind))
    if taken:
        await room.take(await room.one(), "acknowledge")
    await room.hear(numbered(3, kind=kind, what="cleared", reason="answered"))
    before = await room.one()
    await room.hear(numbered(2, kind=kind, what="updated", petitioners=9, minute=9))
    assert await room.one() == before


async def test_a_clear_that_is_older_than_what_is_known_clears_nothing():
    room = Bench()
    await room.hear(numbered(1), numbered(3, what="updated", petitioners=6, minute=2))
    await room.hear(numbered(2, what="cleared", minute=9, reason="answered"))
    assert (await room.one()).state == "raised"


def test_a_number_that_the_store_cannot_keep_is_the_last_there_is():
    assert flag_of(numbered(2**80)).sequence == 2**63 - 1


def test_without_numbers_time_says_what_is_old():
    known = Flag("f", "collective_risk", "m", COUNTY, "III", AT)
    for number in (0, 1):
        same = replace(known, sequence=number)
        assert older(replace(same, at=AT - timedelta(1)), same)
        assert not older(same, same)
    late = replace(known, at=AT - timedelta(1), sequence=2)
    assert older(late, known)  # a row that did not keep its number
    assert not older(late, replace(known, sequence=1))


@pytest.mark.parametrize("together", [True, False])
async def test_the_unit_that_loses_a_warning_in_a_batch_of_updates_is_told(together: bool):
    room = Bench()
    scope = Principal("u", "unit", BUREAU).scope(room.desk.units)
    await room.hear(flag(unit=BUREAU))
    two = [
        flag(what="updated", petitioners=7, minute=1, unit=BUREAU),
        flag(what="updated", petitioners=9, minute=2, unit=HANDED_TO),
    ]
    for batch in [two] if together else [[one] for one in two]:
        await room.hear(*batch)
    shown = [row for row in room.store.s.stream if row.shown_to(scope)]
    assert HANDED_TO in shown[-1].event


async def test_a_unit_that_never_had_it_hears_nothing():
    room = Bench()
    scope = Principal("u", "unit", BUREAU).scope(room.desk.units)
    await room.hear(flag(unit=BUREAU), flag(what="updated", petitioners=9, minute=2, unit=HANDED_TO))
    await room.hear(
        flag(what="updated", petitioners=11, minute=3, unit=BUREAU),
        flag(what="updated", petitioners=13, minute=4, unit=HANDED_TO),
    )
    assert [row for row in room.store.s.stream if row.shown_to(scope)] == []
