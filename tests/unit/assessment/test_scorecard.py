"""Scorecards: parts of every figure, what stands beside it, what is suppressed."""

from datetime import datetime

import pytest

from services.assessment.domain.facts import Facts, facts_of
from services.assessment.domain.ledger import Held, plan
from services.assessment.domain.life import life_of
from services.assessment.domain.scorecard import Figure, Scorecard, scorecard, suppressed
from services.assessment.policy import load_rules
from tests.support.lifecycle import BUREAU, HEALTH, Story, at

BOOK = load_rules()
SINCE, UNTIL = at("2026-01-01"), at("2026-07-01")


def card(*stories: Story, now: datetime = UNTIL, repeats: dict[str, datetime] | None = None) -> dict[str, Figure]:
    rows, facts = [], []
    for story in stories:
        steps = story.steps()
        change = plan(Held(story.petition, story.county), steps, {}, BOOK, {})
        rows += change.rows
        facts += [f for f in facts_of(life_of(story.petition, story.county, steps)) if f.settled is not None]
    made = scorecard(BUREAU, SINCE, UNTIL, now, rows, facts, {p: (when,) for p, when in (repeats or {}).items()})
    return figures(made)


def figures(made: Scorecard) -> dict[str, Figure]:
    return {f.key: f for m in made.measures for f in (*m.beside, m.figure)}


def handled(n: int, *, accepted: str = "2026-03-03", replied: str | None = "2026-04-01") -> Story:
    story = Story(f"P{n}")
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", accepted)
    if replied:
        story("replied", replied)
    return story


def parts(figure: Figure) -> tuple[int | None, int | None]:
    return figure.numerator, figure.denominator


def test_on_time_counts_met_over_met_late_and_broken_and_leaves_out_what_is_not_due() -> None:
    found = card(handled(1), handled(2, replied="2026-05-20"), handled(3, replied=None), now=at("2026-05-21"))
    assert parts(found["reply_on_time"]) == (1, 3)
    found = card(handled(1), handled(3, replied=None), now=at("2026-04-10"))
    assert parts(found["reply_on_time"]) == (1, 1)
    assert found["reply_on_time"].not_due == 1


def test_an_extended_matter_counts_once() -> None:
    late, early = handled(1, replied=None), handled(2, replied=None)
    for story, reply in ((late, "2026-05-10"), (early, "2026-04-25")):
        story("extended", "2026-04-20")
        story("replied", reply)
    found = card(late, early)
    assert parts(found["reply_on_time"]) == (2, 2)
    assert sum(found["reply_on_time"].excluded.values()) == 2
    assert parts(found["extended"]) == (2, 2)


def test_non_response_stands_beside_what_petitioners_say() -> None:
    solved, contested, silent = handled(1), handled(2), handled(3)
    solved("evaluated", "2026-04-03", solved=True, satisfied=True)
    contested("evaluated", "2026-04-03", solved=False)
    found = card(solved, contested, silent)
    assert parts(found["solved"]) == (1, 2)
    assert found["solved"].no_answer == 1
    assert parts(found["satisfied"]) == (1, 1)
    assert found["satisfied"].no_answer == 2
    assert parts(found["participation"]) == (2, 3)
    assert parts(found["contested"]) == (1, 2)


def test_the_last_answer_of_a_petitioner_counts() -> None:
    story = handled(1)
    story("evaluated", "2026-04-03", solved=True)
    story("evaluated", "2026-04-20", solved=False)
    assert parts(card(story)["solved"]) == (0, 1)


@pytest.mark.parametrize(("reopened", "count"), [("2026-04-30", 1), ("2026-05-02", 0)])
def test_settled_then_reopened_within_thirty_days(reopened: str, count: int) -> None:
    story = handled(1)
    story("reopened", reopened)
    assert parts(card(story)["repeated"]) == (count, 1)


@pytest.mark.parametrize(("again", "count"), [("2026-04-20", 1), ("2026-05-20", 0), ("2026-03-20", 0)])
def test_settled_then_taken_up_again_by_a_new_petition(again: str, count: int) -> None:
    assert parts(card(handled(1), repeats={"P1": at(again)})["repeated"]) == (count, 1)


def test_steps_entered_afterwards_show_beside_the_figure_they_help() -> None:
    story = Story("P1")
    story.filed("2026-03-01")
    story("assigned", "2026-03-02", recorded="2026-03-30")
    story("accepted", "2026-03-03", recorded="2026-03-03 10:00")
    found = card(story)
    assert parts(found["transfer_on_time"]) == (1, 1)
    assert parts(found["transfer_entered_later"]) == (1, 1)
    assert parts(found["notice_entered_later"]) == (0, 1)


def test_closed_without_reply_and_in_the_last_days() -> None:
    story = handled(1, replied=None)
    story("closed", "2026-06-29")
    found = card(story)
    assert parts(found["no_reply"]) == (1, 1)
    assert parts(found["last_days"]) == (1, 1)


def test_a_unit_without_anything_has_no_rates() -> None:
    assert all(f.rate is None for f in card().values())


def test_the_unit_of_a_petition_is_the_one_that_answered() -> None:
    story = handled(1, replied=None)
    story("assigned", "2026-04-01", unit=HEALTH)
    assert _facts(story).unit == BUREAU  # it accepted, and did not reply yet
    story("replied", "2026-04-05", unit=HEALTH)
    assert _facts(story).unit == HEALTH


def _facts(story: Story) -> Facts:
    (found,) = facts_of(life_of(story.petition, story.county, story.steps()))
    return found


def test_there_is_no_total_and_no_rank() -> None:
    made = scorecard(BUREAU, SINCE, UNTIL, UNTIL, [], [], {})
    names = {*vars(made), *(name for m in made.measures for name in vars(m.figure))}
    assert not names & {"score", "rank", "total", "grade", "veto", "cross_level", "volume"}
    assert all(m.beside for m in made.measures)


class TestSuppression:
    def hide(self, *stories: Story) -> dict[str, Figure]:
        rows, facts = [], []
        for story in stories:
            rows += plan(Held(story.petition, story.county), story.steps(), {}, BOOK, {}).rows
            facts.append(_facts(story))
        return figures(suppressed(scorecard(BUREAU, SINCE, UNTIL, UNTIL, rows, facts, {})))

    def test_few_petitions_show_nothing(self) -> None:
        found = self.hide(*(handled(n) for n in range(4)))
        assert parts(found["reply_on_time"]) == (None, None)
        assert found["reply_on_time"].rate is None

    def test_few_answers_show_neither_part_nor_rest(self) -> None:
        stories = [handled(n) for n in range(12)]
        for n, story in enumerate(stories):
            story("evaluated", "2026-04-03", solved=n > 1)
        found = self.hide(*stories)
        assert parts(found["solved"]) == (None, 12)
        assert parts(found["contested"]) == (None, 12)
        assert parts(found["participation"]) == (12, 12)

    def test_what_the_unit_did_is_shown_however_rare(self) -> None:
        stories = [handled(n, replied="2026-05-20" if n == 0 else "2026-04-01") for n in range(12)]
        assert parts(self.hide(*stories)["reply_on_time"]) == (11, 12)
