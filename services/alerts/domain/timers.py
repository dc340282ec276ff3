"""Timers as data: what a change starts and what it ends. They are kept in the store, so that a restart forgets none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.alerts.domain.escalation import Policies, next_call
from services.alerts.domain.notify import group_key, group_wait
from services.alerts.domain.warning import Change

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
    drop: list[tuple[str, str]] = []
    if warning.answered:  # closed is answered too
        drop.append(("escalation", warning.id))
    if not warning.open:
        drop += [("lapse", warning.id), ("step", warning.id)]
    elif change.chain_started or change.action == "escalate":
        drop.append(("escalation", warning.id))
        start += _escalation(change, policies)
    if warning.open and warning.acknowledged_until is None:
        drop.append(("lapse", warning.id))
    if change.action == "acknowledge" and warning.acknowledged_until is not None:
        drop.append(("lapse", warning.id))
        start.append(Timer(f"{warning.id}/lapse/{warning.version}", "lapse", warning.id, warning.acknowledged_until))
    if warning.open and change.action in ("raise", "update", "assign"):
        start += [
            Timer(
                f"{warning.id}/step/{step.id}/{int(step.due.timestamp())}",
                "step",
                warning.id,
                step.due,
                {"step": step.id},
            )
            for step in warning.steps
            if step.done_at is None and not step.missed
        ]
    sooner = (flush(change),) if change.action in TELLING and change.action != "escalate" else ()
    return Plan(tuple(start), sooner, tuple(dict.fromkeys(drop)))


def _escalation(change: Change, policies: Policies) -> list[Timer]:
    warning = change.warning
    due = next_call(warning, policies, change.at)
    if due is None:
        return []
    at = due.after
    id = f"{warning.id}/escalation/{at.run}.{at.policy}.{at.loop}.{at.step}"
    return [Timer(id, "escalation", warning.id, due.at)]


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
