"""Group G74 and G75, and the promise that nothing is missed: the stream on the memory store."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.ports import StreamRow
from services.alerts.stream import Hub, Reset, Resumed, frame
from shared.access import Principal, Scope
from shared.directory import directory
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api, running
from tests.unit.alerts.desk import Bench


async def until_resumed(hub: Hub, scope: Scope, last: str | None) -> tuple[list[Any], Any]:
    """Items up to the resume marker, and the stream that goes on."""
    following = hub.follow(scope, last)
    found: list[Any] = []
    async with asyncio.timeout(5):
        async for item in following:
            found.append(item)
            if isinstance(item, Resumed):
                break
    return found, following


def seqs(items: list[Any]) -> list[int]:
    return [item.seq for item in items if isinstance(item, StreamRow)]


async def with_three() -> Api:
    api = Api()
    await api.hear(flag("m1"), flag("m2"), flag("m3"))
    await api.take((await api.warnings())[0], "settle", reason="done")
    return api


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (None, "absent"),
        ("", "absent"),
        ("abc", "garbage"),
        ("-1", "garbage"),
        ("1e3", "garbage"),
        ("٣", "garbage"),
        ("9" * 400, "garbage"),
        ("5", "future"),
        ("999999", "future"),
    ],
)
async def test_an_id_that_says_nothing_gives_a_snapshot_and_a_marker(last, reason):
    async with running(await with_three()) as api:
        items, _ = await until_resumed(api.hub, Scope(), last)
        assert items[0] == Reset(reason, 4)
        assert seqs(items) == [1, 2]  # the open ones
        assert items[-1] == Resumed(4)


@pytest.mark.parametrize(("last", "rows"), [("0", [1, 2, 3, 4]), ("2", [3, 4]), ("4", [])])
async def test_a_known_id_goes_on_after_it(last, rows):
    async with running(await with_three()) as api:
        items, _ = await until_resumed(api.hub, Scope(), last)
        assert seqs(items) == rows
        assert items[-1] == Resumed(4)


async def test_an_id_older_than_what_is_kept():
    api = await with_three()
    del api.store.s.stream[:3]
    async with running(api):
        items, _ = await until_resumed(api.hub, Scope(), "1")
        assert items[0] == Reset("expired", 4)
        items, _ = await until_resumed(api.hub, Scope(), "3")
        assert seqs(items) == [4]


async def test_live_rows_follow_within_the_scope():
    async with running(Api()) as api:
        unit = Principal("u", "unit", BUREAU).scope(directory())
        _, following = await until_resumed(api.hub, unit, None)
        await api.hear(flag("other", unit="379911001"), flag("mine"))
        async with asyncio.timeout(5):
            row = await anext(following)
        assert orjson.loads(row.event)["data"]["matter"] == "mine"
        await api.take(next(w for w in await api.warnings() if w.matter == "mine"), "assign", unit="379911001")
        async with asyncio.timeout(5):
            handed_on = await anext(following)
        assert orjson.loads(handed_on.event)["data"]["responsible_unit"] == "379911001"


async def test_only_the_client_that_never_reads_is_closed():
    async with running(Api()) as api:
        streams = [(await until_resumed(api.hub, Scope(), None))[1] for _ in range(50)]
        deaf = (await until_resumed(api.hub, Scope(), None))[1]
        assert len(api.hub) == 51
        for n in range(30):  # the queue holds 20
            await api.hear(flag(f"m{n}"))
            async with asyncio.timeout(5):
                assert [(await anext(stream)).seq for stream in streams] == [n + 1] * 50
        assert (len(api.hub), api.hub.overflows) == (50, 1)
        async with asyncio.timeout(5):
            assert [row async for row in deaf] == []
        # it comes again with its last id and has missed nothing
        items, _ = await until_resumed(api.hub, Scope(), "0")
        assert seqs(items) == list(range(1, 31))


async def test_a_stream_that_is_left_leaves_nothing_behind():
    async with running(Api()) as api:
        _, following = await until_resumed(api.hub, Scope(), None)
        assert len(api.hub) == 1
        await following.aclose()
        assert len(api.hub) == 0


async def test_frames_hold_one_line_of_data_whatever_is_in_it():
    bench = Bench()
    event = flag("m1")
    nasty = event.model_copy(
        update={"data": event.data.model_copy(update={"title": "a\r\nid: 99\n\ndata: x\u2028<script>"})}
    )
    await bench.hear(nasty)
    [row] = await bench.store.stream(0, 10)
    text = frame(row).decode()
    assert text.count("\n") == 4
    assert "\r" not in text
    lines = text.rstrip("\n").split("\n")
    assert [line.split(":")[0] for line in lines] == ["id", "event", "data"]
    assert orjson.loads(lines[2][6:])["data"]["title"] == "a\r\nid: 99\n\ndata: x\u2028<script>"


async def test_the_stream_over_http_needs_a_sign_in_and_says_when_it_is_not_running():
    api = Api()
    assert (await api.get("/v1/stream", None)).status_code == 401
    assert (await api.get("/v1/stream", "operator")).status_code == 403
    assert (await api.get("/v1/stream")).json()["code"] == "stream-unavailable"


ACTS = st.lists(st.sampled_from(["new", "more", "settle", "read", "leave", "come"]), max_size=40)


@settings(max_examples=40, deadline=None)
@given(acts=ACTS)
def test_whatever_happens_a_reader_sees_every_number_in_order(acts):
    async def run() -> None:
        async with running(Api()) as api:
            seen: list[int] = []
            following = None
            n = 0
            for act in acts:
                if act == "new":
                    n += 1
                    await api.hear(flag(f"m{n}"))
                elif act == "more" and n:
                    await api.hear(flag(f"m{n}", what="updated", petitioners=6 + len(seen), minute=len(seen) + 1))
                elif act == "settle" and (found := await api.warnings(states=frozenset({"raised"}))):
                    await api.take(found[0], "settle", reason="done")
                elif act == "come" and following is None:
                    items, following = await until_resumed(api.hub, Scope(), str(seen[-1]) if seen else "0")
                    seen += seqs(items)
                elif act == "leave" and following is not None:
                    await following.aclose()
                    following = None
                elif act == "read" and following is not None and len(seen) < await api.store.head():
                    async with asyncio.timeout(5):
                        seen.append((await anext(following)).seq)
            if following is not None:
                await following.aclose()
            items, following = await until_resumed(api.hub, Scope(), str(seen[-1]) if seen else "0")
            await following.aclose()
            seen += seqs(items)
            assert seen == list(range(1, await api.store.head() + 1))

    asyncio.run(run())
