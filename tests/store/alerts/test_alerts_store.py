"""The alerts store keeps its promises, in memory and in MongoDB alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.consumers import FlagProcessor
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Plan, Timer
from services.alerts.handlers import Desk, Missing, Order, take
from services.alerts.policy import load_plans
from services.alerts.ports import Delivery, Filter, Store
from services.alerts.signals import Heard, on_flags
from services.alerts.store import INDEXES, RETIRED, MongoStore
from shared import audit, outbox
from shared.access import Principal, Scope
from shared.clock import FixedClock
from shared.directory import directory
from shared.mongo import IndexModel, Mongo
from tests.support.alerts import AT, BUREAU, COUNTY, flag
from tests.support.alerts_fed import POLICIES, all_warnings, flags_in

OFFICER = Principal("o1", "duty_officer")


async def test_a_flag_twice_is_one_warning_with_one_log_line_and_one_stream_row(store: Store) -> None:
    await flags_in(store, flag())
    await flags_in(store, flag())
    await flags_in(store, flag(), flag())
    [warning] = await all_warnings(store)
    assert (warning.state, warning.version, warning.flag.distinct_petitioners) == ("raised", 1, 5)
    assert len(await store.log(warning.id)) == 1
    assert [row.seq for row in await store.stream(0, 10)] == [1]
    assert [row.outcome for row in await store.flags(warning.id)] == ["first"]


async def test_dangers_to_several_people_of_one_matter_are_open_side_by_side(store: Store) -> None:
    dangers = [flag("m1", "life_safety", flag_id=f"f{n}", petitioners=n) for n in (1, 2)]
    await flags_in(store, dangers[0])
    await flags_in(store, dangers[1], dangers[0])
    found = await all_warnings(store)
    assert [(w.flag.flag_id, w.state) for w in found] == [("f2", "raised"), ("f1", "raised")]
    await flags_in(store, flag("m1", "life_safety", what="updated", flag_id="f1", petitioners=3, minute=5))
    newest, first = await all_warnings(store)
    assert (newest.version, first.version) == (1, 2)


async def test_visits_of_one_matter_are_kept_with_their_own_petitions(store: Store) -> None:
    await flags_in(store, flag("m1", "cross_level_visit", flag_id="f1", petitioners=1))
    await flags_in(store, flag("m1", "cross_level_visit", flag_id="f2", petitioners=2, minute=1))
    [warning] = await all_warnings(store)
    assert [one.flag.flag_id for one in warning.standing] == ["f1", "f2"]
    assert warning.flag.petition_ids == ("m1-p0", "m1-p1")


@pytest.mark.stack
async def test_a_store_of_the_version_before_takes_a_second_danger(stack: Any, mongo_db_name: str) -> None:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="store-test")
    old = IndexModel([("kind", 1), ("matter", 1)], name="one_open", unique=True, partialFilterExpression={"open": True})
    await mongo.ensure_indexes({**outbox.INDEXES, **INDEXES, "warnings": [old]})
    store = MongoStore(mongo, directory())
    await flags_in(store, flag("m1", "life_safety", flag_id="f1"))
    for _ in range(2):
        await mongo.ensure_indexes(INDEXES, RETIRED)
    await flags_in(store, flag("m1", "life_safety", flag_id="f2", petitioners=1))
    assert len(await all_warnings(store)) == 2
    await mongo.close()


async def test_updates_of_one_batch_are_one_change(store: Store) -> None:
    await flags_in(store, flag(), *(flag(what="updated", petitioners=5 + n, minute=n) for n in range(1, 6)))
    [warning] = await all_warnings(store)
    assert (warning.version, warning.flag.distinct_petitioners) == (1, 10)
    await flags_in(store, flag(what="updated", petitioners=11, minute=6))
    assert [row.seq for row in await store.stream(0, 10)] == [1, 2]
    assert len(await store.flags(warning.id)) == 7


async def test_several_are_read_in_one_question(store: Store) -> None:
    await flags_in(store, *(flag(f"m{n}") for n in range(3)))
    found = {warning.id: warning for warning in await all_warnings(store)}
    ids = list(found)[:2]
    assert {one.id: one for one in await store.many([*ids, "nobody"])} == {id: found[id] for id in ids}
    assert await store.many([]) == []


async def test_numbers_have_no_gap_while_many_write(store: Store, desk: Desk) -> None:
    await asyncio.gather(*(flags_in(store, flag(f"m{n}")) for n in range(12)))
    warnings = await all_warnings(store)
    await asyncio.gather(*(take(desk, OFFICER, w.id, Order("acknowledge", cause=w.id)) for w in warnings))
    assert [row.seq for row in await store.stream(0, 100)] == list(range(1, 25))
    assert await store.head() == 24
    assert await store.floor() == 1


async def test_two_officers_at_once(store: Store, desk: Desk) -> None:
    await flags_in(store, flag())
    [warning] = await all_warnings(store)

    async def acknowledge(account: str) -> str:
        try:
            order = Order("acknowledge", cause=account, expected_version=1)
            return (await take(desk, Principal(account, "duty_officer"), warning.id, order)).state
        except Exception as refused:
            return getattr(refused, "code", type(refused).__name__)

    got = await asyncio.gather(*(acknowledge(f"o{n}") for n in range(8)))
    assert sorted(got) == ["acknowledged"] + ["version-conflict"] * 7
    assert [row.action for row in await store.log(warning.id)] == ["raise", "acknowledge"]


async def test_episodes_follow_each_other_and_only_one_is_open(store: Store, desk: Desk) -> None:
    await flags_in(store, flag())
    [first] = await all_warnings(store)
    await take(desk, OFFICER, first.id, Order("settle", cause="s", reason="done"))
    await flags_in(store, flag(what="updated", petitioners=6, minute=1), flag(what="updated", petitioners=7, minute=2))
    second, before = await all_warnings(store)
    assert (second.episode, second.previous, before.id) == (2, first.id, first.id)
    assert second.flag.distinct_petitioners == 7
    await flags_in(
        store, flag(what="cleared", petitioners=7, minute=3), flag(what="raised", petitioners=9, minute=4, flag_id="f2")
    )
    third, *_ = await all_warnings(store)
    assert (third.episode, third.previous) == (3, second.id)
    assert (await store.get(second.id)).state == "cancelled"


async def test_lists_counts_snapshot_and_stream_share_one_scope(store: Store) -> None:
    accused = flag(
        "m3", "reprisal_risk", unit="379911.discipline_supervision", restricted=True, accused_unit="379911001"
    )
    await flags_in(
        store, flag("m1"), flag("m2", unit="379911001"), accused, flag("m4", jurisdiction="379912", unit=None)
    )
    units = directory()
    scopes = {
        "centre": Principal("a", "duty_officer"),
        "county": Principal("a", "duty_officer", jurisdiction=COUNTY),
        "bureau": Principal("a", "unit", BUREAU),
        "town": Principal("a", "unit", "379911001"),
        "village": Principal("a", "unit", "379911001001"),
        "discipline": Principal("a", "unit", "379911.discipline_supervision"),
        "town_leader": Principal("a", "leader", "379911001"),
    }
    expected = {
        "centre": {"m1", "m2", "m3", "m4"},
        "county": {"m1", "m2", "m3"},
        "bureau": {"m1"},
        "town": {"m2"},
        "village": set(),
        "discipline": {"m3"},
        "town_leader": {"m1", "m2", "m4"},
    }
    for name, principal in scopes.items():
        scope = principal.scope(units)
        found = {w.matter: w.id for w in await all_warnings(store, scope)}
        assert set(found) == expected[name], name
        assert {row.warning_id for row in await store.snapshot(scope)} == set(found.values())
        rows = [row for row in await store.stream(0, 100) if row.shown_to(scope)]
        assert {row.warning_id for row in rows} == set(found.values())
        counted = await store.counts(scope)
        assert sum(counted["state"].values()) == len(found)


async def test_another_units_warning_is_not_there(store: Store, desk: Desk) -> None:
    await flags_in(store, flag())
    [warning] = await all_warnings(store)
    for unit in ("379911001", f"{BUREAU}.station"):
        with pytest.raises(Missing):
            await take(desk, Principal("u", "unit", unit), warning.id, Order("acknowledge", cause="c"))
    assert (await store.get(warning.id)).version == 1


async def test_filters_and_pages(store: Store) -> None:
    await flags_in(
        store, *(flag(f"m{n}", kind=["collective_visit", "collective_risk"][n % 2], minute=n) for n in range(7))
    )
    assert len(await all_warnings(store, kinds=frozenset({"collective_visit"}))) == 4
    assert len(await all_warnings(store, levels=frozenset({"II"}))) == 4
    assert len(await all_warnings(store, unit="379911")) == 7
    assert await all_warnings(store, unit="379911001") == []
    assert len(await all_warnings(store, town="379911001", topic="urban_construction", jurisdiction=COUNTY)) == 7
    assert len(await all_warnings(store, since=AT + timedelta(minutes=5))) == 2
    assert len(await all_warnings(store, until=AT + timedelta(minutes=5))) == 5
    assert len(await all_warnings(store, text="车库")) == 7
    assert await all_warnings(store, text="(.*") == []
    seen: list[str] = []
    before = None
    while page := await store.find(Scope(), Filter(), before=before, limit=3):
        seen += [w.matter for _, w in page]
        before = page[-1][0]
    assert seen == [f"m{n}" for n in range(6, -1, -1)]


async def test_timers_are_started_once_brought_forward_and_dropped(store: Store) -> None:
    def at(minutes: int) -> Any:
        return AT + timedelta(minutes=minutes)

    timers = (Timer("a", "step", "w1", at(5)), Timer("b", "lapse", "w1", at(6)), Timer("c", "step", "w2", at(7)))
    await store.run(lambda tx: tx.set_timers(Plan(start=timers, sooner=(Timer("f", "flush", "g", at(9)),))))
    again = Plan(
        start=(replace(timers[0], due=at(1)),),
        sooner=(Timer("f", "flush", "g", at(20)), Timer("f", "flush", "g", at(4))),
    )
    await store.run(lambda tx: tx.set_timers(again))
    assert [(t.id, t.due) for t in await store.due_timers(at(60), 10)] == [
        ("f", at(4)),
        ("a", at(5)),
        ("b", at(6)),
        ("c", at(7)),
    ]
    assert await store.due_timers(at(3), 10) == []
    await store.run(lambda tx: tx.set_timers(Plan(drop=(("step", "w1"),))))
    await store.run(lambda tx: tx.end_timer("f"))
    assert [t.id for t in await store.due_timers(at(60), 10)] == ["b", "c"]


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    async def work(tx: Any) -> None:
        await on_flags(tx, [Heard(flag(), AT)], POLICIES)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await store.run(work)
    assert await all_warnings(store) == []
    assert await store.stream(0, 10) == []
    assert await store.head() == 0
    assert await store.due_timers(AT + timedelta(days=99), 10) == []
    await flags_in(store, flag())
    assert [row.seq for row in await store.stream(0, 10)] == [1]


async def test_messages_are_claimed_by_one_and_kept_until_delivered(store: Store) -> None:
    row = Delivery("d1", "desk", "first", ("w1",), {"a": [1]}, AT, AT)
    await store.run(lambda tx: tx.put_deliveries([row, replace(row, id="d2", next_at=AT + timedelta(minutes=1))]))
    await store.run(lambda tx: tx.put_deliveries([replace(row, status="sent")]))
    taken = await asyncio.gather(*(store.claim_delivery(AT, AT + timedelta(minutes=2)) for _ in range(4)))
    assert [d.id for d in taken if d] == ["d1"]
    await store.mark_delivery(
        "d1", status="pending", attempt={"at": AT, "ok": False}, next_at=AT + timedelta(minutes=3)
    )
    assert (await store.claim_delivery(AT + timedelta(minutes=2), AT)).id == "d2"
    again = await store.claim_delivery(AT + timedelta(minutes=3), AT + timedelta(minutes=5))
    assert (again.id, len(again.attempts)) in (("d1", 1), ("d2", 0))
    await store.mark_delivery("d1", status="sent", attempt={"at": AT, "ok": True}, next_at=AT)
    await store.mark_delivery("d1", status="failed", attempt={"at": AT, "ok": False}, next_at=AT)
    [sent] = await store.deliveries(warning_id="w1", status="sent", limit=10)
    assert (sent.id, len(sent.attempts)) == ("d1", 2)
    assert len(await store.deliveries(warning_id=None, status=None, limit=10)) == 2


async def test_silences(store: Store) -> None:
    made = Silence("s1", "o1", "演练", AT, AT + timedelta(hours=1), AT, kinds=("collective_risk",))
    await store.run(lambda tx: tx.put_silence(made))
    assert await store.run(lambda tx: tx.silences(AT)) == [made]
    assert await store.run(lambda tx: tx.silences(AT + timedelta(hours=1))) == []
    assert await store.run(lambda tx: tx.silence("s1")) == made
    assert await store.all_silences(limit=5) == [made]


@pytest.mark.stack
async def test_every_action_is_in_the_audit_chain(stack: Any, mongo_db_name: str, clock: FixedClock) -> None:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="store-test")
    await mongo.ensure_indexes({**outbox.INDEXES, **INDEXES})
    store = MongoStore(mongo, directory())
    desk = Desk(store, POLICIES, load_plans(), directory(), clock)
    await flags_in(store, *(flag(f"m{n}") for n in range(6)))
    warnings = await all_warnings(store)
    await asyncio.gather(*(take(desk, OFFICER, w.id, Order("acknowledge", cause=w.id)) for w in warnings))
    await take(desk, OFFICER, warnings[0].id, Order("settle", cause="s", reason="done"))
    report = await audit.verify(mongo)
    assert (report.ok, report.rows) == (True, 7)
    assert {row["action"] for row in await audit.rows(mongo, object=warnings[0].id)} == {
        "warning.settle",
        "warning.acknowledge",
    }
    await mongo["audit"].update_one({"action": "warning.settle"}, {"$set": {"reason": "other"}})
    assert [f.what.split(":")[0] for f in (await audit.verify(mongo)).findings] == ["edited"]
    await mongo.close()


@pytest.mark.stack
async def test_a_committed_event_is_in_the_outbox_and_its_id_is_the_same_at_each_replay(
    stack: Any, mongo_db_name: str
) -> None:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="store-test")
    await mongo.ensure_indexes({**outbox.INDEXES, **INDEXES})
    store = MongoStore(mongo, directory(), prefix="x.")
    processor = FlagProcessor(store, POLICIES)
    heard = [Heard(flag(), AT)]
    for _ in range(2):
        await mongo.transaction(lambda session: processor.write(session, heard))
    rows = await mongo["outbox"].find({}).to_list(None)
    assert [(row["topic"], row["pending"]) for row in rows] == [("x.alerts.warnings.v1", True)]
    await mongo.close()
