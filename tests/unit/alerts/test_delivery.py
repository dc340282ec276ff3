"""Messages: signed, at least once with the same key, never to the accused, never to an address inside the house."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.alerts import outward
from services.alerts.courier import Courier, as_text
from services.alerts.outward import AddressRefusedError, checked_address, is_public
from services.alerts.policy import Receiver
from services.alerts.ports import Delivery
from shared.directory import directory
from shared.failpoint import FailpointError, arm
from shared.signing import signature
from tests.support.alerts import flag
from tests.unit.alerts.desk import Bench

KEY = b"w" * 32


class Hook:
    """A receiver that remembers what it got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.got: list[tuple[str, bytes, dict[str, str]]] = []
        self.answers: list[int | Exception] = []

        async def post(url: str, *, body: bytes, headers: dict[str, str], allowed_hosts: Any) -> int:
            answer = self.answers.pop(0) if self.answers else 200
            if isinstance(answer, Exception):
                raise answer
            self.got.append((url, body, headers))
            return answer

        monkeypatch.setattr(outward, "post", post)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    return Hook(monkeypatch)


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    bench = Bench()
    (tmp_path / "hook.key").write_text(base64.b64encode(KEY).decode())
    receivers = {
        "hook": Receiver(type="webhook", url="https://hook.test/in?a=1", key_id="k1", key="hook"),
        "keyless": Receiver(type="webhook", url="https://hook.test/in", key_id="k2", key="nowhere"),
        "desk": Receiver(type="console"),
        "town": Receiver(type="console", unit="379911001"),
        "chat": Receiver(type="apprise", urls="chat"),
    }
    bench.courier = Courier(bench.store, receivers, bench.desk.units, bench.clock, secrets=tmp_path)
    bench.secrets = tmp_path
    return bench


async def put(bench: Any, receiver: str = "hook", about: tuple[str, ...] = (), id: str = "d1", **body: Any) -> None:
    row = Delivery(id, receiver, "first", about, {"warnings": [], **body}, bench.clock.now(), bench.clock.now())
    await bench.store.run(lambda tx: tx.put_deliveries([row]))


async def test_a_webhook_is_signed_and_carries_its_key(bench, hook):
    await put(bench)
    await bench.courier.deliver_due()
    [(_, body, headers)] = hook.got
    assert headers["Idempotency-Key"] == "d1"
    expected = signature(
        KEY, timestamp=headers["X-Timestamp"], method="POST", target="/in?a=1", body=body, nonce=headers["X-Nonce"]
    )
    assert headers["X-Signature"] == expected
    assert orjson.loads(body)["id"] == "d1"
    assert bench.store.s.deliveries["d1"].status == "sent"


async def test_what_fails_is_tried_again_later_with_the_same_key_and_body(bench, hook):
    hook.answers = [500, httpx.ConnectError("away"), OSError(), 302, 200]
    await put(bench)
    for _ in range(200):
        await bench.courier.deliver_due()
        bench.clock.advance(timedelta(seconds=1))
    row = bench.store.s.deliveries["d1"]
    assert row.status == "sent"
    assert [a["code"] for a in row.attempts] == ["http-500", "unreachable", "unreachable", "http-302", "http-200"]
    times = [a["at"] for a in row.attempts]
    assert [(b - a).total_seconds() for a, b in pairwise(times)] == [1, 2, 4, 8]
    assert len({body for _, body, _ in hook.got}) == 1
    assert {headers["Idempotency-Key"] for *_, headers in hook.got} == {"d1"}
    assert len({headers["X-Nonce"] for *_, headers in hook.got}) == len(hook.got)


async def test_a_receiver_that_has_it_already_is_done(bench, hook):
    hook.answers = [409]
    await put(bench)
    await bench.courier.deliver_due()
    assert bench.store.s.deliveries["d1"].status == "sent"


async def test_after_a_day_it_is_given_up_and_stays_visible(bench, hook):
    hook.answers = [503] * 1000
    await put(bench)
    for _ in range(300):
        await bench.courier.deliver_due()
        bench.clock.advance(timedelta(minutes=6))
    row = bench.store.s.deliveries["d1"]
    assert row.status == "failed"
    assert [d.id for d in await bench.store.deliveries(warning_id=None, status="failed", limit=5)] == ["d1"]


@pytest.mark.parametrize("point", ["before_send", "after_send"])
async def test_killed_around_a_send_it_is_sent_again(bench, hook, point):
    await put(bench)
    arm(f"alerts.delivery.{point}:1:raise")
    try:
        with pytest.raises(FailpointError):
            await bench.courier.deliver_due()
        assert bench.store.s.deliveries["d1"].status == "pending"
        bench.clock.advance(timedelta(seconds=19))
        await bench.courier.deliver_due()
        assert bench.store.s.deliveries["d1"].status == "pending"
        bench.clock.advance(timedelta(seconds=1))
        await bench.courier.deliver_due()
    finally:
        arm("")
    assert bench.store.s.deliveries["d1"].status == "sent"
    assert len({headers["Idempotency-Key"] for *_, headers in hook.got}) == 1


