"""Findings of assessment as warnings: sets of petitions, whatever order they come in, in memory and in MongoDB."""

from __future__ import annotations

import itertools

import pytest

from services.alerts.ports import Store
from shared.access import Principal
from shared.directory import directory
from tests.support.alerts import BUREAU, finding
from tests.support.alerts_fed import all_warnings, findings_in

OFFICER = Principal("o1", "duty_officer")


async def test_deadlines_are_sets_and_come_in_any_order(store: Store) -> None:
    late = [finding(f"p{n}", "breached", minute=10) for n in range(12)]
    soon = [finding(f"p{n}", "due_soon", minute=0) for n in range(15)]
    await findings_in(store, *late)
    await findings_in(store, *soon, *late, *soon)
    found = {w.kind: w for w in await all_warnings(store)}
    assert found["overdue"].flag.observed == 12
    assert (found["overdue"].level, found["near_deadline"].level) == ("II", "IV")
    assert found["near_deadline"].flag.observed == 3
    await findings_in(store, *(finding(f"p{n}", "met", minute=20) for n in range(15)))
    assert {w.state for w in await all_warnings(store)} == {"cancelled"}
    await findings_in(store, *late, *soon)
    assert {w.state for w in await all_warnings(store)} == {"cancelled"}
    await findings_in(store, finding("p99", "breached", minute=30))
    assert [(w.kind, w.episode) for w in await all_warnings(store, states=frozenset({"raised"}))] == [("overdue", 2)]


async def test_a_duty_met_in_time_but_entered_late_takes_its_breach_back(store: Store) -> None:
    breached = [finding(f"p{n}", "breached", minute=10) for n in range(3)]
    met = [finding(f"p{n}", "met", minute=5) for n in range(3)]
    await findings_in(store, *breached)
    await findings_in(store, *met[:2])
    assert [w.flag.observed for w in await all_warnings(store)] == [1]
    await findings_in(store, *breached[:2])
    assert [w.flag.observed for w in await all_warnings(store)] == [1]
    await findings_in(store, met[2])
    assert [w.state for w in await all_warnings(store)] == ["cancelled"]


async def test_a_petition_that_moves_to_another_unit_leaves_the_first(store: Store) -> None:
    await findings_in(store, finding("p1", "breached"))
    await findings_in(store, finding("p1", "breached", unit="379911001", minute=5))
    found = {w.responsible_unit: w.state for w in await all_warnings(store)}
    assert found == {BUREAU: "cancelled", "379911001": "raised"}


async def test_what_is_owed_no_more_leaves_its_warning_with_the_reason(store: Store) -> None:
    await findings_in(store, *(finding(f"p{n}", "due_soon", started_by="s") for n in range(2)))
    await findings_in(store, finding("p0", "withdrawn", minute=5, started_by="s"))
    assert [(w.state, w.flag.petition_ids) for w in await all_warnings(store)] == [("raised", ("p1",))]
    await findings_in(store, finding("p1", "withdrawn", minute=9, started_by="s"))
    [warning] = await all_warnings(store)
    assert (warning.state, warning.closed_by) == ("cancelled", "system")
    assert warning.closed_why is not None
    assert "已依法延期" in warning.closed_why.zh
    assert "extended under Art. 34" in warning.closed_why.en
    assert [(row.action, row.why) for row in await store.log(warning.id)][-1] == ("cancel", warning.closed_why)
    await findings_in(store, *(finding(f"p{n}", "due_soon", started_by="s") for n in range(2)))  # a replay
    assert [w.state for w in await all_warnings(store)] == ["cancelled"]
    await findings_in(store, finding("p1", "due_soon", minute=20, started_by="s", renewal=1))
    assert [(w.state, w.episode) for w in await all_warnings(store)] == [("raised", 2), ("cancelled", 1)]


async def test_a_deadline_of_an_accusation_is_not_there_for_the_accused(store: Store) -> None:
    events = [finding("p1", "breached"), finding("p2", "breached", accused=BUREAU, minute=1), finding("p3", "breached")]
    await findings_in(store, *events)
    units = directory()
    accused, other = Principal("u1", "unit", BUREAU), Principal("o1", "duty_officer")
    seen = {who.role: await all_warnings(store, who.scope(units)) for who in (accused, other)}
    assert [(w.flag.observed, w.flag.restricted) for w in seen["unit"]] == [(2, False)]
    assert sorted((w.flag.observed, w.flag.restricted) for w in seen["duty_officer"]) == [(1, True), (2, False)]
    assert "p2" not in str(seen["unit"])
    await findings_in(store, finding("p2", "met", accused=BUREAU, minute=9))
    assert {(w.flag.restricted, w.state) for w in await all_warnings(store)} == {(True, "cancelled"), (False, "raised")}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_start_that_holds_counts_whatever_comes_first(store: Store, order: tuple[int, ...]) -> None:
    events = (
        finding("p1", "breached", started_by="wrong", due=2),
        finding("p1", "withdrawn", started_by="wrong", due=2, minute=5),
        finding("p1", "breached", started_by="right", due=1, minute=6, unit="379911001"),
    )
    for place in order:
        await findings_in(store, events[place])
    found = {w.responsible_unit: w for w in await all_warnings(store, states=frozenset({"raised"}))}
    assert set(found) == {"379911001"}
