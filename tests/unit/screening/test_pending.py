"""What a restart finds to be told goes out before what came after it."""

from typing import Any

from services.screening.pipeline import Screening
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, DAY, START, rule
from tests.support.screening import filed_event
from tests.support.screening_service import Seconds, Service


async def restarted() -> Service:
    """Four petitioners, then a restart under a policy that flags as many, of which the store does not know yet."""
    service = Service(MemoryStore())
    await service.take(*(filed_event(n, minutes=n) for n in range(1, 5)))
    lower = rule("collective_risk", petitioners=4)
    service.screening = Screening(service.store, lambda: lower, Seconds(service))
    await service.screening.load([3])
    return service


def row(service: Service) -> Any:
    [found] = service.store.rows["flags"].values()
    return found


async def test_the_first_batch_after_a_restart_under_another_policy_is_not_overwritten() -> None:
    service = await restarted()
    made = await service.take(*(filed_event(n, minutes=n + 20) for n in range(5, 15)))
    assert [event.sequence for event in made] == sorted(event.sequence for event in made)
    assert next(event.type.split(".")[2] for event in made) == "raised"
    [flag] = service.screening.held(COUNTY).flags()  # type: ignore[union-attr]
    assert (row(service)["observed"], row(service)["level"]) == (flag.observed, flag.level)
    assert flag.observed == 14


async def test_a_flag_that_ends_in_that_batch_is_stored_as_ended() -> None:
    service = await restarted()
    made = await service.take(filed_event(70, 1, at=START + 60 * DAY))
    assert [event.type.split(".")[2] for event in made] == ["raised", "cleared"]
    assert row(service)["state"] == "cleared"
