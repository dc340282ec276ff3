"""What people do with warnings: one use case a function. HTTP and the console call these; they know neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.domain.escalation import Policies
from services.alerts.domain.levels import level_of
from services.alerts.domain.lifecycle import Act, Refused, apply, raise_warning
from services.alerts.domain.plans import PlanBook, attach, tick
from services.alerts.domain.silence import Silence, checked
from services.alerts.domain.timers import Plan, Timer, after_change
from services.alerts.domain.warning import Arrival, Change, Flag, Measure, Text, Warning, WorkPlan
from services.alerts.groups import hand_over
from services.alerts.labels import WHY
from services.alerts.ports import Store, Tx
from shared.access import PERMISSIONS, Principal, Scope
from shared.clock import Clock
from shared.directory import Directory
from shared.events import derived_id

HANDLE: Final = frozenset({"verify", "discard", "assign", "settle", "cancel", "silence", "attach_plan"})
CARRY_OUT: Final = frozenset({"acknowledge", "plan", "on_scene", "tick", "step_done"})
ACTIONS: Final = HANDLE | CARRY_OUT


class Missing(Exception):  # noqa: N818 - an answer, not a fault
    """There is no such thing for this principal: none at all, or none that may be seen."""


class Forbidden(Exception):  # noqa: N818 - an answer, not a fault
    """The principal's role does not do this."""


@dataclass(frozen=True)
class Desk:
    """What a use case works with."""

    store: Store
    policies: Policies
    plans: PlanBook
    units: Directory
    clock: Clock


@dataclass(frozen=True)
class Order:
    """An action and what belongs to it. `cause` names the request, so that trying again changes nothing twice."""

    action: str
    cause: str
    reason: str | None = None
    expected_version: int | None = None
    unit: str | None = None
    measures: tuple[Measure, ...] = ()
    lead: str | None = None
    arrived_at: datetime | None = None
    arrived: str | None = None
    until: datetime | None = None
    plan: str | None = None
    item: str | None = None
    note: str | None = None
    traceparent: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


def may_act(who: Principal, action: str) -> bool:
    """Whether the role takes this action at all."""
    return who.role in PERMISSIONS["warnings.handle" if action in HANDLE else "warnings.carry_out"]


async def take(desk: Desk, who: Principal, warning_id: str, order: Order) -> Warning:
    """Take an action on a warning. Raises `Missing`, `Forbidden` or `Refused`."""
    if order.action not in ACTIONS:
        raise Refused("no-such-action", "there is no action of that name")
    scope = who.scope(desk.units)
    now = desk.clock.now()

    async def work(tx: Tx) -> Warning:
        warning = visible(await tx.warning(warning_id), scope, desk.units)
        if not may_act(who, order.action):
            raise Forbidden(order.action)
        if _is_double_click(warning, who, order):
            return warning
        change = apply(warning, _act(desk, who, warning, order, now))
        if order.action == "silence":
            await _keep_silence(tx, who, warning, order, now)
        await hand_over(tx, [change])
        await tx.save([(change, after_change(change, desk.policies))])
        await tx.audit(
            actor=who.account,
            action=f"warning.{order.action}",
            object=warning.id,
            at=now,
            reason=order.reason,
            detail={"from": warning.state, "to": change.warning.state, "version": str(change.warning.version)},
        )
        return change.warning

    return await desk.store.run(work, point="alerts")


def visible(warning: Warning | None, scope: Scope, units: Directory) -> Warning:
    """The warning, if it is there for this scope; else `Missing`, as if there were none."""
    if warning is None or not scope.shows(
        warning.responsible_unit,
        warning.flag.jurisdiction,
        restricted=warning.flag.restricted,
        accused=warning.flag.accused_unit,
        units=units,
    ):
        raise Missing
    return warning


def _is_double_click(warning: Warning, who: Principal, order: Order) -> bool:
    """The same person acknowledges again with the version they saw before: they have it already."""
    return (
        order.action == "acknowledge"
        and warning.acknowledged_by == who.account
        and order.expected_version is not None
        and order.expected_version < warning.version
    )


