"""Scorecards of matters that are settled more than once, turned away, or extended afterwards: whose they are, and when."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from services.assessment.domain.scorecard import Figure
from services.assessment.handlers import keep, read
from services.assessment.policy import load_rules
from services.assessment.reading import Reading
from shared.access import Scope
from shared.clock import FixedClock
from shared.directory import directory
from tests.support.lifecycle import BUREAU, COUNTY, HEALTH, Story, at
from tests.support.memory_assessment import MemoryStore

BOOK = load_rules()
FIRST, SECOND = ("2026-01-01", "2026-06-30"), ("2026-07-01", "2026-12-31")
YEAR = ("2026-01-01", "2026-12-31")


@dataclass
class Card:
    figures: dict[str, Figure]
    beside: dict[str, list[str]] = field(default_factory=dict)

    def parts(self, key: str) -> tuple[int | None, int | None]:
        return self.figures[key].numerator, self.figures[key].denominator

    def excluded(self, key: str) -> dict[str, int]:
        return {reason.en: n for reason, n in self.figures[key].excluded.items()}


async def card(
    *stories: Story, unit: str = BUREAU, period: tuple[str, str] = YEAR, now: str = "2027-01-01", subtree: bool = False
) -> Card:
    store = MemoryStore()
    for story in stories:
        await keep(store, None, read(story.events), BOOK)
    reading = Reading(store, FixedClock(at(now)), directory())
    days = reading.period(*(date.fromisoformat(day) for day in period))
    made = await reading.scorecard(Scope(), unit, days, subtree=subtree)
    figures = {f.key: f for m in made.measures for f in (*m.beside, m.figure)}
    return Card(figures, {m.figure.key: [f.key for f in m.beside] for m in made.measures})


def begun(petition: str = "P1", unit: str = BUREAU) -> Story:
    story = Story(petition, unit=unit)
    story.filed("2026-02-01")
    story("assigned", "2026-02-02")
    return story


def accepted(petition: str = "P1", **more: Any) -> Story:
    story = begun(petition)
    story("accepted", "2026-02-03", **more)
    return story


def contested() -> Story:
    story = accepted()
    story("replied", "2026-03-10")
    story("evaluated", "2026-03-12", solved=False, satisfied=False)
    story("reopened", "2026-03-15")
    return story


def mended_by(unit: str, story: Story) -> Story:
    for kind, day in (("assigned", "2026-03-16"), ("accepted", "2026-03-17"), ("replied", "2026-07-20")):
        story(kind, day, unit=unit)
    story("evaluated", "2026-07-25", unit=unit, solved=True, satisfied=True)
    return story


class TestAMatterSettledTwice:
    PARTS = ("contested", "repeated", "solved", "satisfied", "participation", "no_reply", "last_days", "extended")

    async def test_what_another_unit_does_later_changes_nothing_of_the_first_ones_card(self) -> None:
        before, after = await card(contested(), period=FIRST), await card(mended_by(HEALTH, contested()), period=FIRST)
        assert [before.parts(k) for k in self.PARTS] == [after.parts(k) for k in self.PARTS]
        assert after.parts("contested") == (1, 1)
        assert after.parts("repeated") == (1, 1)
        assert after.parts("solved") == (0, 1)

    async def test_each_reply_is_in_the_period_and_on_the_card_of_its_own_unit(self) -> None:
        story = mended_by(HEALTH, contested())
        early, late = await card(story, unit=HEALTH, period=FIRST), await card(story, unit=HEALTH, period=SECOND)
        assert early.parts("repeated") == (0, 0)
        assert late.parts("repeated") == (0, 1)
        assert late.parts("solved") == (1, 1)
        assert late.parts("contested") == (0, 1)
        assert (await card(story, period=SECOND)).parts("solved") == (0, 0)

    async def test_an_answer_before_the_second_reply_is_about_the_first(self) -> None:
        story = accepted()
        story("replied", "2026-03-10")
        story("reopened", "2026-03-15")
        story("evaluated", "2026-03-20", solved=False)
        story("replied", "2026-04-20")
        found = await card(story)
        assert found.parts("contested") == (1, 1)
        assert found.figures["contested"].no_answer == 1

    async def test_the_same_unit_twice_is_two_settlements_and_one_petition(self) -> None:
        story = mended_by(BUREAU, contested())
        found = await card(story)
        assert found.parts("contested") == (1, 2)
        assert found.parts("repeated") == (1, 2)
        assert found.parts("solved") == (1, 1)
        assert found.parts("satisfied") == (1, 1)
        assert found.parts("participation") == (1, 1)
        assert found.parts("extended") == (0, 1)

    async def test_a_second_reply_that_nobody_answered_takes_no_answer_back(self) -> None:
        story = contested()
        story("replied", "2026-04-20")
        found = await card(story)
        assert found.parts("solved") == (0, 1)
        assert found.figures["solved"].no_answer == 0

    async def test_a_petition_of_two_units_counts_once_for_those_above_them(self) -> None:
        found = await card(mended_by(HEALTH, contested()), unit=COUNTY, subtree=True)
        assert found.parts("solved") == (1, 1)
        assert found.parts("contested") == (1, 2)

    async def test_two_units_that_reply_without_reopening_answer_for_themselves(self) -> None:
        story = accepted()
        story("replied", "2026-03-10")
        story("evaluated", "2026-03-12", solved=False)
        story("replied", "2026-07-20", unit=HEALTH)
        assert (await card(story, period=FIRST)).parts("contested") == (1, 1)
        assert (await card(story, unit=HEALTH, period=SECOND)).parts("contested") == (0, 0)

    async def test_repeated_after_the_second_settlement_is_found_behind_an_earlier_one(self) -> None:
        story = accepted()
        story("replied", "2026-03-10")
        story("reopened", "2026-05-15")
        story("replied", "2026-07-20")
        again = [Story(f"N{n}") for n in range(2)]
        again[0].filed("2026-05-14", joined="P1")
        again[1].filed("2026-07-25", joined="P1")
        assert (await card(story, *again, period=FIRST)).parts("repeated") == (0, 1)
        assert (await card(story, *again, period=SECOND)).parts("repeated") == (1, 1)

    async def test_who_closes_the_file_did_not_handle_it(self) -> None:
        story = accepted()
        story("closed", "2026-03-10", unit=HEALTH)
        assert (await card(story)).parts("no_reply") == (1, 1)
        assert (await card(story, unit=HEALTH)).parts("no_reply") == (0, 0)


class TestWaysOutOfTheSixtyDays:
    async def test_another_procedure_is_an_exclusion_with_its_reason(self) -> None:
        found = await card(*(accepted(f"Q{n}", route="duty_performance") for n in range(10)))
        assert found.parts("reply_on_time") == (0, 0)
        assert list(found.excluded("reply_on_time").values()) == [10]
        assert "duty_performance" in next(iter(found.excluded("reply_on_time")))

    async def test_it_belongs_to_the_period_in_which_the_days_would_have_begun(self) -> None:
        story = accepted(route="duty_performance")
        assert (await card(story, period=SECOND)).excluded("reply_on_time") == {}
        assert (await card(story, period=("2026-02-03", "2026-02-03"))).excluded("reply_on_time") != {}

    @pytest.mark.parametrize("measure", ["notice_on_time", "reply_on_time"])
    async def test_the_share_turned_away_stands_beside(self, measure: str) -> None:
        stories = [accepted("P1"), accepted("P2", route="duty_performance"), begun("P3")]
        stories[2]("not_accepted", "2026-02-03")
        found = await card(*stories)
        assert found.parts("turned_away") == (2, 3)
        assert "turned_away" in found.beside[measure]

    async def test_a_slip_of_the_pen_is_no_other_procedure(self) -> None:
        assert (await card(accepted(route="petition procedure"))).parts("turned_away") == (0, 1)

    async def test_what_came_back_to_the_petition_procedure_was_not_turned_away(self) -> None:
        story = accepted(route="duty_performance")
        story("accepted", "2026-04-03")
        assert (await card(story)).parts("turned_away") == (0, 1)

    async def test_another_unit_that_takes_it_does_not_undo_a_refusal(self) -> None:
        story = begun()
        story("not_accepted", "2026-02-03")
        story("reopened", "2026-02-20")
        story("assigned", "2026-02-21", unit=HEALTH)
        story("accepted", "2026-02-22", unit=HEALTH)
        assert (await card(story)).parts("turned_away") == (1, 1)
        assert (await card(story)).parts("repeated") == (1, 1)
        assert (await card(story, unit=HEALTH)).parts("turned_away") == (0, 1)

    async def test_what_petitioners_say_of_a_refusal_counts(self) -> None:
        stories = [begun(f"R{n}") for n in range(10)]
        for n, story in enumerate(stories):
            story("not_accepted", "2026-02-03")
            if n:
                story("evaluated", "2026-02-05", solved=False, satisfied=False)
        found = await card(*stories)
        assert found.parts("turned_away") == (10, 10)
        assert found.parts("contested") == (9, 9)
        assert found.parts("solved") == (0, 9)
        assert found.parts("participation") == (9, 10)
        assert found.figures["satisfied"].no_answer == 1

    async def test_a_refusal_is_not_closed_without_a_word(self) -> None:
        story = begun()
        story("not_accepted", "2026-02-03")
        story("closed", "2026-03-03")
        assert (await card(story)).parts("no_reply") == (0, 1)


class TestExtensionEnteredAfterwards:
    def extended(self, recorded: str) -> Story:
        story = accepted()  # 60 days: 2026-04-04
        story("extended", "2026-04-01", recorded=recorded, reason_told_at=at("2026-04-01"))
        return story

    @pytest.mark.parametrize(
        ("recorded", "count"), [("2026-04-01 20:00", 0), ("2026-04-02", 0), ("2026-04-02 00:01", 1), ("2026-04-12", 1)]
    )
    async def test_more_than_a_day_later_it_shows(self, recorded: str, count: int) -> None:
        found = await card(self.extended(recorded))
        assert found.parts("reply_entered_later") == (count, 1)
        assert "reply_entered_later" in found.beside["reply_on_time"]

    async def test_it_stands_beside_the_deadline_that_it_took_away(self) -> None:
        story = self.extended("2026-04-12")
        found = await card(story, period=("2026-04-02", "2026-04-12"), now="2026-04-12 12:00")
        assert found.parts("reply_on_time") == (0, 0)
        assert found.excluded("reply_on_time") == {"extended under Art. 34": 1}
        assert found.parts("reply_entered_later") == (1, 1)
        later = await card(story, period=("2026-04-13", "2026-06-30"))
        assert later.parts("reply_on_time") == (0, 1)
        assert later.parts("reply_entered_later") == (0, 0)

    async def test_one_reply_is_one_entry_however_many_deadlines_it_ended(self) -> None:
        story = self.extended("2026-04-12")
        story("replied", "2026-04-20", recorded="2026-04-23")
        found = await card(story)
        assert found.parts("reply_on_time") == (1, 1)
        assert found.parts("reply_entered_later") == (2, 2)
