"""Which matters have become quiet is found without asking each of them, and is what asking each would give."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.screening.domain.quiet import Quiet
from tests.support.petitions import DAY, POLICIES, START, county, filed, step

KEEP = timedelta(days=POLICIES.all[-1].linking.keep_days)
deed = st.tuples(st.integers(0, 3), st.integers(0, 40), st.booleans())


@settings(deadline=None)
@given(st.lists(deed, min_size=5, max_size=40))
def test_what_is_forgotten_is_what_asking_every_matter_would_give(deeds):
    engine, day, swept = county(), 0, None
    for n, (matter, passed, again) in enumerate(deeds):
        day += passed
        now = START + day * DAY
        quiet = {
            name
            for name, history in engine.histories.items()
            if engine.newest is not None and history.last < engine.newest - KEEP and not history.merged_into
            if history.state is None or not history.state.open
        }
        if due := engine.newest is not None and (swept is None or engine.newest >= swept + DAY):
            swept = engine.newest  # once a day
        before = set(engine.histories)
        placed = sorted(engine.placed)
        if again and placed:
            engine.apply([step(f"s{n}", placed[n % len(placed)], "assigned", now, unit="379911.office")])
        else:
            engine.apply([filed(n, matter, at=now)])
        assert before - set(engine.histories) == (quiet if due else set())


def test_a_matter_that_was_noted_early_is_looked_at_again_when_its_last_time_is_due():
    quiet, engine = Quiet(), county()
    engine.apply([filed(1, at=START + 5 * DAY)])
    [history] = engine.histories.values()
    quiet.note(history.id, START)
    histories = {history.id: history}
    assert quiet.take(START + DAY, histories) == []
    assert quiet.take(START + 5 * DAY, histories) == []
    assert quiet.take(START + 6 * DAY, histories) == [history]
