"""A matter goes into another one: its warning ends, but for one that nobody saw and that would go unheard with the other's."""

from __future__ import annotations

from typing import Any

import pytest

from services.alerts.console import panels
from tests.support.alerts import flag
from tests.unit.alerts.desk import Bench, visitor_of

UNSEEN = "并入预警已被排除的事项：本预警尚无人查看，予以保留"


def taken_in(matter: str = "small", into: str = "big", kind: str = "collective_risk") -> Any:
    return flag(matter, kind, what="cleared", petitioners=5, minute=9, reason=f"merged:{into}")


async def states(room: Bench) -> dict[str, str]:
    return {warning.matter: warning.state for warning in await room.warnings()}


async def of(room: Bench, matter: str) -> Any:
    [warning] = [warning for warning in await room.warnings() if warning.matter == matter]
    return warning


async def with_discarded(kind: str = "collective_risk") -> Bench:
    """A big matter whose warning staff discarded, and a small one with a warning that nobody has looked at."""
    room = Bench()
    await room.hear(flag("big", kind, petitioners=20), flag("small", kind))
    await room.take(await of(room, "big"), "discard", reason="已另案处理")
    return room


def grown(kind: str = "collective_risk") -> Any:
    return flag("big", kind, what="updated", petitioners=25, minute=9)


@pytest.mark.parametrize("kind", ["collective_risk", "surge"])
@pytest.mark.parametrize("batches", [["grown taken"], ["grown", "taken"], ["taken", "grown"]], ids=", ".join)
async def test_a_warning_that_nobody_saw_stays_where_staff_had_discarded_the_other_one(kind: str, batches: list[str]):
    room = await with_discarded(kind)
    events = {"grown": grown(kind), "taken": taken_in(kind=kind)}
    for batch in batches:
        await room.hear(*(events[name] for name in batch.split()))
    assert await states(room) == {"small": "raised", "big": "discarded"}
    small = await of(room, "small")
    last = (await room.store.log(small.id))[-1]
    assert last.why is not None
    assert (last.action, last.why.zh) == ("update", UNSEEN)
    facts = dict(panels.facts(await visitor_of(room), small))
    assert "依据已消失，仍须有人查看" in facts
    await room.pass_time(minutes=1)
    assert (await room.take(small, "acknowledge")).state == "acknowledged"


@pytest.mark.parametrize("order", ["raised first", "cleared first"])
async def test_it_ends_where_the_other_one_warns_or_will_in_whatever_order_that_is_heard(order: str):
    room = Bench()
    await room.hear(flag("small"))
    big = flag("big", petitioners=10, minute=9)
    for event in (big, taken_in()) if order == "raised first" else (taken_in(), big):
        await room.hear(event)
    assert await states(room) == {"small": "cancelled", "big": "raised"}


async def test_it_ends_where_the_other_one_was_settled_and_opens_a_new_episode():
    room = Bench()
    await room.hear(flag("big", petitioners=20), flag("small"))
    await room.take(await of(room, "big"), "acknowledge")
    await room.take(await of(room, "big"), "settle", reason="已办结")
    await room.hear(taken_in())
    await room.hear(flag("big", what="updated", petitioners=25, minute=9))
    assert sorted((w.matter, w.episode, w.state) for w in await room.warnings()) == [
        ("big", 1, "settled"),
        ("big", 2, "raised"),
        ("small", 1, "cancelled"),
    ]


@pytest.mark.parametrize("inner_first", [True, False])
async def test_a_chain_of_merges_into_a_matter_that_warns_leaves_one_warning(inner_first: bool):
    room = Bench()
    await room.hear(flag("a"), flag("b"), flag("c", petitioners=9))
    events = [taken_in("a", "b"), taken_in("b", "c")]
    await room.hear(*(events if inner_first else reversed(events)))
    assert await states(room) == {"a": "cancelled", "b": "cancelled", "c": "raised"}


async def test_what_was_kept_holds_again_when_the_merge_is_taken_back_and_ends_as_any_other():
    room = await with_discarded()
    await room.hear(taken_in())
    assert (await of(room, "small")).cleared_at is not None
    await room.hear(flag("small", minute=10, run="again"))
    small = await of(room, "small")
    assert (small.state, small.cleared_at) == ("raised", None)
    await room.hear(flag("small", what="cleared", minute=60, reason="window_passed"))
    assert (await states(room))["small"] == "cancelled"
