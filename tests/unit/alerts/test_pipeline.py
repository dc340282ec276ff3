"""Grouping, inhibition, silence, escalation, repetition: on the memory store, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts import queries
from services.alerts.domain.escalation import Call, Policies, Policy
from services.alerts.domain.findings import Place
from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.notify import Reason, Told, inhibitor, needs_telling
from services.alerts.domain.silence import Silence
from services.alerts.handlers import Forbidden, end_silence, silence
from services.alerts.ports import Filter
from services.alerts.timing import fire, fire_due
from shared.access import Principal
from shared.clock import BEIJING
from tests.support.alerts import AT, finding, flag
from tests.unit.alerts.desk import OFFICER, OTHER, Bench


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def policies(**more: object) -> Policies:
    chain = Policy("p", (Call(minutes(5), ("a",)), Call(minutes(7), ("b", "c"))), notify=("desk",), **more)  # type: ignore[arg-type]
    other = Policy("q", (Call(minutes(1), ("boss",)),), notify=("desk",))
    return Policies("1", {"p": chain, "q": other}, dict.fromkeys(("I", "II", "III", "IV"), "p"), {})


async def test_the_chain_calls_in_order_never_early_and_ends():
    bench = Bench(policies(loops=2, then="q"))
    await bench.hear(flag())
    await bench.pass_time(minutes=4.95)
    assert bench.told("escalated") == []
    for _ in range(12):
        await bench.pass_time(minutes=5)
    calls = [
        (d.receiver, (d.created_at - AT) / minutes(1))
        for d in bench.store.s.deliveries.values()
        if d.reason == "escalated"
    ]
    assert [name for name, _ in calls] == ["a", "b", "c", "a", "b", "c", "boss"]
    for (_, at), due in zip(calls, [5, 12, 12, 17, 24, 24, 25], strict=True):
        assert due <= at < due + 1
    log = [row.action for row in await bench.store.log((await bench.one()).id)]
    assert log.count("escalate") == 5


@pytest.mark.parametrize("changed", ["renamed", "a step fewer", "another order"])
async def test_the_calls_go_on_when_the_file_changes_under_an_open_warning(changed: str):
    before = policies(loops=2)
    call = before.policies["p"].calls
    calls = {"renamed": call, "a step fewer": call[:1], "another order": call[::-1]}[changed]
    id = "p2026" if changed == "renamed" else "p"
    now = Policy(id, calls, loops=2, notify=("desk",))
    bench = Bench(before)
    await bench.hear(flag())
    await bench.pass_time(minutes=6)
    bench.desk = replace(bench.desk, policies=Policies("2", {id: now}, dict.fromkeys(before.by_level, id), {}))
    told = len(bench.told("escalated"))
    await bench.pass_time(hours=1)
    assert len(bench.told("escalated")) > told
    assert (await bench.one()).escalation.policy == id


async def test_acknowledging_stops_the_chain_at_once():
    bench = Bench(policies())
    await bench.hear(flag())
    await bench.pass_time(minutes=6)
    await bench.take(await bench.one(), "acknowledge")
    await bench.pass_time(hours=3)
    assert [d.split("/")[-1] for d in bench.told("escalated")] == ["a"]
    assert not [t for t in bench.store.s.timers.values() if t.kind == "escalation"]


async def test_an_acknowledgement_lapses_and_the_chain_starts_again():
    bench = Bench(policies(ack_holds=minutes(30)))
    await bench.hear(flag())
    await bench.take(await bench.one(), "acknowledge")
    await bench.pass_time(minutes=20)
    await bench.take(await bench.one(), "acknowledge")  # still in hand
    await bench.pass_time(minutes=29)
    assert (await bench.one()).state == "acknowledged"
    await bench.pass_time(minutes=2)
    assert (await bench.one()).state == "raised"
    assert bench.told("escalated") == []
    await bench.pass_time(minutes=5)
    assert len(bench.told("escalated")) == 1
    assert (await bench.take(await bench.one(), "acknowledge", OTHER)).acknowledged_by == "o2"


async def test_a_next_step_keeps_it_from_lapsing():
    bench = Bench(policies(ack_holds=minutes(30)))
    await bench.hear(flag())
    await bench.take(await bench.one(), "acknowledge")
    await bench.take(await bench.one(), "assign", unit="379911001")
    await bench.pass_time(hours=2)
    assert (await bench.one()).state == "assigned"


async def test_many_updates_do_not_put_a_call_off():
    bench = Bench(policies())
    await bench.hear(flag())
    for n in range(1, 10):
        await bench.pass_time(minutes=1)
        await bench.hear(flag(what="updated", petitioners=5 + n, minute=n))
    assert len(bench.told("escalated")) == 1


async def test_a_timer_fires_once_whoever_fires_it():
    bench = Bench(policies())
    await bench.hear(flag())
    bench.clock.advance(minutes(5))
    timer = next(t for t in bench.store.s.timers.values() if t.kind == "escalation")
    assert [await fire(bench.desk, timer) for _ in range(4)] == [True, False, False, False]
    assert len(bench.told("escalated")) == 1


async def test_a_timer_that_was_killed_before_its_commit_fires_again():
    bench = Bench(policies())
    await bench.hear(flag())
    bench.clock.advance(minutes(5))
    bench.store.fail_before_commit = True
    with pytest.raises(RuntimeError):
        await fire_due(bench.desk)
    await fire_due(bench.desk)
    assert len(bench.told("escalated")) == 1
    assert (await bench.one()).escalation.step == 0


async def test_a_step_that_is_missed_is_said_once():
    bench = Bench(policies())
    await bench.hear(flag(level="II", kind="collective_visit"))
    await bench.pass_time(hours=6)
    missed = [row.detail["step"] for row in await bench.store.log((await bench.one()).id) if row.action == "miss"]
    assert missed == ["acknowledge", "verify", "report", "assign", "on_scene", "plan"]


# -- grouping and repetition -----------------------------------------------------------------------------------------------


async def test_warnings_of_a_unit_and_kind_are_told_together():
    bench = Bench(policies())
    await bench.hear(*(flag(f"m{n}") for n in range(5)))
    await bench.pass_time(minutes=1)
    [message] = [d for d in bench.store.s.deliveries.values() if d.receiver == "desk"]
    assert (len(message.warnings), message.reason) == (5, "first")
    await bench.hear(flag("m9"))
    await bench.pass_time(minutes=2)
    assert len(bench.told("new_warning")) == 0  # the interval of a group
    await bench.pass_time(minutes=4)
    assert len(bench.told("new_warning")) == 1


async def test_the_highest_level_is_told_alone_and_at_once():
    bench = Bench(policies())
    await bench.hear(flag("m1", level="I"), flag("m2", level="I"), flag("m3", "life_safety"))
    await fire_due(bench.desk)
    firsts = [d for d in bench.store.s.deliveries.values() if d.reason == "first"]
    assert sorted(len(d.warnings) for d in firsts) == [1, 1, 1]
    assert {d.created_at for d in firsts} == {AT}


async def test_repetition_until_somebody_has_it():
    bench = Bench(policies(repeat=minutes(30)))
    await bench.hear(flag())
    await bench.pass_time(minutes=100)
    assert len(bench.told("repeat")) == 3
    await bench.take(await bench.one(), "acknowledge")
    await bench.pass_time(hours=3)
    assert len(bench.told("repeat")) == 3


async def test_the_end_is_told():
    bench = Bench(policies())
    await bench.hear(flag())
    await bench.pass_time(minutes=6)
    await bench.take(await bench.one(), "settle", reason="done")
    await bench.pass_time(minutes=6)
    assert len(bench.told("all_closed")) == 1
    await bench.pass_time(hours=1)
    assert [d.rsplit("/", 1)[1] for d in bench.told() if "#call" not in d] == ["desk", "desk"]


async def test_a_warning_that_moves_to_the_highest_level_has_not_ended():
    bench = Bench(policies())
    await bench.hear(flag())
    await bench.pass_time(minutes=6)
    await bench.hear(flag(what="updated", petitioners=60, level="I", minute=6))
    await bench.pass_time(minutes=30)
    assert bench.told("all_closed") == []
    assert (len(bench.told("first")), len(bench.told("level_raised"))) == (1, 1)


@pytest.mark.parametrize(
    ("told", "change", "reason"),
    [
        (None, {}, Reason.FIRST),
        (Told(AT, {"w": ("III", 5.0)}, 1), {}, Reason.UNCHANGED),
        (Told(AT, {"w": ("IV", 5.0)}, 1), {}, Reason.LEVEL_RAISED),
        (Told(AT, {"w": ("III", 3.0)}, 1), {}, Reason.GROWN),
        (Told(AT, {"w": ("III", 4.0)}, 1), {}, Reason.UNCHANGED),
        (Told(AT, {"w": ("III", 5.0), "x": ("III", 5.0)}, 1), {}, Reason.SOME_CLOSED),
        (Told(AT, {"x": ("III", 5.0)}, 1), {}, Reason.NEW_WARNING),
        (Told(AT - timedelta(hours=2), {"w": ("III", 5.0)}, 1), {}, Reason.REPEAT),
        (Told(AT - timedelta(hours=2), {"w": ("III", 5.0)}, 1), {"state": "acknowledged"}, Reason.UNCHANGED),
        (Told(AT, {"w": ("III", 5.0)}, 1), {"state": "settled"}, Reason.ALL_CLOSED),
        (Told(AT, {}, 2), {"state": "settled"}, Reason.NOTHING_LEFT),
        (None, {"state": "settled"}, Reason.NEVER_TOLD),
    ],
)
async def test_why_a_group_is_told_about_or_not(told, change, reason):
    bench = Bench(policies())
    await bench.hear(flag())
    warning = replace(await bench.one(), id="w", **change)
    assert needs_telling(told, [warning], AT, timedelta(hours=1)) is reason


# -- silence and inhibition -----------------------------------------------------------------------------------------------


def quiet(**more: object) -> Silence:
    return Silence("s1", "", "演练期间", AT, AT + timedelta(hours=1), AT, **more)  # type: ignore[arg-type]


async def test_a_silence_mutes_what_it_names_until_its_end():
    bench = Bench(policies())
    await silence(bench.desk, OFFICER, quiet(kinds=("collective_risk",)))
    await bench.hear(flag(), flag("m2", "cross_level_risk"))
    await bench.pass_time(minutes=59)
    assert [d for d in bench.told() if "collective_risk" in d] == []
    assert [d for d in bench.told() if "cross_level_risk" in d] != []
    await bench.pass_time(minutes=5)
    assert len([d for d in bench.told("first") if "collective_risk" in d]) == 1


async def test_a_silence_that_is_ended_early_is_not_shown_any_more():
    bench = Bench(policies())
    await bench.hear(flag())
    await bench.take(await bench.one(), "silence", reason="已知", until=AT + timedelta(hours=4))
    [made] = bench.store.s.silences.values()
    bench.clock.advance(minutes(1))
    await end_silence(bench.desk, OFFICER, made.id)
    warning = await bench.one()
    assert warning.silenced_until == bench.clock.now()
    last = (await bench.store.log(warning.id))[-1]
    assert (last.actor, last.why.zh) == (OFFICER.account, "静默提前结束")
    await end_silence(bench.desk, OFFICER, made.id)
    assert (await bench.one()).version == warning.version


async def test_each_county_has_a_warning_of_its_own_about_a_unit_that_serves_several():
    bench = Bench(policies())
    unit = "379900.education_bureau"
    await bench.hear(
        finding("p1", unit=unit, jurisdiction="379911"), finding("p2", unit=unit, jurisdiction="379912", minute=1)
    )
    await bench.hear(finding("p3", unit=unit, jurisdiction="379912", minute=2))
    shown = {w.flag.jurisdiction: set(w.flag.petition_ids) for w in await bench.warnings()}
    assert shown == {"379911": {"p1"}, "379912": {"p2", "p3"}}
    await bench.hear(finding("p1", "met", unit=unit, jurisdiction="379911", minute=5))
    states = {w.flag.jurisdiction: w.state for w in await bench.warnings()}
    assert states == {"379911": "cancelled", "379912": "raised"}
    for county in ("379911", "379912"):
        officer = Principal("o3", "duty_officer", jurisdiction=county)
        assert {w.flag.jurisdiction for w in (await queries.page(bench.desk, officer, Filter()))[0]} == {county}


@pytest.mark.parametrize("unit", ["379911", "379911.health_bureau", "379911001.petition_station", "379911001001"])
def test_what_a_countys_own_unit_owes_is_named_by_the_unit_alone(unit: str):
    assert Place(unit, "HANDLE", "breached", "379911").matter == f"unit:{unit}/HANDLE"
    assert Place(unit, "HANDLE", "breached", "379912").matter == f"unit:{unit}@379912/HANDLE"


async def test_days_of_the_district_are_those_of_beijing():
    bench = Bench(policies())
    bench.clock.advance(timedelta(hours=17))  # two o'clock at night on 2 March in Beijing
    await bench.hear(flag())
    bench.clock.advance(timedelta(hours=4))
    days = (await queries.district(bench.desk, OFFICER)).by_day
    assert [(day.astimezone(BEIJING).day, number) for day, number in days[-2:]] == [(1, 0), (2, 1)]


async def test_a_stale_finding_in_the_same_batch_is_not_taken_for_the_cause():
    bench = Bench(policies())
    breached = finding("p1", "breached", minute=10)
    await bench.hear(breached, finding("p1", "due_soon", minute=0))
    assert (await bench.one()).flag.at == breached.data.at


@pytest.mark.parametrize(
    "matcher", [{}, {"unit": "379911.construction_bureau"}, {"matter": "m1"}, {"jurisdiction": "379911"}]
)
async def test_no_silence_mutes_life_safety_or_overdue(matcher):
    bench = Bench(policies())
    await silence(bench.desk, OFFICER, quiet(**matcher))
    await bench.hear(flag("m1", "life_safety"))
    await bench.hear(finding())
    await bench.pass_time(minutes=1)
    assert len(bench.told("first")) == 2


@pytest.mark.parametrize("kind", ["life_safety", "overdue", "reprisal_risk"])
async def test_a_silence_that_names_them_is_refused(kind):
    bench = Bench(policies())
    with pytest.raises(Refused) as refused:
        await silence(bench.desk, OFFICER, quiet(kinds=(kind, "collective_risk")))
    assert refused.value.code == "cannot-be-silenced"
    assert kind in refused.value.detail


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": " "}, "reason-missing"),
        ({"ends_at": AT}, "silence-time"),
        ({"ends_at": AT - timedelta(hours=1), "starts_at": AT - timedelta(hours=2)}, "silence-time"),
        ({"ends_at": AT + timedelta(days=8)}, "silence-time"),
    ],
)
async def test_silences_that_are_refused(change, code):
    bench = Bench(policies())
    with pytest.raises(Refused) as refused:
        await silence(bench.desk, OFFICER, replace(quiet(), **change))
    assert refused.value.code == code
    with pytest.raises(Forbidden):
        await silence(bench.desk, Principal("u", "unit", "379911001"), quiet())


async def test_silencing_one_warning_says_who_and_why_and_ends():
    bench = Bench(policies())
    await bench.hear(flag())
    silenced = await bench.take(await bench.one(), "silence", reason="已在现场", until=AT + timedelta(hours=1))
    assert (silenced.silenced_by, silenced.silence_reason) == ("o1", "已在现场")
    await bench.pass_time(minutes=50)
    assert bench.told("first") == []
    await bench.pass_time(minutes=15)
    assert len(bench.told("first")) == 1


async def test_a_visit_makes_messages_about_its_risk_needless_but_never_hides_life_safety():
    bench = Bench(policies())
    await bench.hear(
        flag("m1", "collective_risk"), flag("m1", "collective_visit", level="II"), flag("m1", "life_safety")
    )
    await bench.pass_time(minutes=2)
    kinds = {
        bench.store.s.warnings[d.warnings[0]].kind for d in bench.store.s.deliveries.values() if d.reason == "first"
    }
    assert kinds == {"collective_visit", "life_safety"}
    by_kind = {w.kind: w for w in await bench.warnings()}
    assert inhibitor(by_kind["collective_risk"], by_kind.values()).kind in {"collective_visit", "life_safety"}
    assert inhibitor(by_kind["life_safety"], by_kind.values()) is None
    await bench.take(by_kind["collective_visit"], "settle", reason="done")
    await bench.take(by_kind["life_safety"], "settle", reason="done")
    await bench.hear(flag("m1", "collective_risk", what="updated", petitioners=9, minute=3))
    await bench.pass_time(minutes=8)
    told = [d for d in bench.store.s.deliveries.values() if by_kind["collective_risk"].id in d.warnings]
    assert len(told) >= 1