def _act(desk: Desk, who: Principal, warning: Warning, order: Order, now: datetime) -> Act:
    act = Act(
        action=order.action,
        account=who.account,
        at=now,
        cause=order.cause,
        reason=order.reason,
        expected_version=order.expected_version,
        detail=order.detail,
        traceparent=order.traceparent,
    )
    match order.action:
        case "acknowledge":
            return replace(act, ack_for=desk.policies.choose(warning.kind, warning.level).ack_holds)
        case "assign":
            unit = _unit(desk, warning, order.unit)
            return replace(act, payload=unit, detail={**order.detail, "unit": unit})
        case "plan":
            if not order.measures or not order.lead:
                raise Refused("plan-incomplete", "a special work plan names its lead and at least one measure", warning)
            for named in (order.lead, *(measure.who for measure in order.measures)):
                _not_the_accused(desk, warning, named)
            return replace(act, payload=WorkPlan(order.measures, order.lead, who.account, now))
        case "on_scene":
            at = order.arrived_at or now
            if not warning.raised_at - timedelta(days=1) <= at <= now:
                raise Refused(
                    "arrival-time", "the arrival cannot lie in the future or long before the warning", warning
                )
            arrived = order.arrived or f"{warning.responsible_unit or 'unassigned'}#head"
            _not_the_accused(desk, warning, arrived)
            return replace(act, payload=Arrival(arrived, at, who.account), detail={"arrived": arrived})
        case "silence":
            return replace(act, payload=order.until)
        case "attach_plan":
            return replace(
                act, payload=attach(desk.plans, order.plan or "", who.account, now), detail={"plan": order.plan or ""}
            )
        case "tick":
            return replace(
                act,
                payload=tick(warning, order.item or "", who.account, now, order.note),
                detail={"item": order.item or ""},
            )
        case "step_done":
            return replace(act, payload=order.item, detail={"step": order.item or ""})
    return act


def _unit(desk: Desk, warning: Warning, unit: str | None) -> str:
    """The unit to assign to: one of the directory, and never the accused or what stands under it."""
    if not unit or not desk.units.knows(unit):
        raise Refused("unknown-unit", "the unit is not in the directory", warning)
    _not_the_accused(desk, warning, unit)
    return unit


def _not_the_accused(desk: Desk, warning: Warning, who: str) -> None:
    """Nothing about an accusation is given to the accused unit or what stands under it; `who` may name a role: `unit#head`."""
    unit = who.partition("#")[0].strip()
    accused = {warning.flag.accused_unit, *(one.flag.accused_unit for one in warning.standing)}
    if any(desk.units.covers(one, unit) for one in accused if one):
        raise Refused("accused-unit", "an accusation is not handled by the accused unit or one under it", warning)


async def _keep_silence(tx: Tx, who: Principal, warning: Warning, order: Order, now: datetime) -> None:
    if order.until is None:
        raise Refused("silence-time", "a silence needs an end", warning)
    silence = Silence(
        id=derived_id(order.cause, "silence", warning.id),
        author=who.account,
        reason=order.reason or "",
        starts_at=now,
        ends_at=order.until,
        created_at=now,
        kinds=() if warning.protected else (warning.kind,),
        jurisdiction=warning.flag.jurisdiction,
        warning_id=warning.id,
    )
    checked(silence)
    for before in await tx.silences(now):  # the newest says until when: the page shows that one
        if before.warning_id == warning.id and before.id != silence.id:
            await tx.put_silence(replace(before, ends_at=now, ended_by=who.account))
            await tx.set_timers(Plan(drop=(("unmute", before.id),)))
            await tx.audit(actor=who.account, action="silence.end", object=before.id, at=now)
    await tx.put_silence(silence)
    await tx.set_timers(Plan(sooner=(Timer(f"unmute/{silence.id}", "unmute", silence.id, silence.ends_at),)))


async def silence(desk: Desk, who: Principal, wanted: Silence) -> Silence:
    """Mute notifications by a matcher; a county's own officer mutes that county's. Raises `Refused` and `Forbidden`."""
    if not may_act(who, "silence"):
        raise Forbidden("silence")
    now = desk.clock.now()
    county = wanted.jurisdiction or who.jurisdiction
    _of_their_county(who, county)
    made = checked(replace(wanted, jurisdiction=county, author=who.account, created_at=now))

    async def work(tx: Tx) -> Silence:
        await tx.put_silence(made)
        await tx.set_timers(Plan(sooner=(Timer(f"unmute/{made.id}", "unmute", made.id, made.ends_at),)))
        await tx.audit(actor=who.account, action="silence.create", object=made.id, at=now, reason=made.reason)
        return made

    return await desk.store.run(work)


async def end_silence(desk: Desk, who: Principal, silence_id: str) -> Silence:
    """End a silence before its time. Raises `Missing`, `Forbidden`, and `Refused` for one that holds beyond the county."""
    if not may_act(who, "silence"):
        raise Forbidden("silence")
    now = desk.clock.now()

    async def work(tx: Tx) -> Silence:
        found = await tx.silence(silence_id)
        if found is None or (who.jurisdiction and found.jurisdiction not in {None, who.jurisdiction}):
            raise Missing
        if found.warning_id is not None:
            visible(await tx.warning(found.warning_id), who.scope(desk.units), desk.units)
        _of_their_county(who, found.jurisdiction)
        if found.ends_at <= now:
            return found
        ended = replace(found, ends_at=now, ended_by=who.account)
        await tx.put_silence(ended)
        await _heard_again(tx, desk, who, found, now)
        await tx.set_timers(Plan(sooner=(Timer(f"unmute/{ended.id}", "unmute", ended.id, now),)))
        await tx.audit(actor=who.account, action="silence.end", object=ended.id, at=now)
        return ended

    return await desk.store.run(work)


