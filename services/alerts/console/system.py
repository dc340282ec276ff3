"""How the four services are: what each says of itself in `/health`. No case is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

NAMES: Final = ("intake", "screening", "alerts", "assessment")
Health = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class State:
    """One service: `healthy`, `unhealthy`, or `unreachable`; why, what else it says, and what waits for it by topic."""

    name: str
    status: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lag: Mapping[str, int] | None = None


@dataclass(frozen=True)
class System:
    """This service's own health, and the addresses of the others."""

    own: Health
    others: Mapping[str, str]
    client: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=3, trust_env=False)

    async def states(self) -> list[State]:
        """All four, asked at the same time."""
        async with self.client() as client:
            return list(await asyncio.gather(*(self._state(client, name) for name in NAMES)))

    async def _state(self, client: httpx.AsyncClient, name: str) -> State:
        try:
            if name in self.others:
                said = (await client.get(f"{self.others[name]}/health")).json()
            else:
                said = await self.own()
            lag = {str(topic): int(count) for topic, count in said["lag"].items()}
            return State(name, str(said["status"]), tuple(said["reasons"]), tuple(said["warnings"]), lag)
        except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
            return State(name, "unreachable")
