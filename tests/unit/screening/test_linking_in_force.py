"""Petitions are linked by the policy in force, not by one that is yet to come, in a running process and after a restart."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from deploy.backtest.county import play
from services.screening.domain.engine import County
from services.screening.domain.policy import Policies
from services.screening.handlers import Desk, Refused
from services.screening.pipeline import Screening
from shared.clock import FixedClock
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, DAY, POLICIES, START, county, filed, matters_of
from tests.support.screening import filed_event
from tests.support.screening_service import AFTER, OFFICER, Seconds, Service

BASE = POLICIES.all[-1]


def followed_by(first_day: date, **linking: Any) -> Policies:
    """The packaged policy, and a version with other numbers of linking from a day on."""
    later = replace(BASE, version=BASE.version + 1, effective_from=first_day, linking=replace(BASE.linking, **linking))
    return Policies([BASE, later])


APART: dict[str, Any] = {"window_days": 30, "lateness_minutes": 0, "threshold": 0.99, "merge": 0.995, "beside": 0.99}
"""Links next to nothing."""
FUTURE = followed_by(date(2040, 1, 1), **APART)


def service_under(policies: Policies, store: Any = None) -> Service:
    service = Service(store or MemoryStore())
    service.screening = Screening(service.store, lambda: policies, Seconds(service))
    service.desk = Desk(service.store, service.screening, lambda: policies, FixedClock(AFTER))
    return service


def test_an_engine_without_a_moment_has_the_oldest_numbers() -> None:
    engine = county(FUTURE)
    for n in range(7):
        engine.apply([filed(n, minutes=n)])
    assert len(set(matters_of(engine).values())) == 1
    assert engine.linking == BASE.linking


def test_an_engine_has_the_numbers_of_its_moment_until_it_is_built_anew() -> None:
    start = followed_by(START.date(), **APART)
    assert County(COUNTY, start, at=START + DAY).linking.threshold == 0.99
    engine = County(COUNTY, POLICIES, at=START)
    engine.adopt(start)
    engine.apply([filed(0, at=START + 5 * DAY)])
    assert engine.linking == BASE.linking
    assert engine.bound() == START + 5 * DAY - BASE.linking.lateness


async def test_live_and_restart_link_by_the_policy_in_force() -> None:
    events = [filed_event(n, minutes=n) for n in range(6)]
    live = service_under(FUTURE)
    await live.take(*events[:4])
    restarted = service_under(FUTURE, live.store)
    await restarted.screening.load([3])
    await restarted.take(*events[4:])
    assert len({row["matter"] for row in live.store.rows["petitions"].values()}) == 1
    held = restarted.screening.held(COUNTY)
    assert held is not None
    assert held.linking == BASE.linking


async def test_a_county_that_is_new_goes_by_its_first_batch_as_after_a_restart() -> None:
    """What waited in the topic since before a version came into force; the clock on the wall is long past that."""
    policies = followed_by((START + 100 * DAY).date(), **APART)
    live = service_under(policies)
    await live.take(*(filed_event(n, minutes=n) for n in range(3)))
    again = service_under(policies, live.store)
    await again.screening.load([3])
    for service in (live, again):
        held = service.screening.held(COUNTY)
        assert held is not None
        assert held.linking == BASE.linking


async def test_one_that_is_in_force_holds_from_the_next_start() -> None:
    policies = followed_by((START + 100 * DAY).date(), **APART)
    live = service_under(policies)
    await live.take(filed_event(1), filed_event(2, at=START + 101 * DAY))
    again = service_under(policies, live.store)
    await again.screening.load([3])
    held = again.screening.held(COUNTY)
    assert held is not None
    assert held.linking.threshold == 0.99


@pytest.mark.parametrize("loaded", [True, False])
async def test_the_desk_goes_by_the_days_in_force(loaded: bool) -> None:
    soon = followed_by(date(2040, 1, 1), keep_days=10)
    service = service_under(soon)
    await service.take(*(filed_event(n, minutes=n) for n in range(2)), filed_event(2, 1, at=START + 60 * DAY))
    if not loaded:
        service = service_under(soon, service.store)
    first, second = (service.store.rows["petitions"][f"run-p0000{n}"]["matter"] for n in (0, 2))
    assert (await service.desk.merge(second, first, "同一事项", OFFICER))["state"] == "accepted"
    now = service_under(followed_by(START.date(), keep_days=10), service.store)
    with pytest.raises(Refused, match="for 10 days"):
        await now.desk.merge(second, first, "同一事项", OFFICER)


def test_a_replay_links_by_the_policy_in_force_at_its_newest_petition() -> None:
    items = [filed(n, at=START + n * timedelta(hours=1)) for n in range(4)]
    assert len(set(play(COUNTY, items, FUTURE).matters.values())) == 1
    assert len(set(play(COUNTY, items, followed_by(START.date(), **APART)).matters.values())) == 4
