"""Group commit: requests that arrive while one transaction commits share the next one.

Every caller still waits until the transaction with its own rows is committed; what is saved is the cost of one
journaled commit and a dozen round trips a petition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
LARGEST: Final = 64


class Group(Generic[In, Out]):
    """Gathers items and hands them to `commit` together; one `commit` at a time, in order of arrival."""

    def __init__(self, commit: Callable[[Sequence[In]], Awaitable[Sequence[Out]]], *, largest: int = LARGEST) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[In, asyncio.Future[Out]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: In) -> Out:
        """The outcome of `item`; raises what its transaction raised. A caller that leaves does not stop the others."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="intake.group")
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            try:
                outcomes = await self._commit([item for item, _ in batch])
                for (_, future), outcome in zip(batch, outcomes, strict=True):
                    if not future.done():
                        future.set_result(outcome)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
        self._worker = None
