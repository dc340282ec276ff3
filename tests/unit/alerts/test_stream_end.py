"""When a stream ends by itself: with the sign-in behind it, and when its account is deactivated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import httpx
import pytest

from services.alerts import http as alerts_http
from services.alerts.http_stream import Listening
from shared.access import DEMO_COOKIE, Principal
from shared.deactivated import DeactivatedFile
from tests.support.alerts import flag
from tests.unit.alerts.api import Api, running

STAYS, LEAVES = Principal("stays", "duty_officer"), Principal("leaves", "duty_officer")


async def forever() -> AsyncGenerator[bytes]:
    yield b"one"
    await asyncio.Event().wait()


def gone() -> bool:
    return True


def here() -> bool:
    return False


async def test_the_end_of_a_sign_in_ends_the_stream() -> None:
    listening = Listening(0.05, here)
    assert [part async for part in listening.frames(forever())] == [b"one"]


async def test_no_frame_goes_to_an_account_that_is_gone() -> None:
    assert [part async for part in Listening(5, gone).frames(forever())] == []


async def test_a_keep_alive_ends_the_quiet_stream_of_an_account_that_is_gone() -> None:
    left: list[str] = []
    closed = asyncio.Event()

    async def quiet() -> AsyncGenerator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.set()

    listening = Listening(60, lambda: bool(left))
    stream = listening.frames(quiet())
    assert await anext(stream) == b"one"
    listening.ping()  # between two frames
    following = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0)
    assert (listening.ping().comment or "").startswith("ping - ")
    await asyncio.sleep(0)
    assert not following.done()
    left.append("leaves")
    listening.ping()
    listening.ping()
    async with asyncio.timeout(1):
        assert await following is None
    assert closed.is_set()


async def test_a_sign_in_that_ends_while_a_frame_is_on_its_way_breaks_nothing_off() -> None:
    """Broken off there the client would get half a frame and a response without an end."""
    listening = Listening(0.02, here)
    sent: list[bytes] = []
    async for part in listening.frames(forever()):
        await asyncio.sleep(0.1)  # the client takes its time
        sent.append(part)
    assert sent == [b"one"]


def by_bearer(api: Api, who: Principal) -> httpx.AsyncClient:
    return api.client(who)


def by_cookie(api: Api, who: Principal) -> httpx.AsyncClient:
    client = api.client(None)
    client.cookies.set(DEMO_COOKIE, api.access.session_of(who))
    return client


SignIn = Callable[[Api, Principal], httpx.AsyncClient]


class Night:
    """Two who listen: one will be deactivated."""

    def __init__(self, api: Api, sign_in: SignIn, folder: Path) -> None:
        self.api = api
        self.list = folder / "deactivated.txt"
        api.access._deactivated = DeactivatedFile(self.list)
        self.leaving, self.staying = (asyncio.create_task(self._listen(sign_in(api, who))) for who in (LEAVES, STAYS))

    async def _listen(self, client: httpx.AsyncClient) -> httpx.Response:
        async with client:
            return await client.get("/v1/stream")  # this transport gives it once it has ended

    async def listeners(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.api.hub) != number:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("sign_in", [by_bearer, by_cookie])
async def test_a_deactivated_account_hears_no_further_warning(sign_in: SignIn, tmp_path: Path) -> None:
    async with running(Api()) as api:
        night = Night(api, sign_in, tmp_path)
        await night.listeners(2)
        await api.hear(flag("before"))
        await asyncio.sleep(0.3)
        night.list.write_text("leaves\n")
        await api.hear(flag("after"))
        async with asyncio.timeout(5):
            text = (await night.leaving).text
        assert "before" in text
        assert "after" not in text
        async with sign_in(api, LEAVES) as client:
            assert (await client.get("/v1/stream")).json()["code"] == "account-deactivated"
        assert not night.staying.done()
        night.staying.cancel()


@pytest.mark.parametrize("sign_in", [by_bearer, by_cookie])
async def test_a_keep_alive_finds_out_when_there_are_no_warnings(
    sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_http, "PING_S", 0.05)
    async with running(Api()) as api:
        night = Night(api, sign_in, tmp_path)
        await night.listeners(2)
        night.list.write_text("leaves\n")
        await night.listeners(1)
        async with asyncio.timeout(5):
            assert (await night.leaving).status_code == 200
        assert not night.staying.done()
        night.staying.cancel()


@pytest.mark.parametrize("known", [False, True])
async def test_a_list_that_cannot_be_read_ends_no_stream_but_of_those_it_last_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(alerts_http, "PING_S", 0.05)
    async with running(Api()) as api:
        night = Night(api, by_bearer, tmp_path)
        await night.listeners(2)
        if known:
            night.list.write_text("leaves\n")
            api.access._deactivated()
        night.list.unlink(missing_ok=True)
        night.list.symlink_to(night.list)  # can be neither followed nor read
        await api.hear(flag("after"))
        await asyncio.sleep(0.3)
        assert (night.leaving.done(), night.staying.done()) == (known, False)
        for task in (night.leaving, night.staying):
            task.cancel()
