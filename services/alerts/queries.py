"""What people read: lists, one warning with everything about it, the board, units, the district. Always within a scope."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from services.alerts.domain.silence import Silence
from services.alerts.domain.warning import LEVELS, OPEN_STATES, Warning
from services.alerts.handlers import Desk, Missing, visible
from services.alerts.ports import Filter, FlagRow, LogRow
from shared.access import Principal, Scope
from shared.clock import BEIJING

PAGE: Final = 1000
"""How many warnings are read at once where all are wanted."""


@dataclass(frozen=True)
class Detail:
    """One warning with what is behind and around it."""

    warning: Warning
    log: tuple[LogRow, ...]
    flags: tuple[FlagRow, ...]
    episodes: tuple[Warning, ...]
    similar: tuple[Warning, ...]


@dataclass(frozen=True)
class UnitRow:
    """How one unit deals with its warnings: counts, and the median of the minutes until somebody acknowledged."""

    unit: str
    open: int
    overdue_steps: int
    settled: int
    discarded: int
    median_ack_minutes: float | None
    never_acknowledged: int


@dataclass(frozen=True)
class District:
    """Warnings of the last days by township and topic, and by hour and day."""

    heat: dict[tuple[str, str], int]
    by_hour: tuple[tuple[datetime, int], ...]
    by_day: tuple[tuple[datetime, int], ...]
    open_by_level: dict[str, int]


async def page(
    desk: Desk, who: Principal, filter: Filter, *, before: int | None = None, limit: int = 50
) -> tuple[list[Warning], int | None]:
    """One page, newest first, and where the next begins (None at the end)."""
    found = await desk.store.find(who.scope(desk.units), filter, before=before, limit=limit + 1)
    return _cut(found, limit)


async def changed(
    desk: Desk, who: Principal, filter: Filter, *, before: int | None = None, limit: int = 50
) -> tuple[list[Warning], int | None]:
    """One page, the newest change first, and where the next begins (None at the end)."""
    found = await desk.store.changed(who.scope(desk.units), filter, before=before, limit=limit + 1)
    return _cut(found, limit)


def _cut(found: Sequence[tuple[int, Warning]], limit: int) -> tuple[list[Warning], int | None]:
    shown = found[:limit]
    return [warning for _, warning in shown], shown[-1][0] if len(found) > limit else None


async def board(desk: Desk, who: Principal, filter: Filter | None = None) -> list[Warning]:
    """Open warnings in the order in which they need a person now."""
    asked = filter or Filter()
    confined = replace(asked, states=asked.states & frozenset(OPEN_STATES) or frozenset(OPEN_STATES))
    # all of them, then sorted: the newest ones alone could leave out an old one that nobody has answered
    found = [warning async for warning in each(desk, who.scope(desk.units), confined)]
    now = desk.clock.now()
    return sorted(found, key=lambda warning: urgency(warning, now))


async def each(desk: Desk, scope: Scope, filter: Filter) -> AsyncIterator[Warning]:
    """Every warning of a filter, newest first, read page by page."""
    before: int | None = None
    while True:
        found = await desk.store.find(scope, filter, before=before, limit=PAGE)
        for _, warning in found:
            yield warning
        if len(found) < PAGE:
            return
        before = found[-1][0]


def urgency(warning: Warning, now: datetime) -> tuple[int, int, int, float]:
    """Sort key: life first, then what nobody has, then what is late, by level and age. Smaller is more urgent."""
    step = warning.next_step()
    late = step is not None and step.due <= now
    first = 0 if warning.kind == "life_safety" and not warning.answered else 1
    waiting = 0 if not warning.answered else 1 if late else 2
    return (first, waiting, LEVELS.index(warning.level), warning.raised_at.timestamp())


async def detail(desk: Desk, who: Principal, warning_id: str) -> Detail:
    """Everything about one warning. Raises `Missing`."""
    scope = who.scope(desk.units)
    warning = visible(await desk.store.get(warning_id), scope, desk.units)
    flag = warning.flag
    episodes = await desk.store.find(
        scope, Filter(matter=flag.matter, kinds=frozenset({flag.kind})), before=None, limit=20
    )
    past = Filter(
        kinds=frozenset({flag.kind}), topic=flag.topic, jurisdiction=flag.jurisdiction, states=frozenset({"settled"})
    )
    similar = await desk.store.find(scope, past, before=None, limit=20)
    alike = sorted((w for _, w in similar if w.matter != flag.matter), key=lambda w: w.flag.town != flag.town)
    return Detail(
        warning=warning,
        log=tuple(await desk.store.log(warning_id)),
        flags=tuple(await desk.store.flags(warning_id)),
        episodes=tuple(w for _, w in episodes if w.id != warning_id and w.key == warning.key),
        similar=tuple(alike[:5]),
    )


async def one(desk: Desk, who: Principal, warning_id: str) -> Warning:
    """A warning. Raises `Missing`."""
    return visible(await desk.store.get(warning_id), who.scope(desk.units), desk.units)


async def counts(desk: Desk, who: Principal) -> dict[str, dict[str, int]]:
    """Number of warnings by state, and of the open ones by level and by kind; without exercises."""
    return await desk.store.counts(who.scope(desk.units))


def _lately(desk: Desk, who: Principal, days: int) -> AsyncIterator[Warning]:
    since = desk.clock.now() - timedelta(days=days)
    return each(desk, who.scope(desk.units), Filter(since=since, exercise=False))


def _now_open(desk: Desk, who: Principal) -> AsyncIterator[Warning]:
    """Open warnings however old: what has waited longest must not drop out of the figures with its window."""
    return each(desk, who.scope(desk.units), Filter(states=frozenset(OPEN_STATES), exercise=False))


async def recent(desk: Desk, who: Principal, days: int = 30) -> list[Warning]:
    """Warnings that came up in the last days, newest first."""
    return [warning async for warning in _lately(desk, who, days)]


@dataclass
class _Tally:
    """What is counted of one unit while its warnings pass by."""

    open: int = 0
    overdue_steps: int = 0
    settled: int = 0
    discarded: int = 0
    never_acknowledged: int = 0
    waits: list[float] = field(default_factory=list)


async def units(desk: Desk, who: Principal, days: int = 30) -> list[UnitRow]:
    """How each unit deals with its warnings, those with open ones first: all that are open, and how those of the days went."""
    now = desk.clock.now()
    found: defaultdict[str, _Tally] = defaultdict(_Tally)
    async for warning in _now_open(desk, who):
        tally = found[warning.responsible_unit or "unassigned"]
        tally.open += 1
        tally.overdue_steps += sum(step.done_at is None and step.due <= now for step in warning.steps)
    async for warning in _lately(desk, who, days):
        tally = found[warning.responsible_unit or "unassigned"]
        tally.settled += warning.state == "settled"
        tally.discarded += warning.state == "discarded"
        tally.never_acknowledged += warning.first_acknowledged_at is None and not warning.open
        if (wait := _minutes_until_acknowledged(warning)) is not None:
            tally.waits.append(wait)
    rows = [
        UnitRow(
            unit=unit,
            open=tally.open,
            overdue_steps=tally.overdue_steps,
            settled=tally.settled,
            discarded=tally.discarded,
            median_ack_minutes=round(median(tally.waits), 1) if tally.waits else None,
            never_acknowledged=tally.never_acknowledged,
        )
        for unit, tally in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.overdue_steps, -row.open, row.unit))


def _minutes_until_acknowledged(warning: Warning) -> float | None:
    at = warning.first_acknowledged_at
    return None if at is None else (at - warning.raised_at).total_seconds() / 60


async def district(desk: Desk, who: Principal) -> District:
    """Townships × topics over 30 days, hours of the last day, days of the last month, and all that is open."""
    now = desk.clock.now()
    heat: Counter[tuple[str, str]] = Counter()
    raised: list[datetime] = []
    async for warning in _lately(desk, who, 30):
        heat[(warning.flag.town or "", warning.flag.topic or "")] += 1
        raised.append(warning.raised_at)
    hour = now.astimezone(BEIJING).replace(minute=0, second=0, microsecond=0)
    hours = [hour - timedelta(hours=back) for back in range(23, -1, -1)]
    day = hour.replace(hour=0)
    days = [day - timedelta(days=back) for back in range(29, -1, -1)]
    return District(
        heat=dict(heat),
        by_hour=_histogram(raised, hours, timedelta(hours=1)),
        by_day=_histogram(raised, days, timedelta(days=1)),
        open_by_level=dict(Counter([warning.level async for warning in _now_open(desk, who)])),
    )


def _histogram(
    times: Iterable[datetime], starts: Sequence[datetime], width: timedelta
) -> tuple[tuple[datetime, int], ...]:
    found = Counter((at - starts[0]) // width for at in times if at >= starts[0])
    return tuple((start, found[place]) for place, start in enumerate(starts))


async def silences(desk: Desk, who: Principal) -> list[Silence]:
    """Silences, newest first: of a county's account those that reach it, of a unit those about itself."""
    found = await desk.store.all_silences(limit=500)
    if who.role == "unit":
        return [silence for silence in found if silence.unit is not None and silence.unit == who.unit]
    scope, shown = who.scope(desk.units), []
    for silence in found:
        if scope.jurisdiction is not None and silence.jurisdiction not in {None, scope.jurisdiction}:
            continue
        if scope.barred and silence.warning_id is not None:  # it may be about an accusation
            try:
                visible(await desk.store.get(silence.warning_id), scope, desk.units)
            except Missing:
                continue
        shown.append(silence)
    return shown


