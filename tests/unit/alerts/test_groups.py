"""What is told in one message, and that whoever was told of the beginning is told of the end, by name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts.courier import Courier
from services.alerts.domain.warning import Warning
from services.alerts.handlers import Drill, end_silence, start_drill
from services.alerts.policy import Receiver
from services.alerts.ports import Delivery
from tests.support.alerts import AT, BUREAU, finding, flag
from tests.unit.alerts.desk import OFFICER, Bench

OTHER_BUREAU = "379911.education_bureau"
SOCIAL = "379911.hr_social_security_bureau"


async def of(room: Bench, kind: str) -> Warning:
    return next(warning for warning in await room.warnings() if warning.kind == kind)


def messages(room: Bench, warning: Warning) -> list[Delivery]:
    """Messages about a warning that are no calls."""
    rows = room.store.s.deliveries.values()
    return [row for row in rows if warning.id in row.warnings and row.reason != "escalated"]


# -- inhibition --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["settle", "discard", "cancel", "cleared"])
async def test_what_a_warning_made_needless_is_told_when_that_one_ends(end: str):
    room = Bench()
    await room.hear(flag(kind="collective_visit", level="II"), flag(petitioners=8))
    risk = await of(room, "collective_risk")
    await room.pass_time(minutes=10)
    assert messages(room, risk) == []
    if end == "cleared":
        await room.hear(flag(kind="collective_visit", what="cleared", minute=9, reason="answered"))
    else:
        await room.take(await of(room, "collective_visit"), end, reason="已散去")
    await room.pass_time(minutes=1)
    assert [row.reason for row in messages(room, risk)] == ["first"]
    await room.pass_time(hours=9)
    assert [row.reason for row in messages(room, risk)] == ["first", "repeat"]


async def test_it_is_told_when_the_other_ones_level_falls_below_its_own():
    room = Bench()
    await room.hear(flag(kind="collective_visit", level="I"), flag(petitioners=8, level="II"))
    risk = await of(room, "collective_risk")
    await room.hear(flag(what="updated", petitioners=60, level="I", minute=1))
    await room.pass_time(minutes=10)
    assert messages(room, risk) == []
    await room.hear(flag(kind="collective_visit", what="updated", petitioners=4, level="II", minute=2))
    await room.pass_time(minutes=1)
    assert {row.reason for row in messages(room, risk)} == {"first"}


# -- silences of one warning -------------------------------------------------------------------------------------------


async def test_a_new_silence_of_a_warning_ends_the_one_before():
    room = Bench()
    await room.hear(flag())
    warning = await room.one()
    await room.take(warning, "silence", reason="先静默", until=AT + timedelta(days=3))
    await room.take(warning.id, "silence", reason="改短", until=AT + timedelta(hours=1))
    first, second = room.store.s.silences.values()
    assert (first.ends_at, first.ended_by, second.ended_by) == (AT, OFFICER.account, None)
    assert [t.subject for t in room.store.s.timers.values() if t.kind == "unmute"] == [second.id]
    assert [row["object"] for row in room.store.s.audit if row["action"] == "silence.end"] == [first.id]
    await room.pass_time(hours=2)
    assert messages(room, warning) != []


async def test_a_silence_that_cannot_be_made_ends_none():
    room = Bench()
    await room.hear(flag())
    warning = await room.take(await room.one(), "silence", reason="静默", until=AT + timedelta(days=3))
    with pytest.raises(Exception, match="7 days"):
        await room.take(warning, "silence", reason="太长", until=AT + timedelta(days=9))
    [kept] = room.store.s.silences.values()
    assert kept.ends_at == AT + timedelta(days=3)


# -- accusations and exercises -----------------------------------------------------------------------------------------


async def test_the_accused_units_receiver_learns_nothing_from_messages_about_others(tmp_path: Path):
    room = Bench()
    await room.hear(flag("m1", unit=SOCIAL))
    await room.pass_time(minutes=10)
    await room.hear(flag("m2", unit=SOCIAL, restricted=True, accused_unit=BUREAU))
    await room.hear(flag("m3", unit=SOCIAL, restricted=True, accused_unit=OTHER_BUREAU))
    await room.pass_time(minutes=10)
    for warning in await room.warnings():
        await room.take(warning, "settle", reason="已办结")
    await room.pass_time(minutes=10)
    receiver = Receiver(type="console", unit=BUREAU)
    courier = Courier(room.store, {}, room.desk.units, room.clock, secrets=tmp_path)
    got = [row for row in room.store.s.deliveries.values() if await courier._body(receiver, row) is not None]
    by_group: dict[str, list[Any]] = {}
    for row in got:
        by_group.setdefault(row.id.partition("#")[0], []).append((row.id.split("#")[1][0], row.reason))
    assert sorted(by_group.values()) == [[("1", "first"), ("2", "all_closed")]] * 2  # m1 and m3, nothing of m2


async def test_an_exercise_does_not_put_a_real_message_off():
    room = Bench()
    await start_drill(room.desk, OFFICER, Drill("d", "collective_visit", "II", "379911", "门口聚集", unit=BUREAU), "c")
    await room.pass_time(seconds=30)
    await room.hear(flag(kind="collective_visit", level="II"))
    at = room.clock.now()
    await room.pass_time(minutes=8)
    drill, real = room.store.s.deliveries.values()
    assert (drill.exercise, real.exercise) == (True, False)
    assert real.created_at - at <= timedelta(seconds=10)
    assert len(real.warnings) == 1


async def test_what_was_told_under_the_key_of_an_earlier_version_is_told_to_end():
    room = Bench()
    await room.hear(flag(unit=SOCIAL, restricted=True, accused_unit=BUREAU))
    await room.pass_time(minutes=1)
    warning = await room.one()
    [(key, told)] = room.store.s.told.items()
    old = key.partition(":accusation:")[0]
    room.store.s.told = {old: told}
    room.store.s.timers |= {
        f"flush/{old}": t.__class__(f"flush/{old}", t.kind, old, t.due)
        for t in room.store.s.timers.values()
        if t.kind == "flush"
    }
    await room.pass_time(hours=9)
    await room.take(warning, "settle", reason="已办结")
    await room.pass_time(minutes=10)
    assert messages(room, warning)[-1].reason == "all_closed"


# -- the end is told, by name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flagged", [BUREAU, None])
@pytest.mark.parametrize("after", [0.1, 10])
async def test_the_end_of_what_was_handed_to_another_unit_is_told_once(flagged: str | None, after: float):
    room = Bench()
    await room.hear(flag(kind="collective_visit", level="II", unit=flagged))
    await room.pass_time(minutes=after)
    warning = await room.take(await room.one(), "assign", unit=OTHER_BUREAU)
    await room.pass_time(hours=1)
    await room.take(warning, "settle", reason="已办结")
    await room.pass_time(hours=48)
    assert [row.reason for row in messages(room, warning)] == ["first", "all_closed"]


async def test_what_goes_to_another_unit_before_it_was_told_is_told_there():
    room = Bench()
    await room.hear(flag())
    warning = await room.take(await room.one(), "assign", unit=OTHER_BUREAU)
    await room.pass_time(minutes=2)
    assert [row.reason for row in messages(room, warning)] == ["first"]


async def test_those_left_in_the_group_are_not_said_to_have_changed():
    room = Bench()
    await room.hear(flag("m1"), flag("m2"))
    await room.pass_time(minutes=10)
    moved, left = await room.warnings()
    await room.take(moved, "assign", unit=OTHER_BUREAU)
    await room.pass_time(hours=1)
    assert [row.reason for row in messages(room, left)] == ["first"]
    await room.take(moved.id, "settle", reason="已办结")
    await room.take(left, "settle", reason="已办结")
    await room.pass_time(minutes=10)
    ends = [row for row in room.store.s.deliveries.values() if row.reason == "all_closed"]
    assert sorted(row.warnings for row in ends) == sorted([(moved.id,), (left.id,)])


async def test_the_end_of_what_was_needless_is_told_by_name():
    room = Bench()
    await room.hear(flag(petitioners=8))
    await room.pass_time(minutes=10)
    risk = await room.one()
    await room.hear(flag(kind="collective_visit", level="II"))
    await room.pass_time(minutes=10)
    await room.take(risk.id, "settle", reason="已办结")
    await room.pass_time(minutes=10)
    assert [row.reason for row in messages(room, risk)] == ["first", "all_closed"]
    assert all(row.body["warnings"] for row in room.store.s.deliveries.values())


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("beside", ["", "before", "after"])
async def test_the_end_of_what_is_silenced_is_told_by_name_when_the_silence_ends(early: bool, beside: str):
    room = Bench()
    await room.hear(flag())
    if beside:
        await room.hear(flag("m2"))
    await room.pass_time(minutes=10)
    warning = next(w for w in await room.warnings() if w.matter == "m1")
    await room.take(warning, "silence", reason="已知", until=room.clock.now() + timedelta(days=2))
    if beside == "before":
        await room.hear(flag("m3"))  # a message goes out about the others meanwhile
    await room.pass_time(minutes=10)
    await room.take(warning.id, "settle", reason="已办结")
    if beside == "after":
        await room.hear(flag("m3"))
    await room.pass_time(hours=1)
    assert [row.reason for row in messages(room, warning)] == ["first"]
    if early:
        [silence] = room.store.s.silences.values()
        await end_silence(room.desk, OFFICER, silence.id)
    await room.pass_time(hours=1 if early else 60)
    end = messages(room, warning)[1:]
    assert [row.reason for row in end] == ["some_closed" if beside else "all_closed"]
    assert end[0].body["warnings"][0]["warning_id"] == warning.id
    assert all(row.body["warnings"] for row in room.store.s.deliveries.values())


async def test_a_message_about_many_names_what_changed_and_says_how_many():
    room = Bench()
    await room.hear(*[flag(f"m{n}") for n in range(55)])
    await room.pass_time(minutes=10)
    await room.hear(flag("new"))
    await room.hear(flag("m3", what="updated", petitioners=9, minute=1))
    await room.take(next(w for w in await room.warnings() if w.matter == "m7"), "settle", reason="已办结")
    await room.pass_time(minutes=10)
    [message] = [row for row in room.store.s.deliveries.values() if row.reason == "new_warning"]
    named = [one["matter"] for one in message.body["warnings"]]
    assert set(named[:3]) == {"new", "m3", "m7"}
    assert (len(named), message.body["total"], len(message.warnings)) == (50, 56, 56)


async def test_deadlines_of_one_unit_stay_in_a_group_of_their_own():
    room = Bench()
    await room.hear(finding(state="due_soon"))
    await room.hear(finding(minute=5))
    await room.pass_time(minutes=20)
    assert {w.state for w in await room.warnings(kinds={"near_deadline"})} == {"cancelled"}
    assert len(room.told("first")) == 1
