"""How long somebody may listen to the live stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

from sse_starlette import ServerSentEvent


class Listening:
    """One listener's stream: it ends with the sign-in behind it, or when the account is gone, whichever is first.

    The client comes again then and is checked again.
    """

    def __init__(self, seconds: float, is_gone: Callable[[], bool]) -> None:
        self._until = asyncio.get_running_loop().time() + max(0.0, seconds)
        self._is_gone = is_gone
        self._wait: asyncio.Timeout | None = None

    async def frames(self, frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """The same frames up to the end; each is sent only while the account is not gone."""
        async with contextlib.aclosing(frames):
            while (one := await self._next(frames)) is not None and not self._is_gone():
                yield one

    async def _next(self, frames: AsyncGenerator[bytes]) -> bytes | None:
        # Only this wait is broken off: a frame that is on its way goes out whole, and the response ends as it should.
        try:
            async with asyncio.timeout_at(self._until) as self._wait:
                return await anext(frames, None)
        except TimeoutError:
            return None
        finally:
            self._wait = None

    def ping(self) -> ServerSentEvent:
        """The keep-alive. In a quiet night it is what finds out that the account is gone."""
        if self._wait is not None and self._is_gone():
            self._wait.reschedule(0)
            self._wait = None
        return ServerSentEvent(comment=f"ping - {datetime.now(UTC)}")
