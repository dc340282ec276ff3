"""Of two notices of one petition due on one day, done by one unit and owed by another, the owed one counts."""

from itertools import permutations

import pytest

from shared.directory import directory
from tests.support.alerts import finding
from tests.support.alerts_fed import all_warnings, findings_in
from tests.support.memory_alerts import MemoryStore

OTHER = "379911001"
HEARD = (
    finding("p1", "met", minute=1, started_by="first"),
    finding("p1", "due_soon", minute=2, unit=OTHER, started_by="second"),
    finding("p1", "breached", minute=3, unit=OTHER, started_by="second"),
)


@pytest.mark.parametrize("order", permutations(HEARD))
async def test_what_is_owed_counts_before_what_is_done(order) -> None:
    store = MemoryStore(directory())
    for event in order:
        await findings_in(store, event)
    assert [(w.kind, w.responsible_unit) for w in await all_warnings(store) if w.open] == [("overdue", OTHER)]
