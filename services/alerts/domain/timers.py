"""Timers as data: what a change starts and what it ends. They are kept in the store, so that a restart forgets none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.alerts.domain.escalation import Policies, next_call
from services.alerts.domain.notify import INHIBITS, group_key, group_wait
from services.alerts.domain.warning import Change, Warning, above

TELLING: Final = frozenset({"raise", "update", "settle", "discard", "cancel", "lapse", "escalate"})
"""Actions after which receivers may have to be told; the group decides when its flush timer fires."""


@dataclass(frozen=True)
class Timer:
    """Something to be done at a time, once. The id is its natural key: the same timer is never there twice."""

    id: str
    kind: str
    subject: str
    due: datetime
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a change does to the timers. `drop` names (kind, subject); `sooner` timers take the earlier of two times."""

    start: tuple[Timer, ...] = ()
    sooner: tuple[Timer, ...] = ()
    drop: tuple[tuple[str, str], ...] = ()


def after_change(change: Change, policies: Policies) -> Plan:
    """Timers to start and to drop with this change, in the same transaction."""
    warning = change.warning
    start: list[Timer] = []
    sooner: list[Timer] = []
    drop: list[tuple[str, str]] = []
    if change.action not in ("raise", "update", "escalate"):  # only a person's acts end what was running
        drop += _ended(change)
    if warning.open and (change.chain_started or change.action == "escalate"):
        if change.before is not None:
            drop.append(("escalation", warning.id))
        start += _escalation(change, policies)
    if change.action == "acknowledge" and warning.acknowledged_until is not None:
        start.append(_lapse(warning, warning.acknowledged_until))
    if change.action == "update" and warning.state == "acknowledged" and warning.acknowledged_until is not None:
        drop.append(("lapse", warning.id))  # a higher level may have shortened it
        start.append(_lapse(warning, warning.acknowledged_until))
    step = next_step_timer(warning)
    if step is not None:
        sooner.append(step)
    if (change.action in TELLING and change.action != "escalate") or _moved(change):
        sooner.append(flush(change))
    if _inhibits_less(change):
        sooner.append(Timer(f"release/{warning.matter}", "release", warning.matter, change.at))
    return Plan(tuple(start), tuple(sooner), tuple(dict.fromkeys(drop)))


def _lapse(warning: Warning, until: datetime) -> Timer:
    return Timer(f"{warning.id}/lapse/{warning.version}", "lapse", warning.id, until)


def _moved(change: Change) -> bool:
    """It is told about in another group than before."""
    return change.prior is not None and group_key(change.prior) != group_key(change.warning)


def _inhibits_less(change: Change) -> bool:
    """It may have made messages about others needless, and does so no more."""
    warning, prior = change.warning, change.prior
    if prior is None or warning.kind not in INHIBITS:
        return False
    return not warning.open or above(prior.level, warning.level)


def _ended(change: Change) -> list[tuple[str, str]]:
    warning = change.warning
    ended = []
    if warning.answered:  # closed is answered too
        ended.append(("escalation", warning.id))
    if not warning.open:
        ended += [("lapse", warning.id), ("step", warning.id)]
    elif warning.acknowledged_until is None or change.action == "acknowledge":
        ended.append(("lapse", warning.id))
    return ended


def next_step_timer(warning: Warning) -> Timer | None:
    """One timer a warning for the step that is due next: when it fires it looks at all of them and sets the next."""
    if not warning.open:
        return None
    due = min((step.due for step in warning.steps if step.done_at is None and not step.missed), default=None)
    return Timer(f"{warning.id}/step", "step", warning.id, due) if due else None


def merged(plans: Iterable[Plan]) -> Plan:
    """Several plans of one transaction as one: drops apply to what was there before and to what came before them."""
    start: dict[str, Timer] = {}
    sooner: dict[str, Timer] = {}
    drop: dict[tuple[str, str], None] = {}
    of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for plan in plans:
        for key in plan.drop:
            drop[key] = None
            for id in of.pop(key, ()):
                start.pop(id, None)
                sooner.pop(id, None)
        for timer in plan.start:
            start.setdefault(timer.id, timer)
            of[(timer.kind, timer.subject)].add(timer.id)
        for timer in plan.sooner:
            known = sooner.get(timer.id)
            sooner[timer.id] = timer if known is None or timer.due < known.due else known
            of[(timer.kind, timer.subject)].add(timer.id)
    return Plan(tuple(start.values()), tuple(sooner.values()), tuple(drop))


def _escalation(change: Change, policies: Policies) -> list[Timer]:
    warning = change.warning
    standing = warning.escalation
    due = next_call(warning, policies, standing.since or change.at) if standing else None
    if due is None:
        return []
    at = due.after
    id = f"{chain_of(warning.id, at.run)}{at.policy}.{at.loop}.{at.step}"
    return [Timer(id, "escalation", warning.id, due.at)]


def chain_of(warning_id: str, run: int) -> str:
    """What the ids of the timers of one run of a chain begin with. Where in the chain it stands may change with the file."""
    return f"{warning_id}/escalation/{run}."


def flush(change: Change) -> Timer:
    """Look again at the group of a warning, soon."""
    key = group_key(change.warning)
    return Timer(f"flush/{key}", "flush", key, change.at + group_wait(change.warning))


def flush_at(key: str, at: datetime) -> Timer:
    """Look again at a group at a time of its own: repeat, or the interval between two messages."""
    return Timer(f"flush/{key}", "flush", key, at)


def delivery_wait(attempts: int) -> timedelta:
    """Pause after the nth failed attempt: 1 s, doubling, ten minutes at the longest."""
    return timedelta(seconds=min(600, 2 ** max(0, attempts - 1)))