async def plain_silences(desk: Desk, who: Principal) -> list[Silence]:
    """Silences but for those about an accusation, whoever asks: for what is passed on to others."""
    found = await silences(desk, who)
    silenced = await desk.store.many([silence.warning_id for silence in found if silence.warning_id])
    veiled = {warning.id for warning in silenced if warning.flag.restricted}
    for matter in {silence.matter for silence in found if silence.matter is not None}:
        on_it = await desk.store.find(Scope(), Filter(matter=matter), before=None, limit=100)
        if any(warning.flag.restricted for _, warning in on_it):
            veiled.add(matter)
    return [silence for silence in found if not {silence.warning_id, silence.matter} & veiled]


@dataclass(frozen=True)
class Quality:
    """How good the warnings are: what was verified, what was not real, how soon somebody had them."""

    raised: int
    verified: int
    discarded: int
    settled: int
    cancelled: int
    median_ack_minutes: float | None
    acknowledged_in_time: int
    missed_steps: int


async def quality(desk: Desk, who: Principal, days: int = 30) -> Quality:
    """Figures over the last days; the share that was not real is published (guardrail 12)."""
    count: Counter[str] = Counter()
    waits: list[float] = []
    async for warning in _lately(desk, who, days):
        count["raised"] += 1
        count["verified"] += warning.verified_at is not None
        if not warning.open:  # an open one's state has the name of a figure
            count[warning.state] += 1
        if (wait := _minutes_until_acknowledged(warning)) is not None:
            waits.append(wait)
        for step in warning.steps:
            count["missed"] += step.missed
            count["in_time"] += step.id == "acknowledge" and step.done_at is not None and step.done_at <= step.due
    return Quality(
        raised=count["raised"],
        verified=count["verified"],
        discarded=count["discarded"],
        settled=count["settled"],
        cancelled=count["cancelled"],
        median_ack_minutes=round(median(waits), 1) if waits else None,
        acknowledged_in_time=count["in_time"],
        missed_steps=count["missed"],
    )
