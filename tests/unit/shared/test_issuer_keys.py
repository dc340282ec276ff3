"""The keys of an issuer that is away: what is held goes on, nobody waits for each other's attempt, and it is asked now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from shared.clock import FixedClock
from shared.tokens import JWKS_PAUSE_SECONDS, JWKS_SECONDS, IssuerKeys, TokenError
from tests.unit.shared.test_access import NOW

PAUSE = timedelta(seconds=JWKS_PAUSE_SECONDS)
OLD = timedelta(seconds=JWKS_SECONDS)


class Issuer:
    """An issuer that can be away, and counts how often it was asked."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.kids = ["1"]
        self.away = False
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.keys = IssuerKeys(self.fetch, self.clock)

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise httpx.ConnectTimeout("no answer")
        return {"keys": [ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=False) for kid in self.kids]}

    async def code(self, kid: str) -> str | None:
        """Code of the error for a kid; None where its key is found."""
        try:
            assert (await self.keys.find(kid)).kid == kid
        except TokenError as error:
            return error.code
        return None

    async def held(self) -> Issuer:
        """With keys that have grown old while the issuer went away."""
        assert await self.code("1") is None
        self.clock.advance(OLD)
        self.away, self.asked = True, 0
        return self


async def test_while_keys_are_held_an_issuer_that_is_away_is_asked_once_a_pause() -> None:
    issuer = await Issuer().held()
    assert await asyncio.gather(*(issuer.code("1") for _ in range(20))) == [None] * 20
    assert issuer.asked == 1
    issuer.clock.advance(PAUSE - timedelta(seconds=1))
    assert await issuer.code("1") is None
    assert issuer.asked == 1
    issuer.clock.advance(timedelta(seconds=1))
    assert await issuer.code("1") is None
    assert issuer.asked == 2
    issuer.away = False
    issuer.clock.advance(PAUSE)
    assert await issuer.code("1") is None
    issuer.clock.advance(OLD - timedelta(seconds=1))
    assert await issuer.code("1") is None
    assert issuer.asked == 3


async def test_nobody_whose_key_is_held_waits_for_an_attempt_of_another() -> None:
    issuer = await Issuer().held()
    issuer.answers.clear()
    asking = asyncio.create_task(issuer.code("1"))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await asyncio.gather(*(issuer.code("1") for _ in range(20))) == [None] * 20
    assert (issuer.asked, asking.done()) == (1, False)
    issuer.answers.set()
    assert await asking is None


async def test_a_new_key_is_fetched_and_waited_for_also_while_another_asks() -> None:
    issuer = await Issuer().held()
    issuer.away, issuer.kids = False, ["1", "2"]
    issuer.answers.clear()
    asking = [asyncio.create_task(issuer.code(kid)) for kid in ("1", "2", "2")]
    await asyncio.sleep(0)
    issuer.answers.set()
    assert await asyncio.gather(*asking) == [None] * 3
    assert issuer.asked == 1
    issuer.kids.append("3")
    issuer.clock.advance(PAUSE)
    assert await issuer.code("3") is None
    assert issuer.asked == 2


async def test_unknown_kids_ask_an_issuer_that_is_away_once_a_pause() -> None:
    issuer = await Issuer().held()
    for seconds, asked in ((0, 1), (1, 1), (JWKS_PAUSE_SECONDS, 2), (1, 2)):
        issuer.clock.advance(timedelta(seconds=seconds))
        assert {await issuer.code(f"made-up-{number}") for number in range(20)} == {"token-invalid"}
        assert issuer.asked == asked


async def test_without_any_keys_the_pause_is_refused_at_once() -> None:
    issuer = Issuer()
    issuer.away = True
    assert {await issuer.code("1") for _ in range(20)} == {"issuer-unavailable"}
    assert issuer.asked == 1
    issuer.away = False
    issuer.clock.advance(PAUSE)
    assert await issuer.code("1") is None
    assert issuer.asked == 2


async def test_a_request_that_is_broken_off_has_not_tried() -> None:
    issuer = Issuer()
    issuer.answers.clear()
    asking = asyncio.create_task(issuer.code("1"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    issuer.answers.set()
    assert await issuer.code("1") is None


async def test_a_clock_that_was_set_back_does_not_lengthen_the_pause() -> None:
    issuer = Issuer()
    issuer.away = True
    assert await issuer.code("1") == "issuer-unavailable"
    issuer.away = False
    issuer.clock.advance(timedelta(days=-1))
    assert await issuer.code("1") is None
