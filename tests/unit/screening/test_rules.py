"""Flags of visits, units and danger, decisions and policy: when they come, when they do not, what they say, how they end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.screening.domain.explain import basis_zh
from services.screening.domain.petitions import Decision
from services.screening.domain.policy import Policies
from tests.support.petitions import COUNTY, DAY, POLICIES, START, county, feed, filed, flags, raised, rule, step

# -- visits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "presented", "competent", "flagged"),
    [
        ("visit", "prefecture", "county", False),
        ("visit", "province", "county", True),
        ("visit", "central", "county", True),
        ("visit", "county", "village", True),
        ("visit", "county", "town", False),
        ("visit", None, "county", False),
        ("letter", "central", "village", False),
        ("web_portal", "central", "county", False),
        ("hotline_12345", "central", "county", False),
    ],
)
def test_only_visits_more_than_one_level_above_are_cross_level(channel, presented, competent, flagged):
    engine = feed(filed(1, channel=channel, presented=presented, competent=competent))
    assert bool(flags(engine, "cross_level_visit")) is flagged


@pytest.mark.parametrize(
    ("channel", "present", "flagged"), [("visit", 5, False), ("visit", 6, True), ("letter", 6, False)]
)
def test_more_than_five_representatives(channel, present, flagged):
    engine = feed(filed(1, channel=channel, headcount=9, representatives=present))
    assert bool(flags(engine, "over_representatives")) is flagged


# -- the units' side ---------------------------------------------------------------------------------------------


def accepted(n=1, **more):
    first = filed(n, petitioner="same", **more)
    at = first.filing.at
    return first, step("s1", first, "accepted", at + DAY, unit=f"{COUNTY}.office")


def test_a_repeat_after_a_missed_deadline_counts_against_the_unit_until_it_is_answered():
    first, taken = accepted()
    engine = feed(first, taken, step("s2", first, "breached", START + 70 * DAY))
    assert engine.flags() == []
    engine.apply([filed(2, petitioner="same", at=START + 71 * DAY, unit=f"{COUNTY}.office")])
    [flag] = flags(engine, "unanswered_repeat")
    assert (flag.observed, flag.petitions) == (1, ("p00001", "p00002"))
    assert "不计入信访人" in flag.explanation[0]
    out = engine.apply([step("s3", first, "replied", START + 72 * DAY)])
    assert ("cleared", "answered") in [(n.what, n.flag.reason) for n in out.notices]


@pytest.mark.parametrize(("appeal", "found"), [(True, ["unanswered_repeat"]), (False, [])])
def test_only_an_appeal_is_late_by_the_sixty_days_of_the_law(appeal, found):
    first, taken = accepted(appeal=appeal)
    engine = feed(first, taken, filed(2, petitioner="same", at=START + 63 * DAY, unit=f"{COUNTY}.office"))
    assert [flag.kind for flag in engine.flags() if flag.kind == "unanswered_repeat"] == found


def test_a_suggestion_that_assessment_found_late_is_late():
    first, taken = accepted(appeal=False)
    engine = feed(first, taken, step("s2", first, "breached", START + 20 * DAY))
    engine.apply([filed(2, petitioner="same", at=START + 21 * DAY)])
    assert len(flags(engine, "unanswered_repeat")) == 1


def test_a_suggestion_without_a_period_is_in_process_until_it_is_answered():
    first, taken = accepted(appeal=False)
    higher = {"petitioner": "same", "presented": "province", "channel": "visit"}
    engine = feed(first, taken, filed(2, at=START + 63 * DAY, **higher))
    assert len(flags(engine, "pending_elsewhere")) == 1


def test_a_breach_that_was_none_is_taken_back_with_what_stood_on_it():
    first, taken = accepted()
    again = filed(2, petitioner="same", at=START + 45 * DAY, unit=f"{COUNTY}.office")
    engine = feed(first, taken, step("s2", first, "breached", START + 40 * DAY), again)
    assert len(flags(engine, "unanswered_repeat")) == 1
    out = engine.apply([step("s3", first, "breach_withdrawn", START + 46 * DAY)])
    assert {(n.what, n.flag.kind) for n in out.notices} == {
        ("cleared", "unanswered_repeat"),
        ("cleared", "cross_level_risk"),
    }
    late = filed(3, petitioner="same", at=START + 63 * DAY, unit=f"{COUNTY}.office")  # by the days of the law alone
    assert ("raised", "unanswered_repeat") in [(n.what, n.flag.kind) for n in engine.apply([late]).notices]


def test_another_unit_that_is_late_with_the_same_duty_leaves_the_petition_unanswered():
    first, taken = accepted()
    again = filed(2, petitioner="same", at=START + 45 * DAY, unit=f"{COUNTY}.office")
    late = START + 40 * DAY
    moved = (
        step("s3", first, "breach_withdrawn", late + 6 * DAY, breach="1"),
        step("s4", first, "breached", late, breach="2"),
    )
    engine = feed(first, taken, step("s2", first, "breached", late, breach="1"), again, *moved)
    assert [flag.state for flag in flags(engine, "unanswered_repeat")] == ["open"]


def test_a_breach_that_was_withdrawn_at_a_time_before_it_counts_against_nobody():
    first, taken = accepted()
    again = filed(2, petitioner="same", at=START + 45 * DAY, unit=f"{COUNTY}.office")
    late = START + 40 * DAY
    extended = step("s3", first, "breach_withdrawn", late - timedelta(seconds=1), breach="1")
    assert (
        flags(feed(first, taken, extended, step("s2", first, "breached", late, breach="1"), again), "unanswered_repeat")
        == []
    )


def test_a_repeat_while_the_first_is_in_time_counts_against_nobody():
    first, taken = accepted()
    assert flags(feed(first, taken, filed(2, petitioner="same", at=START + 20 * DAY)), "unanswered_repeat") == []


def test_somebody_elses_petition_is_no_repeat():
    first, taken = accepted()
    engine = feed(first, taken, step("s2", first, "breached", START + 70 * DAY), filed(2, at=START + 71 * DAY))
    assert flags(engine, "unanswered_repeat") == []


def test_the_sixty_days_of_the_law_are_a_deadline_without_a_finding_too():
    first, taken = accepted()
    engine = feed(first, taken, filed(2, petitioner="same", at=START + 63 * DAY))
    assert len(flags(engine, "unanswered_repeat")) == 1
    extended = step("s2", first, "extended", START + 50 * DAY, days=30)
    assert (
        flags(feed(first, taken, extended, filed(2, petitioner="same", at=START + 63 * DAY)), "unanswered_repeat") == []
    )


def test_pending_elsewhere_is_the_same_petitioners_own_matter_presented_above_in_time():
    first, taken = accepted()
    above = {"at": START + 10 * DAY, "presented": "prefecture"}
    [flag] = flags(feed(first, taken, filed(2, petitioner="same", **above)), "pending_elsewhere")
    assert flag.petitions == ("p00001", "p00002")
    assert flags(feed(first, taken, filed(2, petitioner="other", **above)), "pending_elsewhere") == []
    assert flags(feed(first, taken, filed(2, petitioner="same", at=START + 10 * DAY)), "pending_elsewhere") == []
    late = filed(2, petitioner="same", at=START + 80 * DAY, presented="prefecture")
    assert flags(feed(first, taken, late), "pending_elsewhere") == []


def test_cross_level_risk_needs_a_ground_and_a_climb_or_repeat():
    announced = {"signals": ("announced_escalation:capital",)}
    assert feed(filed(1, **announced)).flags() == []
    assert feed(filed(1), filed(2, petitioner="who1", minutes=1)).flags() == []
    [flag] = flags(feed(filed(1), filed(2, petitioner="who1", minutes=1, **announced)), "cross_level_risk")
    assert (flag.level, flag.observed) == ("III", 1)
    assert "1件表示将向上级反映" in flag.explanation[0]
    [climbed] = flags(feed(filed(1), filed(2, minutes=1, presented="province", **announced)), "cross_level_risk")
    assert not any("higher level" in en for _, en in climbed.against)


def test_a_contested_reply_is_a_ground_and_being_content_ends_it():
    first, taken = accepted()
    engine = feed(
        first,
        filed(2, petitioner="same", minutes=5),
        taken,
        step("s2", first, "replied", START + 30 * DAY),
        step("s3", first, "evaluated", START + 31 * DAY, solved=False),
    )
    [flag] = flags(engine, "cross_level_risk")
    assert flag.state == "open"
    engine.apply([step("s4", first, "evaluated", START + 40 * DAY, solved=True)])
    assert flags(engine, "cross_level_risk")[0].reason == "answered"


# -- danger -------------------------------------------------------------------------------------------------------


def test_danger_to_life_is_a_flag_of_its_own_for_each_petition_and_comes_first():
    danger = {"signals": ("life_safety:self_harm",)}
    engine = county()
    out = engine.apply(
        [*(filed(n, minutes=n) for n in range(4)), filed(4, minutes=4, **danger), filed(5, minutes=5, **danger)]
    )
    assert [(n.flag.kind, n.flag.level) for n in out.notices][:2] == [("life_safety", "I")] * 2
    one, two = flags(engine, "life_safety")
    assert one.id != two.id
    assert (one.petitions, two.petitions) == (("p00004",), ("p00005",))
    assert ("流露轻生意图的表述", "words of an intention to harm oneself") in one.phrases


def test_reprisal_goes_to_an_authority_that_is_neither_accused_nor_handling():
    text = {"signals": ("reprisal:reprisal",)}
    [flag] = flags(feed(filed(1, unit=f"{COUNTY}.office", **text)), "reprisal_risk")
    assert (flag.unit, flag.restricted) == (f"{COUNTY}.discipline_supervision", True)
    accused = f"{COUNTY}.discipline_supervision"
    [other] = flags(feed(filed(1, accused_unit=accused, restricted=True, **text)), "reprisal_risk")
    assert (other.unit, other.accused_unit) == (f"{COUNTY}.petition_bureau", accused)


def test_an_accused_unit_that_gets_its_own_case_is_a_reprisal_risk():
    accused = f"{COUNTY}.office"
    first = filed(1, accused_unit=accused, restricted=True, unit=f"{COUNTY}.discipline_supervision")
    engine = feed(first)
    assert engine.flags() == []
    engine.apply([step("s1", first, "assigned", START + DAY, unit=accused)])
    [flag] = flags(engine, "reprisal_risk")
    assert "被反映单位正在办理" in flag.explanation[0]


def test_accusations_are_linked_to_nothing():
    engine = feed(*(filed(n, minutes=n, restricted=True) for n in range(6)))
    assert engine.flags() == []
    assert len({placed.matter for placed in engine.placed.values()}) == 6


# -- decisions, policy, lateness ---------------------------------------------------------------------------------


def test_a_withdrawn_flag_is_cleared_and_only_what_comes_after_counts():
    engine = feed(*(filed(n, minutes=n) for n in range(6)))
    [flag] = flags(engine, "collective_risk")
    withdraw = Decision("d1", "withdraw", START, flag.matter, "officer", "核实不成立", flag=flag.id)
    [notice] = engine.apply([withdraw]).notices
    assert (notice.what, notice.flag.reason) == ("cleared", "contested")
    assert not engine.apply([withdraw]).notices
    for n in range(6, 10):
        assert not engine.apply([filed(n, minutes=n)]).notices
    assert raised(engine.apply([filed(10, minutes=10)]))


def test_staff_merge_two_matters_and_the_flag_counts_both_from_then_on():
    engine = feed(*(filed(n, minutes=n) for n in range(3)), *(filed(10 + n, 1, minutes=3 + n) for n in range(2)))
    one, two = (engine.placed[p].matter for p in ("p00000", "p00010"))
    out = engine.apply([Decision("d1", "merge", START, one, "officer", "同一工程", other=two)])
    assert [(m.kept, m.gone, m.by) for m in out.merges] == [(one, two, "officer")]
    [flag] = flags(engine, "collective_risk")
    assert (flag.distinct, flag.matter, flag.at) == (5, one, START + timedelta(minutes=4, milliseconds=1))
    engine.apply([filed(20, 1, minutes=9)])
    assert engine.placed["p00020"].matter == one


def test_joining_by_choice_puts_a_petition_into_the_matter():
    engine = feed(filed(0), filed(1, 1, minutes=1, joined="p00000"))
    assert engine.placed["p00001"].matter == engine.placed["p00000"].matter


def test_every_kind_is_silent_when_its_rule_is_off():
    off = rule("collective_risk", enabled=False)
    assert feed(*(filed(n, minutes=n) for n in range(9)), policies=off).flags() == []


def test_a_new_policy_judges_what_is_there():
    engine = feed(*(filed(n, minutes=n) for n in range(3)))
    lower = rule("collective_risk", petitioners=3)
    lower = Policies([replace(lower.all[0], version=2)])
    [notice] = engine.adopt(lower).notices
    assert (notice.what, notice.flag.policy) == ("raised", "fengqiao-default@2")
    [notice] = engine.adopt(POLICIES).notices
    assert notice.what == "cleared"


def test_a_petition_after_the_bound_is_late_and_still_counts_in_its_window():
    engine = feed(*(filed(n, at=START + n * DAY) for n in range(4)))
    out = engine.apply([filed(9, at=START)])
    assert out.late == ["p00009"]
    assert flags(engine, "collective_risk")[0].at == START + 3 * DAY


def test_a_back_filled_petition_keeps_the_distance_of_its_steps():
    old = filed(1, lag=timedelta(days=400))
    engine = feed(old, step("s1", old, "accepted", START + 402 * DAY))
    case = engine.histories[engine.placed["p00001"].home].state.case("p00001")
    assert case.accepted_at == START + 2 * DAY


def test_steps_may_come_before_their_petition():
    first, taken = accepted()
    engine = county()
    assert engine.apply([taken]).orphans == [taken]
    out = engine.apply([first])
    assert [s.id for s in out.stepped] == ["s1"]


def test_what_is_long_over_leaves_the_memory():
    engine = feed(*(filed(n, n % 4, at=START + n * 60 * DAY) for n in range(8)))
    engine.apply([])
    assert sorted(engine.placed) == ["p00004", "p00005", "p00006", "p00007"]


@pytest.mark.parametrize(
    ("basis", "zh"),
    [
        ("internal practice; 信访工作条例 Art. 4, 27", "内部做法；信访工作条例第4、27条"),
        ("信访工作条例 Art. 20", "信访工作条例第20条"),
    ],
)
def test_the_basis_is_said_in_chinese_where_the_sentence_is(basis: str, zh: str) -> None:
    assert basis_zh(basis) == zh