async def _heard_again(tx: Tx, desk: Desk, who: Principal, silence: Silence, now: datetime) -> None:
    """Where one warning was silenced, its page stops saying so."""
    warning = await tx.warning(silence.warning_id) if silence.warning_id else None
    if warning is None or not warning.open or warning.silenced_until != silence.ends_at:
        return
    why = WHY["heard_again"]
    act = Act("silence", who.account, now, f"{silence.id}/ended", why.en, why=why, payload=now)
    change = apply(warning, act)
    await tx.save([(change, after_change(change, desk.policies))])


def _of_their_county(who: Principal, county: str | None) -> None:
    """Refuse what reaches beyond the county of a county's own officer."""
    if who.jurisdiction is not None and county != who.jurisdiction:
        raise Refused("jurisdiction-not-yours", "an account of a county acts for that county")


@dataclass(frozen=True)
class Drill:
    """What is rehearsed: a kind of warning at a level, in a county, with a scenario in words."""

    id: str
    kind: str
    level: str
    jurisdiction: str
    scenario: str
    unit: str | None = None
    town: str | None = None
    plan: str | None = None


async def start_drill(desk: Desk, who: Principal, drill: Drill, cause: str) -> Warning:
    """Raise an exercise warning: it behaves like a real one and is marked as an exercise everywhere."""
    if not may_act(who, "assign"):
        raise Forbidden("drill")
    _of_their_county(who, drill.jurisdiction)
    now = desk.clock.now()
    flag = Flag(
        flag_id=drill.id,
        kind=drill.kind,
        matter=f"drill:{drill.id}",
        jurisdiction=drill.jurisdiction,
        level=drill.level,
        at=now,
        title=f"【演练】{drill.scenario}",
        title_en=f"[Exercise] {drill.scenario}",
        town=drill.town,
        responsible_unit=_unit_of_drill(desk, drill),
        explanation=Text(f"演练：{drill.scenario}", f"Exercise: {drill.scenario}"),
        rule_id="drill",
        basis="应急预案 2.3",
    )
    level = level_of(flag)
    policy = desk.policies.choose(drill.kind, level).id
    id = derived_id(cause, "drill")

    async def work(tx: Tx) -> Warning:
        there = await tx.warning(id)
        if there is not None:
            return there
        change = raise_warning(
            flag,
            id=id,
            level=level,
            at=now,
            cause=cause,
            exercise=True,
            drill=drill.id,
            policy=policy,
            actor=who.account,
        )
        if drill.plan:
            plan = attach(desk.plans, drill.plan, who.account, now)
            change = replace(change, warning=replace(change.warning, plan=plan))
        await tx.save([(change, after_change(change, desk.policies))])
        await tx.audit(actor=who.account, action="drill.start", object=id, at=now, reason=drill.scenario)
        return change.warning

    return await desk.store.run(work)


def _unit_of_drill(desk: Desk, drill: Drill) -> str | None:
    if drill.unit is not None and not desk.units.knows(drill.unit):
        raise Refused("unknown-unit", "the unit is not in the directory")
    return drill.unit


async def note_text_view(desk: Desk, who: Principal, warning_id: str, petition_id: str, reason: str) -> Warning:
    """Write down that somebody reads a petition's text out of a warning; call it before the text is shown."""
    now = desk.clock.now()

    async def work(tx: Tx) -> Warning:
        warning = visible(await tx.warning(warning_id), who.scope(desk.units), desk.units)
        if petition_id not in warning.flag.petition_ids:
            raise Missing
        await tx.audit(
            actor=who.account,
            action="petition.text",
            object=petition_id,
            at=now,
            reason=reason,
            detail={"warning": warning_id},
        )
        return warning

    return await desk.store.run(work)


def summary(change: Change | Warning) -> dict[str, Any]:
    """What a message to a receiver says about a warning: no text of a petition, no person."""
    warning = change.warning if isinstance(change, Change) else change
    flag = warning.flag
    return {
        "warning_id": warning.id,
        "kind": warning.kind,
        "level": warning.level,
        "state": warning.state,
        "episode": warning.episode,
        "matter": warning.matter,
        "title": flag.title,
        "jurisdiction": flag.jurisdiction,
        "town": flag.town,
        "topic": flag.topic,
        "responsible_unit": warning.responsible_unit,
        "distinct_petitioners": flag.distinct_petitioners,
        "raised_at": warning.raised_at.isoformat(),
        "exercise": warning.exercise,
    }
