"""Rows that waited in the broker for longer than rows are kept are removed at once: whoever needs them gets a snapshot."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.ports import StreamRow
from services.alerts.signals import Heard, on_flags
from services.alerts.store import KEEP_STREAM_S
from services.alerts.stream import Hub, Reset, Resumed
from shared.access import Scope
from tests.support.alerts import AT, flag
from tests.unit.alerts.api import Api, running
from tests.unit.alerts.test_stream import seqs, until_resumed


def expire(api: Any, *gone: int) -> None:
    api.store.s.stream = [row for row in api.store.s.stream if row.seq not in gone]


async def with_five() -> Api:
    api = Api()
    await api.hear(*[flag(f"m{n}") for n in range(1, 6)])
    return api


async def test_after_a_backlog_older_than_rows_are_kept():
    api = Api()
    await api.hear(flag("m1"))
    api.clock.advance(timedelta(days=9))
    await api.take(await api.one(), "verify")
    heard = [Heard(flag("m2"), AT + timedelta(hours=1))]  # it waited for nine days
    await api.store.run(lambda tx: on_flags(tx, heard, api.desk.policies))
    await api.take((await api.warnings(matter="m2"))[0], "verify")
    kept = api.clock.now() - timedelta(seconds=KEEP_STREAM_S)
    expire(api, *(row.seq for row in api.store.s.stream if row.at < kept))
    assert [row.seq for row in api.store.s.stream] == [2, 4]
    async with running(api):
        items, _ = await until_resumed(api.hub, Scope(), "2")
    assert items[0] == Reset("expired", 4)
    assert seqs(items) == [2, 4]  # the newest of each open warning
    assert items[-1] == Resumed(4)


@pytest.mark.parametrize(
    ("gone", "last", "before"),
    [((3,), "2", []), ((4,), "2", [3]), ((5,), "2", [3, 4]), ((3, 4, 5), "2", []), ((5,), "4", [])],
)
async def test_a_gap_in_what_is_asked_for_gives_a_snapshot(gone, last, before):
    api = await with_five()
    expire(api, *gone)
    async with running(api):
        items, _ = await until_resumed(api.hub, Scope(), last)
    at = items.index(Reset("expired", 5))
    assert seqs(items[:at]) == before
    assert seqs(items[at:]) == [1, 2, 3, 4, 5]
    assert items[-1] == Resumed(5)


@pytest.mark.parametrize(("gone", "last", "rows"), [((2,), "2", [3, 4, 5]), ((1, 2), "3", [4, 5]), ((4,), "5", [])])
async def test_a_gap_before_what_is_asked_for_matters_to_nobody(gone, last, rows):
    api = await with_five()
    expire(api, *gone)
    async with running(api):
        items, _ = await until_resumed(api.hub, Scope(), last)
    assert (seqs(items), items[-1]) == (rows, Resumed(5))
    assert not any(isinstance(item, Reset) for item in items)


async def test_a_row_that_was_removed_before_it_was_handed_out_ends_the_listeners_who_then_get_a_snapshot():
    api = await with_five()
    hub = Hub(api.store)
    await hub.start()
    try:
        items, following = await until_resumed(hub, Scope(), "5")
        assert items == [Resumed(5)]
        await api.hear(flag("m6"), flag("m7"))
        expire(api, 6)
        hub.wake()
        async with asyncio.timeout(5):
            rest = [item async for item in following]
        assert not [item for item in rest if isinstance(item, StreamRow)]
        async with asyncio.timeout(5):
            while hub.at < 7:
                await asyncio.sleep(0.01)
        items, _ = await until_resumed(hub, Scope(), "5")
        assert items[0] == Reset("expired", 7)
    finally:
        await hub.stop()
