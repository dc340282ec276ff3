"""A unit's scorecard: every figure with numerator, denominator, exclusions and non-response, and beside each figure those
that would betray gaming it. There is no sum and no rank. About units only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.assessment.domain.facts import ENTERED_LATE, Facts
from services.assessment.domain.ledger import Row
from services.assessment.domain.rules import HANDLE, HANDLE_EXT, NOTIFY, REG_TRANSFER, Text

SMALL: Final = 5
"""Counts from 1 to 4 are not shown across units: somebody might be recognised in them."""
REPEATED_WITHIN: Final = timedelta(days=30)
LAST_DAYS: Final = timedelta(days=3)
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
    repeats: Mapping[str, datetime],
) -> Scorecard:
    """From the obligations whose deadline, and the petitions whose settlement, lies in the period."""
    transfer, notice = _of(rows, REG_TRANSFER), _of(rows, NOTIFY)
    reply = _of(rows, HANDLE, HANDLE_EXT)
    answered = [f for f in facts if f.solved is not None]
    rated = [f for f in facts if f.satisfied is not None]
    participation = _share(
        "participation", Text("参评率", "answered the question"), facts, lambda f: f.solved is not None
    )
    contested = replace(
        _share("contested", Text("答复后不认可", "contested after the reply"), answered, lambda f: f.solved is False),
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
                (_entered("notice_entered_later", notice), _objected(facts)),
            ),
            Measure(
                _on_time("reply_on_time", Text("按期答复率", "answered in time"), reply, at),
                (
                    contested,
                    repeated,
                    _share("extended", Text("延期", "extended"), facts, lambda f: f.extended),
                    _share(
                        "no_reply", Text("未答复即办结", "closed without a reply"), facts, lambda f: f.replied is None
                    ),
                    bulk,
                    _entered("reply_entered_later", reply),
                ),
            ),
            Measure(
                replace(
                    _share("solved", Text("解决率", "solved, says the petitioner"), answered, lambda f: bool(f.solved)),
                    no_answer=len(facts) - len(answered),
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
                    no_answer=len(facts) - len(rated),
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


def _entered(key: str, rows: Sequence[Row]) -> Figure:
    done = [r.obligation for r in rows if r.obligation.ended and r.obligation.ended_recorded]
    later = sum(
        o.ended_recorded - o.ended > ENTERED_LATE for o in done if o.ended_recorded is not None and o.ended is not None
    )
    return Figure(key, Text("事后补录", "entered more than a day later"), later, len(done))


def _objected(facts: Sequence[Facts]) -> Figure:
    return _share("objected", Text("提出异议", "objected to"), facts, lambda f: f.objected)


def _share(key: str, name: Text, facts: Sequence[Facts], holds: Callable[[Facts], bool]) -> Figure:
    return Figure(key, name, sum(1 for f in facts if holds(f)), len(facts), personal=key in _PERSONAL)


def _repeated(f: Facts, repeats: Mapping[str, datetime]) -> bool:
    settled = f.settled
    if settled is None:
        return False
    moments = (f.reopened, repeats.get(f.petition))
    return any(m is not None and settled <= m <= settled + REPEATED_WITHIN for m in moments)


def _late(f: Facts, until: datetime) -> bool:
    return f.settled is not None and f.settled >= until - LAST_DAYS
