"""Asking screening which open matters a new petition resembles. No answer in time means no suggestion, never an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx
import orjson
import structlog

SHOWN: Final = 3
_TEXT: Final = 500
"""Characters of the text that are sent: an address may have 8 KiB, and a Chinese character takes nine bytes of it."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Similar:
    """An open petition that the new one may be about too, by its masked title."""

    petition_id: str
    title: str


FindSimilar = Callable[[str, str, str], Awaitable[list[Similar]]]
"""County, masked title, masked text → at most three."""


class ScreeningClient:
    """`FindSimilar` over screening's HTTP interface."""

    def __init__(self, base_url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, timeout=timeout_s, transport=transport)

    async def __call__(self, jurisdiction: str, title: str, text: str) -> list[Similar]:
        """Open petitions alike; an empty list where screening does not answer as it should."""
        query = {"jurisdiction": jurisdiction, "title": title[:200], "text": text[:_TEXT]}
        try:
            answer = await self._client.get("/v1/similar", params=query)
            answer.raise_for_status()
            items = orjson.loads(answer.content)["matters"]
            return [Similar(str(item["petition_id"]), str(item["title"])) for item in items[:SHOWN] if item["title"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.info("similar.none", error=type(error).__name__)
            return []

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
