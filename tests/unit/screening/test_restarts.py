"""A restart folds the same inputs again, all of them at once: it gives what was there, and tells nothing anew."""

from datetime import timedelta
from typing import Any

import pytest

from services.screening.domain.outcome import MatterMerge, Outcome
from services.screening.ports import Wanted
from shared.events import PetitionAccepted, PetitionAssigned, PetitionEvaluated, PetitionReplied
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, DAY, START, county, filed, step
from tests.support.screening import filed_event, later
from tests.support.screening_service import OFFICER, Service

VISIT = {"channel": "visit", "presented": "prefecture"}
CONTESTED = (PetitionAssigned, PetitionAccepted, PetitionReplied, PetitionEvaluated)


@pytest.fixture
def service() -> Service:
    return Service(MemoryStore())


def matter(service: Service, n: int) -> str:
    """The matter in which petition `n` is stored."""
    return str(service.store.rows["petitions"][f"run-p{n:05d}"]["matter"])


async def merge(service: Service, kept: str, gone: str) -> None:
    await service.desk.merge(kept, gone, "同一事项", OFFICER)
    await service.screening.tick()


async def split(service: Service, n: int) -> None:
    await service.desk.split(matter(service, n), [f"run-p{n:05d}"], "不同", OFFICER)
    await service.screening.tick()


async def stepped(service: Service, n: int, what: Any, day: float) -> None:
    at = START + day * DAY
    more = {"solved": False} if what is PetitionEvaluated else {}
    data = what(petition_id=f"run-p{n:05d}", jurisdiction=COUNTY, at=at, unit=f"{COUNTY}.office", **more)
    await service.take(later(data, id=f"{what.__name__}{n}", at=at))


async def contested(service: Service, n: int, *days: float) -> None:
    """A reply on which the petitioner is not agreed."""
    for what, day in zip(CONTESTED, days, strict=True):
        await stepped(service, n, what, day)


def state(service: Service) -> tuple[dict[str, str], list[Any]]:
    """Where each petition is, and the flags."""
    held = service.screening.held(COUNTY)
    assert held is not None
    return {pid: placed.matter for pid, placed in held.placed.items()}, held.flags()


async def standing(service: Service) -> set[tuple[str, str]]:
    """Kind and matter of each flag that is open."""
    return {(row["kind"], row["matter"]) for row in await service.store.flags(Wanted()) if row["state"] == "open"}


async def restart(service: Service) -> None:
    """Start anew, and see that nothing is different."""
    before, told, flags = state(service), len(service.store.events), await standing(service)
    service.start()
    await service.screening.load([3])
    await service.screening.tick()
    assert state(service) == before
    assert await standing(service) == flags
    assert len(service.store.events) == told


async def test_a_chain_of_merges_keeps_the_steps_of_the_matter_between(service):
    await service.take(
        filed_event(1, 0, minutes=1), filed_event(2, 1, minutes=2), filed_event(3, 2, minutes=3, **VISIT)
    )
    last, between, first = (matter(service, n) for n in (1, 2, 3))
    await merge(service, between, first)
    await contested(service, 3, 1, 2, 20, 21)
    await service.take(filed_event(9, 3, minutes=23 * 1440))
    assert await standing(service) == {("cross_level_risk", between)}
    await merge(service, last, between)
    assert await standing(service) == {("cross_level_risk", last)}
    await restart(service)


async def test_a_step_of_what_is_no_member_yet_asks_no_rules(service):
    """Petition 3 is overdue from day 61 on; nothing happens to its matter until the merge of day 110, when that is old."""
    await service.take(filed_event(3, 0, minutes=3, **VISIT), filed_event(2, 1, minutes=5))
    await service.take(filed_event(4, 0, minutes=45 * 1440, **VISIT))
    await stepped(service, 3, PetitionAccepted, 1)
    await stepped(service, 2, PetitionAssigned, 91)
    await service.take(filed_event(9, 2, minutes=110 * 1440))
    await merge(service, matter(service, 3), matter(service, 2))
    await service.take(filed_event(10, 2, minutes=140 * 1440))
    assert not await service.flags()
    await restart(service)


