"""Matters in which nothing happens any more leave memory; their rows stay as they were. On the fake and on MongoDB."""

from typing import Any

import pytest

from services.screening import codec
from services.screening.domain.petitions import Decision
from services.screening.handlers import Refused
from shared.events import (
    PetitionAccepted,
)
from tests.support.petitions import COUNTY
from tests.support.screening import filed_event, later
from tests.support.screening_service import AFTER, OFFICER, Service


async def quiet_and_newer(service: Service) -> tuple[str, str]:
    """A matter of the garage in which nothing happens any more, and one of wages, of 200 days later."""
    days = 24 * 60
    await service.take(*(filed_event(n, minutes=n) for n in range(3)))
    for day in (200, 202, 204):  # once a day of the county's time, quiet matters leave memory
        await service.take(filed_event(day, 1, minutes=day * days))
    place = {row["_id"]: row["matter"] for row in (await service.store.county(COUNTY, 1000)).petitions}
    return place["run-p00000"], place["run-p00200"]


async def rows_of(service: Service, *ids: str) -> list[Any]:
    return sorted(await service.store.named(ids), key=lambda row: str(row["_id"]))


async def test_a_matter_that_left_memory_is_neither_merged_nor_split_nor_offered(service: Service) -> None:
    quiet, newer = await quiet_and_newer(service)
    before = await rows_of(service, quiet, newer)
    assert quiet not in service.screening.held(COUNTY).histories
    for deciding in (
        service.desk.merge(newer, quiet, "同一件事", OFFICER),
        service.desk.merge(quiet, newer, "同一件事", OFFICER),
        service.desk.split(quiet, ["run-p00000"], "不同的事", OFFICER),
    ):
        with pytest.raises(Refused, match=f"{quiet} for 180 days") as refused:
            await deciding
        assert refused.value.code == "matter-inactive"
    for id in (quiet, newer):
        assert (await service.desk.near(id, OFFICER))["items"] == []
    await service.screening.tick()
    assert await rows_of(service, quiet, newer) == before


async def test_a_matter_that_is_about_to_leave_memory_is_refused_already(service: Service) -> None:
    await service.take(filed_event(0), filed_event(1, 1, minutes=179.5 * 24 * 60))
    one, other = (placed.matter for placed in service.screening.held(COUNTY).placed.values())
    with pytest.raises(Refused, match="newer matter"):
        await service.desk.merge(one, other, "同一件事", OFFICER)


async def test_a_decision_on_what_left_memory_meanwhile_says_that_it_came_to_nothing(service: Service) -> None:
    quiet, newer = await quiet_and_newer(service)
    before = await rows_of(service, quiet, newer)
    decisions = [
        Decision("d1", "merge", AFTER, newer, "officer", "同一件事", other=quiet),
        Decision("d2", "merge", AFTER, quiet, "officer", "同一件事", other=newer),
        Decision("d3", "split", AFTER, quiet, "officer", "不同的事", other="new", petitions=("run-p00000",)),
        Decision("d4", "split", AFTER, newer, "officer", "不同的事", other="new", petitions=("run-p00000",)),
    ]
    for decision in decisions:
        row = codec.decision_document(COUNTY, decision)
        await service.store.transaction(lambda tx, r=row: service.store.put_decision(tx, r))
    for _ in range(2):
        await service.screening.tick()
        shown = [line for id in (quiet, newer) for line in (await service.desk.matter(id, OFFICER))["decisions"]]
        assert {line["id"]: line["refused"] for line in shown} == {
            "d1": "matter-inactive",
            "d2": "matter-inactive",
            "d3": "matter-inactive",
            "d4": "not-members",
        }
        assert await service.store.inbox([COUNTY]) == {}
        assert await rows_of(service, quiet, newer) == before
        service.start()
        await service.screening.load([3])
        assert (await service.store.county(COUNTY, 180)).decisions == []


async def test_what_was_split_off_does_not_write_the_quiet_rest_anew(service: Service) -> None:
    days = 24 * 60
    await service.take(*(filed_event(n, minutes=n) for n in range(6)), filed_event(10, 1, minutes=9))
    places = {pid: placed.matter for pid, placed in service.screening.held(COUNTY).placed.items()}
    old, wages = places["run-p00000"], places["run-p00010"]
    await service.desk.split(old, ["run-p00000"], "其实是欠薪", OFFICER)
    await service.screening.tick()
    off = service.screening.held(COUNTY).placed["run-p00000"].matter
    await service.desk.merge(wages, off, "同一件事", OFFICER)
    await service.screening.tick()
    for day in (60, 120, 180, 240, 242):
        await service.take(filed_event(day, 1, minutes=day * days))
    before = [await rows_of(service, old), await service.flags()]
    assert before[1]["collective_risk"]["state"] == "cleared"
    assert old not in service.screening.held(COUNTY).histories
    accepted = PetitionAccepted(petition_id="run-p00000", jurisdiction=COUNTY, at=AFTER, unit=f"{COUNTY}.office")
    await service.take(later(accepted, id="a", at=AFTER))
    for more in range(2):
        assert [await rows_of(service, old), await service.flags()] == before
        service.start()
        await service.screening.load([3])
        await service.take(filed_event(300 + more, 1, minutes=(243 + more) * days))


async def test_what_took_in_the_home_of_a_petition_is_fetched_with_what_was_split_off_it(service: Service) -> None:
    days = 24 * 60
    await service.take(*(filed_event(10 * matter + n, matter, minutes=n) for matter in range(3) for n in range(3)))
    places = {pid: placed.matter for pid, placed in service.screening.held(COUNTY).placed.items()}
    garage, wages, land = (places[f"run-p{10 * n:05d}"] for n in range(3))
    await service.desk.merge(garage, land, "同一件事", OFFICER)
    await service.screening.tick()
    await service.desk.split(garage, ["run-p00020"], "其实是欠薪", OFFICER)
    await service.screening.tick()
    off = service.screening.held(COUNTY).placed["run-p00020"].matter
    await service.desk.merge(wages, off, "同一件事", OFFICER)
    await service.screening.tick()
    for n in range(12):
        await service.take(filed_event(100 + n, 1, minutes=(40 + 40 * n) * days))
    held = service.screening.held(COUNTY)
    assert garage not in held.histories
    members = [member.filing.id for member in held.histories[wages].members()]
    before = await rows_of(service, garage, wages)
    service.start()
    await service.screening.load([3])
    held = service.screening.held(COUNTY)
    assert held.placed["run-p00020"].matter == wages
    assert [member.filing.id for member in held.histories[wages].members()] == members
    assert {p for p, placed in held.placed.items() if placed.matter == garage} == {
        *(f"run-p{n:05d}" for n in (0, 1, 2, 21, 22))
    }
    accepted = PetitionAccepted(petition_id="run-p00020", jurisdiction=COUNTY, at=AFTER, unit=f"{COUNTY}.office")
    await service.take(later(accepted, id="a", at=AFTER))
    assert (await rows_of(service, garage))[0] == before[0]
