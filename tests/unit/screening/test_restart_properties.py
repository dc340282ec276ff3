"""Whatever staff merge and split, however far steps are dated back: a restart gives what was there, and tells nothing anew."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.screening import codec
from services.screening.domain.engine import County
from services.screening.domain.outcome import Outcome
from services.screening.domain.petitions import Decision
from services.screening.domain.restoring import rebuild
from tests.support.petitions import COUNTY, DAY, POLICIES, START, county, filed, matters_of, step

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = ("assigned", "accepted", "replied", "evaluated", "reopened", "closed")
VISIT = {"channel": "visit", "headcount": 6, "presented": "province"}

pick = st.integers(0, 99)
filing = st.tuples(st.just("file"), st.integers(0, 2), st.integers(0, 5), st.integers(0, 100), st.integers(0, 3))
stepping = st.tuples(st.just("step"), pick, st.sampled_from(KINDS), st.integers(0, 48))
merging = st.tuples(st.just("merge"), pick, pick)
splitting = st.tuples(st.just("split"), pick, st.integers(1, 3))
waiting = st.tuples(st.just("wait"), st.sampled_from((20, 31, 62)))
deed = st.one_of(filing, filing, filing, stepping, stepping, stepping, merging, splitting, waiting)
passing = st.sampled_from((0.01, 0.3, 2, 9))
start = st.lists(st.tuples(passing, filing), min_size=4, max_size=6)
story = st.builds(list.__add__, start, st.lists(st.tuples(passing, deed), min_size=16, max_size=30))


class Room:
    """A county and its rows, as the pipeline keeps them."""

    def __init__(self):
        self.engine, self.day, self.count = county(), 0.0, 0
        self.petitions, self.flags, self.merges, self.decisions = {}, {}, {}, {}

    def keep(self, out: Outcome):
        engine = self.engine
        self.petitions |= {pid: codec.petition(engine.placed[pid], text) for pid, text in out.filed.items()}
        for pid in out.moved:
            self.petitions[pid] |= codec.place(engine.placed[pid])
        for one in out.stepped:
            self.petitions[one.petition]["steps"].append(codec.step_document(one))
        self.flags |= {fid: codec.flag_document(told) for fid, told in out.flags.items()}
        self.merges |= {merge.id: codec.merge_document(COUNTY, merge) for merge in out.merges}
        for id in out.unmerged:
            self.merges.pop(id, None)
        self.decisions |= {one.id: one for one in out.decided if one.id not in out.refused}

    def do(self, passed, deed):
        self.day, self.count = self.day + passed, self.count + 1
        id, now = f"d{self.count}", START + self.day * DAY
        places = sorted((pid, placed.matter) for pid, placed in self.engine.placed.items())
        match deed:
            case ("file", matter, who, minutes, visit):
                at, more = now - timedelta(minutes=minutes), VISIT if visit == 0 else {}
                item = filed(self.count, matter, at=at, petitioner=f"w{who}", **more)
            case _ if not places:
                return
            case ("step", which, kind, hours):
                pid = places[which % len(places)][0]
                item = step(id, pid, kind, now - timedelta(hours=2 * hours), unit="379911.office", solved=False)
            case ("merge", one, other):
                (_, kept), (_, gone) = places[one % len(places)], places[other % len(places)]
                item = Decision(id, "merge", now, kept, "officer", "同一", other=gone)
            case ("split", which, most):
                old = places[which % len(places)][1]
                own = [pid for pid, matter in places if matter == old]
                item = Decision(id, "split", now, old, "officer", "不同", petitions=tuple(own[-most:][: len(own) - 1]))
            case ("wait", days):  # no petition comes, so the clock on the wall ends flags
                self.keep(self.engine.advance(now + days * DAY))
                return
        self.keep(self.engine.apply([item]))

    def restarted(self):
        engine = County(COUNTY, POLICIES)
        told = rebuild(
            engine,
            [codec.stored(row) for row in self.petitions.values()],
            merges=[codec.merge(row) for row in self.merges.values()],
            decisions=list(self.decisions.values()),
            days=self.engine.rate.days,
            told=[codec.told(row) for row in self.flags.values()],
            sequences={name: history.sequence for name, history in self.engine.histories.items()},
        )
        return engine, told


@SETTINGS
@given(story)
def test_a_restart_after_merges_splits_and_steps_of_before_changes_nothing(story):
    room = Room()
    for passed, deed in story:
        room.do(passed, deed)
    engine, told = room.restarted()
    assert matters_of(engine) == matters_of(room.engine)
    assert engine.flags() == room.engine.flags()
    assert not told.notices
    more = [filed(999, at=START + (room.day + 1) * DAY)]
    assert engine.apply(more).notices == room.engine.apply(more).notices
