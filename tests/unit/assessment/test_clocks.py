"""Deadlines against the regulation, day by day."""

from dataclasses import fields
from datetime import date

import pytest

from services.assessment.domain.life import Life, Step, life_of
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.domain.rules import Clock, count
from services.assessment.policy import working_day
from tests.support.lifecycle import BOOK, BUREAU, HEALTH, REGISTRAR, Story, at, worked


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-03-01", "2026-03-16"),
        ("2026-03-01 23:59", "2026-03-16"),
        ("2026-09-20", "2026-10-05"),  # within the National Day holiday: agencies' deadlines do not move
        ("2026-12-25", "2027-01-09"),
        ("2024-02-20", "2024-03-06"),  # leap year
    ],
)
def test_transfer_is_due_fifteen_days_after_the_day_of_receipt(received: str, due: str) -> None:
    story = Story()
    story.filed(received)
    owed = worked(story)["REG_TRANSFER"]
    assert owed.due == date.fromisoformat(due)
    assert owed.unit == REGISTRAR
    assert owed.basis == "《信访工作条例》(2022) Art. 22"
    assert owed.due_at == at(f"{due} 23:59:59")


@pytest.mark.parametrize(
    ("received", "due", "why"),
    [
        ("2026-03-02", "2026-03-09", "03-07…03-08"),  # a weekend between
        ("2026-09-28", "2026-10-10", "10-01…10-07"),  # National Day; Saturday 10-10 is a working day
        ("2026-09-30", "2026-10-13", "10-01…10-07"),
        ("2026-02-12", "2026-02-26", "02-15…02-23"),  # Spring Festival; Saturday 02-14 is a working day
        ("2026-10-09", "2026-10-15", "10-11"),
    ],
)
def test_objection_has_five_working_days(received: str, due: str, why: str) -> None:
    story = Story()
    story.filed(received)
    story("assigned", received)
    window = worked(story)["OBJECT"]
    assert window.due == date.fromisoformat(due)
    assert why in window.derivation.en


def test_a_year_without_holiday_calendar_counts_weekends_only_and_says_so() -> None:
    story = Story()
    story.filed("2029-09-28")
    story("assigned", "2029-09-28")
    window = worked(story)["OBJECT"]
    assert window.due == date(2029, 10, 5)
    assert "no holiday calendar for that year" in window.derivation.en
    assert "未公布" in window.derivation.zh


def test_handling_has_sixty_days_from_acceptance_and_prints_how() -> None:
    story = Story()
    story.filed("2026-02-20")
    story("accepted", "2026-03-01")
    handle = worked(story)["HANDLE"]
    assert handle.due == date(2026, 4, 30)
    assert handle.derivation.en == "accepted 03-01 + 60 d (Art. 34) → 04-30"
    assert handle.derivation.zh == "受理 03-01 + 60日（第34条）→ 04-30"


def test_a_line_over_two_years_prints_the_years() -> None:
    story = Story()
    story.filed("2026-12-01")
    story("accepted", "2026-12-01")
    assert worked(story)["HANDLE"].derivation.en == "accepted 2026-12-01 + 60 d (Art. 34) → 2027-01-30"


def test_states_over_time() -> None:
    story = Story()
    story.filed("2026-03-01")
    owed = worked(story)["REG_TRANSFER"]
    assert owed.state(at("2026-03-12 23:59:59")) == "pending"
    assert owed.state(at("2026-03-13")) == "due_soon"
    assert owed.state(at("2026-03-16 23:59:59")) == "due_soon"
    assert owed.state(at("2026-03-17")) == "breached"
    assert owed.soon_at == at("2026-03-13")
    assert owed.breach_at == at("2026-03-17")


@pytest.mark.parametrize(
    ("done", "state"), [("2026-03-16 23:59:59", "met"), ("2026-03-17 00:00", "met_late"), ("2026-03-01", "met")]
)
def test_done_in_time_and_late(done: str, state: str) -> None:
    story = Story()
    story.filed("2026-03-01")
    story("assigned", done)
    owed = worked(story)["REG_TRANSFER"]
    assert owed.state(at("2026-05-01")) == state
    assert owed.state(owed.started) in ("pending", "met")


def test_beijing_day_counts_not_utc() -> None:
    story = Story()
    story.filed("2026-03-02 00:30")  # 16:30 of 1 March in UTC
    assert worked(story)["REG_TRANSFER"].due == date(2026, 3, 17)


