"""Flags that stand on one petition, several of them in one matter: none is lost, and clearing one leaves the others."""

from __future__ import annotations

from typing import Any

import pytest

from services.alerts.bodies import show
from services.alerts.domain.levels import KINDS
from services.alerts.domain.warning import EACH_ITS_OWN, OF_PETITIONS
from services.screening.domain import flags as screening
from shared.events import derived_id, new_event
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.desk import OFFICER, Bench


def of(petition: str, kind: str, what: str = "raised", *, minute: int = 0, who: str = "", **more: Any) -> Any:
    """A flag of one petition of the matter m1."""
    event = flag("m1", kind, what=what, petitioners=1, minute=minute, level=KINDS[kind].floor, **more)
    evidence = tuple(item.model_copy(update={"petition_id": petition}) for item in event.data.evidence)
    changed = {
        "flag_id": f"{kind}-{petition}",
        "petition_ids": (petition,),
        "petitioners": (who or petition,),
        "evidence": evidence,
    }
    id = derived_id(kind, petition, what, str(minute))
    return new_event(event.data.model_copy(update=changed), id=id, source="/screening", time=event.time)


def test_every_kind_that_screening_flags_petition_by_petition_is_one_or_the_other():
    assert screening.OF_A_PETITION == EACH_ITS_OWN | OF_PETITIONS
    assert not EACH_ITS_OWN & OF_PETITIONS


@pytest.mark.parametrize("kind", sorted(EACH_ITS_OWN))
async def test_a_second_person_in_danger_is_called_about_like_the_first(kind: str):
    room = Bench()
    await room.hear(of("a", kind))
    await room.pass_time(minutes=1)
    await room.take(await room.one(), "assign", unit=BUREAU)
    before = len(room.told())
    await room.pass_time(minutes=20)
    await room.hear(of("b", kind, minute=21))
    await room.pass_time(minutes=10)
    second, first = await room.warnings()
    assert (first.state, first.flag.petition_ids) == ("assigned", ("a",))
    assert (second.state, second.flag.petition_ids, second.episode) == ("raised", ("b",), 1)
    assert any(second.id in id for id in room.told()[before:])
    await room.hear(of("a", kind, "cleared", minute=40, reason="contested"))
    second, first = await room.warnings()
    assert first.cleared_at is not None
    assert (second.state, second.cleared_at) == ("raised", None)


@pytest.mark.parametrize("kind", sorted(OF_PETITIONS))
@pytest.mark.parametrize("together", [True, False])
async def test_a_matters_visits_are_one_warning_that_names_them_all(kind: str, together: bool):
    room = Bench()
    events = [of("a", kind), of("b", kind, minute=1), of("c", kind, minute=2, who="a")]
    for batch in [events] if together else [[one] for one in events]:
        await room.hear(*batch)
    warning = await room.one()
    assert warning.flag.petition_ids == ("a", "b", "c")
    assert {item.petition_id for item in warning.flag.evidence} == {"a", "b", "c"}
    assert warning.flag.distinct_petitioners == 2  # one of them came twice
    assert warning.flag.explanation is not None
    assert warning.flag.explanation.zh.endswith("（本事项另有 2 件同类情形）")
    assert "standing" not in show(warning, OFFICER)


@pytest.mark.parametrize("kind", sorted(OF_PETITIONS))
async def test_it_ends_with_the_last_of_its_flags(kind: str):
    room = Bench()
    await room.hear(of("a", kind), of("b", kind, minute=1))
    await room.hear(of("b", kind, "cleared", minute=5, reason="contested"))
    warning = await room.one()
    assert (warning.state, warning.flag.petition_ids, warning.cleared_at) == ("raised", ("a",), None)
    await room.hear(of("b", kind, "cleared", minute=5, reason="contested"))  # again
    await room.hear(of("b", kind, "cleared", minute=6, reason="window_passed"))  # not one that it stands on
    assert (await room.one()).version == warning.version
    await room.hear(of("a", kind, "cleared", minute=7, reason="window_passed"))
    assert (await room.one()).state == "cancelled"


async def test_a_flag_after_all_were_cleared_stands_alone():
    room = Bench()
    await room.hear(of("a", "cross_level_visit"))
    await room.take(await room.one(), "acknowledge")
    await room.hear(of("a", "cross_level_visit", "cleared", minute=5, reason="window_passed"))
    await room.hear(of("b", "cross_level_visit", minute=9))
    warning = await room.one()
    assert (warning.flag.petition_ids, warning.cleared_at) == (("b",), None)


async def test_what_is_of_another_petition_is_not_old_however_old_it_is():
    room = Bench()
    await room.hear(of("a", "cross_level_visit", minute=30))
    await room.hear(of("late", "cross_level_visit", minute=10))
    assert (await room.one()).flag.petition_ids == ("a", "late")
    await room.take(await room.one(), "settle", reason="已劝返")
    await room.hear(of("a", "cross_level_visit", "updated", minute=30), of("b", "cross_level_visit", minute=20))
    new, settled = await room.warnings()
    assert (new.episode, new.previous, new.flag.petition_ids) == (2, settled.id, ("b",))


async def test_a_discarded_visit_comes_back_for_another_petition_only():
    room = Bench()
    await room.hear(of("a", "cross_level_visit"), of("b", "cross_level_visit", minute=1))
    await room.take(await room.one(), "discard", reason="系正常走访")
    await room.hear(of("a", "cross_level_visit", "updated", minute=3))
    assert len(await room.warnings()) == 1
    await room.hear(of("c", "cross_level_visit", minute=4))
    new, discarded = await room.warnings()
    assert (new.state, new.previous, new.flag.petition_ids) == ("raised", discarded.id, ("c",))


async def test_of_two_accused_units_none_may_see_what_is_one_warning():
    room = Bench()
    await room.hear(
        of("a", "cross_level_visit", restricted=True, accused_unit=BUREAU),
        of("b", "cross_level_visit", minute=1, restricted=True, accused_unit="379911.education_bureau"),
        of("c", "cross_level_visit", minute=2),
    )
    warning = await room.one()
    assert (warning.flag.restricted, warning.flag.accused_unit) == (True, None)
