"""Two matters that are about one place and much the same thing: counted together before they are known to be one."""

import random
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.screening import codec
from services.screening.domain.engine import County
from services.screening.domain.petitions import Decision
from services.screening.domain.policy import Policies
from services.screening.domain.restoring import rebuild
from tests.support.petitions import COUNTY, POLICIES, START, county, filed, matters_of, raised

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARTS = (
    ("翠湖花园小区地下车库漏水", "翠湖花园小区地下车库长期漏水，车辆被淹，物业多次推诿不处理，请督促维修。"),
    ("翠湖花园小区下雨就停电", "我是翠湖花园业主，一到雨天整栋楼停电，电梯停运，老人被困，请供电部门查一查。"),
    ("永安路烧烤店油烟扰民", "永安路夜市烧烤店油烟直排，居民楼整夜开不了窗，噪音到凌晨，希望有人来管。"),
)
# In a county of a few petitions no word is common yet: everything is nearer than it would be among thousands.
BASE = POLICIES.all[-1]
NUMBERS = replace(BASE.linking, threshold=0.4, merge=0.9, beside=0.15)
POLICY = Policies([replace(BASE, linking=NUMBERS)])
APART = Policies([replace(BASE, linking=replace(NUMBERS, beside=1.0))])


def part(n, which, **more):
    """Petition `n` on one part, with a tail of its own."""
    title, text = PARTS[which]
    item = filed(n, text=f"{text}（第{n}件{random.Random(n).choice('盼复望请谢')}）", **more)
    return replace(item, filing=replace(item.filing, title=title))


def told(items, policies=POLICY):
    engine = county(policies)
    return engine, [flag for item in items for flag in raised(engine.apply([item]), "collective_risk")]


def days(parts):
    """One petition a day and a half: too slow for a surge."""
    return [part(n, which, at=START + n * timedelta(hours=36)) for n, which in enumerate(parts)]


def test_the_fifth_petitioner_is_counted_though_the_two_matters_are_not_yet_one():
    engine, found = told(days([0, 0, 0, 1, 1]))
    assert len(set(matters_of(engine).values())) == 2
    [flag] = found
    assert (flag.observed, flag.distinct, len(flag.petitions)) == (5, 5, 5)
    assert flag.matter == engine.placed["p00000"].matter
    assert "其中2件归在相近的其他事项，尚未并入，请核实是否为同一事项" in [zh for zh, _ in flag.against]
    assert told(days([0, 0, 0, 1, 1]), APART)[1] == []


def test_another_place_and_a_copy_of_what_lies_beside_are_not_counted():
    assert told(days([0, 0, 0, 1, 2, 2]))[1] == []
    items = days([0, 0, 0, 1, 1])
    items[4] = replace(items[4], text=items[3].text)
    assert told(items)[1] == []


def test_the_same_petitioner_beside_counts_once():
    items = days([0, 0, 0, 1, 1])
    items[4] = replace(items[4], filing=replace(items[4].filing, petitioner="who0"))
    assert told(items)[1] == []


def test_the_largest_of_the_matters_has_the_flag_and_the_others_none():
    engine, found = told(days([0, 1, 1, 1, 1, 1]))
    assert [flag.matter for flag in found] == [engine.placed["p00001"].matter]


def test_what_staff_took_out_does_not_come_back_beside():
    engine, _ = told(days([0, 0, 0, 1]))
    at = START + timedelta(days=6)
    one, other = (engine.placed[pid].matter for pid in ("p00000", "p00003"))
    engine.apply([Decision("d1", "merge", at, one, "officer", "同一事项", other=other)])
    engine.apply([Decision("d2", "split", at, one, "officer", "另一事项", petitions=("p00003",))])
    engine.apply([part(4, 1, at=at + timedelta(hours=1))])
    assert engine.placed["p00004"].matter == one and engine.placed["p00004"].beside
    assert [flag for flag in engine.flags() if flag.kind == "collective_risk"] == []


@st.composite
def stories(draw):
    """Petitions on the parts within the lateness bound, some of them copies or of the same petitioner."""
    size = draw(st.integers(4, 14))
    minutes = st.integers(0, NUMBERS.lateness_minutes - 5)
    items = []
    for n in range(size):
        item = part(n, draw(st.integers(0, 2)), minutes=draw(minutes), petitioner=f"who{draw(st.integers(0, size))}")
        items.append(replace(item, text=PARTS[0][1]) if draw(st.integers(0, 9)) == 0 else item)
    return items


def seen(engine):
    return matters_of(engine), [(flag.id, flag) for flag in engine.flags()]


@SETTINGS
@given(stories(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_any_batches_give_the_same_flags(items, rng, batch):
    first, second = county(POLICY), county(POLICY)
    first.apply(items)
    shuffled = [*items, *items[:3]]
    rng.shuffle(shuffled)
    for start in range(0, len(shuffled), batch):
        second.apply(shuffled[start : start + batch])
    assert seen(second) == seen(first)


@SETTINGS
@given(stories(), st.integers(0, 14), st.randoms(use_true_random=False), st.booleans())
def test_a_restart_gives_the_same_flags(items, where, rng, settled):
    shuffled = rng.sample(items, len(items))
    before, after = shuffled[:where], shuffled[where:]
    whole, first = county(POLICY), county(POLICY)
    if settled:  # far ahead, so that all of the others come back from their rows and none is linked again
        before.append(part(99, 2, at=START + timedelta(days=1)))
        after = []
    whole.apply([*before, *after])
    rows = {}
    for item in before:
        out = first.apply([item])
        rows |= {pid: codec.petition(first.placed[pid], text) for pid, text in out.filed.items()}
        for pid in out.moved:
            rows[pid] |= codec.place(first.placed[pid])
    second = County(COUNTY, POLICY)
    rebuild(second, [codec.stored(row) for row in rows.values()], days=first.rate.days)
    second.apply(after)
    assert seen(second) == seen(whole)


def test_the_stories_do_have_what_lies_beside():
    engine = county(POLICY)
    engine.apply([part(n, n % 2, minutes=n) for n in range(8)])
    assert any(placed.beside for placed in engine.placed.values())
