"""The state of one matter, folded from what happened to it in the order of event time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, Final

from services.screening.domain.flags import MOST, Episode
from services.screening.domain.petitions import Case, Filing
from services.screening.domain.policy import VISITS

_AT: Final[Any] = itemgetter(0)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


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


@dataclass(frozen=True, slots=True)
class Given:
    """What a matter that becomes part of another gives it beside its petitions, as of that moment."""

    repeats: tuple[tuple[str, str], ...]
    ignored: dict[str, datetime]
    waived: dict[str, dict[str, datetime]]


@dataclass(slots=True)
class MatterState:
    """What the rules look at. Nothing here says anything about a person: pseudonyms are compared and counted only.

    `newest`: petitioner → when they last wrote; `latest`: the same in order of time. `times`: petitions that count, with
    their time, in its order. `beside`: petitions about the same place and much the
    same thing, but of other matters: they count as petitioners, and for nothing else. `left`: what staff took out,
    as it was. `came`: what staff merged in: it counts like the others, but does not name the matter.
    `ignored`: when a flag (kind, or kind:petition) was withdrawn as wrong; `waived`: kind → petitions that came from a matter
    where it was, and when. `given`: what this matter gave to the one that it became part of.
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
    left: dict[str, Member | None] = field(default_factory=dict)
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
    waived: dict[str, dict[str, datetime]] = field(default_factory=dict)
    given: Given | None = None
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
        self.came.discard(petition)
        self.beside.pop(petition, None)
        for covered in self.waived.values():
            covered.pop(petition, None)
        self.left[petition] = member = self.members.pop(petition, None)
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
        """A petition that is a member, lies beside or was a member until staff took it out."""
        member = self.members.get(petition)
        if member is None and (beside := self.beside.get(petition)) is not None:
            return beside
        member = member or self.left.get(petition)
        return None if member is None else member.filing

    def brings(self, petition: str) -> bool:
        """Whether a petition that `filing` finds brings its petitioner into the count."""
        member = self.members.get(petition) or self.left.get(petition)
        return petition in self.beside or (member is not None and member.counts)

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

    def overdue_at(self, petition: str, at: datetime, reply_days: int) -> datetime | None:
        """When it became overdue: by the last breach that assessment found or, where it found none, by the days of the law."""
        case, days = self.case(petition), self._days(petition, reply_days)
        if case is None or not case.overdue(at, days):
            return None
        if case.breaches or case.accepted_at is None or days is None:
            return max(case.breaches.values(), default=at)
        return case.accepted_at + timedelta(days=days + case.extended_days + 1)

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

    def repeated_anew(self, kind: str) -> int:
        """The same, but for those that were there when a flag of this kind was withdrawn."""
        if kind not in self.ignored and not self.waived.get(kind):
            return self.repeated
        more = (sorted(theirs, key=attrgetter("at", "id"))[1:] for theirs in self.own.values() if len(theirs) > 1)
        return sum(self.newer(kind, filing.id, filing.at) for filings in more for filing in filings)

    def distinct(self, at: datetime, days: int, kind: str = "", *, beside: bool = True) -> int:
        """Distinct petitioners who wrote in the `days` before `at`, with those of what lies `beside` or without."""
        since = self.since(at, days, kind)
        count = len(self.latest) - bisect_right(self.latest, since, key=_AT)
        anew = self._anew(kind, since)
        count -= sum(self.newest.get(who, since) > since >= wrote for who, wrote in anew.items())
        if not beside or not self.beside:
            return count
        more = {f.petitioner for f in self.beside.values() if since < f.at <= at and self.newer(kind, f.id, f.at)}
        return count + sum(1 for who in more if (anew.get(who) or self.newest.get(who, since)) <= since)

    def other(self, at: datetime, days: int, kind: str = "") -> int:
        """Petitions of other matters that `distinct` counted."""
        return sum(f.id not in self.members for f in self.near(at, days, kind))

    def near(self, at: datetime, days: int, kind: str = "") -> Iterator[Filing]:
        """What lies beside and is in the window."""
        since = self.since(at, days, kind)
        return (f for f in self.beside.values() if since < f.at <= at and not self._waived(kind, f.id, f.at))

    def since(self, at: datetime, days: int, kind: str = "") -> datetime:
        """Start of a window; after a flag was withdrawn as wrong, only what came later counts."""
        start = at - timedelta(days=days)
        withdrawn = self.ignored.get(kind, start)
        return start if withdrawn > at else max(start, withdrawn)

    def newer(self, kind: str, petition: str, at: datetime) -> bool:
        """Whether what happened to a petition at `at` is not covered by a withdrawal, here or where the petition came from."""
        withdrawn = self.ignored.get(kind)
        return (withdrawn is None or at > withdrawn) and not self._waived(kind, petition, at)

    def _waived(self, kind: str, petition: str, at: datetime) -> bool:
        covered = self.waived.get(kind)
        until = covered.get(petition) if covered else None
        return until is not None and at <= until

    def nth_newest(self, n: int, kind: str = "") -> datetime:
        """When the n-th newest petitioner last wrote: the count falls below n as that leaves the window."""
        anew = self._anew(kind)
        if not self.beside and not anew:
            return self.latest[-n][0]
        latest = {who: at for at, who in self.latest[-n - len(anew) :] if who not in anew} | anew
        for filing in self.beside.values():
            if self.newer(kind, filing.id, filing.at):
                before = latest.get(filing.petitioner) or self.newest.get(filing.petitioner, filing.at)
                latest[filing.petitioner] = max(before, filing.at)
        return sorted(latest.values(), reverse=True)[n - 1]

    def _anew(self, kind: str, since: datetime = _NEVER) -> dict[str, datetime]:
        """Petitioners of whom a withdrawal that came with a merge covers something, and when they last wrote anew."""
        covered = self.waived.get(kind)
        if not covered or max(covered.values()) <= since:
            return {}
        theirs = {self.members[petition].filing.petitioner for petition in covered if petition in self.members}
        return {who: max(map(self._anew_at, repeat(kind), self.own[who])) for who in theirs}

    def _anew_at(self, kind: str, filing: Filing) -> datetime:
        return filing.at if self.members[filing.id].counts and self.newer(kind, filing.id, filing.at) else _NEVER

    def counted(self, at: datetime, days: int, kind: str = "") -> list[Filing]:
        """Petitions that `distinct` counted, the oldest first."""
        since = self.since(at, days, kind)
        window = self.times[bisect_right(self.times, since, key=_AT) : bisect_right(self.times, at, key=_AT)]
        members = [member for _, petition in window if (member := self.members[petition]).joined <= at]
        own = [member.filing for member in members]
        if self.waived.get(kind):
            own = [filing for filing in own if not self._waived(kind, filing.id, filing.at)]
        if not self.beside:
            return own
        found = {f.id: f for f in self.near(at, days, kind)} | {f.id: f for f in own}
        return sorted(found.values(), key=attrgetter("at", "id"))

    def between(self, start: datetime, end: datetime) -> int:
        """Counted petitions with start ≤ time < end."""
        return bisect_left(self.times, end, key=_AT) - bisect_left(self.times, start, key=_AT)

    def earlier(self, filing: Filing) -> Iterator[Filing]:
        """Earlier petitions of the same petitioner on this matter."""
        for other in self.own.get(filing.petitioner, ()):
            if other.id != filing.id and other.at <= filing.at:
                yield other

    def note_repeat(self, filing: Filing, at: datetime, reply_days: int) -> None:
        """Note whether a petition that comes repeats one that is overdue."""
        for other in self.earlier(filing):
            if self.overdue(other.id, at, reply_days):
                self.repeats.append((filing.id, other.id))

    def forget_repeats(self, petition: str, reply_days: int) -> None:
        """Drop repeats of a petition whose breach was none, but for those that came after the days of Art. 34 all the same."""
        self.repeats = [
            (again, earlier)
            for again, earlier in self.repeats
            if earlier != petition
            or (again in self.members and self.overdue(petition, self.members[again].filing.at, reply_days))
        ]

    def give(self) -> Given:
        """What the matter that this one becomes part of takes over: once it is, what this was then."""
        waived = {kind: dict(covered) for kind, covered in self.waived.items()}
        return self.given or Given(tuple(self.repeats), dict(self.ignored), waived)

    def take_over(self, other: MatterState, fresh: Iterable[str]) -> None:
        """Take over what another matter gives with its `fresh` petitions. What was withdrawn there covers these alone."""
        given, theirs = other.give(), {petition: self.members[petition].filing.at for petition in fresh}
        self.repeats.extend(pair for pair in given.repeats if pair not in self.repeats)
        self.lay_beside(other.beside.values())
        theirs |= {petition: filing.at for petition, filing in other.beside.items() if petition not in self.members}
        for key, at in given.ignored.items():
            kind, _, petition = key.partition(":")
            if not petition:
                self._waive(kind, {p: at for p, filed in theirs.items() if filed <= at})
            elif petition in theirs:
                self.ignored.setdefault(key, at)
        for kind, covered in given.waived.items():
            self._waive(kind, {p: at for p, at in covered.items() if p in theirs})

    def _waive(self, kind: str, covered: dict[str, datetime]) -> None:
        known = self.waived.setdefault(kind, {})
        for petition, at in covered.items():
            known[petition] = max(at, known.get(petition, at))

    def episodes(self) -> Iterator[Episode]:
        """Every flag of the matter so far, ended ones first."""
        yield from self.closed
        yield from self.open.values()
