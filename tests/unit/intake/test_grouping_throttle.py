"""Group commit, and who is counted against a limit."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from fastapi import Request
from pydantic import ValidationError

from services.intake.grouping import Group
from services.intake.settings import Settings
from services.intake.throttle import Throttle, client_address
from shared.web import Problem


class Recorder:
    """A commit that can be held back or made to fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail_on: int | None = None

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if self.fail_on in items:
            raise RuntimeError("no")
        return [item * 10 for item in items]


async def test_what_arrives_meanwhile_shares_the_next_commit() -> None:
    commit = Recorder()
    commit.gate.clear()
    group = Group(commit, largest=4)
    jobs = [asyncio.create_task(group.submit(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    jobs += [asyncio.create_task(group.submit(n)) for n in range(1, 8)]
    await asyncio.sleep(0)
    commit.gate.set()
    assert await asyncio.gather(*jobs) == [n * 10 for n in range(8)]
    assert commit.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


async def test_a_failure_reaches_its_own_batch_only() -> None:
    commit = Recorder()
    commit.fail_on = 2
    group = Group(commit, largest=3)
    outcomes = await asyncio.gather(*(group.submit(n) for n in range(6)), return_exceptions=True)
    assert [isinstance(one, RuntimeError) for one in outcomes] == [True] * 3 + [False] * 3
    assert await group.submit(9) == 90


async def test_a_caller_that_leaves_takes_nobody_along() -> None:
    commit = Recorder()
    commit.gate.clear()
    group = Group(commit)
    leaving = asyncio.create_task(group.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    staying = asyncio.create_task(group.submit(2))
    leaving.cancel()
    await asyncio.sleep(0)
    commit.gate.set()
    assert await staying == 20
    assert commit.batches == [[1], [2]]


def request(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.5", (), "203.0.113.5"),
        ("203.0.113.5", ("198.51.100.1",), "203.0.113.5"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6", "198.51.100.1, 10.0.0.2"), "198.51.100.1"),
        ("10.0.0.1", ("nonsense",), "nonsense"),
        ("10.0.0.1", ("10.0.0.3",), "10.0.0.3"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert client_address(request(peer, *forwarded), [ip_network("10.0.0.0/8")]) == address


async def test_each_address_and_each_kind_is_counted_for_itself() -> None:
    throttle = Throttle({"a": "2/minute", "b": "1/minute"}, ())
    for _ in range(2):
        await throttle.check("a", request("203.0.113.5"))
    with pytest.raises(Problem) as problem:
        await throttle.check("a", request("203.0.113.5"))
    assert (problem.value.status, problem.value.code) == (429, "too-many-requests")
    await throttle.check("a", request("203.0.113.6"))
    await throttle.check("b", request("203.0.113.5"))


def test_limits_are_strict_in_production_and_wide_in_the_demo() -> None:
    assert Settings(env="production").rate_form == "5/minute"
    assert Settings(env="demo").rate_form == "60/minute"
    assert Settings(rate_form="7/hour").rate_form == "7/hour"
    assert [str(one) for one in Settings(trusted_proxies="10.0.0.0/8, ::1").proxies()] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(ValidationError):
        Settings(rate_form="often")
    with pytest.raises(ValidationError):
        Settings(trusted_proxies="everybody")
