"""The state of one matter, folded from what happened to it in the order of event time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.screening.domain.flags import Episode
from services.screening.domain.petitions import Case, Filing


@dataclass(frozen=True, slots=True)
class Member:
    """A petition of the matter since `joined`. A copy of another's text does not count as one more petitioner."""

    filing: Filing
    joined: datetime
    copy: bool = False
    weak: bool = False

    @property
    def counts(self) -> bool:
        """Whether it brings its petitioner into the count."""
        return not self.copy and not self.weak


@dataclass(slots=True)
class MatterState:
    """What the rules look at. Nothing here says anything about a person: pseudonyms are compared and counted only."""

    id: str
    members: dict[str, Member] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    repeats: list[tuple[str, str]] = field(default_factory=list)
    open: dict[tuple[str, str], Episode] = field(default_factory=dict)
    closed: list[Episode] = field(default_factory=list)
    ignored: dict[str, datetime] = field(default_factory=dict)
    merged: bool = False

    def join(self, member: Member) -> None:
        """Add a petition; one that is there already is ignored."""
        filing = member.filing
        if filing.id in self.members:
            return
        self.members[filing.id] = member
        if member.counts:
            insort(self.times, filing.at)
            if filing.at > self.newest.get(filing.petitioner, filing.at - timedelta(1)):
                self.newest[filing.petitioner] = filing.at

    def leave(self, petition: str) -> None:
        """Take a petition out (a split)."""
        member = self.members.pop(petition, None)
        if member is None or not member.counts:
            return
        filing = member.filing
        del self.times[bisect_left(self.times, filing.at)]
        rest = [m.filing.at for m in self.members.values() if m.counts and m.filing.petitioner == filing.petitioner]
        if rest:
            self.newest[filing.petitioner] = max(rest)
        else:
            self.newest.pop(filing.petitioner, None)

    def case(self, petition: str) -> Case | None:
        """Where a petition stands; None while nothing happened to it."""
        return self.cases.get(petition)

    def distinct(self, at: datetime, days: int, kind: str = "") -> int:
        """Distinct petitioners who wrote in the `days` before `at`."""
        since = self.since(at, days, kind)
        return sum(1 for seen in self.newest.values() if seen > since)

    def since(self, at: datetime, days: int, kind: str = "") -> datetime:
        """Start of a window; after a flag was withdrawn as wrong, only what came later counts."""
        start = at - timedelta(days=days)
        return max(start, self.ignored.get(kind, start))

    def nth_newest(self, n: int) -> datetime:
        """When the n-th newest petitioner last wrote: the count falls below n as that leaves the window."""
        return sorted(self.newest.values(), reverse=True)[n - 1]

    def counted(self, at: datetime, days: int, kind: str = "") -> tuple[str, ...]:
        """Petitions that `distinct` counted, the oldest first."""
        since = self.since(at, days, kind)
        found = [m for m in self.members.values() if m.counts and m.joined <= at and since < m.filing.at <= at]
        return tuple(m.filing.id for m in sorted(found, key=lambda m: (m.filing.at, m.filing.id)))

    def between(self, start: datetime, end: datetime) -> int:
        """Counted petitions with start < time ≤ end."""
        return bisect_left(self.times, end) - bisect_left(self.times, start)

    def earlier(self, filing: Filing) -> Iterator[Filing]:
        """Earlier petitions of the same petitioner on this matter."""
        for member in self.members.values():
            other = member.filing
            if other.petitioner == filing.petitioner and other.id != filing.id and other.at <= filing.at:
                yield other

    def episodes(self) -> Iterator[Episode]:
        """Every flag of the matter so far, ended ones first."""
        yield from self.closed
        yield from self.open.values()
