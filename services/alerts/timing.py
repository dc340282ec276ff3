"""What happens when a timer is due: calls, lapses, missed steps, messages. Once each, in the transaction that ends the timer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.alerts.domain.escalation import Policies, next_call
from services.alerts.domain.lifecycle import Act, apply
from services.alerts.domain.notify import (
    GROUP_INTERVAL,
    Reason,
    Told,
    group_key,
    needs_telling,
    news_first,
    told_now,
    unmuted,
)
from services.alerts.domain.silence import mutes
from services.alerts.domain.timers import Plan, Timer, after_change, chain_of, flush_at, next_step_timer
from services.alerts.domain.warning import Warning
from services.alerts.groups import move
from services.alerts.handlers import Desk, summary
from services.alerts.labels import WHY, missed
from services.alerts.ports import Delivery, Tx

BATCH: Final = 200
NAMED: Final = 50
"""Warnings that a message names at most; `total` says how many it is about."""


async def fire_due(desk: Desk) -> int:
    """Fire every timer that is due, the oldest first; gives how many. Safe when several processes do it at once."""
    fired = 0
    trouble: Exception | None = None
    for timer in await desk.store.due_timers(desk.clock.now(), BATCH):
        try:
            fired += await fire(desk, timer)
        except Exception as error:  # one that cannot fire does not hold up the others; it is tried again
            trouble = error
    if trouble is not None:
        raise trouble
    return fired


async def fire(desk: Desk, timer: Timer) -> bool:
    """Fire one timer; False when somebody else has, or it was put off."""
    now = desk.clock.now()

    async def work(tx: Tx) -> bool:
        there = await tx.timer(timer.id)
        if there is None or there.due > now:
            return False
        await tx.end_timer(timer.id)
        match there.kind:
            case "escalation":
                await _escalate(tx, desk.policies, there, now)
            case "lapse":
                await _lapse(tx, desk.policies, there, now)
            case "step":
                await _miss(tx, desk.policies, there, now)
            case "flush":
                await flush(tx, desk.policies, there.subject, now)
            case "unmute":
                await _unmute(tx, there, now)
            case "release":
                await _look_again(tx, await tx.open_on({there.subject}), now)
        return True

    return await desk.store.run(work, point="alerts.timer")


async def _escalate(tx: Tx, policies: Policies, timer: Timer, now: datetime) -> None:
    warning = await tx.warning(timer.subject)
    call = next_call(warning, policies, now) if warning else None
    if warning is None or call is None:
        return
    number = call.after
    if not timer.id.startswith(chain_of(warning.id, number.run)):  # it was started again in the meantime
        return
    targets = ", ".join(call.targets)
    why = WHY["escalate"]
    act = Act("escalate", "system", now, timer.id, why.en, why=why, payload=number, detail={"targets": targets})
    change = apply(warning, act)
    await tx.save([(change, after_change(change, policies))])
    body = {"reason": Reason.ESCALATED.value, "warnings": [summary(change.warning)]}
    prefix = f"{warning.id}#call.{number.run}.{number.policy}.{number.loop}.{number.step}"
    await tx.put_deliveries(
        [
            Delivery(
                f"{prefix}/{target}", target, Reason.ESCALATED, (warning.id,), body, now, now, exercise=warning.exercise
            )
            for target in call.targets
        ]
    )


async def _lapse(tx: Tx, policies: Policies, timer: Timer, now: datetime) -> None:
    warning = await tx.warning(timer.subject)
    if warning is None or warning.state != "acknowledged" or warning.acknowledged_until is None:
        return
    if warning.acknowledged_until > now:
        return
    why = WHY["lapse"]
    policy = policies.choose(warning.kind, warning.level).id
    change = apply(warning, Act("lapse", "system", now, timer.id, why.en, why=why, payload=policy))
    await tx.save([(change, after_change(change, policies))])


async def _miss(tx: Tx, policies: Policies, timer: Timer, now: datetime) -> None:
    """Say of each step that is due and not done that it was missed; then wait for the next."""
    warning = await tx.warning(timer.subject)
    if warning is None or not warning.open:
        return
    changes = []
    for step in warning.steps:
        if step.done_at is None and not step.missed and step.due <= now:
            cause = f"{timer.id}/{step.id}"
            why = missed(step.what)
            act = Act("miss", "system", now, cause, why.en, why=why, payload=step.id, detail={"step": step.id})
            change = apply(warning, act)
            changes.append((change, after_change(change, policies)))
            warning = change.warning
    if changes:
        await tx.save(changes)
        return
    following = next_step_timer(warning)
    if following is not None:
        await tx.set_timers(Plan(sooner=(following,)))


async def _unmute(tx: Tx, timer: Timer, now: datetime) -> None:
    """A silence ended: look again at the groups it muted."""
    silence = await tx.silence(timer.subject)
    if silence is None:
        return
    warning = await tx.warning(silence.warning_id) if silence.warning_id else None
    matters = {warning.matter} if warning else {silence.matter} if silence.matter else set()
    muted = await tx.open_on(matters) if matters else await tx.open_of(silence.kinds)
    await _look_again(tx, [*muted, warning] if warning else muted, now)


async def _look_again(tx: Tx, warnings: Iterable[Warning], now: datetime) -> None:
    keys = sorted({group_key(one) for one in warnings})
    await tx.set_timers(Plan(sooner=tuple(flush_at(key, now) for key in keys)))


async def flush(tx: Tx, policies: Policies, key: str, now: datetime) -> Reason:
    """Decide whether a group is told about now, and write the messages. Gives the reason."""
    told = await tx.told(key)
    known = dict(told.firing) if told else {}
    members = await tx.group(key, known)
    stayed = [warning for warning in members if not warning.open or group_key(warning) == key]
    for warning in members:
        if warning.open and group_key(warning) != key and warning.id in known:  # this version forms groups otherwise
            await move(tx, warning.id, key, group_key(warning))
            await tx.set_timers(Plan(sooner=(flush_at(group_key(warning), now),)))
    if told is not None:  # a warning that moved to a group of its own has not ended
        here = {warning.id for warning in stayed}
        told = replace(told, firing={id: seen for id, seen in known.items() if id in here})
    others = await tx.open_on({warning.matter for warning in stayed})
    silences = await tx.silences(now)
    audible = unmuted(stayed, silences, others, now)
    muted = {warning.id for warning in stayed} - {warning.id for warning in audible}
    ended = [warning for warning in stayed if warning.id in muted and not warning.open]
    if ended:  # a silence is heeded to its end; then it is told that what was told about ended meanwhile
        over = min(one.ends_at for one in silences if any(mutes(one, warning, now) for warning in ended))
        await tx.set_timers(Plan(sooner=(flush_at(key, over),)))
    kept = {id: seen for id, seen in known.items() if id in muted}
    if told is not None:  # nor has one that is muted now: what there is to say of it is said when that ends
        told = replace(told, firing={id: seen for id, seen in told.firing.items() if id not in muted})
    policy = policies.choose(stayed[0].kind, min(w.level for w in stayed)) if stayed else None
    reason = needs_telling(told, audible, now, policy.repeat if policy else None)
    if policy is not None and reason.sends:
        if _too_soon(told, stayed, now):
            assert told is not None
            await tx.set_timers(Plan(sooner=(flush_at(key, told.at + GROUP_INTERVAL),)))
            return Reason.UNCHANGED
        after = told_now(told, audible, now)
        await tx.set_told(key, replace(after, firing={**after.firing, **kept}))
        audible = news_first(told, audible)
        body = {
            "reason": reason.value,
            "group": key,
            "total": len(audible),
            "warnings": [summary(warning) for warning in audible[:NAMED]],
        }
        ids = tuple(warning.id for warning in audible)
        exercise = bool(audible) and all(warning.exercise for warning in audible)
        await tx.put_deliveries(
            [
                Delivery(f"{key}#{after.n}/{target}", target, reason, ids, body, now, now, exercise=exercise)
                for target in policy.notify
            ]
        )
        told = after
    if policy is not None and policy.repeat and told is not None and any(not w.answered for w in audible):
        at = told.at + policy.repeat
        if at <= now:
            at = now + policy.repeat
        await tx.set_timers(Plan(sooner=(flush_at(key, at),)))
    return reason


def _too_soon(told: Told | None, group: list[Warning], now: datetime) -> bool:
    """Two messages about one group keep their distance, except for the highest level and the protected kinds."""
    if told is None or not told.n or any(w.level == "I" or w.protected for w in group):
        return False
    return now < told.at + GROUP_INTERVAL
