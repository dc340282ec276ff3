"""Art. 23 para. 4: the written notice is waived by the matter, not by the unit that has it."""

from datetime import date
from typing import Any

import pytest

from services.assessment.domain.obligation import Obligation
from shared.directory import directory
from tests.support.lifecycle import BOOK, Story, at, worked

DISCIPLINE, COURT, POLICE = (
    f"379911.{slug}" for slug in ("discipline_supervision", "district_court", "public_security_branch")
)
END = at("2027-01-01")


def notice(unit: str, **filing: Any) -> Obligation:
    story = Story(unit=unit)
    story.filed("2026-03-01", **filing)
    story("assigned", "2026-03-02")
    return worked(story)["NOTIFY"]


@pytest.mark.parametrize(
    ("unit", "filing"),
    [
        (DISCIPLINE, {"purpose": "accusation"}),
        (COURT, {"topic": "litigation_related"}),
        (POLICE, {"topic": "litigation_related"}),
    ],
)
def test_such_a_matter_is_told_by_the_organs_own_provisions(unit: str, filing: dict[str, Any]) -> None:
    owed = notice(unit, **filing)
    assert (owed.due, owed.state(END)) == (None, "excluded")
    assert owed.excluded is not None
    assert owed.excluded.en == "told by the organ's own provisions (Art. 23 para. 4)"


@pytest.mark.parametrize(
    ("unit", "filing"),
    [
        (DISCIPLINE, {"topic": "administrative_enforcement"}),
        (DISCIPLINE, {"purpose": "suggestion"}),
        (DISCIPLINE, {"topic": "litigation_related"}),
        (COURT, {}),
        (COURT, {"purpose": "accusation"}),
        (POLICE, {"topic": "public_order"}),
        ("379911.construction_bureau", {"topic": "litigation_related"}),
    ],
)
def test_any_other_matter_is_told_within_the_fifteen_days(unit: str, filing: dict[str, Any]) -> None:
    owed = notice(unit, **filing)
    assert (owed.due, owed.state(END)) == (date(2026, 3, 17), "breached")


def test_the_route_by_which_a_court_accepts_tells_the_matter_and_moves_no_date() -> None:
    story = Story(unit=COURT)
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", "2026-03-20", route="judicial")
    owed = worked(story)["NOTIFY"]
    assert (owed.due, owed.state(END)) == (date(2026, 3, 17), "excluded")
    other = Story(unit=COURT)
    other.filed("2026-03-01")
    other("assigned", "2026-03-02")
    other("accepted", "2026-03-20", route="petition_procedure")
    assert worked(other)["NOTIFY"].state(END) == "met_late"


def test_the_route_of_another_unit_waives_nothing() -> None:
    story = Story(unit=DISCIPLINE)
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", "2026-03-20", route="judicial")
    assert worked(story)["NOTIFY"].state(END) == "met_late"


def test_units_and_topics_of_the_packaged_rule_are_in_the_directory() -> None:
    rules = BOOK.on(date(2026, 1, 1), "379911")
    assert rules is not None
    known = directory()
    for waiver in rules.own_notice:
        for unit in waiver.units:
            known.unit(f"379911.{unit}")
        assert waiver.topics <= known.topics.keys()
