"""The rules. Each is a pure function of a matter's state, the policy and a moment: a finding, or None.

A rule is asked again each time something happens to the matter; `standing` is the flag that is open already, so that a flag
stays until its own condition for ending is met (`expires_at` says when that is if nothing else happens).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from services.screening.domain.flags import Episode, Finding
from services.screening.domain.petitions import Filing
from services.screening.domain.policy import VISITS, Policy, Rule, Surge
from services.screening.domain.rates import CountyRate, tail
from services.screening.domain.state import MatterState

MatterRule = Callable[[MatterState, Policy, CountyRate, datetime, Episode | None], Finding | None]
PetitionRule = Callable[[MatterState, Filing, Policy, datetime], Finding | None]


def _found(
    kind: str, rule: Rule, policy: Policy, at: datetime, observed: float, threshold: float, **more: object
) -> Finding:
    values: dict[str, object] = {"expires_at": at + timedelta(days=rule.expires_days), **more}
    return Finding(kind, rule, policy.name, rule.level(observed), observed, threshold, **values)  # type: ignore[arg-type]


# -- of a matter ------------------------------------------------------------------------------------------------------


def collective_visit(
    state: MatterState, policy: Policy, rate: CountyRate, at: datetime, standing: Episode | None
) -> Finding | None:
    """A visit with headcount ≥ `min_persons`; the largest of the time the flag stands gives the level."""
    rule = policy.rules.collective_visit
    visits = [v for v in state.visits.values() if (v.headcount or 0) >= rule.min_persons]
    if not visits:
        return None
    since = state.since(at, rule.expires_days, "collective_visit")
    visits = [v for v in visits if v.at > since and state.newer("collective_visit", v.id, v.at)]
    if not visits:
        return None
    return _found(
        "collective_visit",
        rule,
        policy,
        max(v.at for v in visits),
        max(v.headcount or 0 for v in visits),
        rule.min_persons,
        petitions=tuple(v.id for v in sorted(visits, key=lambda v: (v.at, v.id))),
        facts=(("visits", len(visits)),),
    )


def collective_risk(
    state: MatterState, policy: Policy, rate: CountyRate, at: datetime, standing: Episode | None
) -> Finding | None:
    """Distinct petitioners in the window, of the matter and beside it, reach the threshold, or those of the matter come
    faster than past and county explain.
    """
    rule = policy.rules.collective_risk
    distinct = state.distinct(at, rule.days, "collective_risk")
    if distinct < min(rule.clear_below, policy.rules.collective_surge.petitioners):
        return None
    base: Rule = rule
    threshold: float = rule.petitioners
    facts = [("days", rule.days), ("petitions", len(state.members))]
    if distinct < rule.petitioners:
        surged = standing is None or isinstance(standing.finding.rule, Surge)
        surge = collective_surge(state, policy, rate, at) if surged or distinct < rule.clear_below else None
        if surge is not None or standing is None or distinct < rule.clear_below:
            return surge
        base, threshold = standing.finding.rule, standing.finding.threshold
        if surged:  # it is none any more, and stands until too few are left
            threshold, facts = rule.clear_below, [*facts, ("stands", 1)]
    leaves = state.nth_newest(min(rule.clear_below, distinct), "collective_risk")
    return _found(
        "collective_risk",
        base,
        policy,
        at,
        distinct,
        threshold,
        expires_at=leaves + timedelta(days=rule.days),
        window_days=rule.days,
        facts=tuple(facts),
        against=_against(state, at, rule.days, state.other(at, rule.days, "collective_risk")),
    )


def collective_surge(state: MatterState, policy: Policy, rate: CountyRate, at: datetime) -> Finding | None:
    """More petitioners within `days` than the matter's own past and the county's rate explain (negative binomial)."""
    rule = policy.rules.collective_surge
    if not rule.enabled:
        return None
    observed = state.distinct(at, rule.days, "collective_risk", beside=False)
    if observed < rule.petitioners:
        return None
    expected_county, past_county = rate.exposures(at, rule.days, rule.baseline_days)
    start = at - timedelta(days=rule.days)
    past = state.between(start - timedelta(days=rule.baseline_days), start)
    exposure = max(expected_county, 1.0)
    chance = tail(observed, rule.prior + past, exposure, max(past_county, exposure) * rule.prior + past_county)
    if chance > rule.false_alarm:
        return None
    standing_days = policy.rules.collective_risk.days
    leaves = state.nth_newest(min(policy.rules.collective_risk.clear_below, observed), "collective_risk")
    return _found(
        "collective_risk",
        rule,
        policy,
        at,
        observed,
        rule.petitioners,
        expires_at=leaves + timedelta(days=standing_days),
        window_days=rule.days,
        facts=(("days", rule.days), ("past", past), ("chance", chance), ("false_alarm", rule.false_alarm)),
        against=_against(state, at, rule.days),
    )


def cross_level_risk(
    state: MatterState, policy: Policy, rate: CountyRate, at: datetime, standing: Episode | None
) -> Finding | None:
    """Unanswered past the deadline, contested or announced to go higher; and the matter has climbed or repeated. Where a flag
    was withdrawn, only what is newer counts. An announcement ends with its window, and with it a flag that stands on it alone.
    """
    if not state.cases and not state.announced:
        return None
    rule, kind = policy.rules.cross_level_risk, "cross_level_risk"
    since, newer = state.since(at, rule.expires_days, kind), partial(state.newer, kind)
    late = ((p, state.overdue_at(p, at, policy.reply_days)) for p in state.cases)
    overdue = tuple(p for p, moment in late if moment is not None and newer(p, moment))
    contested = tuple(p for p, case in state.cases.items() if case.contested_at and newer(p, case.contested_at))
    announced = tuple(p for p, filing in state.announced.items() if filing.at > since and newer(p, filing.at))
    grounds = (bool(overdue), bool(contested), bool(announced))
    if sum(grounds) < rule.grounds:
        return None
    climbed = tuple(p for p, filing in state.climbed.items() if newer(p, filing.at))
    repeated = state.repeated_anew(kind)
    if not climbed and not repeated:
        return None
    grounded = {p for p in (*overdue, *contested, *announced, *climbed) if p in state.members}
    petitions = tuple(sorted(grounded, key=lambda p: (state.members[p].filing.at, p)))
    times = [state.members[p].filing.at for p in petitions] + [
        t for case in state.cases.values() for t in (case.breached_at, case.contested_at) if t is not None
    ]
    if grounds[0] + grounds[1] < rule.grounds:
        times = [state.announced[p].at for p in announced]
    return _found(
        kind,
        rule,
        policy,
        min(at, max(times, default=at)),
        sum(grounds),
        rule.grounds,
        petitions=petitions,
        facts=(
            ("overdue", len(overdue)),
            ("contested", len(contested)),
            ("announced", len(announced)),
            ("climbed", len(climbed)),
            ("repeated", repeated),
        ),
        against=(("not_climbed", 1),) if not climbed else (),
        owing=_owing(state, overdue),
    )


def unanswered_repeat(
    state: MatterState, policy: Policy, rate: CountyRate, at: datetime, standing: Episode | None
) -> Finding | None:
    """Repeats after an overdue or missing reply, while that is still missing. Counted against the unit."""
    if not state.repeats:
        return None
    rule = policy.rules.unanswered_repeat
    live = [
        (again, earlier)
        for again, earlier in state.repeats
        if again in state.members
        and earlier in state.members
        and state.newer("unanswered_repeat", again, state.members[again].filing.at)
        and (case := state.case(earlier)) is not None
        and not case.settled
        and (case.since is None or state.members[again].filing.at >= case.since)  # what was missing then was answered
    ]
    repeats = {again for again, _ in live}
    if len(repeats) < rule.repeats:
        return None
    last = max(state.members[again].filing.at for again in repeats)
    return _found(
        "unanswered_repeat",
        rule,
        policy,
        last,
        len(repeats),
        rule.repeats,
        petitions=tuple(sorted({p for pair in live for p in pair}, key=lambda p: (state.members[p].filing.at, p))),
        owing=_owing(state, {earlier for _, earlier in live}),
    )


def _owing(state: MatterState, owed: Collection[str]) -> str | None:
    """The unit that has the first of these petitions, which are owed a reply; the one named at filing while nobody has it."""
    if not owed:
        return None
    filing = min((state.members[p].filing for p in owed), key=lambda filing: (filing.at, filing.id))
    case = state.case(filing.id)
    return (case.assigned_unit if case is not None else None) or filing.unit


# -- of a petition ----------------------------------------------------------------------------------------------------


def life_safety(state: MatterState, filing: Filing, policy: Policy, at: datetime) -> Finding | None:
    """Words of harm to self or others: one petition, one flag, level I."""
    if not (phrases := filing.says("life_safety")):
        return None
    rule = policy.rules.life_safety
    return _found("life_safety", rule, policy, at, 1, 1, scope=filing.id, petitions=(filing.id,), phrases=phrases)


def reprisal_risk(state: MatterState, filing: Filing, policy: Policy, at: datetime) -> Finding | None:
    """A complaint of reprisal, or the accused unit has the matter: another authority gets it."""
    rule = policy.rules.reprisal_risk
    case = state.case(filing.id)
    handling = (case.assigned_unit if case and case.assigned_unit else None) or filing.unit
    accused = filing.accused_unit
    accused_handles = accused is not None and handling is not None and handling.startswith(accused)
    phrases = filing.says("reprisal")
    if not phrases and not accused_handles:
        return None
    others = (f"{filing.county}.{slug}" for slug in (rule.authority, rule.second_authority))
    authority = next((u for u in others if u != handling and (accused is None or not u.startswith(accused))), None)
    return _found(
        "reprisal_risk",
        rule,
        policy,
        at,
        1,
        1,
        scope=filing.id,
        petitions=(filing.id,),
        phrases=phrases,
        facts=(("accused_handles", float(accused_handles)),),
        authority=authority,
    )


def cross_level_visit(state: MatterState, filing: Filing, policy: Policy, at: datetime) -> Finding | None:
    """rank(presented) > rank(competent) + 1, visits only (Art. 20). It leads to guidance, never to refusal."""
    rule = policy.rules.cross_level_visit
    if filing.channel not in rule.channels or filing.channel not in VISITS or filing.climb <= rule.levels_above:
        return None
    return _found(
        "cross_level_visit",
        rule,
        policy,
        at,
        filing.climb,
        rule.levels_above + 1,
        scope=filing.id,
        petitions=(filing.id,),
    )


def over_representatives(state: MatterState, filing: Filing, policy: Policy, at: datetime) -> Finding | None:
    """More than five representatives at a visit (Art. 20): they are asked to choose at most five."""
    rule = policy.rules.over_representatives
    present = filing.representatives or 0
    if filing.channel not in VISITS or present <= rule.max_representatives:
        return None
    return _found(
        "over_representatives",
        rule,
        policy,
        at,
        present,
        rule.max_representatives + 1,
        scope=filing.id,
        petitions=(filing.id,),
    )


def pending_elsewhere(state: MatterState, filing: Filing, policy: Policy, at: datetime) -> Finding | None:
    """Presented above while the petitioner's own earlier petition on it is in process and in time (Art. 19)."""
    if filing.climb < 1:
        return None
    pending = tuple(
        sorted(other.id for other in state.earlier(filing) if state.in_process(other.id, at, policy.reply_days))
    )
    if not pending:
        return None
    rule = policy.rules.pending_elsewhere
    return _found(
        "pending_elsewhere", rule, policy, at, len(pending), 1, scope=filing.id, petitions=(*pending, filing.id)
    )