async def test_a_flag_that_a_clock_ended_goes_on_with_what_is_dated_before_its_end(service):
    await service.take(*(filed_event(n, minutes=n) for n in range(6)))
    service.now = 31 * 86400
    await service.screening.tick()
    assert not await standing(service)
    await service.take(filed_event(10, minutes=29 * 1440))
    [flag] = await service.store.flags(Wanted())
    assert (flag["number"], flag["state"]) == (1, "open")
    assert [event.type for event in service.told[1:]] == ["fengqiao.flag.updated.v1"]
    await restart(service)


async def test_a_visit_that_ended_by_the_countys_time_is_not_seen_again_by_a_step_of_before(service):
    await service.take(filed_event(1, minutes=1, channel="visit", headcount=8), filed_event(2, minutes=2))
    await service.take(filed_event(9, 3, minutes=40 * 1440))
    await stepped(service, 2, PetitionAssigned, 20)
    assert [(row["number"], row["state"]) for row in await service.store.flags(Wanted())] == [(1, "cleared")]
    await restart(service)
    await split(service, 2)
    await restart(service)


async def test_a_split_before_the_end_of_a_flag_raises_no_second_one_after_a_restart(service):
    await service.take(
        *(filed_event(n, minutes=n, **({"channel": "visit", "headcount": 8} if n == 1 else {})) for n in (1, 2, 3))
    )
    await split(service, 2)
    await service.take(filed_event(9, 3, minutes=40 * 1440))
    assert [(row["number"], row["state"]) for row in await service.store.flags(Wanted())] == [(1, "cleared")]
    await restart(service)


async def test_steps_dated_before_a_split_and_entered_after_it_count_at_once(service):
    await service.take(*(filed_event(n, 0, minutes=n) for n in (1, 2)), filed_event(3, 0, minutes=3, **VISIT))
    await service.take(filed_event(9, 1, minutes=10 * 1440))
    await split(service, 3)
    await contested(service, 3, 8, 8.1, 9, 9.5)
    assert await standing(service) == {("cross_level_risk", matter(service, 3))}
    await restart(service)


@pytest.mark.parametrize("day", [5, 12, 22, 32], ids=["before the split", "before a merge", "between merges", "after"])
@pytest.mark.parametrize("soon", [True, False], ids=["entered at once", "entered at the end"])
async def test_steps_follow_what_is_split_off_and_merged_on_and_on(service, day, soon):
    await service.take(*(filed_event(n, 0, minutes=n) for n in (1, 2)), filed_event(3, 0, minutes=3, **VISIT))
    await service.take(filed_event(4, 1, minutes=4), filed_event(5, 2, minutes=5))
    one, other = matter(service, 4), matter(service, 5)
    moves = [(10, None), (20, one), (30, other)]
    days = [day, day + 0.1, day + 0.2, day + 0.3]
    for when, to in moves:
        if soon and when - 10 < day < when:
            await contested(service, 3, *days)
        await service.take(filed_event(100 + when, 3, minutes=when * 1440))
        await (split(service, 3) if to is None else merge(service, to, matter(service, 3)))
    if not soon or day > 30:
        await contested(service, 3, *days)
    held = service.screening.held(COUNTY)
    assert len(held.histories[other].state.cases["run-p00003"].steps) == 4
    assert await standing(service) == {("cross_level_risk", other)}
    await restart(service)
    assert len(service.screening.held(COUNTY).histories[other].state.cases["run-p00003"].steps) == 4


def test_steps_dated_after_a_merge_that_the_linker_finds_later_come_along():
    def cases(*order):
        engine = county()
        engine.apply([filed(1, 0, minutes=1), filed(2, 1, minutes=2), filed(3, 2, minutes=9)])
        kept, gone = (engine.placed[f"p0000{n}"].matter for n in (1, 2))
        row = MatterMerge("m", kept, gone, START + timedelta(minutes=5), "p00003", 1.0, "linker")
        accepted = step("s", "p00002", "accepted", START + timedelta(minutes=7))
        for what in order:
            if what == "merge":
                engine.feed(engine.merged(row, Outcome()))
            else:
                engine.apply([accepted])
        return engine.histories[kept].state.cases

    assert cases("step", "merge") == cases("merge", "step") != {}
