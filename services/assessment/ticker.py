"""The clock that strikes: tells of deadlines that came near or passed, a bounded number a transaction."""

from __future__ import annotations

from services.assessment.handlers import let_strike
from services.assessment.ports import Store
from shared.clock import Clock
from shared.failpoint import failpoint
from shared.mongo import Mongo, Session

ROWS_A_TRANSACTION = 500
PETITIONS_A_TICK = 2000


class Ticker:
    """Runs under a lease; run twice it tells nothing twice (what was told is kept with the row, in the same transaction)."""

    def __init__(self, mongo: Mongo, store: Store, clock: Clock, limit: int = ROWS_A_TRANSACTION) -> None:
        self._mongo = mongo
        self._store = store
        self._clock = clock
        self._limit = limit
        self._renewed = False

    async def __call__(self) -> None:
        """Tell of everything that is due now.

        Until there are none left, petitions of an earlier version are renewed first: a number that delays no deadline.
        """
        if not self._renewed:
            self._renewed = await self._store.renew(PETITIONS_A_TICK) == 0
        now = self._clock.now()
        while await self._store.waiting(now):

            async def work(session: Session) -> int:
                struck = await let_strike(self._store, session, now, self._limit)
                await failpoint("assessment.ticker.in_transaction")
                return struck

            await failpoint("assessment.ticker.before_transaction")
            struck = await self._mongo.transaction(work)
            await failpoint("assessment.ticker.after_commit")
            if not struck:
                return
