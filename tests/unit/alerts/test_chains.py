"""The chain of calls while the level changes: it is never put off, and it is that of the level now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.alerts.domain.levels import restep, steps_for
from tests.support.alerts import AT, flag
from tests.unit.alerts.desk import Bench


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def due(room: Bench, kind: str = "escalation") -> list[datetime]:
    return [timer.due for timer in room.store.s.timers.values() if timer.kind == kind]


async def test_a_flag_that_hovers_between_two_levels_is_called_about():
    room = Bench()
    await room.hear(flag(petitioners=50))
    for n in range(1, 31):
        await room.pass_time(minutes=2)
        await room.hear(flag(what="updated", petitioners=50 - n % 2, minute=n))
    warning = await room.one()
    assert warning.escalation is not None
    assert warning.escalation.run == 1
    called = {row.receiver for row in room.store.s.deliveries.values() if row.reason == "escalated"}
    assert called == {"duty_desk", "second_officer", "leader_on_duty", "command_center"}


async def test_a_higher_level_never_puts_a_call_off():
    room = Bench()
    await room.hear(flag(petitioners=8))
    await room.pass_time(minutes=58)
    await room.hear(flag(what="updated", petitioners=9, minute=57, level="II"))
    assert due(room) == [AT + minutes(60)]
    await room.hear(flag(what="updated", petitioners=10, minute=58, level="I"))
    assert due(room) == [AT + minutes(60)]
    await room.pass_time(minutes=2.5)
    warning = await room.one()
    assert warning.escalation is not None
    assert (warning.escalation.policy, warning.escalation.run, warning.escalation.step) == ("urgent", 3, 0)
    [after] = due(room)
    assert AT + minutes(65) <= after < AT + minutes(66)  # from here on as the higher level's chain says


async def test_a_higher_level_calls_sooner_where_its_chain_does():
    room = Bench()
    await room.hear(flag(petitioners=8))
    await room.pass_time(minutes=10)
    await room.hear(flag(what="updated", petitioners=60, minute=9, level="I"))
    assert due(room) == [AT + minutes(13)]


async def test_a_chain_of_a_row_that_kept_no_time_is_not_put_off_before_its_first_call():
    room = Bench()
    await room.hear(flag(petitioners=8))
    warning = await room.one()
    assert warning.escalation is not None
    room.store.s.warnings[warning.id] = replace(warning, escalation=replace(warning.escalation, since=None))
    await room.pass_time(minutes=58)
    await room.hear(flag(what="updated", petitioners=9, minute=57, level="II"))
    assert due(room) == [AT + minutes(60)]


async def test_a_step_that_a_higher_level_wants_sooner_is_not_late_at_once():
    room = Bench()
    await room.hear(flag(petitioners=8))
    await room.pass_time(minutes=58)
    await room.hear(flag(what="updated", petitioners=9, minute=57, level="II"))
    await room.pass_time(seconds=2)
    by_id = {step.id: step for step in (await room.one()).steps}
    assert not any(step.missed for step in by_id.values())
    assert by_id["acknowledge"].due == AT + minutes(60)  # as it was: 15 minutes from now are later
    assert by_id["verify"].due == AT + minutes(58 + 30)
    assert by_id["plan"].due == AT + timedelta(hours=4)  # still to come when it is counted from the beginning


async def test_no_due_time_ever_goes_back():
    room = Bench()
    await room.hear(flag(petitioners=8))
    warning = await room.one()
    for hours in (0, 1, 5, 30):
        at = AT + timedelta(hours=hours)
        for level in ("IV", "III", "II", "I"):
            after = {step.id: step.due for step in restep(replace(warning, level=level), at)}
            assert all(after[step.id] <= step.due for step in steps_for("III", warning.kind, AT, owner=None))


async def test_after_a_lapse_the_chain_of_the_level_now_runs_and_it_lapses_sooner_at_a_higher_level():
    room = Bench()
    await room.hear(flag(petitioners=8))
    await room.take(await room.one(), "acknowledge")
    await room.pass_time(minutes=10)
    await room.hear(flag(what="updated", petitioners=60, minute=9, level="I"))
    warning = await room.one()
    assert warning.acknowledged_until == room.clock.now() + minutes(30)
    assert due(room, "lapse") == [warning.acknowledged_until]
    assert (due(room), room.told("escalated")) == ([], [])
    await room.pass_time(minutes=31)
    warning = await room.one()
    assert warning.escalation is not None
    assert (warning.state, warning.escalation.policy, warning.escalation.run) == ("raised", "urgent", 2)
    await room.pass_time(minutes=3)
    assert len(room.told("escalated")) == 2  # the desk and the second officer


async def test_a_higher_level_never_lengthens_what_somebody_holds():
    room = Bench()
    await room.hear(flag(petitioners=8, level="II"))
    await room.take(await room.one(), "acknowledge")
    await room.pass_time(minutes=100)
    held = (await room.one()).acknowledged_until
    await room.hear(flag(what="updated", petitioners=60, minute=99, level="I"))
    assert (await room.one()).acknowledged_until == held == AT + timedelta(hours=2)


async def test_after_a_lapse_at_a_lower_level_its_own_chain_runs():
    room = Bench()
    await room.hear(flag(petitioners=60, level="I"))
    await room.hear(flag(what="updated", petitioners=8, minute=1))
    assert (await room.one()).level == "III"
    await room.take(await room.one(), "acknowledge")
    await room.pass_time(hours=8, minutes=5)
    warning = await room.one()
    assert warning.escalation is not None
    assert (warning.state, warning.escalation.policy) == ("raised", "ordinary")