class TestNotice:
    def test_received_directly(self) -> None:
        story = Story()
        story.filed("2026-03-01", channel="dept_website", responsible_unit=BUREAU)
        found = worked(story)
        assert set(found) == {"NOTIFY"}
        assert found["NOTIFY"].unit == BUREAU
        assert found["NOTIFY"].due == date(2026, 3, 16)

    def test_received_over_a_direct_channel_by_no_unit_it_is_transferred_as_any_petition(self) -> None:
        story = Story()
        story.filed("2026-03-01", channel="dept_website")
        found = worked(story)
        assert set(found) == {"REG_TRANSFER"}
        assert (found["REG_TRANSFER"].unit, found["REG_TRANSFER"].due) == (REGISTRAR, date(2026, 3, 16))
        assert found["REG_TRANSFER"].state(at("2026-03-17")) == "breached"
        story("assigned", "2026-03-05")
        found = worked(story)
        assert found["REG_TRANSFER"].state(at("2026-03-17")) == "met"
        assert (found["NOTIFY"].unit, found["NOTIFY"].due) == (BUREAU, date(2026, 3, 20))
        assert found["NOTIFY"].derivation.en.startswith("received on transfer 03-05")
        assert found["OBJECT"].due == date(2026, 3, 12)

    def test_written_notice_ends_it_on_the_day_it_was_given(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-05")
        story("accepted", "2026-03-18", recorded="2026-03-21 09:00", notified_at=at("2026-03-21"))
        notice = worked(story)["NOTIFY"]
        assert notice.due == date(2026, 3, 20)
        assert notice.state(at("2026-03-22")) == "met_late"

    def test_a_notice_dated_after_its_entry_was_not_given(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-05")
        story("accepted", "2026-03-06", notified_at=at("2030-01-01"))
        found = worked(story)
        assert found["NOTIFY"].state(at("2026-03-20 23:59:59")) == "due_soon"
        assert found["NOTIFY"].state(at("2026-03-21")) == "breached"
        assert found["NOTIFY"].derivation.en.endswith("; the notice dated 2030-01-01, after its entry, does not count")
        assert found["OBJECT"].excluded is not None, "by accepting the unit took it as its own all the same"
        assert found["HANDLE"].started == at("2026-03-06")
        story("replied", "2026-03-25")
        assert worked(story)["NOTIFY"].state(at("2026-03-26")) == "met_late"

    @pytest.mark.parametrize(("given", "state"), [("2026-03-06 09:05", "met"), ("2026-03-06 09:06", "breached")])
    def test_a_clock_may_run_five_minutes_ahead(self, given: str, state: str) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-05")
        story("not_accepted", "2026-03-06 09:00", notified_at=at(given))
        assert worked(story)["NOTIFY"].state(at("2026-04-01")) == state

    def test_non_acceptance_is_a_notice_too(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-05")
        story("not_accepted", "2026-03-06")
        assert worked(story)["NOTIFY"].state(at("2026-04-01")) == "met"

    def test_each_unit_it_comes_to_has_a_clock_of_its_own(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("objected", "2026-03-04")
        story("assigned", "2026-03-10", unit=HEALTH)
        found = worked(story)
        assert found["NOTIFY"].excluded is not None
        assert found["OBJECT"].state(at("2026-03-20")) == "met"
        assert (found["NOTIFY#2"].unit, found["NOTIFY#2"].due) == (HEALTH, date(2026, 3, 25))

    def test_an_objection_that_the_sender_refuses_leaves_the_first_date(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("objected", "2026-03-04")
        story("assigned", "2026-03-16")
        found = worked(story)
        assert [o for o in found if o.startswith("NOTIFY")] == ["NOTIFY"]
        assert found["NOTIFY"].due == date(2026, 3, 17)
        assert found["NOTIFY"].state(at("2026-03-18")) == "breached"

    def test_a_late_objection_frees_nobody(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("objected", "2026-03-12")
        found = worked(story)
        assert found["OBJECT"].state(at("2026-03-20")) == "met_late"
        assert found["NOTIFY"].state(at("2026-03-18")) == "breached"

    def test_the_time_to_object_lapses_and_is_not_broken(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        assert worked(story)["OBJECT"].state(at("2026-03-20")) == "excluded"

    def test_passing_on_after_the_deadline_does_not_undo_the_breach(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("assigned", "2026-03-19", unit=HEALTH)
        assert worked(story)["NOTIFY"].state(at("2026-03-20")) == "breached"

    def test_assigning_again_to_the_same_unit_starts_nothing(self) -> None:
        story = Story()
        story.filed("2026-03-01")
        story("assigned", "2026-03-02")
        story("assigned", "2026-03-15")
        found = worked(story)
        assert found["NOTIFY"].due == date(2026, 3, 17)
        assert "NOTIFY#2" not in found

    def test_discipline_organs_tell_by_their_own_provisions(self) -> None:
        story = Story(unit="379911.discipline_supervision")
        story.filed("2026-03-01", purpose="accusation")
        story("assigned", "2026-03-02")
        notice = worked(story)["NOTIFY"]
        assert (notice.due, notice.state(at("2027-01-01"))) == (None, "excluded")


class TestReview:
    def test_starts_when_the_opinion_reached_the_petitioner_and_moves_over_holidays(self) -> None:
        story = Story()
        story.filed("2026-08-01")
        story("accepted", "2026-08-02")
        story("replied", "2026-09-01")
        assert "REVIEW_ASK" not in worked(story)
        story("served", "2026-09-04")
        ask = worked(story)["REVIEW_ASK"]
        assert ask.due == date(2026, 10, 8)
        assert "10-04 is no working day" in ask.derivation.en
        assert ask.state(at("2026-10-09")) == "excluded"

    def test_shandong_overlay_holds_in_its_province_only(self) -> None:
        here, there = Story(county="370911"), Story(county="330102")
        for story in (here, there):
            story.filed("2026-08-01")
            story("replied", "2026-08-20")
            story("served", "2026-08-24")
        assert worked(here)["REVIEW_ASK"].basis == "《山东省信访条例》(2016) Art. 46"
        assert "later with a good reason" in worked(here)["REVIEW_ASK"].derivation.en
        assert worked(there)["REVIEW_ASK"].basis == "《信访工作条例》(2022) Art. 35"


class TestEffectiveDates:
    @pytest.mark.parametrize(
        ("received", "basis"),
        [
            ("2022-04-30 23:59", "《信访条例》(2005) Art. 21"),
            ("2022-05-01", "《信访工作条例》(2022) Art. 22"),
            ("2012-06-01", "《信访条例》(2005) Art. 21"),
        ],
    )
    def test_the_rule_of_the_day_of_the_start(self, received: str, basis: str) -> None:
        story = Story()
        story.filed(received)
        assert worked(story)["REG_TRANSFER"].basis == basis

    def test_before_any_regulation_there_is_no_clock(self) -> None:
        story = Story()
        story.filed("2004-01-01")
        assert worked(story) == {}

    def test_under_the_old_regulation_every_accepted_matter_had_the_sixty_days(self) -> None:
        story = Story()
        story.filed("2012-06-01")
        story("accepted", "2012-06-05", route="admin_procedure")
        assert worked(story)["HANDLE"].due == date(2012, 8, 4)


def test_what_officials_found_is_no_petition() -> None:
    story = Story()
    story.filed("2026-03-01", channel="inspection")
    owed = worked(story)["REG_TRANSFER"]
    assert (owed.due, owed.state(at("2027-01-01"))) == (None, "excluded")
    assert owed.why_excluded(at("2027-01-01")) is not None


def test_a_later_step_without_the_filing_still_has_its_clock() -> None:
    story = Story()
    story("accepted", "2026-03-01")
    assert set(worked(story)) == {"HANDLE"}


def test_as_of_knows_nothing_of_the_future() -> None:
    story = Story()
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    life = life_of("P1", story.county, story.steps()).until(at("2026-03-01 12:00"))
    (owed,) = obligations(life, BOOK)
    assert owed.state(at("2026-03-01 12:00")) == "pending"


def test_no_field_could_stop_a_clock() -> None:
    words = ("pause", "suspend", "postpone", "hold", "stop", "sanction", "conduct", "penalty", "freeze", "delay")
    names = [f.name for cls in (Step, Life, Clock, Obligation) for f in fields(cls)]
    assert not [n for n in names for w in words if w in n]


def test_working_days_of_known_and_unknown_years() -> None:
    assert working_day(date(2026, 10, 10)) is True
    assert working_day(date(2026, 10, 1)) is False
    assert working_day(date(2050, 1, 3)) is None
    plain = count(date(2026, 3, 2), 3, True, False, lambda d: d.weekday() < 5)
    assert plain.due == date(2026, 3, 5)
