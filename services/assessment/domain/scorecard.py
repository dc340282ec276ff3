"""A unit's scorecard: every figure with numerator, denominator, exclusions and non-response, and beside each figure those
that would betray gaming it. There is no sum and no rank. About units only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.assessment.domain.facts import Decision, Facts
from services.assessment.domain.ledger import Row
from services.assessment.domain.rules import HANDLE, HANDLE_EXT, NOTIFY, REG_TRANSFER, Text

SMALL: Final = 5
"""Counts from 1 to 4 are not shown across units: somebody might be recognised in them."""
REPEATED_WITHIN: Final = timedelta(days=30)
LAST_DAYS: Final = timedelta(days=3)
ENTERED_LATE: Final = timedelta(hours=24)
"""A step entered that much later than it is said to have happened counts as entered afterwards."""
_PERSONAL: Final = frozenset({"participation", "contested", "repeated", "solved", "satisfied"})


@dataclass(frozen=True)
class Figure:
    """A rate. `personal`: its parts count answers of petitioners. A part that is None is suppressed. `excluded` counts
    the obligations left out, by reason."""

    key: str
    name: Text
    numerator: int | None
    denominator: int | None
    excluded: Mapping[Text, int] = field(default_factory=dict)
    not_due: int = 0
    no_answer: int | None = None
    personal: bool = False

    @property
    def rate(self) -> float | None:
        """Between 0 and 1; None where nothing is counted or shown."""
        if self.numerator is None or not self.denominator:
            return None
        return self.numerator / self.denominator


@dataclass(frozen=True)
class Measure:
    """A figure and, beside it, the ones that would betray gaming it."""

    figure: Figure
    beside: tuple[Figure, ...]


@dataclass(frozen=True)
class Scorecard:
    """One unit over [since, until), as it stands at a moment."""

    unit: str
    since: datetime
    until: datetime
    at: datetime
    measures: tuple[Measure, ...]


def scorecard(
    unit: str,
    since: datetime,
    until: datetime,
    at: datetime,
    rows: Sequence[Row],
    facts: Sequence[Facts],
    repeats: Mapping[str, Sequence[datetime]],
    decisions: Sequence[Decision] = (),
) -> Scorecard:
    """From the obligations whose deadline, the settlements and the decisions on acceptance that lie in the period.

    An exempt obligation has no deadline: it belongs to the period in which its clock would have started. `rows` may hold
    extensions due later: they stand beside the deadline that they moved.
    """
    in_period = [r for r in rows if _belongs(r, since, until)]
    transfer, notice = _of(in_period, REG_TRANSFER), _of(in_period, NOTIFY)
    reply = _of(in_period, HANDLE, HANDLE_EXT)
    petitions = _petitions(facts)
    answered = [f for f in facts if f.solved is not None]
    said = [f for f in petitions if f.solved is not None]
    rated = [f for f in petitions if f.satisfied is not None]
    participation = _share(
        "participation", Text("参评率", "answered the question"), petitions, lambda f: f.solved is not None
    )
    contested = replace(
        _share(
            "contested",
            Text("答复或不予受理后不认可", "contested after the reply or refusal"),
            answered,
            lambda f: f.solved is False,
        ),
        no_answer=len(facts) - len(answered),
    )
    repeated = _share(
        "repeated",
        Text("办结后30日内重复或重新办理", "closed, then repeated or reopened within 30 days"),
        facts,
        lambda f: _repeated(f, repeats),
    )
    bulk = _share(
        "last_days", Text("期末三日集中办结", "settled in the last three days"), facts, lambda f: _late(f, until)
    )
    away = Figure(
        "turned_away",
        Text("不予受理或导入其他程序", "not accepted or led into another procedure"),
        sum(d.away for d in decisions),
        len(decisions),
    )
    return Scorecard(
        unit,
        since,
        until,
        at,
        (
            Measure(
                _on_time("transfer_on_time", Text("按期转送率", "transferred in time"), transfer, at),
                (_entered("transfer_entered_later", transfer),),
            ),
            Measure(
                _on_time("notice_on_time", Text("按期告知率", "notified in time"), notice, at),
                (away, _entered("notice_entered_later", notice), _objected(petitions)),
            ),
            Measure(
                _on_time("reply_on_time", Text("按期答复率", "answered in time"), reply, at),
                (
                    away,
                    contested,
                    repeated,
                    _share("extended", Text("延期", "extended"), petitions, lambda f: f.extended),
                    _share("no_reply", Text("未答复即办结", "closed without a reply"), facts, _no_reply),
                    bulk,
                    _entered("reply_entered_later", reply, _extensions(rows, reply)),
                ),
            ),
            Measure(
                replace(
                    _share("solved", Text("解决率", "solved, says the petitioner"), said, lambda f: bool(f.solved)),
                    no_answer=len(petitions) - len(said),
                ),
                (participation, repeated),
            ),
            Measure(
                replace(
                    _share(
                        "satisfied",
                        Text("满意率", "satisfied, says the petitioner"),
                        rated,
                        lambda f: bool(f.satisfied),
                    ),
                    no_answer=len(petitions) - len(rated),
                ),
                (participation, contested),
            ),
        ),
    )


def suppressed(card: Scorecard) -> Scorecard:
    """For readers across units: no figure on fewer than five petitions, no group of one to four petitioners' answers."""
    return replace(
        card, measures=tuple(Measure(_hide(m.figure), tuple(_hide(f) for f in m.beside)) for m in card.measures)
    )


