"""What `fengqiao bench chaos` counts as doubled: the same thing under two ids."""

from datetime import UTC, datetime, timedelta

from deploy.bench.chaos import doubled_filings, doubled_obligations, doubled_warnings
from services.assessment.documents import row_document
from services.assessment.domain.ledger import Row
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.rules import Text

AT = datetime(2026, 3, 1, 1, tzinfo=UTC)


def owed(petition: str, code: str, cause: str, started: datetime = AT) -> dict:
    """A row as the assessment stores it."""
    obligation = Obligation(
        id=f"{petition}/{code}/{cause}",
        petition=petition,
        jurisdiction="370901",
        code=code,
        unit="u",
        started=started,
        due=None,
        soon_days=1,
        basis="b",
        derivation=Text("由", "why"),
        cause=cause,
        recorded=started,
    )
    return row_document(Row(obligation))


def test_an_obligation_that_a_second_event_started_at_the_same_time_is_doubled() -> None:
    once = [owed("p", "reg", "e1"), owed("p", "handle", "e1"), owed("q", "reg", "e2")]
    assert doubled_obligations(once) == 0
    assert doubled_obligations([*once, owed("p", "reg", "e3")]) == 1
    assert doubled_obligations([*once, owed("p", "reg", "e1") | {"_id": "another"}]) == 1
    assert doubled_obligations([*once, owed("p", "reg", "e3", AT + timedelta(days=1))]) == 0


def test_a_filing_is_doubled_by_another_event_and_not_by_the_same_record_again() -> None:
    assert doubled_filings({"p": {"e1"}, "q": {"e2"}}) == 0
    assert doubled_filings({"p": {"e1", "e3"}, "q": {"e2"}}) == 1


def test_two_people_in_danger_in_one_matter_are_two_warnings() -> None:
    def warning(kind: str, apart: str = "", matter: str = "m") -> dict:
        return {"_id": f"{kind}{apart}{matter}", "kind": kind, "matter": matter, "apart": apart}

    fine = [warning("collective_risk"), warning("life_safety", "f1"), warning("life_safety", "f2")]
    assert doubled_warnings(fine) == 0
    assert doubled_warnings([*fine, warning("collective_risk") | {"_id": "again"}]) == 1
