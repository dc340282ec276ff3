"""The period of the petition procedure, as assessment counts it: after a reopening, and where another procedure has the matter."""

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
from services.screening import codec, contract
from services.screening.domain.petitions import OTHER_PROCEDURES, PETITION_PROCEDURE, Case, Step
from shared.directory import directory
from shared.events import PetitionAccepted
from tests.support.petitions import COUNTY, DAY, START, feed, filed, flags, step
from tests.support.screening import later

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


routes = st.just(PETITION_PROCEDURE) | st.sampled_from((*directory().codes["route"], "petition", ""))


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
        steps.append(Lived(f"s{n}", draw(st.sampled_from(kinds)), at, at, OFFICE, route=draw(routes)))
        state = TRANSITIONS[state][steps[-1].kind]
    return steps


@given(lives())
def test_the_period_is_the_one_that_assessment_counts(steps):
    case = Case()
    for one in steps[1:]:
        case.apply(Step(one.id, "p", one.kind, one.at, route=one.route))
    found = [o for o in obligations(life_of("p", COUNTY, steps), BOOK) if o.code == "HANDLE"]
    periods = [o for o in found if o.due is not None]  # another procedure's is none of them
    assert case.accepted_at == (periods[-1].started if periods else None)
    if periods:
        assert (case.replied_at is None) == (periods[-1].ended is None)


JUDICIAL = did("accepted", 1, route="judicial")


def test_the_other_procedures_are_those_of_the_directory_and_of_assessment():
    assert {PETITION_PROCEDURE, *OTHER_PROCEDURES} == set(directory().codes["route"])
    now = BOOK.on(START.date(), COUNTY)
    assert {route for route in directory().codes["route"] if now.elsewhere(route)} == OTHER_PROCEDURES


def test_an_acceptance_by_another_procedure_starts_nothing():
    assert overdue(JUDICIAL) is None
    assert overdue(JUDICIAL, REPLIED, did("reopened", 100), did("accepted", 114, route="arbitration")) is None
    assert overdue(did("not_accepted", 1), did("reopened", 5), did("accepted", 6, route="judicial")) is None
    assert overdue(did("accepted", 1, route="judical"))[0] == 62


def test_a_matter_that_comes_from_another_procedure_starts_with_its_acceptance():
    assert overdue(JUDICIAL, REPLIED, did("reopened", 100), did("accepted", 114))[0] == 175
    steps = [JUDICIAL, did("replied", 10), did("reopened", 12), did("accepted", 20)]
    assert flags(feed(FIRST, *steps, again(78)), "unanswered_repeat") == []
    assert len(flags(feed(FIRST, *steps, again(82)), "unanswered_repeat")) == 1


def test_a_period_that_runs_is_the_same_whatever_procedure_accepts_later():
    assert overdue(ACCEPTED, REPLIED, REOPENED, did("accepted", 50, route="judicial"))[0] == 101


def test_what_another_procedure_has_is_in_process():
    assert case_of(JUDICIAL).in_process(START + 50 * DAY, 60)
    assert not case_of(JUDICIAL, REPLIED).in_process(START + 50 * DAY, 60)


@pytest.mark.parametrize("route", ["judicial", PETITION_PROCEDURE])
def test_the_route_of_an_acceptance_is_kept(route):
    data = PetitionAccepted(petition_id="p", jurisdiction=COUNTY, at=START, unit=OFFICE, route=route)
    heard = contract.step_of(later(data, id="a", at=START), START)
    assert heard.route == route
    assert codec.step(codec.step_document(heard)) == heard


def test_a_stored_step_without_a_route_is_of_the_petition_procedure():
    row = {"id": "a", "petition": "p", "kind": "accepted", "at": START, "unit": OFFICE, "days": 0}
    assert codec.step(row).route == PETITION_PROCEDURE
    assert codec.step_document(codec.step(row)) == row
