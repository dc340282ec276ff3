"""Limits on how often one address may ask. Counted in this process: behind n instances the limit is n times as high."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from fastapi import Request
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from shared.web import Problem


class Throttle:
    """Counts requests by kind and client address."""

    def __init__(self, rates: dict[str, str], proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._rates: dict[str, RateLimitItem] = {kind: parse(rate) for kind, rate in rates.items()}
        self._proxies = tuple(proxies)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def check(self, kind: str, request: Request, *, extra: str = "") -> None:
        """Count one request; raises `Problem` 429 with Retry-After once there are too many."""
        rate = self._rates[kind]
        address = client_address(request, self._proxies)
        if not await self._limiter.hit(rate, kind, address, extra):
            wait = str(rate.get_expiry())
            raise Problem(429, "too-many-requests", f"wait {wait} s and try again", headers={"Retry-After": wait})


def client_address(request: Request, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The client's address: the connection's own, or behind trusted proxies the last one that is none of them."""
    headers = request.headers.getlist("x-forwarded-for")
    hops = [part.strip() for header in headers for part in header.split(",")]
    hops.append(request.client.host if request.client else "")
    for hop in reversed(hops):
        address = _address(hop)
        if address is None or not any(address in network for network in proxies):
            return hop[:64]
    return hops[0][:64]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
