"""What a flag says is so: the unit that owes, the window it counted, what speaks against it, why it ended, what left it."""

from dataclasses import replace

import pytest

from services.screening.domain.petitions import Decision
from tests.support.petitions import COUNTY, DAY, START, county, feed, filed, flags, raised, rule, step
from tests.unit.screening.test_beside import POLICY, part

NAMED, HAS = f"{COUNTY}.construction_bureau", f"{COUNTY}.urban_management_bureau"


# -- the unit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [NAMED, None])
def test_an_overdue_reply_counts_against_the_unit_that_has_the_petition(named):
    first = filed(1, petitioner="same", unit=named)
    handed = [step(f"a{n}", first, "assigned", START + n * DAY, unit=unit) for n, unit in enumerate((NAMED, HAS), 1)]
    late = step("b", first, "breached", START + 61 * DAY, unit=HAS, breach="HANDLE/a2/0")
    engine = feed(first, *handed, late, filed(2, petitioner="same", unit=named, at=START + 62 * DAY))
    assert {flag.kind: flag.unit for flag in engine.flags()} == {"unanswered_repeat": HAS, "cross_level_risk": HAS}


def test_it_counts_against_the_unit_named_at_filing_while_nobody_has_it():
    first = filed(1, petitioner="same", unit=NAMED)
    late = step("b", first, "breached", START + 20 * DAY)
    engine = feed(first, late, filed(2, petitioner="same", unit=HAS, at=START + 21 * DAY))
    assert {flag.unit for flag in engine.flags()} == {NAMED}


# -- what speaks against it -----------------------------------------------------------------------------------------------


def against(flag):
    return " ".join(en for _, en in flag.against)


def test_only_replies_to_what_the_flag_counts_speak_against_it():
    engine = county()
    for n in range(8):
        old = filed(n, at=START + n * DAY / 24)
        engine.apply([old, step(f"r{n}", old, "replied", START + 5 * DAY)])
    for n in range(31, 37):
        new = filed(n, at=START + 60 * DAY + n * DAY / 1440)
        engine.apply([new, *([step(f"r{n}", new, "replied", new.filing.at)] if n < 33 else [])])
    [flag] = [flag for flag in flags(engine, "collective_risk") if flag.state == "open"]
    assert flag.observed == 6
    assert "2 of them were answered" in against(flag)


def test_what_was_not_accepted_was_not_answered():
    engine = county()
    for n in range(6):
        one = filed(n, minutes=n)
        engine.apply([one, step(f"r{n}", one, "not_accepted", one.filing.at)])
    [flag] = flags(engine, "collective_risk")
    assert "answered" not in against(flag)


def test_it_does_not_say_that_nobody_came_where_those_beside_it_did():
    def told(**more):
        engine = county(POLICY)
        for n, words in enumerate((0, 0, 0, 1, 1)):
            engine.apply([part(n, words, at=START + n * 1.5 * DAY, **(more if n > 2 else {}))])
        [flag] = flags(engine, "collective_risk")
        return against(flag)

    assert "nobody came in person" in told()
    assert "nobody came in person" not in told(channel="visit", headcount=2)


# -- a surge --------------------------------------------------------------------------------------------------------------


def test_a_surge_says_its_own_window_and_chance_while_it_is_one_and_then_until_when_it_stands():
    calm = [filed(100 + n, 1, petitioner="p", at=START - (100 - n) * DAY, text=f"其他事情{n}") for n in range(100)]
    engine = feed(*calm, policies=rule("collective_surge", false_alarm=1e-3))
    for n in range(4):
        engine.apply([filed(n, minutes=n * 600)])
    engine.apply([filed(50, minutes=2400, petitioner="who1")])
    [flag] = flags(engine, "collective_risk")
    assert (flag.rule, flag.observed, flag.threshold) == ("collective_risk.surge", 4, 4)
    assert "within 7 days" in flag.explanation[1]
    assert "chance of" in flag.explanation[1]
    engine.apply([filed(51, at=START + 20 * DAY, petitioner="who1")])
    [flag] = flags(engine, "collective_risk")
    assert (flag.rule, flag.observed, flag.threshold, flag.distinct) == ("collective_risk.surge", 4, 2, 4)
    assert "30天内仍有4名不同信访人反映同一事项，少于2名时解除" in flag.explanation[0]
    assert "the flag ends below 2" in flag.explanation[1]
    engine.apply([filed(52, at=START + 21 * DAY)])
    [flag] = flags(engine, "collective_risk")
    assert (flag.rule, flag.observed, flag.threshold) == ("collective_risk.distinct", 5, 5)


# -- how it ends ----------------------------------------------------------------------------------------------------------


def test_an_announcement_that_time_ended_was_not_answered():
    announced = {"signals": ("announced_escalation:capital",)}
    engine = feed(filed(1, **announced), filed(2, at=START + 50 * DAY, presented="province"))
    [flag] = flags(engine, "cross_level_risk")
    assert flag.expires_at == START + 60 * DAY
    engine.apply([filed(3, at=START + 65 * DAY)])
    [flag] = flags(engine, "cross_level_risk")
    assert (flag.reason, flag.closed_at) == ("window_passed", START + 60 * DAY)


# -- what left it ---------------------------------------------------------------------------------------------------------


def split(engine, *petitions):
    old = engine.placed[petitions[0]].matter
    return engine.apply([Decision("s", "split", START, old, "officer", "不同", petitions=petitions)])


def test_a_visit_that_was_split_off_is_flagged_once():
    engine = feed(filed(1, minutes=1), filed(2, minutes=2, channel="visit", headcount=8))
    out = split(engine, "p00002")
    assert sorted((n.what, n.flag.reason, n.flag.headcount, n.flag.distinct) for n in out.notices) == [
        ("cleared", "split", 8, 1),
        ("raised", "", 8, 1),
    ]


def test_a_visit_that_stays_keeps_its_flag():
    engine = feed(*(filed(n, minutes=n, channel="visit", headcount=n + 5) for n in range(3)))
    split(engine, "p00001")
    old = engine.placed["p00000"].matter
    [flag] = [flag for flag in flags(engine, "collective_visit") if flag.matter == old]
    assert (flag.state, flag.petitions) == ("open", ("p00000", "p00002"))


def test_grounds_that_were_split_off_were_not_answered():
    first = filed(1, signals=("announced_escalation:capital",))
    engine = feed(first, filed(2, minutes=1, presented="province"), filed(3, minutes=2))
    split(engine, "p00001")
    assert [flag.reason for flag in flags(engine, "cross_level_risk")] == ["split"]


@pytest.mark.parametrize("kind", ["life_safety", "reprisal_risk"])
def test_a_flag_on_a_petition_that_left_ends_with_what_it_said(kind):
    more = (
        {"signals": ("life_safety:self_harm",)}
        if kind == "life_safety"
        else {"signals": ("reprisal:reprisal",), "accused_unit": HAS}
    )
    one = filed(2, minutes=2, unit=HAS, **more)
    one = replace(one, filing=replace(one.filing, title="翠湖花园小区保安殴打举报人"))
    engine = feed(filed(1, minutes=1, unit=NAMED, town=f"{COUNTY}001"), one)
    [flag] = flags(engine, kind)
    assert engine.placed["p00001"].matter == engine.placed["p00002"].matter
    split(engine, "p00002")
    [cleared] = [n.flag for n in engine.apply([filed(9, 2, at=START + 70 * DAY)]).notices if n.what == "cleared"]
    ended = {"state": "cleared", "reason": "window_passed", "closed_at": flag.expires_at}
    assert cleared == replace(flag, **ended)
    assert not raised(engine.apply([]))
