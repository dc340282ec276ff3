"""Rebuilds a county from a store: the same inputs folded again, so the state is the one that was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from services.screening.domain.flags import Told
from services.screening.domain.history import Input, Join, entry
from services.screening.domain.outcome import MatterMerge, Outcome, Placed, Stored, message_of
from services.screening.domain.petitions import Decision
from services.screening.domain.rates import day_number
from services.screening.domain.state import Member

if TYPE_CHECKING:
    from services.screening.domain.engine import County


def rebuild(
    county: County,
    rows: Iterable[Stored],
    *,
    merges: Iterable[MatterMerge] = (),
    decisions: Iterable[Decision] = (),
    days: Mapping[int, int] | None = None,
    told: Iterable[Told] = (),
    sequences: Mapping[str, int] | None = None,
) -> Outcome:
    """Rebuild from a store; the outcome is what the store does not have yet (after a change of policy or of code).

    The petitions of the last `lateness` are linked again, so that one that comes late is still put in its place.
    """
    out = Outcome()
    stored = sorted(rows, key=lambda row: (row.joined, row.filing.id))
    county.newest = max((row.joined for row in stored), default=None)
    bound = county.bound()
    tail = [r for r in stored if bound is not None and r.filing.at >= bound and not r.late and r.link is not None]
    again = {row.filing.id for row in tail}
    settled = [row for row in stored if row.filing.id not in again]
    known = sorted(merges, key=lambda merge: (merge.at, merge.cause))
    before = {pid: m.gone for m in reversed(known) if m.cause in again for pid in m.moved}
    # Two windows: the older one taught the linker how rare the words were.
    window = None if county.newest is None else county.newest - timedelta(days=2 * county.linking.window_days)
    live = [row for row in settled if row.link is not None and window is not None and row.joined > window]
    county.timeline.linker.restore_many(
        [(message_of(row.filing, row.text), before.get(row.filing.id, row.link or row.home)) for row in live]
    )
    feed: list[tuple[str, Input]] = []
    for row in settled:
        member = Member(row.filing, row.joined, row.copy, row.weak)
        placed = Placed(member, row.home, row.matter, row.link, core=row.core, beside=row.beside)
        county.placed[row.filing.id] = placed
        feed.append((row.home, entry(row.joined, Join(member), row.filing.id)))
    county.rate.load(days or {})
    for merge in known:
        if merge.cause not in again:
            feed += county.merged(merge, Outcome())
    for row in tail:
        county.rate.uncount(day_number(row.joined))
    if tail:
        filings = {row.filing.id: row.filing for row in tail}
        messages = [message_of(row.filing, row.text) for row in tail]
        feed += county.linked(county.timeline.add(messages), filings, Outcome())
    feed += [item for row in settled for item in county.beside(row.filing.id)]
    for row in stored:
        for step in row.steps:
            feed += county.stepped(step, Outcome())
    county.telling.restore(told)
    touched = county.feed(feed)
    for decision in sorted(decisions, key=lambda d: (d.at, d.id)):
        touched |= county.feed(county.decided(decision, Outcome()))
    for name, sequence in (sequences or {}).items():
        if name in county.histories:
            county.histories[name].sequence = sequence
    county.place_members(touched, Outcome())
    bound = county.bound()
    for history in county.histories.values():
        if bound is not None:
            history.expire(bound)
        history.end(county.telling.over(history))
    county.telling.tell([county.histories[name] for name in sorted(touched)], out)
    return out