def ordinary(filing: Filing) -> bool:
    """Whether no rule of a petition can find anything in this one, so that none is asked when it joins."""
    return not filing.signals and filing.channel not in VISITS and filing.accused_unit is None and filing.climb < 1


def _against(state: MatterState, at: datetime, days: int, beside: int = 0) -> tuple[tuple[str, float], ...]:
    """What speaks against a flag of the petitions in the window."""
    found = []
    if beside:
        found.append(("beside", float(beside)))
    copies = state.copies
    answered = 0
    if state.cases:
        since = state.since(at, days, "collective_risk")
        replied = (state.members[p] for p, case in state.cases.items() if case.replied_at and case.contested_at is None)
        answered = sum(
            m.counts and since < m.filing.at <= at and state.newer("collective_risk", m.filing.id, m.filing.at)
            for m in replied
        )
    if copies:
        found.append(("copies", float(copies)))
    if answered:
        found.append(("answered", float(answered)))
    if not state.visits and not any(f.channel in VISITS for f in state.near(at, days, "collective_risk")):
        found.append(("no_visit", 1.0))
    return tuple(found)


OF_MATTERS: Final[dict[str, MatterRule]] = {
    "collective_visit": collective_visit,
    "collective_risk": collective_risk,
    "cross_level_risk": cross_level_risk,
    "unanswered_repeat": unanswered_repeat,
}
OF_PETITIONS: Final[dict[str, PetitionRule]] = {
    "life_safety": life_safety,
    "reprisal_risk": reprisal_risk,
    "cross_level_visit": cross_level_visit,
    "over_representatives": over_representatives,
    "pending_elsewhere": pending_elsewhere,
}
