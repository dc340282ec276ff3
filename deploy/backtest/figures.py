"""What a replay says about a policy: how many flags, how early, at what cost, and how another policy differs."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deploy.backtest.county import Run
from services.intake.domain.masking import mask
from shared.clock import BEIJING
from shared.messagerows import Message

CROWD = 5
WINDOW = timedelta(days=30)
PEAK = timedelta(days=7)


@dataclass(frozen=True)
class Crowd:
    """A matter that five different petitioners wrote about within 30 days, by its members at the end of the replay.

    `title` is masked.
    """

    matter: str
    title: str
    petitions: int
    petitioners: int
    fifth: datetime
    peak: datetime
    flagged: datetime | None

    @property
    def lead_fifth(self) -> timedelta | None:
        """Time from the flag to the fifth petitioner; negative where the flag came after."""
        return None if self.flagged is None else self.fifth - self.flagged

    @property
    def lead_peak(self) -> timedelta | None:
        """Time from the flag to the start of the week with the most petitions."""
        return None if self.flagged is None else self.peak - self.flagged


@dataclass(frozen=True)
class Figures:
    """Of one policy over one file."""

    policy: str
    messages: int
    counties: int
    first: datetime
    last: datetime
    flags: int
    by_kind: Mapping[str, int]
    by_level: Mapping[str, int]
    per_day: Mapping[date, int]
    busiest: int
    per_week: float
    weeks_over_budget: int
    budget: int
    crowds: tuple[Crowd, ...]
    late: int
    wall: float
    rate: float

    @property
    def in_time(self) -> int:
        """Crowds flagged no later than their fifth petitioner."""
        return sum(1 for c in self.crowds if c.lead_fifth is not None and c.lead_fifth >= timedelta())

    @property
    def after(self) -> int:
        """Crowds flagged later than that."""
        return sum(1 for c in self.crowds if c.lead_fifth is not None and c.lead_fifth < timedelta())

    @property
    def missed(self) -> int:
        """Crowds never flagged."""
        return sum(1 for c in self.crowds if c.flagged is None)


def figures(run: Run, messages: Sequence[Message], policy: str, budget: int) -> Figures:
    """Figures of a replay; `budget` is how many flags a week the command centre can check."""
    raised = run.raised
    days = Counter(told.at.astimezone(BEIJING).date() for told in raised)
    weeks = Counter(day - timedelta(days=day.weekday()) for day in days.elements())
    times = [m.submitted_at for m in messages]
    first, last = min(times), max(times)
    span = max(1.0, (last - first) / timedelta(days=7))
    return Figures(
        policy=policy,
        messages=len(messages),
        counties=len(run.seconds),
        first=first,
        last=last,
        flags=len(raised),
        by_kind=Counter(told.flag.kind for told in raised),
        by_level=Counter(told.flag.level for told in raised),
        per_day=dict(sorted(days.items())),
        busiest=max(days.values(), default=0),
        per_week=len(raised) / span,
        weeks_over_budget=sum(1 for n in weeks.values() if n > budget),
        budget=budget,
        crowds=crowds(run, messages),
        late=run.late,
        wall=run.wall,
        rate=len(messages) / run.wall if run.wall else 0.0,
    )


def crowds(run: Run, messages: Sequence[Message]) -> tuple[Crowd, ...]:
    """Matters of five or more, the earliest first. A text is counted once, whoever sends it again. A flag is its matter's, and that
    of what took it in.
    """
    members: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        if (matter := run.matters.get(message.id)) is not None:
            members[matter].append(message)
    flagged: dict[str, datetime] = {}
    for told in run.raised:
        if told.flag.kind == "collective_risk":
            matter = run.merged.get(told.flag.matter, told.flag.matter)  # not those whose petitions it counted beside
            flagged[matter] = min(told.at, flagged.get(matter, told.at))
    found = []
    for matter, rows in members.items():
        if len(rows) < CROWD:
            continue
        rows.sort(key=lambda m: (m.submitted_at, m.id))
        fifth = fifth_petitioner(rows)
        if fifth is not None:
            who = {m.petitioner or m.id for m in rows}  # one who is not named is somebody of his own, as in the rules
            title = mask(rows[0].title)
            found.append(Crowd(matter, title, len(rows), len(who), fifth, peak_week(rows), flagged.get(matter)))
    return tuple(sorted(found, key=lambda crowd: (crowd.fifth, crowd.matter)))


def fifth_petitioner(rows: Sequence[Message]) -> datetime | None:
    """When five different petitioners had written within 30 days for the first time; None if never."""
    texts: set[str] = set()
    newest: dict[str, datetime] = {}
    for row in rows:
        text = "".join(row.text.split())
        if text in texts:
            continue
        texts.add(text)
        newest[row.petitioner or row.id] = row.submitted_at
        if sum(1 for at in newest.values() if at > row.submitted_at - WINDOW) >= CROWD:
            return row.submitted_at
    return None


def peak_week(rows: Sequence[Message]) -> datetime:
    """Start of the seven days with the most petitions."""
    times = sorted(row.submitted_at for row in rows)
    sizes = [bisect_left(times, start + PEAK) - bisect_left(times, start) for start in times]
    return times[sizes.index(max(sizes))]


@dataclass(frozen=True)
class Difference:
    """Flags of a policy beside those of another. Two are the same where kind and a petition are."""

    both: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    earlier: int
    later: int
    other_level: int


def difference(first: Run, second: Run) -> Difference:
    """What the second policy would have told otherwise than the first."""
    by_petition: dict[tuple[str, str], list[int]] = defaultdict(list)
    others = second.raised
    for n, told in enumerate(others):
        for pid in told.flag.petitions:
            by_petition[told.flag.kind, pid].append(n)
    used: set[int] = set()
    both = earlier = later = level = 0
    only = []
    for told in first.raised:
        near = [n for pid in told.flag.petitions for n in by_petition[told.flag.kind, pid] if n not in used]
        if not near:
            only.append(_name(told.flag.kind, told.flag.title, told.at))
            continue
        match = min(near, key=lambda n: abs(others[n].at - told.at))
        used.add(match)
        both += 1
        earlier += others[match].at < told.at
        later += others[match].at > told.at
        level += others[match].flag.level != told.flag.level
    rest = [_name(t.flag.kind, t.flag.title, t.at) for n, t in enumerate(others) if n not in used]
    return Difference(both, tuple(only), tuple(rest), earlier, later, level)


def _name(kind: str, title: str, at: datetime) -> str:
    """A flag in a line. A file holds titles as they were written; they are masked as the intake would have done."""
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M} {kind} {mask(title)}"
