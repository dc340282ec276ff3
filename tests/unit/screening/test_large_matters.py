"""A matter of more petitions than its history lists, and the matter that a draft resembles."""

import copy
from typing import Any

import pytest

from services.screening.handlers import Refused
from services.screening.ports import LISTED
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, DAY, MATTERS, START
from tests.support.screening import filed_event
from tests.support.screening_service import OFFICER, Service


async def large(service: Service, count: int) -> str:
    """A matter of `count` petitions in the store; memory has a few of them."""
    await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    rows = service.store.rows["petitions"]
    first: Any = rows["run-p00000"]
    for n in range(5, count):
        rows[f"run-p{n:05d}"] = copy.deepcopy(first) | {"_id": f"run-p{n:05d}", "at": START + n * DAY / 1000}
    return str(first["matter"])


async def test_the_newest_of_a_large_matter_are_listed_and_the_answer_says_what_is_not() -> None:
    service = Service(MemoryStore())
    matter = await large(service, LISTED + 7)
    whole = await service.desk.matter(matter, OFFICER)
    assert (len(whole["members"]), whole["members_left_out"]) == (LISTED, 7)
    assert whole["members"][-1]["id"] == f"run-p{LISTED + 6:05d}"
    times = [p["at"] for p in whole["members"]]
    assert times == sorted(times)


async def test_a_small_one_is_listed_whole() -> None:
    service = Service(MemoryStore())
    whole = await service.desk.matter(await large(service, 5), OFFICER)
    assert (len(whole["members"]), whole["members_left_out"]) == (5, 0)


async def test_any_petition_of_a_large_matter_can_be_split_off() -> None:
    service = Service(MemoryStore())
    matter = await large(service, LISTED + 7)
    for one in ("run-p00000", f"run-p{LISTED + 6:05d}"):
        assert (await service.desk.split(matter, [one], "另一事项", OFFICER))["state"] == "accepted"
    many = [f"run-p{n:05d}" for n in range(LISTED)]
    assert (await service.desk.split(matter, many, "另一事项", OFFICER))["state"] == "accepted"


@pytest.mark.parametrize(("petitions", "code"), [(["run-p00001", "run-p99999"], "not-members"), (None, "all-members")])
async def test_what_is_no_member_and_all_of_them_are_refused(petitions: list[str] | None, code: str) -> None:
    service = Service(MemoryStore())
    matter = await large(service, 5)
    whole = petitions or [f"run-p{n:05d}" for n in range(5)] * 2
    with pytest.raises(Refused) as refused:
        await service.desk.split(matter, whole, "另一事项", OFFICER)
    assert refused.value.code == code


async def test_a_draft_is_told_of_the_matter_where_the_example_is_now() -> None:
    service = Service(MemoryStore())
    await service.take(*(filed_event(n, minutes=n) for n in range(3)))
    matter = service.store.rows["petitions"]["run-p00002"]["matter"]
    await service.desk.split(matter, ["run-p00002"], "另一事项", OFFICER)
    await service.screening.tick()
    [found] = service.desk.similar(COUNTY, *MATTERS[0])["matters"]
    assert found["petition_id"] == "run-p00002"
    assert found["matter"] == service.store.rows["petitions"]["run-p00002"]["matter"] != matter
