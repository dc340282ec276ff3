"""The state of one matter, folded from what happened to it in the order of event time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, Final

from services.screening.domain.flags import MOST, Episode
from services.screening.domain.petitions import Case, Filing
from services.screening.domain.policy import VISITS

_AT: Final[Any] = itemgetter(0)


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
    """What the rules look at. Nothing here says anything about a person: pseudonyms are compared and counted only.

    `newest`: petitioner → when they last wrote; `latest`: the same in order of time. `times`: petitions that count, with
    their time, in its order. `beside`: petitions about the same place and much the
    same thing, but of other matters: they count as petitioners, and for nothing else. `left`: what staff took out. `came`: what
    staff merged in: it counts like the others, but does not name the matter.
    `ended`: the latest end of a flag that was cleared.
    `visits`, `announced`, `climbed`: the members of which the rules ask that, so that a matter of thousands costs no more a
    petition than one of ten.
    """

    id: str
    members: dict[str, Member] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)
    latest: list[tuple[datetime, str]] = field(default_factory=list)
    times: list[tuple[datetime, str]] = field(default_factory=list)
    own: dict[str, list[Filing]] = field(default_factory=dict)
    beside: dict[str, Filing] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    came: set[str] = field(default_factory=set)
    visits: dict[str, Filing] = field(default_factory=dict)
    announced: dict[str, Filing] = field(default_factory=dict)
    climbed: dict[str, Filing] = field(default_factory=dict)
    copies: int = 0
    cases: dict[str, Case] = field(default_factory=dict)
    repeats: list[tuple[str, str]] = field(default_factory=list)
    open: dict[tuple[str, str], Episode] = field(default_factory=dict)
    closed: list[Episode] = field(default_factory=list)
    ended: datetime | None = None
    ignored: dict[str, datetime] = field(default_factory=dict)
    merged: bool = False

    def join(self, member: Member) -> None:
        """Add a petition; one that is there already is ignored."""
        filing = member.filing
        if filing.id in self.members:
            return
        self.members[filing.id] = member
        self.own.setdefault(filing.petitioner, []).append(filing)
        self.copies += member.copy
        if filing.channel in VISITS:
            self.visits[filing.id] = filing
        if filing.signals and filing.says("announced_escalation"):
            self.announced[filing.id] = filing
        if filing.climb > 0:
            self.climbed[filing.id] = filing
        if member.counts:
            insort(self.times, (filing.at, filing.id))
            before = self.newest.get(filing.petitioner)
            if before is None or before < filing.at:
                self._wrote(filing.petitioner, filing.at)

    def leave(self, petition: str) -> None:
        """Take a petition out (a split)."""
        self.left.add(petition)
        self.came.discard(petition)
        self.beside.pop(petition, None)
        member = self.members.pop(petition, None)
        if member is None:
            return
        filing = member.filing
        theirs = self.own[filing.petitioner]
        theirs.remove(filing)
        if not theirs:
            del self.own[filing.petitioner]
        self.copies -= member.copy
        for special in (self.visits, self.announced, self.climbed):
            special.pop(petition, None)
        if member.counts:
            self.times.remove((filing.at, filing.id))
            self._wrote(filing.petitioner, max((f.at for f in theirs if self.members[f.id].counts), default=None))

    def lay_beside(self, filings: Iterable[Filing]) -> None:
        """Count these petitions of other matters too; the latest `MOST` are kept."""
        for filing in filings:
            if filing.id not in self.left:
                self.beside[filing.id] = filing
        if len(self.beside) > MOST:
            latest = sorted(self.beside.values(), key=lambda filing: (filing.at, filing.id))[-MOST:]
            self.beside = {filing.id: filing for filing in latest}

    def filing(self, petition: str) -> Filing | None:
        """A petition that is a member or lies beside."""
        member = self.members.get(petition)
        return self.beside.get(petition) if member is None else member.filing

    def own_filings(self) -> list[Filing]:
        """Members but for those that staff merged in."""
        return [member.filing for pid, member in self.members.items() if pid not in self.came]

    def _wrote(self, petitioner: str, at: datetime | None) -> None:
        """Note when a petitioner last wrote, None for never."""
        before = self.newest.pop(petitioner, None)
        if before is not None:
            del self.latest[bisect_left(self.latest, (before, petitioner))]
        if at is not None:
            self.newest[petitioner] = at
            insort(self.latest, (at, petitioner))

    def case(self, petition: str) -> Case | None:
        """Where a petition stands; None while nothing happened to it."""
        return self.cases.get(petition)

    def overdue(self, petition: str, at: datetime, reply_days: int) -> bool:
        """Whether it is past its deadline unanswered."""
        case = self.case(petition)
        return case is not None and case.overdue(at, self._days(petition, reply_days))

    def in_process(self, petition: str, at: datetime, reply_days: int) -> bool:
        """Whether its unit has it and is within time."""
        case = self.case(petition)
        return case is not None and case.in_process(at, self._days(petition, reply_days))

    def _days(self, petition: str, reply_days: int) -> int | None:
        filing = self.filing(petition)
        return reply_days if filing is None or filing.appeal else None

    @property
    def repeated(self) -> int:
        """Petitions beyond the first of each petitioner."""
        return len(self.members) - len(self.own)

    def distinct(self, at: datetime, days: int, kind: str = "", *, beside: bool = True) -> int:
        """Distinct petitioners who wrote in the `days` before `at`, with those of what lies `beside` or without."""
        since = self.since(at, days, kind)
        count = len(self.latest) - bisect_right(self.latest, since, key=_AT)
        if not beside or not self.beside:
            return count
        more = {f.petitioner for f in self.beside.values() if since < f.at <= at}
        return count + sum(1 for petitioner in more if self.newest.get(petitioner, since) <= since)

    def other(self, at: datetime, days: int, kind: str = "") -> int:
        """Petitions of other matters that `distinct` counted."""
        since = self.since(at, days, kind)
        return sum(since < f.at <= at and f.id not in self.members for f in self.beside.values())

    def since(self, at: datetime, days: int, kind: str = "") -> datetime:
        """Start of a window; after a flag was withdrawn as wrong, only what came later counts."""
        start = at - timedelta(days=days)
        return max(start, self.ignored.get(kind, start))

    def nth_newest(self, n: int) -> datetime:
        """When the n-th newest petitioner last wrote: the count falls below n as that leaves the window."""
        if not self.beside:
            return self.latest[-n][0]
        latest = {petitioner: at for at, petitioner in self.latest[-n:]}
        for filing in self.beside.values():
            before = latest.get(filing.petitioner) or self.newest.get(filing.petitioner, filing.at)
            latest[filing.petitioner] = max(before, filing.at)
        return sorted(latest.values(), reverse=True)[n - 1]

    def counted(self, at: datetime, days: int, kind: str = "") -> list[Filing]:
        """Petitions that `distinct` counted, the oldest first."""
        since = self.since(at, days, kind)
        window = self.times[bisect_right(self.times, since, key=_AT) : bisect_right(self.times, at, key=_AT)]
        members = [member for _, petition in window if (member := self.members[petition]).joined <= at]
        own = [member.filing for member in members]
        if not self.beside:
            return own
        found = {f.id: f for f in self.beside.values() if since < f.at <= at} | {f.id: f for f in own}
        return sorted(found.values(), key=attrgetter("at", "id"))

    def between(self, start: datetime, end: datetime) -> int:
        """Counted petitions with start ≤ time < end."""
        return bisect_left(self.times, end, key=_AT) - bisect_left(self.times, start, key=_AT)

    def earlier(self, filing: Filing) -> Iterator[Filing]:
        """Earlier petitions of the same petitioner on this matter."""
        for other in self.own.get(filing.petitioner, ()):
            if other.id != filing.id and other.at <= filing.at:
                yield other

    def episodes(self) -> Iterator[Episode]:
        """Every flag of the matter so far, ended ones first."""
        yield from self.closed
        yield from self.open.values()
