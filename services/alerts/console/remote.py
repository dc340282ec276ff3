"""What the console asks other services for, in its visitor's name: a petition's text, a contest of a flag."""

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
        address = f"{self.screening}/v1/flags/{quote(flag_id, safe='')}/contest"
        return await self._ask(who, "POST", address, {"reason": reason})

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
