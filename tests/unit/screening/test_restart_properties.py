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
withdrawing = st.tuples(st.just("withdraw"), pick)
waiting = st.tuples(st.just("wait"), st.sampled_from((20, 31, 62)))
deed = st.one_of(filing, filing, filing, stepping, stepping, stepping, merging, splitting, withdrawing, waiting)
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
        taken_up = {one.id: codec.decision_document(COUNTY, one) | codec.taken_up(one, out) for one in out.decided}
        self.decisions |= {id: row for id, row in taken_up.items() if "refused" not in row}

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
            case ("withdraw", which):
                if not (flags := [flag for flag in self.engine.flags() if flag.state == "open"]):
                    return
                flag = flags[which % len(flags)]
                item = Decision(id, "withdraw", now, flag.matter, "officer", "不成立", flag=flag.id)
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
            decisions=[codec.decision(row) for row in self.decisions.values()],
            days=self.engine.rate.days,
            told=[codec.told(row) for row in self.flags.values()],
            sequences={name: history.sequence for name, history in self.engine.histories.items()},
        )
        return engine, told


@SETTINGS
@given(story)
def test_a_restart_after_whatever_staff_decided_and_steps_of_before_changes_nothing(story):
    room = Room()
    for passed, deed in story:
        room.do(passed, deed)
    engine, told = room.restarted()
    assert matters_of(engine) == matters_of(room.engine)
    assert engine.flags() == room.engine.flags()
    assert not told.notices
    more = [filed(999, at=START + (room.day + 1) * DAY)]
    assert engine.apply(more).notices == room.engine.apply(more).notices


def test_a_withdrawn_flag_that_fell_away_later_stays_withdrawn_after_a_restart():
    room, first = Room(), filed(1, petitioner="same")
    repeat = filed(2, petitioner="same", at=START + 61.5 * DAY)
    room.keep(room.engine.apply([first, step("s1", first, "accepted", START + DAY), repeat]))
    room.keep(room.engine.apply([step("s2", first, "breached", START + 61 * DAY, breach="x")]))
    [flag] = [flag for flag in room.engine.flags() if flag.kind == "unanswered_repeat"]
    now = START + 62 * DAY
    room.keep(room.engine.apply([Decision("d1", "withdraw", now, flag.matter, "officer", "不成立", flag=flag.id)]))
    room.keep(room.engine.apply([step("s3", first, "breach_withdrawn", START + 60 * DAY, breach="x")]))
    assert flag.id not in {one.id for one in room.engine.flags()}
    engine, _ = room.restarted()
    again = [step("s4", first, "breached", START + 61.2 * DAY, breach="y")]
    room.engine.apply(again)
    engine.apply(again)
    assert engine.flags() == room.engine.flags()


def test_a_decision_about_a_flag_that_is_gone_is_noted_as_such_and_means_nothing_later():
    room, first = Room(), filed(1)
    room.keep(room.engine.apply([first]))
    matter = room.engine.placed[first.filing.id].matter
    out = room.engine.apply([Decision("d1", "withdraw", START, matter, "officer", "不成立", flag="none")])
    assert out.refused == {"d1": "flag-gone"}


def test_a_flag_that_a_step_raised_after_the_newest_petition_is_withdrawn_after_it():
    room, first = Room(), filed(1, petitioner="a")
    second = filed(2, minutes=5, petitioner="b", presented="province")
    steps = [
        step("s0", first, "accepted", START + DAY),
        step("s1", first, "replied", START + 3 * DAY),
        step("s2", first, "evaluated", START + 5 * DAY, solved=False),
    ]
    room.keep(room.engine.apply([first, second, *steps]))
    [flag] = [flag for flag in room.engine.flags() if flag.kind == "cross_level_risk"]
    now = START + 6 * DAY
    out = room.engine.apply([Decision("d1", "withdraw", now, flag.matter, "officer", "不成立", flag=flag.id)])
    room.keep(out)
    assert flag.at < out.decided[0].at <= now
    [ended] = [one for one in room.engine.flags() if one.kind == "cross_level_risk"]
    assert (ended.state, ended.reason) == ("cleared", "contested")
    engine, told = room.restarted()
    assert engine.flags() == room.engine.flags() and not told.notices