def _hide(figure: Figure) -> Figure:
    excluded = {reason: n for reason, n in figure.excluded.items() if n >= SMALL}
    figure = replace(figure, excluded=excluded)
    top, whole = figure.numerator, figure.denominator
    if top is None or whole is None or whole == 0:
        return figure
    if whole < SMALL:
        return replace(figure, numerator=None, denominator=None, no_answer=None)
    if figure.personal and (0 < top < SMALL or 0 < whole - top < SMALL):
        return replace(figure, numerator=None)
    if figure.no_answer is not None and 0 < figure.no_answer < SMALL:
        return replace(figure, no_answer=None)
    return figure


def _of(rows: Sequence[Row], *codes: str) -> list[Row]:
    return [r for r in rows if r.obligation.code in codes]


def _on_time(key: str, name: Text, rows: Sequence[Row], at: datetime) -> Figure:
    states = Counter(r.obligation.state(at) for r in rows)
    reasons = Counter(why for r in rows if (why := r.obligation.why_excluded(at)) is not None)
    met = states["met"]
    return Figure(
        key,
        name,
        met,
        met + states["met_late"] + states["breached"],
        excluded=dict(reasons),
        not_due=states["pending"] + states["due_soon"],
    )


def _belongs(row: Row, since: datetime, until: datetime) -> bool:
    o = row.obligation
    return since <= o.started < until if o.breach_at is None else since < o.breach_at <= until


def _extensions(rows: Sequence[Row], handled: Sequence[Row]) -> list[Row]:
    """The extensions of these deadlines, whenever the extended ones are due: where a deadline is taken out of the figure,
    it has to show that its extension was entered afterwards."""
    moved: dict[str, list[Row]] = {}
    for row in _of(handled, HANDLE):
        moved.setdefault(row.obligation.petition, []).append(row)
    return [
        ext
        for ext in _of(rows, HANDLE_EXT)
        for base in moved.get(ext.obligation.petition, ())
        if base.obligation.breach_at is not None
        and base.obligation.started <= ext.obligation.started < base.obligation.breach_at
    ]


def _entered(key: str, rows: Sequence[Row], extensions: Sequence[Row] = ()) -> Figure:
    """Each step once, whatever it ended: an extended matter has two deadlines and one reply."""
    delays: dict[str, timedelta] = {}
    for o in (r.obligation for r in rows):
        if o.ended_by is not None and o.ended is not None and o.ended_recorded is not None:
            delays[o.ended_by] = o.ended_recorded - o.ended
    for o in (r.obligation for r in extensions):
        delays[o.cause] = o.recorded - o.started
    later = sum(delay > ENTERED_LATE for delay in delays.values())
    return Figure(key, Text("事后补录", "entered more than a day later"), later, len(delays))


def _petitions(facts: Sequence[Facts]) -> list[Facts]:
    """The petitions behind the settlements, each once, with the petitioner's last answer: a further reply that nobody
    answered takes nothing back."""
    found: dict[str, Facts] = {}
    for f in sorted(facts, key=lambda f: f.settled or f.received):
        before = found.get(f.petition)
        found[f.petition] = f if before is None else _merged(before, f)
    return list(found.values())


def _merged(before: Facts, last: Facts) -> Facts:
    answer = before if last.solved is None and last.satisfied is None else last
    return replace(
        last,
        solved=answer.solved,
        satisfied=answer.satisfied,
        objected=before.objected or last.objected,
        extended=before.extended or last.extended,
    )


def _objected(facts: Sequence[Facts]) -> Figure:
    return _share("objected", Text("提出异议", "objected to"), facts, lambda f: f.objected)


def _share(key: str, name: Text, facts: Sequence[Facts], holds: Callable[[Facts], bool]) -> Figure:
    return Figure(key, name, sum(1 for f in facts if holds(f)), len(facts), personal=key in _PERSONAL)


def _no_reply(f: Facts) -> bool:
    return f.replied is None and f.refused is None


def _repeated(f: Facts, repeats: Mapping[str, Sequence[datetime]]) -> bool:
    settled = f.settled
    if settled is None:
        return False
    moments = (f.reopened, *repeats.get(f.petition, ()))
    return any(m is not None and settled <= m <= settled + REPEATED_WITHIN for m in moments)


def _late(f: Facts, until: datetime) -> bool:
    return f.settled is not None and f.settled >= until - LAST_DAYS
