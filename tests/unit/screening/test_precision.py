"""A flag counts for the rule and the policy that raised it, whatever touched it later."""

from dataclasses import replace
from typing import Any

from services.screening import codec, store
from services.screening.domain.policy import Policies
from services.screening.pipeline import Screening
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import DAY, POLICIES, START
from tests.support.screening import filed_event
from tests.support.screening_service import OFFICER, Seconds, Service


def two_policies() -> Policies:
    base = POLICIES.all[-1]
    risk = replace(base.rules.collective_risk, version=3, petitioners=8)
    later = replace(
        base,
        version=base.version + 1,
        effective_from=(START + 10 * DAY).date(),
        rules=replace(base.rules, collective_risk=risk),
    )
    return Policies([base, later])


async def raised_then_touched() -> Service:
    policies = two_policies()
    service = Service(MemoryStore())
    service.screening = Screening(service.store, lambda: policies, Seconds(service))
    await service.take(*(filed_event(n, minutes=n) for n in range(1, 6)))
    await service.take(filed_event(6, at=START + 11 * DAY))
    return service


async def booked(service: Service) -> list[tuple[Any, ...]]:
    rows = (await service.desk.precision(None, OFFICER))["rules"]
    return [(row["rule"], row["rule_version"], row["policy"], row["flags"]) for row in rows]


async def test_a_flag_is_booked_to_what_raised_it() -> None:
    service = await raised_then_touched()
    row = (await service.flags())["collective_risk"]
    base = POLICIES.all[-1]
    risk = base.rules.collective_risk
    assert row["policy"] != base.name
    assert await booked(service) == [(risk.id, risk.version, base.name, 1)]


async def test_one_that_is_raised_and_touched_in_one_batch_too() -> None:
    policies = two_policies()
    service = Service(MemoryStore())
    service.screening = Screening(service.store, lambda: policies, Seconds(service))
    await service.take(*(filed_event(n, minutes=n) for n in range(1, 6)), filed_event(6, at=START + 11 * DAY))
    assert [policy for _, _, policy, _ in await booked(service)] == [POLICIES.all[-1].name]


async def test_a_row_of_before_goes_by_what_touched_it_last() -> None:
    service = await raised_then_touched()
    [row] = service.store.rows["flags"].values()
    del row["raised_by"]
    await service.take(filed_event(7, at=START + 11 * DAY, minutes=1))
    assert "raised_by" not in row
    assert [policy for _, _, policy, _ in await booked(service)] == [row["policy"]]


async def test_the_store_sets_it_with_a_new_row_only() -> None:
    service = await raised_then_touched()
    [told] = [codec.told(row) for row in service.store.rows["flags"].values()]
    document = codec.flag_document(told)
    assert document["raised_by"]["policy"] == told.flag.policy
    change: Any = store._set(document, once="raised_by")._doc
    assert change["$setOnInsert"] == {"raised_by": document["raised_by"]}
    assert "raised_by" not in change["$set"]
    assert "_id" not in change["$set"]
