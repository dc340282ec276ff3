"""Collective visits and the risk of one: when the flag comes, when it does not, what it says, how it ends."""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from services.screening.domain.rates import CountyRate, tail
from tests.support.petitions import DAY, START, county, feed, filed, flags, raised, rule


@pytest.mark.parametrize(("headcount", "level"), [(4, None), (5, "II"), (29, "II"), (30, "I")])
def test_a_visit_of_five_is_a_collective_visit(headcount, level):
    found = flags(feed(filed(1, channel="visit", headcount=headcount)), "collective_visit")
    assert [flag.level for flag in found] == ([] if level is None else [level])


def test_a_headcount_in_a_letter_is_no_visit():
    assert feed(filed(1, channel="letter", headcount=50)).flags() == []


def test_the_fifth_petitioner_raises_the_flag_and_says_what_it_counted():
    engine = county()
    for n in range(4):
        assert not raised(engine.apply([filed(n, at=START + n * 7 * DAY)]))
    [flag] = raised(engine.apply([filed(4, at=START + 28 * DAY)]))
    assert (flag.kind, flag.observed, flag.threshold, flag.margin, flag.distinct) == ("collective_risk", 5, 5, 0, 5)
    assert (flag.rule, flag.rule_version, flag.policy) == ("collective_risk.distinct", 2, "fengqiao-default@1")
    assert "Art. 4" in flag.basis
    assert flag.petitions == tuple(f"p{n:05d}" for n in range(5))
    assert [row[0] for row in flag.evidence] == list(flag.petitions)
    zh, en = flag.explanation
    assert "30天内5名不同信访人反映同一事项，阈值为5名" in zh
    assert "5 distinct petitioners on this matter within 30 days; the threshold is 5" in en
    assert (
        "目前均通过书信、网络、电话反映，没有走访",
        "all came by letter, web or telephone; nobody came in person",
    ) in flag.against
    assert flag.expires_at == START + 21 * DAY + 30 * DAY  # then only one petitioner is left in the window


def test_five_in_forty_days_are_not_five_in_thirty():
    assert feed(*(filed(n, at=START + n * 10 * DAY) for n in range(5))).flags() == []


def test_one_person_five_times_is_one():
    assert feed(*(filed(n, petitioner="same", minutes=n) for n in range(5))).flags() == []


def test_the_same_text_of_five_people_is_counted_once():
    engine = feed(*(filed(n, text="地下车库长期漏水，请督促维修。", minutes=n) for n in range(5)))
    assert engine.flags() == []
    for n in range(5, 9):
        engine.apply([filed(n, minutes=n)])
    [flag] = flags(engine, "collective_risk")
    assert flag.distinct == 5
    assert ("另有4件文本完全相同，未计入人数", "4 petitions with the very same text were not counted") in flag.against


def test_the_channel_makes_no_difference_to_the_matter():
    channels = ("letter", "web_portal", "hotline_12345", "visit", "fax")
    assert len(flags(feed(*(filed(n, channel=c, minutes=n) for n, c in enumerate(channels))), "collective_risk")) == 1


def test_a_flag_is_cleared_when_its_window_has_passed_and_a_new_episode_is_another_flag():
    engine = feed(*(filed(n, minutes=n) for n in range(5)))
    out = engine.apply([filed(20, 1, at=START + 31 * DAY)])
    [cleared] = out.notices
    assert (cleared.what, cleared.flag.reason, cleared.flag.state) == ("cleared", "window_passed", "cleared")
    assert cleared.at == START + timedelta(minutes=3) + 30 * DAY
    for n in range(5, 10):
        engine.apply([filed(n, at=START + 40 * DAY + timedelta(minutes=n))])
    one, two = flags(engine, "collective_risk")
    assert (one.number, two.number, one.state, two.state) == (1, 2, "cleared", "open")
    assert one.id != two.id


def test_time_alone_clears_a_flag():
    engine = feed(*(filed(n, minutes=n) for n in range(5)))
    assert not engine.advance(START + 29 * DAY)
    assert [n.what for n in engine.advance(START + 32 * DAY).notices] == ["cleared"]


def test_growth_is_told_by_steps_and_by_level():
    engine = county()
    told = [n for k in range(40) for n in engine.apply([filed(k, minutes=k)]).notices]
    assert [(n.what, int(n.flag.observed), n.flag.level) for n in told] == [
        ("raised", 5, "III"),
        ("updated", 7, "III"),
        ("updated", 9, "III"),
        ("updated", 10, "II"),
        *[("updated", n, "II") for n in (12, 15, 18, 22, 27)],
        ("updated", 30, "I"),
        ("updated", 37, "I"),
    ]
    assert [n.sequence for n in told] == list(range(1, len(told) + 1))
    assert flags(engine, "collective_risk")[0].observed == 40


def test_a_surge_comes_before_the_fifth_where_the_county_is_calm_else():
    calm = [filed(100 + n, 1, petitioner="p", at=START - (100 - n) * DAY, text=f"其他事情{n}") for n in range(100)]
    policies = rule("collective_surge", false_alarm=1e-3)
    engine = feed(*calm, policies=policies)
    found = [f for n in range(4) for f in raised(engine.apply([filed(n, minutes=n * 600)]), "collective_risk")]
    assert [(f.rule, f.level, f.observed) for f in found] == [("collective_risk.surge", "IV", 4)]
    assert "概率约为" in found[0].explanation[0]
    out = engine.apply([filed(4, minutes=3000)])
    [more] = [n.flag for n in out.notices]
    assert (more.id, more.rule, more.level) == (found[0].id, "collective_risk.distinct", "III")


def test_the_surge_rule_keeps_its_false_alarm_rate():
    """Matters that only follow the county's rate are flagged no more often than stated."""
    draw = random.Random(7)
    alarms = trials = 0
    for _ in range(4000):
        share = draw.gammavariate(0.5, 1 / 40)
        past = _poisson(draw, share * 240)
        now = _poisson(draw, share * 20)
        trials += 1
        alarms += now >= 1 and tail(now, 0.5 + past, 20, 40 + 240) <= 0.05
    assert alarms / trials <= 0.05


def _poisson(draw, mean):
    n, at = 0, draw.expovariate(1)
    while at < mean:
        n, at = n + 1, at + draw.expovariate(1)
    return n


def test_the_tail_is_a_probability_that_falls():
    values = [tail(n, 0.5, 20, 280) for n in range(12)]
    assert values[0] == 1
    assert all(a > b >= 0 for a, b in pairwise(values))
    with pytest.raises(ValueError, match="positive"):
        tail(3, 0, 20, 280)


def test_the_rate_reads_only_days_that_are_settled():
    rate = CountyRate()
    for day in range(100):
        rate.count(START - day * DAY)
    before = rate.exposures(START, 7, 84)
    rate.count(START)
    rate.count(START - DAY)
    rate._memo.clear()
    assert rate.exposures(START, 7, 84) == before == (7.0, 84.0)