async def test_two_couriers_send_it_once(bench, hook):
    for n in range(20):
        await put(bench, id=f"d{n}")
    await asyncio.gather(bench.courier.deliver_due(), bench.courier.deliver_due())
    assert sorted(headers["Idempotency-Key"] for *_, headers in hook.got) == sorted(f"d{n}" for n in range(20))


async def test_an_accusation_is_never_sent_to_the_accused_or_below(bench, hook):
    await bench.hear(flag("m1", "reprisal_risk", restricted=True, accused_unit="379911001"), flag("m2"))
    by_matter = {w.matter: w.id for w in await bench.warnings()}
    both = tuple(by_matter.values())
    shown = [{"warning_id": id} for id in both]
    await put(bench, "town", both, "mixed", warnings=shown)
    await put(bench, "town", (by_matter["m1"],), "alone", warnings=shown[:1])
    await put(bench, "desk", both, "centre", warnings=shown)
    row = bench.store.s.deliveries["mixed"]
    body = await bench.courier._body(bench.courier._receivers["town"], row)
    assert by_matter["m1"] not in body.decode()
    assert by_matter["m2"] in body.decode()
    await bench.courier.deliver_due()
    statuses = {id: d.status for id, d in bench.store.s.deliveries.items()}
    assert {id: statuses[id] for id in ("mixed", "alone", "centre")} == {
        "mixed": "sent",
        "alone": "withheld",
        "centre": "sent",
    }


async def test_an_accusation_of_nobody_known_is_sent_to_no_unit(bench, hook):
    await bench.hear(flag("m1", "life_safety", restricted=True, accused_unit=None))
    about = ((await bench.one()).id,)
    for receiver in ("town", "desk"):
        await put(bench, receiver, about, receiver, warnings=[{"warning_id": about[0]}])
    await bench.courier.deliver_due()
    assert {name: bench.store.s.deliveries[name].status for name in ("town", "desk")} == {
        "town": "withheld",
        "desk": "sent",
    }


async def test_a_receiver_that_is_gone_from_the_file_is_said_and_waits(bench):
    await put(bench, "nobody")
    await bench.courier.deliver_due()
    assert bench.store.s.deliveries["d1"].attempts[0]["code"] == "no-such-receiver"
    assert bench.store.s.deliveries["d1"].status == "pending"


async def test_a_receiver_without_its_key_is_said_and_holds_up_nobody(bench, hook):
    await put(bench, "keyless")
    await put(bench, id="d2")
    await bench.courier.deliver_due()
    bad, good = bench.store.s.deliveries["d1"], bench.store.s.deliveries["d2"]
    assert (bad.status, bad.attempts[0]["code"]) == ("pending", "receiver-misconfigured")
    assert good.status == "sent"


async def test_apprise_sends_to_the_urls_of_the_file(bench, monkeypatch):
    sent: list[tuple[str, str]] = []

    async def async_notify(self, body, title, **_):
        sent.append((title, body))
        return len(self) == 1

    monkeypatch.setattr("apprise.Apprise.async_notify", async_notify)
    (bench.secrets / "chat.urls").write_text("# comment\njson://hook.test/in\n")
    await bench.hear(flag())
    warning = await bench.one()
    from services.alerts.handlers import summary

    await put(bench, "chat", (warning.id,), warnings=[summary(warning)])
    await bench.courier.deliver_due()
    assert bench.store.s.deliveries["d1"].status == "sent"
    [(title, body)] = sent
    assert "集体访苗头" in title and "不对外发布" in body
    assert "区住房和城乡建设局" in body and "379911." not in body


async def test_a_drill_says_so_in_every_message(bench):
    await bench.hear(flag())
    warning = replace(await bench.one(), exercise=True)
    from services.alerts.handlers import summary

    title, _ = as_text({"exercise": True, "warnings": [summary(warning)]}, directory())
    assert title.startswith("【演练】")
    assert as_text({"title": "专报", "document": "/v1/documents/1"}, directory())[0] == "专报"


# -- addresses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses_of_the_open_internet(address, public):
    assert is_public(address) is public


def names(**known: list[str]):
    async def resolve(host: str, port: int) -> list[str]:
        return known.get(host.partition(".")[0], [])

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "http://good.test/",
        "https://inside.test/",
        "https://both.test/",
        "https://nowhere.test/",
        "https://user:pass@good.test/",
        "ftp://good.test/",
        "https:///x",
        "gopher://good.test/",
    ],
)
async def test_addresses_that_are_refused(url):
    resolve = names(good=["93.184.216.34"], inside=["10.0.0.1"], both=["93.184.216.34", "127.0.0.1"])
    with pytest.raises(AddressRefusedError):
        await checked_address(url, (), resolve)


async def test_the_checked_address_is_the_one_that_is_connected_to():
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/"})

    status = await outward.post(
        "https://good.test:8443/in?a=1",
        body=b"{}",
        headers={},
        allowed_hosts=(),
        resolve=rebinding,
        transport=httpx.MockTransport(answer),
    )
    [request] = asked
    assert status == 302
    assert (request.url.host, request.headers["host"]) == ("93.184.216.34", "good.test:8443")
    assert request.extensions["sni_hostname"] == "good.test"


async def test_a_listed_host_may_be_inside_and_plain():
    assert await checked_address("http://inside.test:9000/", {"inside.test"}, names(inside=["10.0.0.1"])) == "10.0.0.1"
