"""The consumer of petition.events.v1."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.assessment.domain.rules import Rulebook
from services.assessment.handlers import Batch, keep, read
from services.assessment.ports import Store
from services.assessment.steps import UnusableError
from shared.bus import PermanentError, Received
from shared.events import Event
from shared.mongo import Session


class PetitionEvents:
    """Keeps lifecycle events and what follows from them. Has no memory between batches: the store is read in the transaction."""

    def __init__(self, store: Store, book: Rulebook) -> None:
        self._store = store
        self._book = book

    async def load(self, partitions: Collection[int]) -> None:
        """Nothing to build: there is no memory."""

    async def prepare(self, batch: Sequence[Received]) -> Batch:
        """Read the steps of a batch."""
        try:
            return read([r.event for r in batch])
        except UnusableError as error:
            raise PermanentError(error.reason) from None

    async def write(self, session: Session, plan: Batch) -> Sequence[Event]:
        """Keep what is new of a batch."""
        return await keep(self._store, session, plan, self._book)
