"""Rounds of a petition: what belongs to which when steps share a moment, and what a reopening starts and moves."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.life import Step, life_of
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.steps import step_of
from shared.events import decode, encode
from tests.support.lifecycle import BOOK, BUREAU, COUNTY, HEALTH, Story, accepted, at, worked

END = at("2026-12-31")


def derive(steps: list[Step]) -> tuple[Obligation, ...]:
    return obligations(life_of("P1", COUNTY, steps), BOOK)


class TestOneMoment:
    """Days entered without an hour: steps of one moment follow one another by their number."""

    def test_the_reply_of_the_first_round_does_not_end_the_second(self) -> None:
        story = accepted()
        story("replied", "2026-04-01")
        story("reopened", "2026-04-01")
        found = worked(story)
        assert found["HANDLE"].state(END) == "met"
        assert found["HANDLE#2"].state(END) == "breached"
        story("replied", "2026-04-01")
        assert worked(story)["HANDLE#2"].state(END) == "met"

    def test_an_objection_that_was_sent_back_at_once_frees_nobody(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("objected", "2026-03-04")
        story("assigned", "2026-03-04")
        found = worked(story)
        assert found["OBJECT"].state(END) == "met"
        assert found["NOTIFY"].state(END) == "breached"

    def test_a_refusal_is_the_notice_of_the_unit_that_refused_not_of_the_next(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("not_accepted", "2026-03-05")
        story("reopened", "2026-03-05")
        story("assigned", "2026-03-05", unit=HEALTH)
        found = worked(story)
        assert (found["NOTIFY"].unit, found["NOTIFY"].state(END)) == (BUREAU, "met")
        assert (found["NOTIFY#2"].unit, found["NOTIFY#2"].state(END)) == (HEALTH, "breached")

    def test_all_of_a_day_in_any_order_of_arrival(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        for kind in ("assigned", "accepted", "replied", "served", "reopened", "accepted", "replied", "served"):
            story(kind, "2026-03-01")
        steps = story.steps()
        found = derive(steps)
        assert [o.code for o in found].count("HANDLE") == [o.code for o in found].count("REVIEW_ASK") == 2
        assert derive(steps[::-1]) == derive(steps[4:] + steps[:4]) == found

    def test_events_without_a_number_follow_the_order_of_the_procedure(self) -> None:
        story = accepted()
        story("replied", "2026-03-03")
        story("served", "2026-03-03")
        bare = []
        for event in story.events:
            text = encode(event).replace(f'"sequence":{event.sequence},'.encode(), b"")
            assert b"sequence" not in text
            bare.append(step_of(decode(text))[2])
        assert {s.number for s in bare} == {1}
        assert derive(bare[::-1]) == derive(story.steps())

    def test_an_absurd_number_is_one_that_can_be_kept(self) -> None:
        event = accepted().events[0]
        assert step_of(event.model_copy(update={"sequence": 10**30}))[2].number < 2**63


KINDS = ("assigned", "objected", "accepted", "not_accepted", "extended", "replied", "served", "reopened")
MORE: dict[str, dict[str, Any]] = {"extended": {"days": 30, "approver": "head-1", "told": at("2026-03-01")}}


@st.composite
def crowded(draw: st.DrawFn) -> list[Step]:
    """Lives whose steps share few moments; some writers number them, some do not."""
    start, numbered = at("2026-03-01"), draw(st.booleans())
    made = [Step("filed", "filed", start, start, channel="letter")]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=10)), 2):
        moment = start + timedelta(days=draw(st.sampled_from((0, 1, 10, 70))))
        unit = draw(st.sampled_from((BUREAU, HEALTH)))
        count = number if numbered else 1
        made.append(Step(f"s{number}", kind, moment, moment, unit, number=count, **MORE.get(kind, {})))
    return made


@given(crowded(), st.randoms(use_true_random=False))
def test_steps_of_one_moment_in_any_order_of_arrival(steps: list[Step], random: Any) -> None:
    shuffled = steps + [s for s in steps if random.random() < 0.3]
    random.shuffle(shuffled)
    assert derive(shuffled) == derive(steps)


@given(crowded())
def test_nothing_is_ended_by_what_came_before_it(steps: list[Step]) -> None:
    places = {s.id: s.place for s in steps}
    found = derive(steps)
    assert all(places[o.cause] < places[o.ended_by] for o in found if o.ended_by is not None)
    replies = [o.ended_by for o in found if o.code == "HANDLE" and o.ended_by is not None]
    assert len(replies) == len(set(replies)), "a written opinion ends one round"


class TestExtension:
    @pytest.mark.parametrize("day", ["2026-04-25", "2026-05-05"])
    def test_it_belongs_to_the_round_in_which_it_was_decided(self, day: str) -> None:
        story = accepted()
        story("replied", "2026-03-20")
        story("reopened", "2026-03-25")
        story("accepted", "2026-03-26")
        story("extended", day)
        found = worked(story)
        assert found["HANDLE"].state(END) == "met"
        assert found["HANDLE"].derivation.en == "accepted 03-03 + 60 d (Art. 34) → 05-02"
        assert found["HANDLE#2"].state(END) == "excluded"
        assert found["HANDLE_EXT"].due == date(2026, 6, 23)
        assert found["HANDLE_EXT"].derivation.en == "reopened 03-25 + 60 d + 30 d extension (Art. 34) → 06-23"
        assert "HANDLE_EXT#2" not in found

    def test_decided_between_the_reply_and_the_reopening_it_moves_nothing(self) -> None:
        story = accepted()
        story("replied", "2026-03-20")
        story("extended", "2026-03-22")
        story("reopened", "2026-03-25")
        found = worked(story)
        assert "HANDLE_EXT" not in found
        assert found["HANDLE"].derivation.en.endswith("; the extension of 2026-03-22 does not count (Art. 34)")
        assert found["HANDLE"].derivation.zh.endswith("；2026-03-22 的延期决定不符合第34条，不计")
        story("extended", "2026-05-01")
        assert worked(story)["HANDLE_EXT"].due == date(2026, 6, 23)

    def test_there_is_one_for_a_petition_used_or_not(self) -> None:
        story = accepted()
        story("extended", "2026-03-10")
        story("replied", "2026-03-20")
        story("reopened", "2026-03-25")
        story("extended", "2026-05-01")
        first, extended, second = (o for o in derive(story.steps()) if o.code.startswith("HANDLE"))
        assert (first.code, extended.code, second.code) == ("HANDLE", "HANDLE_EXT", "HANDLE")
        assert extended.excluded is not None
        assert (second.due, second.state(END)) == (date(2026, 5, 24), "breached")


class TestReceiptAfterReopening:
    def refused(self) -> Story:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("not_accepted", "2026-03-05")
        story("reopened", "2026-04-05")
        return story

    def test_the_unit_that_refused_gets_it_again_with_clocks_of_its_own(self) -> None:
        story = self.refused()
        story("assigned", "2026-04-06")
        found = worked(story)
        assert found["NOTIFY"].state(END) == "met"
        assert (found["NOTIFY#2"].unit, found["NOTIFY#2"].due) == (BUREAU, date(2026, 4, 21))
        assert found["NOTIFY#2"].state(END) == "breached"
        assert found["OBJECT#2"].due == date(2026, 4, 13)
        story("assigned", "2026-04-15")
        assert "NOTIFY#3" not in worked(story), "no restart by ping-pong"
        story("accepted", "2026-04-16")
        found = worked(story)
        assert found["NOTIFY#2"].state(END) == "met"
        assert found["HANDLE"].due == date(2026, 6, 15)

    def test_after_an_opinion_too(self) -> None:
        story = accepted()
        story("replied", "2026-03-20")
        story("reopened", "2026-03-25")
        story("assigned", "2026-03-26")
        assert worked(story)["NOTIFY#2"].due == date(2026, 4, 10)

    def test_where_no_notice_was_given_the_first_receipt_counts(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("closed", "2026-03-05")
        story("reopened", "2026-03-06")
        story("assigned", "2026-03-07")
        found = worked(story)
        assert (found["NOTIFY"].due, "NOTIFY#2" in found) == (date(2026, 3, 17), False)

    def test_accepted_at_once_it_needs_no_assignment(self) -> None:
        story = self.refused()
        story("accepted", "2026-04-06")
        story("assigned", "2026-04-07")
        assert "NOTIFY#2" not in worked(story)


class TestDutyAfterReopening:
    def reopened(self) -> Story:
        story = accepted()
        story("replied", "2026-04-01")
        story("reopened", "2026-04-10")
        return story

    def test_it_is_with_the_unit_it_was_assigned_to(self) -> None:
        story = self.reopened()
        assert worked(story)["HANDLE#2"].unit == BUREAU
        story("assigned", "2026-04-10", unit=HEALTH)
        found = worked(story)
        assert (found["HANDLE"].unit, found["HANDLE#2"].unit) == (BUREAU, HEALTH)
        assert (found["HANDLE#2"].due, found["HANDLE#2"].state(END)) == (date(2026, 6, 9), "breached")
        story("extended", "2026-06-01", unit=HEALTH)
        assert worked(story)["HANDLE_EXT"].unit == HEALTH

    def test_once_accepted_anew_only_another_acceptance_moves_it(self) -> None:
        story = self.reopened()
        story("accepted", "2026-04-11")
        story("assigned", "2026-04-12", unit=HEALTH)
        assert worked(story)["HANDLE#2"].unit == BUREAU
        story("accepted", "2026-04-13", unit=HEALTH)
        assert worked(story)["HANDLE#2"].unit == HEALTH

    @pytest.mark.parametrize(("day", "unit"), [("2026-06-09", HEALTH), ("2026-06-10", BUREAU)])
    def test_passing_on_after_the_deadline_leaves_the_breach_where_it_is(self, day: str, unit: str) -> None:
        story = self.reopened()
        story("assigned", day, unit=HEALTH)
        assert worked(story)["HANDLE#2"].unit == unit

    def test_what_is_assigned_after_the_reply_is_of_no_matter(self) -> None:
        story = self.reopened()
        story("replied", "2026-04-20")
        story("assigned", "2026-04-20", unit=HEALTH)
        assert worked(story)["HANDLE#2"].unit == BUREAU
