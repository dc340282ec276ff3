"""What a tick does for counties whose work broke off, and while no petition comes."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from services.screening.domain.engine import County
from services.screening.domain.policy import Policies
from shared.bus import Received
from shared.events import PetitionAccepted
from shared.mongo import Unavailable
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, POLICIES, START
from tests.support.screening import filed_event, later
from tests.support.screening_service import AFTER, LEADER, OFFICER, Service

OTHER = "379912"
DAY = 86400


def elsewhere(event: Any) -> Any:
    """The same event of another county."""
    return event.model_copy(update={"data": event.data.model_copy(update={"jurisdiction": OTHER})})


class Breaking(MemoryStore):
    """A store whose transactions fail while `away`."""

    away = False

    async def transaction(self, work: Any) -> Any:
        if self.away:
            raise Unavailable("NotPrimary")
        return await super().transaction(work)


@pytest.fixture
async def service() -> Service:
    service = Service(Breaking())
    await service.take(*(filed_event(n, minutes=n) for n in range(6)))
    return service


async def withdrawn(service: Service) -> None:
    flag = (await service.flags())["collective_risk"]
    await service.desk.contest(flag["_id"], "不是一件事", OFFICER)
    await service.desk.resolve(flag["_id"], "withdrawn", "确实不是", LEADER)


async def test_a_tick_whose_write_failed_is_made_up_for_by_the_next(service):
    await withdrawn(service)
    service.store.away = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await service.screening.tick()
        service.now += 60
    service.store.away = False
    await service.screening.tick()
    assert (await service.flags())["collective_risk"]["reason"] == "contested"
    assert service.screening.held(COUNTY) is not None
    assert [row["applied"] for row in service.store.rows["decisions"].values()] == [True]


async def test_the_first_time_it_is_the_very_next_tick_and_what_fails_again_waits_longer(service, monkeypatch):
    await withdrawn(service)
    tried = []

    def broken(county, items):
        tried.append(service.now)
        raise ArithmeticError

    monkeypatch.setattr(County, "apply", broken)
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            await service.screening.tick()
    for _ in range(3000):
        service.now += 1
        try:
            await service.screening.tick()
        except ArithmeticError:
            continue
    gaps = [after - before for before, after in itertools.pairwise(tried)]
    assert gaps[:5] == [0, 2, 4, 8, 16]
    assert max(gaps) == 300
    monkeypatch.undo()
    service.now += 300
    await service.screening.tick()
    assert (await service.flags())["collective_risk"]["reason"] == "contested"


async def test_a_county_that_always_fails_stops_no_other(service, monkeypatch):
    await withdrawn(service)
    await service.take(*(elsewhere(filed_event(n, minutes=n, run="other")) for n in range(100, 106)))
    [flag] = [row for row in service.store.rows["flags"].values() if row["county"] == OTHER]
    work = County.apply

    def broken(county, items):
        if county.county == COUNTY:
            raise ArithmeticError
        return work(county, items)

    monkeypatch.setattr(County, "apply", broken)
    with pytest.raises(ArithmeticError):
        await service.screening.tick()
    await service.desk.contest(flag["_id"], "不是一件事", OFFICER)
    await service.desk.resolve(flag["_id"], "withdrawn", "确实不是", LEADER)
    with pytest.raises(ArithmeticError):
        await service.screening.tick()
    assert service.store.rows["flags"][flag["_id"]]["reason"] == "contested"


async def test_a_county_that_another_owner_took_over_is_not_held_again(service):
    await withdrawn(service)
    version = service.store.version

    async def before(county: str) -> int:
        found = await version(county)
        service.store.rows["counties"][county]["version"] += 1  # the other one is just faster
        return found

    service.store.version = before
    await service.screening.tick()
    service.store.version = version
    for _ in range(2):
        service.now += 3600
        await service.screening.tick()
        assert service.screening.held(COUNTY) is None
    assert [row["applied"] for row in service.store.rows["decisions"].values()] == [False]


async def lands_while_held_again(service: Service, monkeypatch, method: str) -> None:
    """A tick breaks off while a batch is on its way, and the batch lands at the next one, after `method` of the store."""
    await withdrawn(service)
    plan = await service.screening.prepare([Received("t", 3, 9, AFTER, None, filed_event(9, 1, minutes=9))])
    version = service.store.version

    async def away(county: str) -> int:
        raise Unavailable("NotPrimary")

    monkeypatch.setattr(service.store, "version", away)
    with pytest.raises(Unavailable):
        await service.screening.tick()
    monkeypatch.setattr(service.store, "version", version)
    asked = getattr(service.store, method)

    async def landed(*args: Any) -> Any:
        found = await asked(*args)
        monkeypatch.setattr(service.store, method, asked)
        await service.store.transaction(lambda tx: service.screening.write(tx, plan))
        return found

    monkeypatch.setattr(service.store, method, landed)
    await service.screening.tick()


@pytest.mark.parametrize("method", ["county", "version"])
async def test_a_batch_that_lands_while_its_county_is_held_again_is_in_memory_a_tick_later(
    service, monkeypatch, method
):
    await lands_while_held_again(service, monkeypatch, method)
    service.now += 1
    await service.screening.tick()
    assert "run-p00009" in service.screening.held(COUNTY).placed
    assert [row["applied"] for row in service.store.rows["decisions"].values()] == [True]
    assert (await service.flags())["collective_risk"]["reason"] == "contested"


async def test_a_county_that_another_owner_writes_on_is_built_anew_once_until_a_batch_comes(service, monkeypatch):
    await withdrawn(service)
    built, county = [], service.store.county

    async def building(name: str, keep_days: int) -> Any:
        built.append(service.now)
        rows = await county(name, keep_days)
        service.store.rows["counties"][COUNTY]["version"] += 1
        return rows

    monkeypatch.setattr(service.store, "county", building)
    service.store.rows["counties"][COUNTY]["version"] += 1
    for _ in range(5):
        service.now += 3600
        await service.screening.tick()
    assert len(built) == 1
    assert service.screening.held(COUNTY) is None
    monkeypatch.setattr(service.store, "county", county)
    await service.take(filed_event(9, 1, minutes=9))
    service.store.rows["counties"][COUNTY]["version"] += 1
    for _ in range(2):
        await service.screening.tick()
    assert [row["applied"] for row in service.store.rows["decisions"].values()] == [True]


async def state(service: Service) -> str:
    return (await service.flags())["collective_risk"]["state"]


async def restart(service: Service) -> None:
    service.start()
    await service.screening.load([3])


async def test_restarts_do_not_put_off_the_end_of_a_flag(service):
    seen = []
    for _ in range(6):
        service.now += 7 * DAY
        await service.screening.tick()
        seen.append(await state(service))
        await restart(service)
    assert seen == ["open"] * 4 + ["cleared"] * 2
    assert [event.type.split(".")[2] for event in service.store.events.values()] == ["raised", "cleared"]


async def test_a_new_policy_does_not_raise_again_what_the_clock_ended(service):
    service.now += 40 * DAY
    await service.screening.tick()
    other = Policies(POLICIES.all)
    service.screening._policies = lambda: other
    await service.screening.tick()
    assert [event.type.split(".")[2] for event in service.store.events.values()] == ["raised", "cleared"]


async def test_a_flag_that_nothing_happened_to_since_the_start_ends_too(service):
    await restart(service)
    service.now += 40 * DAY
    await service.screening.tick()
    assert (await service.flags())["collective_risk"]["reason"] == "window_passed"


async def test_what_waits_in_the_topic_is_heard_before_the_clock_ends_a_flag(service):
    service.now += 40 * DAY
    await restart(service)
    await service.screening.tick()
    assert await state(service) == "open"
    await service.take(*(filed_event(n, minutes=25 * 24 * 60 + n) for n in range(10, 15)))
    service.now += 3600
    await service.screening.tick()
    assert await state(service) == "open"


async def test_steps_of_other_matters_do_not_put_off_the_end_of_a_flag(service):
    await service.take(filed_event(100, 1, minutes=6))
    for day in range(1, 41):
        service.now += DAY
        at = START + timedelta(days=day)
        data = PetitionAccepted(petition_id="run-p00100", jurisdiction=COUNTY, at=at, unit=f"{COUNTY}.office")
        await service.take(later(data, id=f"step{day}", at=at))
        await service.screening.tick()
    assert await state(service) == "cleared"


async def test_a_county_of_an_older_version_counts_from_its_newest_petition(service):
    del service.store.rows["counties"][COUNTY]["moved_at"]
    await restart(service)
    service.now += 3600
    await service.screening.tick()
    assert await state(service) == "cleared"
