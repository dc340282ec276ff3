"""Real sockets against the real service: who does not read, who only listens, and what a WebSocket must not do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from deploy.bench.stream import Listener, files_for
from deploy.local.stack import Stack
from tests.support.alerts import Alerts, flag
from tests.support.browser import in_thread
from tests.support.spine import until

pytestmark = pytest.mark.stack
UNREAD_S = 1
MIB = 2**20
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@pytest.fixture(scope="module")
def alerts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerts]:
    """One service for the module; every test raises warnings of its own in it."""
    alerts = Alerts(stack, tmp_path_factory.mktemp("sockets"))
    in_thread(alerts.topics())
    alerts.start(FENGQIAO_UNREAD_S=str(UNREAD_S), FENGQIAO_LOG_LEVEL="WARNING")
    in_thread(alerts.healthy())
    yield alerts
    alerts.close()


@pytest.fixture(autouse=True)
async def well(alerts: Alerts) -> AsyncIterator[None]:
    """Whatever a test did to it: the service is healthy, and nothing surprised it."""
    yield
    assert (await alerts.health("alerts-0"))["code"] == 200
    assert "Traceback" not in alerts.log("alerts-0")


def server(alerts: Alerts) -> psutil.Process:
    return psutil.Process(alerts.processes[0].pid)


def token(alerts: Alerts) -> str:
    return alerts.headers()["Authorization"].removeprefix("Bearer ")


async def listeners(alerts: Alerts, count: int, after: int = 0) -> list[Listener]:
    """Connected, and through what was there; each keeps the numbers above `after`."""
    found = [Listener("127.0.0.1", alerts.ports["alerts-0"], token(alerts), [after]) for _ in range(count)]
    for start in range(0, count, 100):
        part = found[start : start + 100]
        await asyncio.gather(*(one.connect() for one in part))
        await asyncio.gather(*(asyncio.wait_for(one.resumed.wait(), 30) for one in part))
    return found


async def raise_warnings(alerts: Alerts, name: str, count: int) -> None:
    await alerts.flags_in(*(flag(f"{name}-{n}", run=alerts.prefix) for n in range(count)))


async def close(found: list[Listener]) -> None:
    for one in found:
        await one.close()


# -- the stream -----------------------------------------------------------------------------------------------------------


async def test_only_the_client_that_never_reads_is_closed(alerts: Alerts) -> None:
    readers = await listeners(alerts, 3)
    had = len(readers[0].ids)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", alerts.ports["alerts-0"]))
        deaf.sendall(
            f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {readers[0].ids[-1]}\r\n"
            f"Authorization: Bearer {token(alerts)}\r\n\r\n".encode()
        )
        mine = deaf.getsockname()[1]

        async def connected() -> bool:
            return any(one.raddr and one.raddr.port == mine for one in server(alerts).net_connections())

        async def gone() -> bool:
            return not await connected()

        await until(connected, what="a connection")
        before = server(alerts).memory_info().rss
        for part in range(10):
            await raise_warnings(alerts, f"deaf{part}", 50)

        async def all_told() -> bool:
            return all(len(one.ids) >= had + 500 for one in readers)

        await until(all_told, what="five hundred warnings at each reader")
        await until(gone, seconds=20, what="the end of the connection that is not read")
        assert server(alerts).memory_info().rss - before < 64 * MIB
    told = max(one.ids[-1] for one in readers)
    await raise_warnings(alerts, "afterwards", 1)
    await until(lambda: _each(readers, lambda one: one.ids[-1] > told), what="the readers to go on being told")
    for one in readers:
        assert one.ids == list(range(len(one.ids)))  # nothing is missing
        assert one.ended == 0
    await close(readers)


async def _each(found: list[Listener], holds: Callable[[Listener], bool]) -> bool:
    return all(holds(one) for one in found)


async def test_a_thousand_idle_listeners_all_hear_of_one_warning(alerts: Alerts) -> None:
    [first] = await listeners(alerts, 1)
    head = first.ids[-1]
    idle = await listeners(alerts, files_for(1000), head)
    assert (await alerts.health("alerts-0"))["code"] == 200
    await raise_warnings(alerts, "thousand", 1)
    await until(lambda: _each(idle, lambda one: one.ids[-1] > head), what="the warning at each listener")
    for one in idle:
        assert one.ids == list(range(head, head + len(one.ids)))
        assert one.ended == 0
    await close([first, *idle])


# -- the WebSocket of the console's pages ------------------------------------------------------------------------------------


def opened(alerts: Alerts, **more: object) -> connect:
    """A connection as the page's browser makes it, that answers nothing by itself but the protocol's pings."""
    origin = more.pop("origin", alerts.url())
    return connect(
        f"ws://{urlsplit(alerts.url()).netloc}{SOCKET}", origin=origin, ping_interval=None, proxy=None, **more
    )  # type: ignore[arg-type]


async def ending(page: ClientConnection, seconds: float = 20) -> int:
    """The code with which the service ends the connection."""
    async with asyncio.timeout(seconds):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await page.recv()
    await page.wait_closed()
    assert page.close_code is not None
    return page.close_code


async def joined(page: ClientConnection) -> None:
    """Through the two greetings."""
    assert str(await page.recv()).startswith('0{"sid"')
    await page.send("40")
    assert str(await page.recv()).startswith("40{")


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1"])
async def test_another_site_opens_no_socket(alerts: Alerts, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(alerts, origin=origin):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\xff\x80" * 100, 1003),
        (b"4", 1003),
        ("", 1002),
        ("garbage", 1002),
        ("9", 1002),
        ("4", 1000),
        ("4zzz", 1000),
        ('42["handshake",{}]', 1000),
        ('42["event",null]', 1000),
        ('42["event",{"client_id":["x"]}]', 1000),
        ('42["nobody",{"client_id":"x"}]', 1000),
        ('42/other,["event",{"client_id":"x"}]', 1000),
        ('451-["event",{"_placeholder":true,"num":0}]', 1000),
        ("42" + "[" * 100_000, 1000),
    ],
    ids=range(14),
)
async def test_what_no_page_says_ends_the_connection(alerts: Alerts, frame: str | bytes, code: int) -> None:
    async with opened(alerts) as page:
        await joined(page)
        await page.send(frame)
        if code == 1000:
            async with asyncio.timeout(10):
                while await page.recv() != "1":  # engine.io's word for the end, after which a browser closes
                    pass
            return
        assert await ending(page) == code


async def test_a_frame_too_large_is_not_taken_in(alerts: Alerts) -> None:
    before = server(alerts).memory_info().rss
    for large in ("4" + "x" * 10_000_000, b"x" * 10_000_000, ["4" + "x" * 600_000, "x" * 600_000]):
        async with opened(alerts, max_size=None) as page:
            await joined(page)
            with contextlib.suppress(ConnectionClosed):
                await page.send(large)
            assert await ending(page) == 1009
    assert server(alerts).memory_info().rss - before < 16 * MIB


async def test_a_flood_of_pings_ends_its_own_connection_only(alerts: Alerts) -> None:
    async with opened(alerts) as page, opened(alerts) as flood:
        await joined(page)
        await joined(flood)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(5000):
                await flood.ping()
        assert await ending(flood) in (1008, 1006)  # 1006: what was still on its way here was thrown away with the rest
        async with asyncio.timeout(20):
            while await page.recv() != "2":
                pass
            await page.send("3")
        await (await page.ping())


async def test_who_does_not_answer_is_closed(alerts: Alerts) -> None:
    async with opened(alerts) as page:
        await joined(page)
        assert await ending(page) == 1000
