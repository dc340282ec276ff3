"""Handling against the regulation (Art. 34): sixty days, one extension, other procedures, a second round."""

from datetime import date

import pytest

from tests.support.lifecycle import HEALTH, Story, at, worked


class TestHandling:
    def accepted(self, **more: object) -> Story:
        story = Story()
        story.filed("2026-02-20")
        story("assigned", "2026-02-21")
        story("accepted", "2026-03-01", **more)
        return story

    def test_only_the_petition_procedure_has_the_sixty_days(self) -> None:
        handle = worked(self.accepted(route="arbitration"))["HANDLE"]
        assert (handle.due, handle.state(at("2027-01-01"))) == (None, "excluded")

    @pytest.mark.parametrize("route", ["petition_procedures", "", "Arbitration"])
    def test_a_route_that_is_none_of_article_31_keeps_the_sixty_days(self, route: str) -> None:
        assert worked(self.accepted(route=route))["HANDLE"].due == date(2026, 4, 30)

    def test_reopened_and_taken_over_from_another_procedure_it_has_the_sixty_days(self) -> None:
        story = self.accepted(route="judicial")
        story("replied", "2026-03-10")
        story("reopened", "2026-03-12")
        assert "HANDLE#2" not in worked(story)
        story("assigned", "2026-03-13", unit=HEALTH)
        story("accepted", "2026-03-15", unit=HEALTH)
        found = worked(story)
        assert found["HANDLE"].excluded is not None
        assert found["HANDLE"].due is None
        assert (found["HANDLE#2"].unit, found["HANDLE#2"].due) == (HEALTH, date(2026, 5, 14))
        assert found["HANDLE#2"].derivation.en.startswith("accepted 03-15 + 60 d")
        story("replied", "2026-05-20", unit=HEALTH)
        assert worked(story)["HANDLE#2"].state(at("2026-05-21")) == "met_late"
        story("reopened", "2026-05-22", unit=HEALTH)
        assert worked(story)["HANDLE#3"].derivation.en.startswith("reopened 05-22 + 60 d")

    def test_another_procedure_after_the_first_starts_nothing(self) -> None:
        story = self.accepted(route="judicial")
        story("replied", "2026-03-10")
        story("reopened", "2026-03-12")
        story("accepted", "2026-03-15", route="arbitration")
        assert "HANDLE#2" not in worked(story)

    def test_a_suggestion_has_no_such_period(self) -> None:
        story = Story()
        story.filed("2026-02-20", purpose="suggestion")
        story("accepted", "2026-03-01")
        assert worked(story)["HANDLE"].due is None

    def test_a_written_opinion_ends_it_closing_does_not(self) -> None:
        story = self.accepted()
        story("closed", "2026-03-10")
        assert worked(story)["HANDLE"].state(at("2026-05-01")) == "breached"
        story("replied", "2026-05-02")
        assert worked(story)["HANDLE"].state(at("2026-05-03")) == "met_late"

    def test_one_extension(self) -> None:
        story = self.accepted()
        story("extended", "2026-04-20", days=20)
        story("extended", "2026-05-10", days=30)
        found = worked(story)
        assert found["HANDLE"].state(at("2026-05-01")) == "excluded"
        ext = found["HANDLE_EXT"]
        assert ext.due == date(2026, 5, 20)
        assert ext.derivation.en == "accepted 03-01 + 60 d + 20 d extension (Art. 34) → 05-20"
        assert ext.approver == "head-1"
        assert "HANDLE_EXT#2" not in found
        assert ext.state(at("2026-05-21")) == "breached"

    @pytest.mark.parametrize(
        "more", [{"when": "2026-05-01"}, {"when": "2026-02-28"}, {"when": "2026-04-20", "approver": ""}]
    )
    def test_an_extension_that_is_not_one(self, more: dict[str, str]) -> None:
        story = self.accepted()
        when = more.pop("when")
        story("extended", when, **more)
        found = worked(story)
        assert "HANDLE_EXT" not in found
        assert found["HANDLE"].due == date(2026, 4, 30)
        assert ("does not count" in found["HANDLE"].derivation.en) == (when >= "2026-03-01")
        assert found["HANDLE"].state(at("2026-05-02")) == "breached"

    def test_an_extension_of_which_the_petitioner_is_told_later_is_none(self) -> None:
        story = self.accepted()
        story("extended", "2026-04-20", reason_told_at=at("2040-01-01"))
        found = worked(story)
        assert "HANDLE_EXT" not in found
        assert found["HANDLE"].state(at("2026-05-01")) == "breached"
        assert "the extension of 2026-04-20 does not count" in found["HANDLE"].derivation.en

    def test_answered_before_the_extension_was_needed(self) -> None:
        story = self.accepted()
        story("extended", "2026-04-20")
        story("replied", "2026-04-29")
        found = worked(story)
        assert found["HANDLE"].state(at("2026-06-01")) == "met"
        assert found["HANDLE_EXT"].state(at("2026-06-01")) == "excluded"

    def test_accepting_again_moves_the_duty_not_the_date(self) -> None:
        story = self.accepted()
        story("accepted", "2026-04-15", unit=HEALTH)
        found = worked(story)
        assert (found["HANDLE"].unit, found["HANDLE"].due) == (HEALTH, date(2026, 4, 30))
        assert "HANDLE#2" not in found

    def test_reopened_after_a_reply_starts_a_second_round(self) -> None:
        story = self.accepted()
        story("replied", "2026-03-20")
        story("reopened", "2026-04-01")
        found = worked(story)
        assert found["HANDLE"].state(at("2026-04-02")) == "met"
        assert found["HANDLE#2"].due == date(2026, 5, 31)
        assert found["HANDLE#2"].derivation.en.startswith("reopened 04-01 + 60 d")

    def test_reopening_before_any_reply_restarts_nothing(self) -> None:
        story = self.accepted()
        story("closed", "2026-03-20")
        story("reopened", "2026-04-01")
        found = worked(story)
        assert found["HANDLE"].due == date(2026, 4, 30)
        assert "HANDLE#2" not in found

    def test_no_second_extension_in_the_second_round(self) -> None:
        story = self.accepted()
        story("extended", "2026-04-20")
        story("replied", "2026-05-10")
        story("reopened", "2026-05-20")
        story("extended", "2026-06-20")
        assert "HANDLE_EXT#2" not in worked(story)
