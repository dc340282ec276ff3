"""What a county's engine forgets, and when: never what the batch in hand still has to write down."""

from datetime import timedelta

from services.screening import codec
from tests.support.petitions import POLICIES, START, county, filed

KEPT = timedelta(days=POLICIES.all[-1].linking.keep_days)


def test_a_batch_that_spans_years_is_there_whole_for_whoever_writes_it() -> None:
    engine = county()
    years = [filed(n, n % 2, at=START + n * 2 * KEPT) for n in range(4)]
    out = engine.apply(years)
    assert set(out.filed) == {item.filing.id for item in years}
    assert set(out.filed) <= set(engine.placed)


def test_the_next_batch_drops_what_is_too_old_and_no_flag_keeps() -> None:
    engine = county()
    old, new = filed(1, 0), filed(2, 1, at=START + 2 * KEPT)
    engine.apply([old, new])
    engine.apply([filed(3, 2, at=START + 2 * KEPT + timedelta(days=2))])
    assert set(engine.placed) == {"p00002", "p00003"}


def test_a_matter_whose_petitions_were_all_linked_elsewhere_is_written_as_empty() -> None:
    engine = county()
    engine.apply([filed(1, 0)])
    [history] = engine.histories.values()
    history.remove([key for key, _ in history.inputs])
    history.fold(engine.policies, engine.rate)
    assert codec.worth_a_row(history)
    row = codec.matter(engine, history)
    assert (row["state"], row["petitions"], row["active_at"]) == ("empty", 0, engine.newest)
