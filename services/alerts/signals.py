"""Flags and findings become warnings: the use cases behind the consumers. Effects are sets, a replay changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.alerts.contract import flag_of
from services.alerts.domain.episodes import Decision, on_cleared, on_flag
from services.alerts.domain.escalation import Policies
from services.alerts.domain.levels import level_of
from services.alerts.domain.lifecycle import Act, NewFlag, apply, raise_warning
from services.alerts.domain.timers import after_change
from services.alerts.domain.warning import Change, Flag, Text, Warning
from services.alerts.labels import OBLIGATIONS
from services.alerts.ports import FindingGroup, FindingRow, FlagRow, Key, Tx
from shared.events import Event, FlagCleared, FlagData, ObligationData, derived_id


@dataclass(frozen=True)
class Heard:
    """One event from the bus, and when the broker took it: the time of every effect, the same at each redelivery."""

    event: Event
    at: datetime


class Changes:
    """Changes of one batch in order. Several updates of one warning in a batch become one."""

    def __init__(self, latest: dict[Key, Warning], policies: Policies) -> None:
        self.latest = latest
        self._policies = policies
        self._changes: list[Change] = []
        self._last: dict[str, int] = {}

    def add(self, change: Change) -> None:
        """Take a change, merging it into the one before where both only bring a newer flag."""
        id = change.warning.id
        at = self._last.get(id)
        before = self._changes[at] if at is not None else None
        if at is not None and before is not None and change.action == "update" and _mergeable(before, change):
            merged = replace(change.warning, version=before.warning.version, state=before.warning.state)
            self._changes[at] = replace(
                before,
                warning=merged,
                reason=change.reason or before.reason,
                chain_started=before.chain_started or change.chain_started,
            )
            change = self._changes[at]
        else:
            self._last[id] = len(self._changes)
            self._changes.append(change)
        self.latest[change.warning.key] = change.warning

    async def save(self, tx: Tx) -> list[Change]:
        """Write them all."""
        if self._changes:
            await tx.save([(change, after_change(change, self._policies)) for change in self._changes])
        return self._changes


def _mergeable(before: Change, change: Change) -> bool:
    return before.action in ("raise", "update") and change.warning.version == before.warning.version + 1


async def on_flags(tx: Tx, heard: Sequence[Heard], policies: Policies) -> list[Change]:
    """Take flag events in order."""
    seen = await tx.seen([str(one.event.id) for one in heard])
    fresh = {str(one.event.id): one for one in heard if str(one.event.id) not in seen}
    if not fresh:
        return []
    keys = {(one.event.data.kind, one.event.data.matter) for one in fresh.values()}
    changes = Changes(await tx.latest(keys), policies)
    rows: list[FlagRow] = []
    for id, one in fresh.items():
        data: FlagData = one.event.data
        flag = flag_of(data)
        latest = changes.latest.get((flag.kind, flag.matter))
        cleared = isinstance(data, FlagCleared)
        decision = on_cleared(latest, flag) if cleared else on_flag(latest, flag)
        reason = data.reason if isinstance(data, FlagCleared) else None
        change = _change(decision, latest, flag, one, policies, cleared=cleared, reason=reason)
        if change is not None:
            changes.add(change)
        warning_id = change.warning.id if change else latest.id if latest else None
        rows.append(_row(id, one, flag, warning_id, decision))
    await tx.add_flags(rows)
    return await changes.save(tx)


def _change(
    decision: Decision,
    latest: Warning | None,
    flag: Flag,
    one: Heard,
    policies: Policies,
    *,
    cleared: bool,
    reason: str | None,
) -> Change | None:
    cause, at, trace = str(one.event.id), one.at, one.event.traceparent
    level = level_of(flag)
    policy = policies.choose(flag.kind, level).id
    if decision.do == "raise":
        return raise_warning(
            flag,
            id=derived_id(cause, "warning", flag.kind, flag.matter),
            level=level,
            at=at,
            cause=cause,
            previous=latest,
            policy=policy,
            traceparent=trace,
        )
    if latest is None or decision.do == "nothing":
        return None
    if decision.do == "cancel":
        why = f"cleared: {reason}" if reason else "cleared: what it stood on fell away"
        return apply(latest, Act("cancel", "system", at, cause, why, traceparent=trace))
    if cleared:
        return apply(
            latest,
            Act(
                "update",
                "system",
                at,
                cause,
                reason,
                payload=NewFlag(latest.flag, latest.level, cleared=True),
                traceparent=trace,
            ),
        )
    return apply(latest, Act("update", "system", at, cause, payload=NewFlag(flag, level, policy), traceparent=trace))


def _row(id: str, one: Heard, flag: Flag, warning_id: str | None, decision: Decision) -> FlagRow:
    return FlagRow(
        id=id,
        warning_id=warning_id,
        kind=flag.kind,
        matter=flag.matter,
        flag_id=flag.flag_id,
        type=one.event.type,
        at=flag.at,
        distinct_petitioners=flag.distinct_petitioners,
        headcount=flag.headcount,
        observed=flag.observed,
        threshold=flag.threshold,
        level=flag.level,
        outcome=decision.outcome.value,
    )


# -- deadlines: one warning a unit and obligation, however many petitions ----------------------------------------------

_KIND_OF_STATE: Final = {"due_soon": "near_deadline", "breached": "overdue"}


async def on_findings(tx: Tx, heard: Sequence[Heard], policies: Policies) -> list[Change]:
    """Take obligation events. All petitions that a unit is late with for one obligation are one warning."""
    last: dict[str, tuple[FindingRow, Heard]] = {}
    for one in heard:
        row = _finding(one.event.data)
        if row.id not in last or row.order >= last[row.id][0].order:
            last[row.id] = (row, one)
    await tx.begin()
    touched: dict[tuple[str, str, str], Heard] = {}
    for row, before in await tx.set_findings([row for row, _ in last.values()]):
        for unit, state in {before or (row.unit, row.state), (row.unit, row.state)}:
            if state in _KIND_OF_STATE:
                touched[(unit, row.obligation, state)] = last[row.id][1]
    if not touched:
        return []
    keys = {(_KIND_OF_STATE[state], matter_of(unit, name)) for unit, name, state in touched}
    changes = Changes(await tx.latest(keys), policies)
    for (unit, obligation, state), one in touched.items():
        kind = _KIND_OF_STATE[state]
        latest = changes.latest.get((kind, matter_of(unit, obligation)))
        group = await tx.finding_group(unit, obligation, state)
        change = _finding_change(group, kind, unit, obligation, latest, one, policies)
        if change is not None:
            changes.add(change)
    return await changes.save(tx)


def _finding_change(
    group: FindingGroup,
    kind: str,
    unit: str,
    obligation: str,
    latest: Warning | None,
    one: Heard,
    policies: Policies,
) -> Change | None:
    if group.count == 0:
        if latest is None or not latest.open:
            return None
        flag = replace(latest.flag, at=max(latest.flag.at, one.event.data.at))
        decision = on_cleared(latest, flag)
        why = "every one of these petitions has been answered or moved on"
        return _change(decision, latest, flag, one, policies, cleared=True, reason=why)
    flag = _flag_of_group(group, kind, unit, obligation, one)
    if latest is not None and latest.open:  # what was met in time, but entered late, says a time before the breach
        flag = replace(flag, at=max(latest.flag.at, flag.at))
    decision = on_flag(latest, flag)
    return _change(decision, latest, flag, one, policies, cleared=False, reason=None)


def _flag_of_group(group: FindingGroup, kind: str, unit: str, obligation: str, one: Heard) -> Flag:
    late = kind == "overdue"
    owed = OBLIGATIONS.get(obligation, Text(obligation, obligation))
    zh = f"{group.count} 件{owed.zh}{'已超期' if late else '即将到期'}"
    en = f"{group.count} petitions {'are overdue' if late else 'are due soon'}: {owed.en}"
    return Flag(
        flag_id=derived_id(kind, unit, obligation),
        kind=kind,
        matter=matter_of(unit, obligation),
        jurisdiction=group.jurisdiction,
        level="III" if late else "IV",
        at=one.event.data.at,
        title=zh,
        responsible_unit=unit,
        petition_ids=group.petition_ids,
        explanation=Text(f"{zh}；最早一件：{group.derivation.zh}", f"{en}; the earliest: {group.derivation.en}"),
        rule_id=f"clock.{obligation}",
        policy="statutory clocks",
        basis=group.basis,
        threshold=1,
        observed=group.count,
        margin=group.count - 1,
    )


def matter_of(unit: str, obligation: str) -> str:
    """What an overdue or near-deadline warning is about."""
    return f"unit:{unit}/{obligation}"


def _finding(data: ObligationData) -> FindingRow:
    return FindingRow(
        id=f"{data.petition_id}/{data.obligation}",
        petition_id=data.petition_id,
        obligation=data.obligation,
        unit=data.unit,
        jurisdiction=data.jurisdiction,
        state=data.state,
        due=data.due,
        at=data.at,
        basis=data.basis,
        derivation=Text(data.explanation.zh, data.explanation.en)
        if data.explanation
        else Text(data.derivation, data.derivation),
        matter=data.matter,
    )
