"""What a matter counts beside a plain count of the same, and where its members are said to be."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.screening.domain.grams import heaviest, pack, unpack
from services.screening.domain.outcome import MatterMerge, Outcome
from services.screening.domain.petitions import Decision
from services.screening.domain.state import MatterState, Member
from tests.support.petitions import START, county, feed, filed, step

DAY = timedelta(days=1)


@st.composite
def lives(draw):
    """A matter to which petitions come in any order, some uncounted, some leaving again, some beside."""
    state, members = MatterState("m"), {}
    for n in range(draw(st.integers(1, 25))):
        at, who = START + draw(st.integers(0, 12)) * DAY, f"who{draw(st.integers(0, 6))}"
        filing = filed(n, at=at, petitioner=who).filing
        what = draw(st.sampled_from(("join", "join", "join", "copy", "weak", "beside", "leave")))
        if what == "beside":
            state.lay_beside([filing])
        elif what == "leave" and members:
            state.leave(gone := draw(st.sampled_from(sorted(members))))
            del members[gone]
        else:
            members[filing.id] = Member(filing, at, copy=what == "copy", weak=what == "weak")
            state.join(members[filing.id])
    return state, members


@given(lives(), st.integers(0, 13), st.integers(1, 13))
def test_windows_count_what_a_plain_count_does(life, day, days):
    state, members = life
    at = START + day * DAY
    counting = [m.filing for m in members.values() if m.counts]
    everyone = [*counting, *state.beside.values()]

    def people(filings, until):
        return {f.petitioner for f in filings if at - days * DAY < f.at <= until}

    latest = max((f.at for f in counting), default=at)
    assert state.distinct(at, days, beside=False) == len(people(counting, max(at, latest)))
    if at >= latest:
        assert state.distinct(at, days) == len(people(everyone, at))
    counted = {
        f.id for f in everyone if at - days * DAY < f.at <= at and (f.id not in members or members[f.id].joined <= at)
    }
    assert [f.id for f in state.counted(at, days)] == sorted(counted, key=lambda p: (state.filing(p).at, p))
    assert state.between(at - days * DAY, at) == sum(at - days * DAY <= f.at < at for f in counting)
    assert state.repeated == len(members) - len({m.filing.petitioner for m in members.values()})
    last = {who: max(f.at for f in everyone if f.petitioner == who) for who in {f.petitioner for f in everyone}}
    for n, when in enumerate(sorted(last.values(), reverse=True), 1):
        assert state.nth_newest(n) == when


def test_a_petition_that_is_filed_and_split_off_at_once_is_in_the_new_matter():
    engine = county()
    engine.apply([filed(n, minutes=n) for n in range(3)])
    old = engine.placed["p00000"].matter
    split = Decision("d1", "split", START, old, "officer", "另一事项", petitions=("p00003",))
    engine.apply([filed(3, minutes=3), split])
    assert engine.placed["p00003"].matter != old
    assert {engine.placed[f"p{n:05d}"].matter for n in range(3)} == {old}


@pytest.mark.parametrize("ids", [("x", "y", "z"), ("z", "y", "x")])
def test_the_steps_of_a_petition_that_is_split_off_keep_their_order(ids: tuple[str, str, str]):
    kinds = ("accepted", "replied", "reopened")
    steps = [step(id, "p00001", kind, START + n * DAY) for n, (id, kind) in enumerate(zip(ids, kinds, strict=True), 1)]
    engine = feed(filed(1), filed(2, minutes=5), *steps, filed(3, at=START + 9 * DAY))
    old = engine.placed["p00001"].matter
    engine.apply([Decision("d1", "split", START, old, "officer", "另一事项", petitions=("p00001",))])
    new = engine.histories[engine.placed["p00001"].matter]
    assert new.id != old
    case = new.state.cases["p00001"]
    assert (case.replied_at, case.steps) == (None, list(ids))


def test_the_members_of_a_merged_matter_are_said_to_be_in_the_other_and_back_when_split():
    engine = county()
    engine.apply([filed(n, n % 2, minutes=n) for n in range(4)])
    one, other = engine.placed["p00000"].matter, engine.placed["p00001"].matter
    engine.apply([Decision("d1", "merge", START, one, "officer", "同一事项", other=other)])
    assert {placed.matter for placed in engine.placed.values()} == {one}
    engine.apply([Decision("d2", "split", START, one, "officer", "不同", petitions=("p00001", "p00003"))])
    assert engine.placed["p00000"].matter == engine.placed["p00002"].matter == one
    assert engine.placed["p00001"].matter == engine.placed["p00003"].matter != one


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_matters_that_one_petition_merges_in_a_chain_all_arrive(names):
    engine = county()
    engine.apply([filed(n, n % 3, minutes=n) for n in range(6)])
    first, second, third = (engine.placed[f"p{n:05d}"].matter for n in range(3))
    at, out = engine.newest, Outcome()
    chain = zip(
        names, ((second, third), (first, second)), strict=True
    )  # the third into the second, that into the first
    merges = [MatterMerge(id, kept, gone, at, "p00005", 1.0, "linker") for id, (kept, gone) in chain]
    engine.feed([row for merge in merges for row in engine.merged(merge, out)])
    assert set(engine.histories[first].state.members) == {f"p{n:05d}" for n in range(6)}


def test_a_flag_is_told_again_only_when_it_changed():
    engine = county()
    engine.apply([filed(n, minutes=n) for n in range(5)])
    assert engine.apply([replace(filed(9, 1), filing=replace(filed(9, 1).filing, at=START + DAY))]).flags == {}
    assert len(engine.apply([filed(5, minutes=2000)]).flags) == 1


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.5]), max_size=40), st.integers(0, 12))
def test_the_heaviest_come_first_and_ties_keep_their_order(weights, most):
    found = heaviest(np.array(weights, np.float32), most).tolist()
    assert found == sorted(range(len(weights)), key=lambda n: (-weights[n], n))[:most]


@given(st.sets(st.integers(0, (1 << 19) - 1), max_size=60))
def test_a_row_gives_back_the_grams_it_holds(buckets):
    features = np.array([(b << 13) | (1 << 3) | (b & 3) for b in sorted(buckets, reverse=True)], np.uint32)
    row = np.zeros(272, np.uint16)
    used = pack(features, features.size, row)
    found, marks = np.zeros(273, np.uint32), np.zeros(273, np.uint8)
    many = unpack(row, used, found, marks)
    assert used < row.size
    assert list(zip(found[:many].tolist(), marks[:many].tolist(), strict=True)) == [(b, b & 3) for b in sorted(buckets)]
