"""A matter goes into another one: its warning ends where the other one warns on, and stays where it would go unheard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.alerts import flag
from tests.unit.alerts.desk import Bench


async def heard(room: Bench, *events: Any, together: bool) -> None:
    """In one batch or one by one."""
    if together:
        await room.hear(*events)
    else:
        for event in events:
            await room.hear(event)


def taken_in(into: str = "big") -> Any:
    return flag("small", what="cleared", petitioners=5, minute=9, reason=f"merged:{into}")


async def states(room: Bench) -> dict[str, str]:
    return {warning.matter: warning.state for warning in await room.warnings()}


@pytest.mark.parametrize("together", [True, False])
async def test_the_warning_of_what_was_merged_in_ends_where_the_other_one_is_open(together: bool) -> None:
    room = Bench()
    await room.hear(flag("small"))
    await heard(room, flag("big", petitioners=10, minute=9), taken_in(), together=together)
    assert await states(room) == {"small": "cancelled", "big": "raised"}


@pytest.mark.parametrize("together", [True, False])
async def test_it_stays_where_staff_had_discarded_the_other_one(together: bool) -> None:
    room = Bench()
    await room.hear(flag("big", petitioners=20), flag("small"))
    [big] = [warning for warning in await room.warnings() if warning.matter == "big"]
    await room.take(big, "discard", reason="已另案处理")
    await heard(room, flag("big", what="updated", petitioners=25, minute=9), taken_in(), together=together)
    assert await states(room) == {"small": "raised", "big": "discarded"}
    [small] = [warning for warning in await room.warnings() if warning.matter == "small"]
    assert small.cleared_at is not None
    last = (await room.store.log(small.id))[-1]
    assert last.why is not None
    assert (last.action, last.why.zh) == ("update", "并入其他事项，研判撤销")
    await room.pass_time(minutes=1)
    assert (await room.take(small, "acknowledge")).state == "acknowledged"


async def test_it_stays_where_the_other_one_never_warned() -> None:
    room = Bench()
    await room.hear(flag("small"))
    await room.hear(taken_in("unknown"))
    assert await states(room) == {"small": "raised"}
