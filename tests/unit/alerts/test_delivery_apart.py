"""Receivers do not hold up one another, and an address that has a message does not get it again."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import apprise
import httpx
import pytest

from services.alerts import outward
from services.alerts.courier import ATTEMPT_S, EACH_AT_ONCE, HOLD, Courier
from services.alerts.outward import is_public
from services.alerts.policy import Receiver
from services.alerts.ports import Delivery
from tests.unit.alerts.desk import Bench

RECEIVERS = {
    "dead": Receiver(type="webhook", url="https://dead.test/x", key_id="k", key="hook"),
    "desk": Receiver(type="console"),
    "chat": Receiver(type="apprise", urls="chat"),
}


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    bench = Bench()
    (tmp_path / "hook.key").write_text(base64.b64encode(b"w" * 32).decode())
    (tmp_path / "chat.urls").write_text("json://hook.test/good\n # a comment\n\njson://hook.test/bad\n")
    bench.courier = Courier(bench.store, RECEIVERS, bench.desk.units, bench.clock, secrets=tmp_path)
    return bench


async def put(bench: Any, receiver: str, *ids: str, ago: float = 0) -> None:
    now = bench.clock.now()
    rows = [Delivery(id, receiver, "first", (), {"warnings": []}, now, now - timedelta(seconds=ago)) for id in ids]
    await bench.store.run(lambda tx: tx.put_deliveries(rows))


class Silent:
    """A webhook that does not answer until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.let_go = asyncio.Event()

        async def post(url: str, **_: Any) -> int:
            self.asked += 1
            await self.let_go.wait()
            raise httpx.ConnectTimeout("")

        monkeypatch.setattr(outward, "post", post)


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else(bench, monkeypatch):
    silent = Silent(monkeypatch)
    await put(bench, "dead", *(f"d{n}" for n in range(48)), ago=1)
    await put(bench, "desk", "urgent")
    work = asyncio.create_task(bench.courier.deliver_due())
    try:
        async with asyncio.timeout(5):
            while bench.store.s.deliveries["urgent"].status != "sent":
                await asyncio.sleep(0.01)
            assert silent.asked == EACH_AT_ONCE
            await put(bench, "desk", "later")  # one that comes up while the dead one is waited for
            while bench.store.s.deliveries["later"].status != "sent":
                await asyncio.sleep(0.01)
    finally:
        silent.let_go.set()
    async with asyncio.timeout(5):
        await work
    assert silent.asked == 48
    assert {len(row.attempts) for row in bench.store.s.deliveries.values()} == {1}


async def test_ending_the_courier_ends_what_it_waits_for(bench, monkeypatch):
    silent = Silent(monkeypatch)
    await put(bench, "dead", "d0")
    work = asyncio.create_task(bench.courier.deliver_due())
    while not silent.asked:
        await asyncio.sleep(0.01)
    before = len(asyncio.all_tasks())
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert len(asyncio.all_tasks()) == before - 2  # the courier and its attempt
    assert bench.store.s.deliveries["d0"].status == "pending"  # taken up again after its hold


async def test_an_attempt_ends_before_somebody_else_may_take_the_message(bench, monkeypatch):
    Silent(monkeypatch)
    monkeypatch.setattr("services.alerts.courier.ATTEMPT_S", 0.05)
    assert timedelta(seconds=ATTEMPT_S) < HOLD
    await put(bench, "dead", "d0")
    async with asyncio.timeout(5):
        await bench.courier.deliver_due()
    assert [attempt["code"] for attempt in bench.store.s.deliveries["d0"].attempts] == ["unreachable"]


class Chat:
    """Addresses of an Apprise file: which got how many copies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.got: list[str] = []
        self.bad: bool | Exception = True

        async def notify(sender: apprise.Apprise, **_: Any) -> bool:
            urls = [one.url() for one in sender]
            name = "bad" if any("/bad" in url for url in urls) else "good"
            self.got.append(name)
            if name == "bad" and isinstance(self.bad, Exception):
                raise self.bad
            return name == "good" or not self.bad

        monkeypatch.setattr("apprise.Apprise.async_notify", notify)


@pytest.mark.parametrize("trouble", [True, OSError("away"), ValueError("odd")])
async def test_an_address_that_has_the_message_does_not_get_it_again(bench, monkeypatch, trouble):
    chat = Chat(monkeypatch)
    chat.bad = trouble
    await put(bench, "chat", "d1")
    for _ in range(10):
        await bench.courier.deliver_due()
        bench.clock.advance(bench.store.s.deliveries["d1"].next_at - bench.clock.now())
    row = bench.store.s.deliveries["d1"]
    assert (row.status, chat.got.count("good"), chat.got.count("bad")) == ("pending", 1, 10)
    assert [len(attempt.get("delivered", ())) for attempt in row.attempts] == [1] + [0] * 9
    assert "hook.test" not in str(row.attempts)  # the addresses hold secrets
    chat.bad = False
    await bench.courier.deliver_due()
    row = bench.store.s.deliveries["d1"]
    assert (row.status, chat.got.count("good"), row.attempts[-1]["code"]) == ("sent", 1, "sent")


async def test_a_line_that_is_no_address_is_said_and_the_others_get_the_message(bench, monkeypatch, tmp_path):
    chat = Chat(monkeypatch)
    (tmp_path / "chat.urls").write_text("json://hook.test/good\nno address at all\n")
    await put(bench, "chat", "d1")
    await bench.courier.deliver_due()
    [attempt] = bench.store.s.deliveries["d1"].attempts
    assert (chat.got, attempt["ok"], attempt["code"]) == (["good"], False, "refused")
    assert attempt["detail"] == "1 of 2 addresses did not take it"


async def test_a_file_without_an_address_is_said(bench, tmp_path):
    (tmp_path / "chat.urls").write_text("# nobody yet\n")
    await put(bench, "chat", "d1")
    await bench.courier.deliver_due()
    [attempt] = bench.store.s.deliveries["d1"].attempts
    assert (attempt["ok"], attempt["code"]) == (False, "no-address")


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b:1::7f00:1",
        "64:ff9b:1:ffff::a00:1",
        "fec0::1",
        "::7f00:1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "100::1",
        "100:0:0:1::1",
        "5f00::1",
        "3fff::1",
        "2001:db8::1",
        "192.88.99.1",
        "198.18.0.1",
    ],
)
def test_addresses_that_only_look_like_the_open_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["2400:3200::1", "2606:4700:4700::1111", "::ffff:93.184.216.34", "223.5.5.5"])
def test_addresses_that_are_public(address):
    assert is_public(address)
