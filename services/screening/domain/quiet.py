"""Finds the matters in which nothing happened for long, without looking at all of them each time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from heapq import heappop, heappush

from services.screening.domain.history import History


class Quiet:
    """Matters by a time at or before the last thing that happened to them."""

    def __init__(self) -> None:
        self._since: list[tuple[datetime, str]] = []

    def note(self, name: str, at: datetime) -> None:
        """A matter to which something happened at `at`. Later things need no note."""
        heappush(self._since, (at, name))

    def take(self, limit: datetime, histories: Mapping[str, History]) -> list[History]:
        """Those of these matters in which nothing happened since `limit`: not merged, and without an open flag."""
        found: dict[str, History] = {}
        flagged: list[tuple[datetime, str]] = []
        while self._since and self._since[0][0] < limit:
            _, name = heappop(self._since)
            history = histories.get(name)
            if history is None or not history.inputs or history.merged_into is not None:
                continue
            if history.last >= limit:
                self.note(name, history.last)
            elif history.state is not None and history.state.open:
                flagged.append((history.last, name))
            else:
                found[name] = history
        for at, name in flagged:
            self.note(name, at)
        return list(found.values())
