"""Matters that staff merge and split: the one that stays keeps its name, and each side is told of the other as it was."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.screening import codec
from services.screening.domain.alike import Common, in_common
from services.screening.domain.outcome import MatterMerge, Outcome
from services.screening.domain.petitions import Decision
from services.screening.handlers import Actor, Desk, Refused
from services.screening.pipeline import Screening
from services.screening.ports import Wanted
from shared.bus import Received
from shared.clock import FixedClock
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, MATTERS, POLICIES, START, county, filed, flags, step
from tests.support.screening import filed_event

DAY = timedelta(days=1)
GARAGE, WAGES = MATTERS[0][0], MATTERS[1][0]
HOUSING, LABOUR = f"{COUNTY}.construction_bureau", f"{COUNTY}.hr_social_security_bureau"


def of(matter, n, **more):
    """Petition `n` on the garage (0) or the wages (1), with topic and unit."""
    topic, unit = (("property_management", HOUSING), ("wage_arrears", LABOUR))[matter]
    return filed(n, matter, topic=topic, unit=unit, town=f"{COUNTY}00{matter + 1}", **more)


def merged(engine, kept, gone, at=START):
    """Staff merge the matter of one petition into that of another."""
    one, other = engine.placed[kept].matter, engine.placed[gone].matter
    engine.apply([Decision(f"merge-{kept}", "merge", at, one, "officer", "同一事项", other=other)])
    return engine.histories[one]


def name_of(thing):
    return thing.title, thing.topic, thing.unit, thing.town


SMALL, LARGE = range(100, 105), range(7)


@pytest.mark.parametrize("late", [0, 40 * 24 * 60], ids=["fresh", "of other petitions by now"])
def test_a_larger_and_older_matter_that_is_merged_in_does_not_rename_the_one_that_stays(late):
    engine = county()
    engine.apply([of(1, n, minutes=n) for n in LARGE])
    engine.apply([of(0, n, minutes=late + n) for n in SMALL])
    [told] = [f for f in flags(engine, "collective_risk") if f.title == GARAGE]
    history = merged(engine, "p00100", "p00000")
    [flag] = [f for f in flags(engine, "collective_risk") if f.matter == history.id]
    assert name_of(flag) == name_of(told) == (GARAGE, "property_management", HOUSING, f"{COUNTY}001")
    assert flag.distinct == (5 if late else 12)
    row = codec.matter(engine, history)
    assert (row["title"], row["unit"], row["petitions"]) == (GARAGE, HOUSING, 12)
    engine.apply([of(1, 50, minutes=late + 200)])  # it comes to the matter that was merged in
    assert [f.title for f in flags(engine, "collective_risk") if f.matter == history.id] == [GARAGE]


def test_the_newest_matter_of_the_county_keeps_its_name_at_the_moment_of_the_merge():
    engine = county()
    engine.apply([of(1, 0, minutes=0, channel="visit", headcount=9)])
    engine.apply([of(0, 100, minutes=9, channel="visit", headcount=6)])
    one, other = engine.placed["p00100"].matter, engine.placed["p00000"].matter
    out = engine.apply([Decision("d", "merge", START, one, "officer", "同一事项", other=other)])
    told = [notice.flag for notice in out.notices if notice.flag.matter == one]
    assert [(flag.title, flag.headcount, len(flag.petitions)) for flag in told] == [(GARAGE, 9, 2)]


def test_what_was_split_off_can_be_merged_back_at_once():
    engine = county()
    engine.apply([of(0, n, minutes=n) for n in range(4)])
    old = engine.placed["p00000"].matter
    engine.apply([Decision("b", "split", START, old, "officer", "不同", petitions=("p00001", "p00002"))])
    new = engine.placed["p00001"].matter
    assert new != old
    engine.apply([Decision("a", "merge", START, old, "officer", "还是同一事项", other=new)])
    assert set(engine.histories[old].state.members) == {f"p{n:05d}" for n in range(4)}
    assert {placed.matter for placed in engine.placed.values()} == {old}


def test_it_keeps_its_name_when_what_it_is_called_by_has_left_the_window():
    engine = county()
    first, *others = (of(0, n, at=START + n * DAY) for n in range(5))
    engine.apply([replace(first, filing=replace(first.filing, town=f"{COUNTY}009")), *others])
    engine.apply([of(1, n, at=START + 31 * DAY + timedelta(minutes=n)) for n in range(10, 17)])
    [told] = [f for f in flags(engine, "collective_risk") if f.title == GARAGE]
    engine.apply([Decision("d", "merge", START, told.matter, "officer", "同一", other=engine.placed["p00010"].matter)])
    [flag] = [f for f in flags(engine, "collective_risk") if f.matter == told.matter]
    assert told.petitions[0] == "p00000" not in flag.petitions
    assert name_of(flag) == name_of(told) == (GARAGE, "property_management", HOUSING, f"{COUNTY}009")


def test_the_linkers_own_merges_and_a_split_name_a_matter_as_before():
    engine = county()
    engine.apply([of(1, n, minutes=n) for n in LARGE] + [of(0, n, minutes=60 + n) for n in SMALL])
    one, other = engine.placed["p00100"].matter, engine.placed["p00000"].matter
    row = MatterMerge("m", one, other, engine.newest, "p00104", 1.0, "linker")
    engine.feed(engine.merged(row, Outcome()))
    assert codec.matter(engine, engine.histories[one])["title"] == WAGES, "by the earliest of all"

    engine = county()
    engine.apply([of(1, n, minutes=n) for n in LARGE] + [of(0, n, minutes=60 + n) for n in SMALL])
    history = merged(engine, "p00100", "p00000")
    own = tuple(f"p{n:05d}" for n in SMALL)
    engine.apply([Decision("d", "split", START, history.id, "officer", "不同", petitions=own)])
    assert codec.matter(engine, history)["title"] == WAGES, "nothing else is left of it"


def test_a_repeat_without_reply_counts_against_the_unit_that_did_not_reply():
    engine = county()
    engine.apply([of(0, 100, minutes=1), of(1, 1, minutes=2, petitioner="same")])
    engine.apply([step("late", "p00001", "breached", START + timedelta(minutes=3))])
    history = merged(engine, "p00100", "p00001")
    engine.apply([of(1, 2, minutes=9, petitioner="same")])
    [flag] = flags(engine, "unanswered_repeat")
    assert (flag.matter, flag.unit) == (history.id, LABOUR)


# -- through the handlers -------------------------------------------------------------------------------------------------


class Room:
    """The service over a store in memory."""

    def __init__(self):
        self.store = MemoryStore()
        self.clock = FixedClock(START + 900 * DAY)
        self.officer = Actor("officer", "duty_officer")
        self.restart()

    def restart(self):
        self.screening = Screening(self.store, lambda: POLICIES, FixedClock(START))
        self.desk = Desk(self.store, self.screening, lambda: POLICIES, self.clock)

    async def take(self, *events):
        plan = await self.screening.prepare(
            [Received("t", 3, n, self.clock.now(), None, e) for n, e in enumerate(events)]
        )
        return await self.store.transaction(lambda tx: self.screening.write(tx, plan))

    async def matters(self):
        return {row["title"]: row["_id"] for row in await self.store.matters(Wanted())}

    async def subjects(self, id, actor=None):
        found = await self.desk.matter(id, actor or self.officer)
        return [line.get("subject") for line in found["decisions"]]


@pytest.fixture
async def room():
    """Seven petitions of six people about wages, then five about the garage."""
    room = Room()
    await room.take(
        *(filed_event(n, 1, minutes=n, petitioner=f"who{max(n, 1)}") for n in LARGE),
        *(filed_event(n, 0, minutes=60 + n) for n in SMALL),
    )
    return room


async def test_the_name_stays_through_the_handlers_and_a_restart(room):
    named = await room.matters()
    await room.desk.merge(named[GARAGE], named[WAGES], "同一承包商", room.officer)
    await room.screening.tick()
    told = [e.data for e in await room.take(*(filed_event(n, 1, minutes=300 + n) for n in range(200, 206)))]
    assert {(flag.matter, flag.title) for flag in told if flag.kind == "collective_risk"} == {(named[GARAGE], GARAGE)}
    room.restart()
    await room.screening.load([3])
    await room.take(*(filed_event(n, 1, minutes=300 + n) for n in range(206, 212)))
    assert (await room.desk.matter(named[GARAGE], room.officer))["title"] == GARAGE
    [row] = [f for f in room.store.rows["flags"].values() if f["matter"] == named[GARAGE]]
    assert (row["title"], row["distinct"]) == (GARAGE, 23)


async def test_what_was_split_off_stays_apart_over_a_restart_when_the_rest_is_merged_elsewhere(room):
    named = await room.matters()
    off = ["run-p00000", "run-p00003"]
    for decided in (
        room.desk.split(named[WAGES], off, "另一家厂", room.officer),
        room.desk.merge(named[GARAGE], named[WAGES], "同一承包商", room.officer),
    ):
        await decided
        await room.screening.tick()
    before = {id: row["matter"] for id, row in room.store.rows["petitions"].items()}
    assert len({before[id] for id in off}) == 1
    assert len(set(before.values())) == 2
    room.restart()
    await room.screening.load([3])
    assert {id: placed.matter for id, placed in room.screening.held(COUNTY).placed.items()} == before


async def test_both_sides_of_a_merge_are_told_of_the_other_as_it_was(room):
    named = await room.matters()
    await room.desk.merge(named[GARAGE], named[WAGES], "同一承包商", room.officer)
    came = {"matter": named[WAGES], "title": WAGES, "petitions": 7, "petitioners": 6}
    assert await room.subjects(named[GARAGE]) == [came], "before it is carried out, too"
    await room.screening.tick()
    await room.take(filed_event(300, 1, minutes=500))
    assert await room.subjects(named[GARAGE]) == [came]
    kept = {"matter": named[GARAGE], "title": GARAGE, "petitions": 5, "petitioners": 5}
    assert await room.subjects(named[WAGES]) == [kept]


async def test_both_sides_of_a_split_are_told_of_the_other_as_it_was(room):
    named = await room.matters()
    off = ["run-p00000", "run-p00001", "run-p00003"]
    await room.desk.split(named[WAGES], off, "另一家厂", room.officer)
    await room.screening.tick()
    [there] = await room.subjects(named[WAGES])
    assert there | {"matter": ""} == {"matter": "", "title": WAGES, "petitions": 3, "petitioners": 2}
    assert await room.subjects(there["matter"]) == [
        {"matter": named[WAGES], "title": WAGES, "petitions": 7, "petitioners": 6}
    ]
    assert [m["id"] for m in (await room.desk.matter(there["matter"], room.officer))["members"]] == off


async def test_who_may_not_see_the_other_matter_is_not_told_of_it(room):
    named = await room.matters()
    await room.desk.merge(named[GARAGE], named[WAGES], "同一承包商", room.officer)
    await room.screening.tick()
    barred = Actor("unit", "unit", lambda row: row.get("title") != WAGES)
    assert await room.subjects(named[GARAGE], barred) == [None]
    assert WAGES not in str(await room.desk.matter(named[GARAGE], barred))


async def test_what_the_linker_took_in_is_named_too(room):
    named = await room.matters()
    merge = MatterMerge("m", named[GARAGE], named[WAGES], START, "run-p00001", 0.2, "linker", ("run-p00001",))
    room.store.rows["merges"]["m"] = codec.merge_document(COUNTY, merge)
    [line] = (await room.desk.matter(named[GARAGE], room.officer))["merges"]
    assert line["subject"] == {"matter": named[WAGES], "title": WAGES, "petitions": 7, "petitioners": 6}
    [line] = (await room.desk.matter(named[WAGES], room.officer))["merges"]
    assert line["subject"] == {"matter": named[GARAGE], "title": GARAGE}, "its size then was not written down"


async def test_likely_twins_come_first_then_by_time(room):
    named = await room.matters()
    rows = room.store.rows["matters"]
    others = (
        ("广场舞噪音", None, None),
        ("翠湖花园车库积水", "379911001", None),
        ("路灯不亮", "379911001", "roads"),
        ("断水", None, None),
    )
    for n, (title, town, topic) in enumerate(others):
        rows[f"m{n}"] = {**rows[named[WAGES]], "_id": f"m{n}", "title": title, "town": town, "topic": topic}
        rows[f"m{n}"]["last_at"] = START + (n + 1) * DAY
    rows["secret"] = {**rows["m3"], "_id": "secret", "restricted": True}
    rows["away"] = {**rows["m3"], "_id": "away", "county": "379912"}
    rows[named[GARAGE]] |= {"town": "379911001", "topic": "roads"}
    found = (await room.desk.near(named[GARAGE], room.officer))["items"]
    assert [(row["id"], row["common"]) for row in found] == [
        ("m2", ("town", "topic")),
        ("m1", ("title", "town")),
        ("m3", ()),
        ("m0", ()),
        (named[WAGES], ()),
    ]
    assert found[1]["common_words"] == "翠湖花园"
    assert "told" not in found[0]


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (
            {"title": "梧桐巷污水横流", "town": "t"},
            {"title": "“梧桐巷” 污水外溢", "town": "t"},
            Common(("title", "town"), "梧桐巷污水"),
        ),
        ({"title": "", "town": None, "topic": None}, {"title": "", "town": None, "topic": None}, Common()),
        ({"title": "路灯", "topic": "roads"}, {"title": "油烟", "topic": "roads"}, Common(("topic",))),
        ({"title": "A"}, {"title": "A"}, Common()),
    ],
)
def test_what_two_matters_have_in_common(one, other, common):
    assert in_common(one, other) == in_common(other, one) == common


async def test_what_makes_no_sense_is_a_conflict_with_its_code(room):
    named = await room.matters()
    room.store.rows["matters"][named[WAGES]]["state"] = "empty"
    with pytest.raises(Refused) as refused:
        await room.desk.merge(named[GARAGE], named[WAGES], "同一承包商", room.officer)
    assert refused.value.code == "matter-empty"
    flag = next(iter(room.store.rows["flags"].values()))
    flag["retracted"] = True
    with pytest.raises(Refused) as refused:
        await room.desk.contest(flag["_id"], "不成立", room.officer)
    assert refused.value.code == "flag-retracted"
    assert not room.store.rows["decisions"]
