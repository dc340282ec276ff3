"""What must hold whatever the order, the batches, the repetitions and the restarts."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.screening import codec
from services.screening.domain.engine import County
from services.screening.domain.outcome import Filed
from services.screening.domain.restoring import rebuild
from tests.support.petitions import COUNTY, MATTERS, POLICIES, START, county, filed, matters_of, raised, step

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = (
    *("assigned", "accepted", "not_accepted", "extended", "replied", "reopened", "evaluated"),
    *("breached", "breach_withdrawn"),
)
BREACHES = ("HANDLE/s*.accepted/0", "HANDLE/s*.reopened/0")
LETTER = "尊敬的领导您好，具体情况请见附件材料，盼复为感，谢谢！"
LATENESS = POLICIES.all[-1].linking.lateness_minutes


@st.composite
def stories(draw, most=24, span=LATENESS - 5):
    """Petitions within the lateness bound, with visits, copies, climbs and the steps of their units."""
    items = []
    size = draw(st.integers(4, most))
    for n in range(size):
        matter = draw(st.integers(0, len(MATTERS) - 1))
        petition = filed(
            n,
            matter,
            minutes=draw(st.integers(0, span)),
            petitioner=f"who{draw(st.integers(0, size))}",
            text=draw(st.sampled_from((MATTERS[matter][1], LETTER, *[None] * 8))),
            channel=draw(st.sampled_from(("hotline_12345", "web_portal", "letter", "visit"))),
            headcount=draw(st.sampled_from((None, 1, 5, 31))),
            presented=draw(st.sampled_from((None, "county", "province"))),
            signals=draw(st.sampled_from(((), (), (), ("life_safety:self_harm",), ("announced_escalation:capital",)))),
        )
        items.append(petition)
        for kind in draw(st.lists(st.sampled_from(KINDS), max_size=4, unique=True)):
            at = petition.filing.at + timedelta(minutes=draw(st.integers(0, 200)))
            which = draw(st.sampled_from(("", *BREACHES))).replace("*", str(n))
            items.append(step(f"s{n}.{kind}", petition, kind, at, unit="379911.office", solved=False, breach=which))
    return items


def play(items, cuts=(), engine=None):
    engine = engine or county()
    bounds = [0, *sorted(c % (len(items) + 1) for c in cuts), len(items)]
    for start, end in pairwise(bounds):
        engine.apply(items[start:end])
    return engine


def seen(engine):
    return matters_of(engine), [(f.id, f) for f in engine.flags()]


@SETTINGS
@given(stories(), st.randoms(use_true_random=False), st.lists(st.integers(0, 200), max_size=4))
def test_any_order_any_batches_any_repetition_give_the_same_matters_and_flags(items, rng, cuts):
    shuffled = [*items, *rng.sample(items, len(items) // 2)]
    rng.shuffle(shuffled)
    assert seen(play(shuffled, cuts)) == seen(play(items))


@SETTINGS
@given(stories(), st.integers(0, 60), st.randoms(use_true_random=False))
def test_a_restart_at_any_point_changes_nothing(items, where, rng):
    shuffled = rng.sample(items, len(items))
    where %= len(shuffled) + 1
    before, after = shuffled[:where], shuffled[where:]
    first = Store()
    first.take(county(), before)
    second, extra = first.restart()
    assert not extra.notices
    first.take(second, after)
    assert seen(second) == seen(play(items))


@SETTINGS
@given(stories(), st.permutations([f"who{n}" for n in range(30)]))
def test_permuting_pseudonyms_changes_nothing_but_the_pseudonyms(items, names):
    table = {f"who{n}": name for n, name in enumerate(names)}
    other = [Filed(_renamed(i.filing, table), i.text) if isinstance(i, Filed) else i for i in items]
    one, two = seen(play(items)), seen(play(other))
    assert one[0] == two[0]
    assert [_anonymous(f) for _, f in one[1]] == [_anonymous(f) for _, f in two[1]]
    for (_, mine), (_, theirs) in zip(one[1], two[1], strict=True):
        assert {table[p] for p in mine.petitioners} == set(theirs.petitioners)


@SETTINGS
@given(st.integers(0, 4), st.integers(0, LATENESS - 5), st.randoms(use_true_random=False))
def test_two_petitions_at_once_never_miss_the_threshold(together, minutes, rng):
    items = [filed(n, minutes=minutes if n >= together else n % 3) for n in range(5)]
    rng.shuffle(items)
    for cut in range(6):
        engine = county()
        found = [
            *raised(engine.apply(items[:cut]), "collective_risk"),
            *raised(engine.apply(items[cut:]), "collective_risk"),
        ]
        assert len(found) == 1
        assert engine.flags()[0].distinct == 5


@SETTINGS
@given(stories(), st.lists(st.integers(0, 200), max_size=4), st.randoms(use_true_random=False))
def test_what_is_told_onward_adds_up_to_the_flags(items, cuts, rng):
    shuffled = rng.sample(items, len(items))
    engine = county()
    standing = {}
    bounds = [0, *sorted(c % (len(items) + 1) for c in cuts), len(items)]
    for start, end in pairwise(bounds):
        for notice in engine.apply(shuffled[start:end]).notices:
            standing[notice.flag.id] = notice.what
    live = {f.id: f.state for f in engine.flags()}
    assert set(live) <= set(standing)
    for id, what in standing.items():
        assert (what == "cleared") == (live.get(id, "cleared") == "cleared")


@SETTINGS
@given(stories())
def test_no_flag_stands_on_a_person(items):
    engine = play(items)
    people = {i.filing.petitioner for i in items if isinstance(i, Filed)}
    for flag in engine.flags():
        assert flag.matter in engine.histories
        assert not people & set("".join((*flag.explanation, flag.title, flag.id)).split())


def _renamed(filing, table):
    return replace(filing, petitioner=table[filing.petitioner])


def _anonymous(flag):
    return replace(flag, petitioners=())


class Store:
    """Rows as the store keeps them, through the same documents."""

    def __init__(self):
        self.petitions, self.flags, self.merges, self.days = {}, {}, {}, {}
        self.engine = None

    def take(self, engine, items):
        self.engine = engine
        out = engine.apply(items)
        for pid, text in out.filed.items():
            self.petitions[pid] = codec.petition(engine.placed[pid], text)
        for pid in out.moved:
            self.petitions[pid] |= codec.place(engine.placed[pid])
        for one in out.stepped:
            rows = self.petitions[one.petition]["steps"]
            rows += [codec.step_document(one)] if all(r["id"] != one.id for r in rows) else []
        self.waiting = [*getattr(self, "waiting", []), *out.orphans]
        for fid, told in out.flags.items():
            self.flags[fid] = codec.flag_document(told)
        for merge in out.merges:
            self.merges[merge.id] = codec.merge_document(COUNTY, merge)
        for id in out.unmerged:
            self.merges[id]["undone"] = True

    def restart(self):
        engine = County(COUNTY, POLICIES)
        extra = rebuild(
            engine,
            [codec.stored(row) for row in self.petitions.values()],
            merges=[codec.merge(row) for row in self.merges.values() if not row["undone"]],
            days=self.engine.rate.days,
            told=[codec.told(row) for row in self.flags.values() if not row["retracted"]],
            sequences={name: h.sequence for name, h in self.engine.histories.items()},
        )
        engine.apply(self.waiting)
        return engine, extra


def test_the_window_of_the_stories_is_within_the_bound():
    assert timedelta(minutes=LATENESS) > timedelta(minutes=LATENESS - 5)
    assert filed(0).filing.at == START
