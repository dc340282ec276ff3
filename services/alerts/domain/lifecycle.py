"""The life of a warning as a table: what may follow what, and the pure step from one state to the next.

`raised → verified | discarded → acknowledged → assigned → planned → (on_scene) → settled`, cancelled at any time. Shortcuts
are in the table: a duty officer who knows what to do need not click through states that say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.domain.escalation import chain_of_level
from services.alerts.domain.levels import DONE_BY, restep, steps_for
from services.alerts.domain.warning import (
    Arrival,
    Change,
    Escalation,
    Flag,
    Standing,
    Step,
    Text,
    Warning,
    WorkPlan,
    above,
)

_HANDLE: Final = {
    "discard": "discarded",
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "settle": "settled",
    "cancel": "cancelled",
}
_KEEP: Final = ("update", "silence", "attach_plan", "tick", "step_done", "miss")

TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "raised": {**_HANDLE, "verify": "verified", "escalate": "raised"},
    "verified": {**_HANDLE, "plan": "planned", "on_scene": "on_scene", "escalate": "verified"},
    "acknowledged": {
        **_HANDLE,
        "verify": "acknowledged",
        "plan": "planned",
        "on_scene": "on_scene",
        "lapse": "raised",
    },
    "assigned": {
        **_HANDLE,
        "acknowledge": "assigned",
        "verify": "assigned",
        "plan": "planned",
        "on_scene": "on_scene",
    },
    "planned": {
        "acknowledge": "planned",
        "assign": "planned",
        "verify": "planned",
        "plan": "planned",
        "on_scene": "on_scene",
        "settle": "settled",
        "cancel": "cancelled",
    },
    "on_scene": {
        "acknowledge": "on_scene",
        "assign": "on_scene",
        "verify": "on_scene",
        "plan": "on_scene",
        "on_scene": "on_scene",
        "settle": "settled",
        "cancel": "cancelled",
    },
    "discarded": {},
    "settled": {},
    "cancelled": {},
}
"""State → action → next state. What is not here is refused."""

SYSTEM_ACTIONS: Final = frozenset({"escalate", "lapse", "update", "miss"})
NEEDS_REASON: Final = frozenset({"discard", "settle", "cancel", "silence"})
"""A named human says why (guardrail 8)."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """An action that cannot be taken now. Says what can, and whose change came first."""

    def __init__(self, code: str, detail: str, warning: Warning | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.warning = warning
        self.allowed = allowed(warning) if warning else ()


@dataclass(frozen=True)
class Act:
    """What somebody wants to do. `account` is an account id of staff, or `system`; `payload` belongs to the action."""

    action: str
    account: str
    at: datetime
    cause: str
    reason: str | None = None
    why: Text | None = None
    """the reason in both languages, where the system itself acts"""
    expected_version: int | None = None
    ack_for: timedelta | None = None
    payload: Any = None
    detail: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None


def allowed(warning: Warning, account: str | None = None) -> tuple[str, ...]:
    """Actions that `account` may take now; without one, those that every person may."""
    actions = set(TABLE[warning.state]) - SYSTEM_ACTIONS
    if _held_by_another(warning, account):
        actions.discard("acknowledge")
    if warning.open:
        actions |= set(_KEEP) - SYSTEM_ACTIONS
        if warning.protected:
            actions.discard("silence")
        if warning.plan is None:
            actions.discard("tick")
    return tuple(sorted(actions))


def _held_by_another(warning: Warning, account: str | None) -> bool:
    return warning.answered and warning.acknowledged_by not in (None, account)


def apply(warning: Warning, act: Act) -> Change:
    """Take one action; raises `Refused` with a stable code: `version-conflict`, `not-allowed-now`, `reason-missing`."""
    if act.expected_version is not None and act.expected_version != warning.version:
        raise Refused("version-conflict", _who_was_first(warning), warning)
    keeps = act.action in _KEEP and warning.open
    following = warning.state if keeps else TABLE[warning.state].get(act.action)
    if following is None:
        raise Refused("not-allowed-now", _not_now(warning, act.action), warning)
    if act.action in NEEDS_REASON and not (act.reason or "").strip():
        raise Refused("reason-missing", f"{act.action} needs a reason", warning)
    if act.action == "acknowledge" and _held_by_another(warning, act.account):
        raise Refused("already-acknowledged", _who_was_first(warning), warning)
    changed = _EFFECTS.get(act.action, _nothing)(warning, act)
    if act.action == "lapse" and warning.verified_at is not None:
        following = "verified"
    changed = replace(
        changed,
        state=following,
        version=warning.version + 1,
        changed_at=act.at,
        last_actor=act.account,
        steps=_ticked(changed.steps, act),
    )
    if changed.open and (changed.level, changed.responsible_unit) != (warning.level, warning.responsible_unit):
        changed = replace(changed, steps=restep(changed, act.at))
    return Change(
        warning=changed,
        action=act.action,
        actor=None if act.account == "system" else act.account,
        at=act.at,
        cause=act.cause,
        reason=act.reason,
        why=act.why,
        before=warning.state,
        from_unit=warning.responsible_unit if changed.responsible_unit != warning.responsible_unit else None,
        detail=act.detail,
        traceparent=act.traceparent,
        chain_started=_run(changed) != _run(warning),
        prior=warning,
    )


def raise_warning(
    flag: Flag,
    *,
    id: str,
    level: str,
    at: datetime,
    cause: str,
    previous: Warning | None = None,
    exercise: bool = False,
    drill: str | None = None,
    policy: str | None = None,
    actor: str | None = None,
    traceparent: str | None = None,
    standing: tuple[Standing, ...] = (),
) -> Change:
    """A new warning, or a new episode after `previous`."""
    warning = Warning(
        id=id,
        flag=flag,
        level=level,
        state="raised",
        version=1,
        raised_at=at,
        changed_at=at,
        episode=previous.episode + 1 if previous else 1,
        previous=previous.id if previous else None,
        responsible_unit=flag.responsible_unit,
        exercise=exercise,
        drill=drill,
        escalation=Escalation(policy, since=at) if policy else None,
        steps=steps_for(level, flag.kind, at, owner=flag.responsible_unit),
        standing=standing,
    )
    return Change(warning, "raise", actor, at, cause, traceparent=traceparent, chain_started=policy is not None)


@dataclass(frozen=True)
class NewFlag:
    """Payload of `update`: the flag as it is now, its level, the policy of that level, and the flags that it stands for.

    `calls_from`: what that policy's first delay counts from, should its chain start; `ack_holds`: how long it lets somebody
    have the warning without a next step.
    """

    flag: Flag
    level: str
    policy: str | None = None
    cleared: bool = False
    standing: tuple[Standing, ...] = ()
    calls_from: datetime | None = None
    ack_holds: timedelta | None = None


def _run(warning: Warning) -> int:
    return warning.escalation.run if warning.escalation else 0


def _ticked(steps: tuple[Step, ...], act: Act) -> tuple[Step, ...]:
    """The steps that this action does are done, by whom and when."""
    names = {name for name, actions in DONE_BY.items() if act.action in actions}
    if act.action == "step_done":
        names = {str(act.payload)}
    return tuple(
        replace(step, done_at=act.at, done_by=act.account) if step.id in names and step.done_at is None else step
        for step in steps
    )


# -- what each action changes besides the state ----------------------------------------------------------------------------


def _nothing(warning: Warning, act: Act) -> Warning:
    return warning


def _update(warning: Warning, act: Act) -> Warning:
    new: NewFlag = act.payload
    unit = warning.responsible_unit if warning.assigned_by else new.flag.responsible_unit or warning.responsible_unit
    changed = replace(warning, flag=new.flag, level=new.level, responsible_unit=unit)
    if new.cleared:
        return replace(changed, cleared_at=act.at)
    changed = replace(changed, standing=new.standing)
    return replace(
        changed,
        cleared_at=None,
        escalation=chain_of_level(warning, new.level, new.policy, new.calls_from or act.at),
        acknowledged_until=_held_until(warning, new, act),
    )


def _held_until(warning: Warning, new: NewFlag, act: Act) -> datetime | None:
    """Who has it has it for as long as the higher level allows, from now on."""
    until = warning.acknowledged_until
    if warning.state != "acknowledged" or new.ack_holds is None or not above(new.level, warning.level):
        return until
    return min(until or act.at + new.ack_holds, act.at + new.ack_holds)


def _step_done(warning: Warning, act: Act) -> Warning:
    step = next((step for step in warning.steps if step.id == act.payload), None)
    if step is None or step.done_at is not None:
        raise Refused("no-such-step", "the warning has no open step of that name", warning)
    if step.id in DONE_BY:
        detail = f"the step {step.id} is done by {' or '.join(DONE_BY[step.id])}, not ticked off"
        raise Refused("step-needs-action", detail, warning)
    return warning


def _miss(warning: Warning, act: Act) -> Warning:
    steps = tuple(replace(step, missed=True) if step.id == act.payload else step for step in warning.steps)
    return replace(warning, steps=steps)


def _verify(warning: Warning, act: Act) -> Warning:
    return replace(warning, verified_by=act.account, verified_at=act.at)


def _acknowledge(warning: Warning, act: Act) -> Warning:
    return _answered(
        replace(
            warning,
            acknowledged_by=act.account,
            acknowledged_at=act.at,
            acknowledged_until=act.at + act.ack_for if act.ack_for else None,
        ),
        act,
    )


def _answered(warning: Warning, act: Act) -> Warning:
    """Whoever acts on it has it: the chain of calls stops at once."""
    escalation = replace(warning.escalation, ended=True) if warning.escalation else None
    return replace(
        warning,
        escalation=escalation,
        acknowledged_by=warning.acknowledged_by or act.account,
        acknowledged_at=warning.acknowledged_at or act.at,
        first_acknowledged_at=warning.first_acknowledged_at or act.at,
    )


def _assign(warning: Warning, act: Act) -> Warning:
    changed = _answered(warning, act)
    return replace(changed, responsible_unit=str(act.payload), assigned_by=act.account, acknowledged_until=None)


def _plan(warning: Warning, act: Act) -> Warning:
    plan: WorkPlan = act.payload
    revision = warning.work_plan.revision + 1 if warning.work_plan else 1
    changed = _answered(warning, act)
    return replace(changed, work_plan=replace(plan, revision=revision), acknowledged_until=None)


def _on_scene(warning: Warning, act: Act) -> Warning:
    arrival: Arrival = act.payload
    changed = _answered(warning, act)
    return replace(changed, arrivals=(*warning.arrivals, arrival), acknowledged_until=None)


def _close(warning: Warning, act: Act) -> Warning:
    escalation = replace(warning.escalation, ended=True) if warning.escalation else None
    return replace(
        warning,
        closed_by=act.account,
        closed_at=act.at,
        closed_reason=act.reason,
        closed_why=act.why,
        escalation=escalation,
    )


def _lapse(warning: Warning, act: Act) -> Warning:
    """Nobody has it again: the chain of the level now, `payload`, starts from its beginning."""
    escalation = warning.escalation
    if escalation is not None:
        escalation = Escalation(act.payload or escalation.policy, run=escalation.run + 1, since=act.at)
    return replace(warning, acknowledged_by=None, acknowledged_at=None, acknowledged_until=None, escalation=escalation)


def _silence(warning: Warning, act: Act) -> Warning:
    if warning.protected:
        raise Refused("cannot-be-silenced", f"a warning of kind {warning.kind} cannot be muted", warning)
    return replace(warning, silenced_until=act.payload, silenced_by=act.account, silence_reason=act.reason)


def _escalate(warning: Warning, act: Act) -> Warning:
    number: Escalation = act.payload
    return replace(warning, escalation=replace(number, since=act.at))


def _replace_plan(warning: Warning, act: Act) -> Warning:
    return replace(warning, plan=act.payload)


_EFFECTS: Final = {
    "update": _update,
    "step_done": _step_done,
    "miss": _miss,
    "verify": _verify,
    "acknowledge": _acknowledge,
    "assign": _assign,
    "plan": _plan,
    "on_scene": _on_scene,
    "settle": _close,
    "discard": _close,
    "cancel": _close,
    "lapse": _lapse,
    "silence": _silence,
    "escalate": _escalate,
    "attach_plan": _replace_plan,
    "tick": _replace_plan,
}


def _who_was_first(warning: Warning) -> str:
    who = warning.last_actor or "system"
    return f"{who} was first: the warning is {warning.state}, version {warning.version}"


def _not_now(warning: Warning, action: str) -> str:
    can = ", ".join(allowed(warning)) or "nothing"
    return f"a warning that is {warning.state} cannot be changed by {action}; possible now: {can}"
