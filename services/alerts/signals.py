"""Flags and findings become warnings: the use cases behind the consumers. Effects are sets, a replay changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.alerts.contract import flag_of
from services.alerts.domain.episodes import Decision, Outcome, on_cleared, on_flag, on_group
from services.alerts.domain.escalation import Policies, first_call_from
from services.alerts.domain.findings import FindingRow, Place
from services.alerts.domain.levels import level_of
from services.alerts.domain.lifecycle import Act, NewFlag, apply, raise_warning
from services.alerts.domain.standing import after_clear, together, with_flag, without
from services.alerts.domain.timers import after_change
from services.alerts.domain.warning import Change, Flag, Key, Standing, Text, Warning
from services.alerts.groups import hand_over
from services.alerts.labels import CLEARED, OBLIGATIONS, cleared_text
from services.alerts.ports import FindingGroup, FlagRow, Tx
from shared.events import Event, FlagCleared, FlagData, ObligationData, ObligationWithdrawn, derived_id


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
            unit = before.prior.responsible_unit if before.prior else None  # the only one that knows of the warning
            self._changes[at] = replace(
                before,
                warning=merged,
                from_unit=unit if unit != merged.responsible_unit else None,
                reason=change.reason or before.reason,
                why=change.why or before.why,
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
            await hand_over(tx, self._changes)
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
    flags = {id: flag_of(one.event) for id, one in fresh.items()}
    keys = {flag.key for flag in flags.values()}
    keys |= {key for id, one in fresh.items() if (key := _taker(one.event.data, flags[id]))}
    changes = Changes(await tx.latest(keys), policies)
    rows: list[FlagRow] = []
    for id, one in fresh.items():
        data: FlagData = one.event.data
        flag = flags[id]
        latest = changes.latest.get(flag.key)
        if isinstance(data, FlagCleared):
            taker = changes.latest.get(key) if (key := _taker(data, flag)) else None
            decision = on_cleared(latest, flag, taker)
            change = _fewer(decision, latest, flag, one, policies, data.reason)
        else:
            decision = on_flag(latest, flag)
            standing = with_flag(latest, flag, data.petitioners)
            change = _change(decision, latest, flag, one, policies, standing=standing)
        if change is not None:
            changes.add(change)
        warning_id = change.warning.id if change else latest.id if latest else None
        rows.append(_row(id, one, flag, warning_id, decision))
    await tx.add_flags(rows)
    return await changes.save(tx)


def _taker(data: FlagData, flag: Flag) -> Key | None:
    """The warning of the matter that took in the one whose flag was cleared; screening writes `merged:ID` as the reason."""
    word, _, into = data.reason.partition(":") if isinstance(data, FlagCleared) else ("", "", "")
    return replace(flag, matter=into).key if word == "merged" and into else None


def _fewer(
    decision: Decision, latest: Warning | None, flag: Flag, one: Heard, policies: Policies, reason: str
) -> Change | None:
    """The change after a flag was cleared: the warning ends, or goes on without it."""
    if decision.outcome is not Outcome.ONE_CLEARED:
        kept = decision.outcome is Outcome.CLEARED_INTO_DISCARDED
        why = CLEARED["merged_into_discarded"] if kept else cleared_text(reason)
        return _change(decision, latest, flag, one, policies, why=why)
    return _change(decision, latest, flag, one, policies, standing=without(latest, flag))


def _change(
    decision: Decision,
    latest: Warning | None,
    flag: Flag,
    one: Heard,
    policies: Policies,
    *,
    why: Text | None = None,
    standing: tuple[Standing, ...] = (),
) -> Change | None:
    """The change that a decision asks for: `standing` are the flags that count together with this one or instead of it,
    `why` is given where the warning stands on nothing any more."""
    if standing:
        flag = together(standing)
    cause, at, trace = str(one.event.id), one.at, one.event.traceparent
    level = level_of(flag)
    policy = policies.choose(flag.kind, level)
    if decision.do == "raise":
        return raise_warning(
            flag,
            id=derived_id(cause, "warning", flag.kind, flag.matter),
            standing=standing,
            level=level,
            at=at,
            cause=cause,
            previous=latest,
            policy=policy.id,
            traceparent=trace,
        )
    if latest is None or decision.do == "nothing":
        return None
    if why is not None:
        act = Act(decision.do, "system", at, cause, why.en, why=why, traceparent=trace)
        latest = after_clear(latest, flag)
        if decision.do == "update":
            act = replace(act, payload=NewFlag(latest.flag, latest.level, cleared=True))
        return apply(latest, act)
    payload = NewFlag(
        replace(flag, at=max(latest.flag.at, flag.at)),  # what came late says a time before the one that is shown
        level,
        policy.id,
        standing=standing,
        calls_from=first_call_from(latest, policies, policy, at),
        ack_holds=policy.ack_holds,
    )
    return apply(latest, Act("update", "system", at, cause, payload=payload, traceparent=trace))


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
    rows = [_finding(one.event.data) for one in heard]
    came = dict(zip(rows, heard, strict=True))
    await tx.begin()
    touched: dict[Place, tuple[FindingRow, Heard]] = {}
    entered: set[Place] = set()
    for moved in await tx.set_findings(rows):
        for place in {moved.before or moved.after, moved.after}:
            if place.state in _KIND_OF_STATE:
                touched[place] = (moved.row, came[moved.row])
                if place == moved.after != moved.before:
                    entered.add(place)
    if not touched:
        return []
    changes = Changes(await tx.latest({_key(place) for place in touched}), policies)
    for place, (row, one) in touched.items():
        latest = changes.latest.get(_key(place))
        group = await tx.finding_group(place)
        change = _finding_change(group, place, row, latest, one, policies, entered=place in entered)
        if change is not None:
            changes.add(change)
    return await changes.save(tx)


def _key(place: Place) -> Key:
    return _KIND_OF_STATE[place.state], place.matter, ""


def _finding_change(
    group: FindingGroup,
    place: Place,
    row: FindingRow,
    latest: Warning | None,
    one: Heard,
    policies: Policies,
    *,
    entered: bool,
) -> Change | None:
    if group.count == 0:
        if latest is None or not latest.open:
            return None
        flag = replace(latest.flag, at=max(latest.flag.at, one.event.data.at))
        decision = on_cleared(latest, flag)
        why = CLEARED["answered_or_moved"]
        if row.state == "withdrawn" and row.reason is not None:
            last = CLEARED["withdrawn"]
            why = Text(f"{last.zh}：{row.reason.zh}", f"{last.en}: {row.reason.en}")
        return _change(decision, latest, flag, one, policies, why=why)
    flag = _flag_of_group(group, place, one)
    if latest is not None and latest.open:  # what was met in time, but entered late, says a time before the breach
        flag = replace(flag, at=max(latest.flag.at, flag.at))
    return _change(on_group(latest, flag, entered=entered), latest, flag, one, policies)


def _flag_of_group(group: FindingGroup, place: Place, one: Heard) -> Flag:
    kind = _KIND_OF_STATE[place.state]
    late = kind == "overdue"
    owed = OBLIGATIONS.get(place.obligation, Text(place.obligation, place.obligation))
    zh = f"{group.count} 件{owed.zh}{'已超期' if late else '即将到期'}"
    many = "petition is" if group.count == 1 else "petitions are"
    en = f"{group.count} {many} {'overdue' if late else 'due soon'}: {owed.en}"
    veil = [place.accused_unit or "unknown"] if place.restricted else []
    return Flag(
        flag_id=derived_id(kind, place.owner, place.obligation, *veil),
        kind=kind,
        matter=place.matter,
        jurisdiction=place.jurisdiction,
        level="III" if late else "IV",
        at=one.event.data.at,
        title=zh,
        title_en=en,
        responsible_unit=place.unit,
        petition_ids=group.petition_ids,
        explanation=Text(f"{zh}；最早一件：{group.derivation.zh}", f"{en}; the earliest: {group.derivation.en}"),
        rule_id=f"clock.{place.obligation}",
        policy="statutory clocks",
        basis=group.basis,
        threshold=1,
        observed=group.count,
        margin=group.count - 1,
        restricted=place.restricted,
        accused_unit=place.accused_unit,
    )


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
        started_by=data.started_by or "",
        renewal=data.renewal,
        restricted=data.restricted,
        accused_unit=data.accused_unit if data.restricted else None,
        reason=Text(data.reason.zh, data.reason.en) if isinstance(data, ObligationWithdrawn) else None,
    )
