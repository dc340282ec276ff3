"""A petition that is reopened after a reply: its unit has a new period, as assessment counts it."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.life import Step as Lived
from services.assessment.domain.life import life_of
from services.assessment.domain.obligations import obligations
from services.assessment.policy import load_rules
from services.intake.domain.steps import RECEIVED, TRANSITIONS
from services.screening.domain.petitions import Case, Step
from tests.support.petitions import COUNTY, DAY, START, feed, filed, flags, step

FIRST = filed(1, petitioner="same")
OFFICE = f"{COUNTY}.office"


def did(kind, day, **more):
    return step(f"{kind}{day}", FIRST, kind, START + day * DAY, unit=OFFICE, **more)


def again(day, n=2):
    return filed(n, petitioner="same", at=START + day * DAY, unit=OFFICE)


def case_of(*steps):
    case = Case()
    for one in sorted(steps, key=lambda step: step.at):
        case.apply(one)
    return case


def breach(kind, day, started, obligation="HANDLE"):
    return did(kind, day, breach=f"{obligation}/{started.id}/0")


BOOK = load_rules()
ACCEPTED, REPLIED, REOPENED = did("accepted", 1), did("replied", 30), did("reopened", 40)
LATE = breach("breached", 62, ACCEPTED)


def overdue(*steps):
    """The days on which screening calls the petition overdue without a finding, as first and last."""
    days = [day for day in range(200) if case_of(*steps).overdue(START + day * DAY, 60)]
    return (days[0], days[-1]) if days else None


@pytest.mark.parametrize(
    ("steps", "flagged"),
    [
        ([ACCEPTED, REPLIED, did("reopened", 75), again(76)], 0),
        ([ACCEPTED, REPLIED, REOPENED, did("accepted", 41), again(45)], 0),
        ([ACCEPTED, LATE, did("replied", 65), did("reopened", 66), did("accepted", 67), again(68)], 0),
        ([ACCEPTED, LATE, again(63), did("replied", 65), did("reopened", 66)], 0),
        ([ACCEPTED, did("replied", 9), did("reopened", 10), did("accepted", 20), again(72)], 1),
        ([ACCEPTED, REPLIED, REOPENED, breach("breached", 65, REOPENED), again(66)], 1),
        ([did("not_accepted", 1), did("reopened", 5), did("accepted", 6), did("breached", 67), again(75)], 1),
        ([did("not_accepted", 1), did("reopened", 5), did("accepted", 6), again(70)], 1),
        ([did("not_accepted", 1), did("reopened", 5), did("accepted", 6), again(60)], 0),
    ],
)
def test_a_repeat_counts_against_the_unit_where_the_period_after_the_reopening_is_over(steps, flagged):
    standing = [flag for flag in flags(feed(FIRST, *steps), "unanswered_repeat") if flag.state == "open"]
    assert len(standing) == flagged


def test_the_period_after_a_reopening_starts_with_it_and_not_with_being_accepted_again():
    assert overdue(ACCEPTED)[0] == 62
    assert overdue(ACCEPTED, did("accepted", 20))[0] == 62
    assert overdue(ACCEPTED, REPLIED, REOPENED)[0] == 101
    assert overdue(ACCEPTED, REPLIED, REOPENED, did("accepted", 50))[0] == 101


def test_an_extension_ends_with_the_period_that_it_extended():
    extended = did("extended", 20, days=30)
    assert overdue(ACCEPTED, extended)[0] == 92
    assert overdue(ACCEPTED, extended, REPLIED, REOPENED)[0] == 101


def test_a_reopening_without_a_reply_gives_no_new_period():
    closed, reopened = did("closed", 65), did("reopened", 70)
    case = case_of(ACCEPTED, LATE, closed, reopened)
    assert case.breached_at == LATE.at and case.overdue(START + 71 * DAY, 60)


def test_a_breach_of_the_period_before_does_not_count_in_the_new_one():
    # The reply of day 30 was entered after day 62, on which assessment had found the period broken.
    for order in permutations([ACCEPTED, REPLIED, REOPENED, LATE]):
        engine = feed(FIRST, *order, again(70))
        assert flags(engine, "unanswered_repeat") == []
    extension = did("extended", 20, days=30)
    of_extension = breach("breached", 92, extension, "HANDLE_EXT")
    assert case_of(ACCEPTED, extension, REPLIED, REOPENED, of_extension).breached_at is None


def test_taking_back_a_breach_of_the_period_before_leaves_the_new_one_as_it_is():
    new = breach("breached", 101, REOPENED)
    steps = [ACCEPTED, REPLIED, REOPENED, new]
    taken_back = breach("breach_withdrawn", 110, ACCEPTED)
    assert case_of(*steps, taken_back).breached_at == new.at
    assert case_of(ACCEPTED, REPLIED, REOPENED, did("breached", 101), taken_back).breached_at == new.at
    assert case_of(*steps, breach("breach_withdrawn", 110, REOPENED)).breached_at is None
    assert case_of(ACCEPTED, did("breached", 62), breach("breach_withdrawn", 63, ACCEPTED)).breached_at is None


def test_steps_give_the_same_flags_in_whatever_order_they_arrive():
    reopened = did("reopened", 66)
    steps = [
        *(ACCEPTED, LATE, did("replied", 65), reopened),
        *(breach("breached", 127, reopened), breach("breach_withdrawn", 64, ACCEPTED)),
    ]
    repeats = [again(70), again(130, n=3)]
    wanted = feed(FIRST, *repeats, *steps).flags()
    assert [flag.kind for flag in wanted if flag.state == "open"] == ["cross_level_risk", "unanswered_repeat"]
    for order in list(permutations(steps))[::7]:
        assert feed(FIRST, *repeats, *order).flags() == wanted


@st.composite
def lives(draw):
    """Steps that the intake allows, in their order."""
    state, at, steps = RECEIVED, START, [Lived("filed", "filed", START, START, OFFICE, channel="web_portal")]
    for n in range(draw(st.integers(1, 12))):
        kinds = [
            k
            for k in TRANSITIONS[state]
            if k in ("assigned", "accepted", "not_accepted", "replied", "closed", "reopened")
        ]
        at += timedelta(days=draw(st.integers(1, 30)))
        steps.append(Lived(f"s{n}", draw(st.sampled_from(kinds)), at, at, OFFICE))
        state = TRANSITIONS[state][steps[-1].kind]
    return steps


@given(lives())
def test_the_period_is_the_one_that_assessment_counts(steps):
    case = Case()
    for one in steps[1:]:
        case.apply(Step(one.id, "p", one.kind, one.at))
    periods = [o for o in obligations(life_of("p", COUNTY, steps), BOOK) if o.code == "HANDLE"]
    assert case.accepted_at == (periods[-1].started if periods else None)
    if periods:
        assert (case.replied_at is None) == (periods[-1].ended is None)
