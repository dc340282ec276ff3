"""How surprising a number of petitioners is, given a matter's own past and the county's rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, lgamma, log


def tail(observed: int, shape: float, exposure: float, past_exposure: float) -> float:
    """P(X ≥ observed) for a negative binomial: Poisson with a Gamma(shape, past_exposure) rate over `exposure`.

    `shape` is the prior plus what the matter had in its past, `past_exposure` the prior's plus the county's petitions then;
    `exposure` the county's petitions in the window. Raises ValueError for a shape or an exposure that is not positive.
    """
    if shape <= 0 or exposure <= 0 or past_exposure <= 0:
        raise ValueError("shape and exposures must be positive")
    log_p = log(past_exposure) - log(past_exposure + exposure)
    log_q = log(exposure) - log(past_exposure + exposure)
    below = 0.0
    for k in range(observed):
        below += exp(lgamma(shape + k) - lgamma(shape) - lgamma(k + 1) + shape * log_p + k * log_q)
    return max(0.0, 1.0 - below)


def day_number(at: datetime) -> int:
    """Days since year 1 in UTC: the grain of the county's rate."""
    return at.toordinal()


@dataclass(slots=True)
class CountyRate:
    """Petitions a day of one county. Only days that a late petition can no longer change are read."""

    days: dict[int, int] = field(default_factory=dict)
    _memo: dict[tuple[int, int, int], tuple[float, float]] = field(default_factory=dict)

    def count(self, at: datetime) -> int:
        """Count one petition; gives its day."""
        day = day_number(at)
        self.days[day] = self.days.get(day, 0) + 1
        return day

    def uncount(self, day: int) -> None:
        """Take one petition back."""
        self.days[day] -= 1

    def load(self, days: Mapping[int, int]) -> None:
        """Replace all counts, as they were stored."""
        self.days = dict(days)
        self._memo.clear()

    def exposures(self, at: datetime, days: int, baseline_days: int) -> tuple[float, float]:
        """(expected petitions of the county in the last `days`, petitions in the `baseline_days` before those).

        Both end two days before `at`, so they are the same in any order of arrival within the lateness bound (≤ 24 h).
        """
        today = day_number(at)
        key = (today, days, baseline_days)
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) > 64:
                self._memo.clear()
            end = today - 1
            get = self.days.get
            recent = sum(get(day, 0) for day in range(end - days, end))
            past = sum(get(day, 0) for day in range(end - days - baseline_days, end - days))
            known = (max(float(recent), past * days / baseline_days), float(past))
            self._memo[key] = known
        return known
