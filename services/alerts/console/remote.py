"""What the console asks other services for, in its visitor's name: a petition's text, a matter, what staff decide of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from shared.access import COOKIE, Access, Principal


class RemoteError(Exception):
    """The other service said no, or nothing. `code` is its problem code, or `unreachable`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Remote:
    """Addresses of the services, and the sign-in to ask them with: they check role and scope again."""

    access: Access
    intake: str
    screening: str
    client: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=5, trust_env=False)

    async def petition(self, who: Principal, petition_id: str) -> dict[str, Any]:
        """A petition with its masked text, as intake shows it to this visitor. Raises `RemoteError`."""
        return await self._ask(who, "GET", f"{self.intake}/v1/petitions/{quote(petition_id, safe='')}")

    async def contest(self, who: Principal, flag_id: str, reason: str) -> dict[str, Any]:
        """Say that a flag is wrong. Raises `RemoteError`."""
        return await self._ask(who, "POST", f"{self._flag(flag_id)}/contest", {"reason": reason})

    async def resolve(self, who: Principal, flag_id: str, outcome: str, reason: str) -> dict[str, Any]:
        """Decide a contest: `upheld` or `withdrawn`. Raises `RemoteError`."""
        body = {"outcome": outcome, "reason": reason}
        return await self._ask(who, "POST", f"{self._flag(flag_id)}/contest/resolve", body)

    async def flag(self, who: Principal, flag_id: str) -> dict[str, Any]:
        """A flag with its contest. Raises `RemoteError`."""
        return await self._ask(who, "GET", self._flag(flag_id))

    async def matter(self, who: Principal, matter: str) -> dict[str, Any]:
        """A matter with its petitions (no text), merges and decisions. Raises `RemoteError`."""
        return await self._ask(who, "GET", self._matter(matter))

    async def near(self, who: Principal, matter: str) -> list[dict[str, Any]]:
        """Matters that this one could take in, likely twins first. Raises `RemoteError`."""
        rows: list[dict[str, Any]] = (await self._ask(who, "GET", f"{self._matter(matter)}/near"))["items"]
        return rows

    async def merge(self, who: Principal, matter: str, other: str, reason: str) -> dict[str, Any]:
        """Have a matter take in another. Raises `RemoteError`."""
        return await self._ask(who, "POST", f"{self._matter(matter)}/merge", {"other": other, "reason": reason})

    async def split(self, who: Principal, matter: str, petitions: list[str], reason: str) -> dict[str, Any]:
        """Have petitions be another matter. Raises `RemoteError`."""
        return await self._ask(who, "POST", f"{self._matter(matter)}/split", {"petitions": petitions, "reason": reason})

    def _flag(self, id: str) -> str:
        return f"{self.screening}/v1/flags/{quote(id, safe='')}"

    def _matter(self, id: str) -> str:
        return f"{self.screening}/v1/matters/{quote(id, safe='')}"

    async def _ask(self, who: Principal, method: str, address: str, body: Any = None) -> dict[str, Any]:
        url = httpx.URL(address)
        headers = {
            "Cookie": f"{COOKIE}={self.access.session_of(who, who.session_ends)}",
            "Origin": f"{url.scheme}://{url.netloc.decode()}",
        }
        try:
            async with self.client() as client:
                answer = await client.request(method, url, headers=headers, json=body)
            found = answer.json()
        except (httpx.HTTPError, ValueError):
            raise RemoteError("unreachable") from None
        if answer.is_success and isinstance(found, dict):
            return found
        raise RemoteError(str(found.get("code", "refused")) if isinstance(found, dict) else "refused")
