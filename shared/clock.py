"""Time as a value: the one place that asks the machine what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

BEIJING: Final = ZoneInfo("Asia/Shanghai")


def to_millis(moment: datetime) -> datetime:
    """The same moment in UTC, cut to milliseconds: what MongoDB keeps, so that a stored time equals the one sent."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC, in whole milliseconds."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment in UTC."""
        return to_millis(datetime.now(UTC))


class FixedClock:
    """A clock that stands still until it is told to move; for tests and for drills."""

    def __init__(self, at: datetime) -> None:
        self._at = to_millis(at)

    def now(self) -> datetime:
        """The moment it was set to."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move on by `by`."""
        self._at += by
