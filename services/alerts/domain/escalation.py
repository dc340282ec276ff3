"""Escalation: who is called next when nobody acknowledges. Free delays, loops, chains; acknowledging stops it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.domain.warning import Escalation, Warning, above


@dataclass(frozen=True)
class Call:
    """One step of a chain: after this long without an acknowledgement these receivers are called."""

    after: timedelta
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """A chain of calls, run `loops` times, then `then`; how long an acknowledgement holds; how often it is told again."""

    id: str
    calls: tuple[Call, ...]
    loops: int = 1
    then: str | None = None
    ack_holds: timedelta | None = None
    repeat: timedelta | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policies:
    """All chains, and which one a warning takes: by its kind if that is named, else by its level."""

    version: str
    policies: Mapping[str, Policy]
    by_level: Mapping[str, str]
    by_kind: Mapping[str, str]

    def choose(self, kind: str, level: str) -> Policy:
        """The policy of a warning."""
        return self.policies[self.by_kind.get(kind) or self.by_level[level]]

    def problems(self) -> list[str]:
        """What is wrong with them; refused when the file is loaded."""
        found: list[str] = []
        for policy in self.policies.values():
            found.extend(_policy_problems(policy, self.policies))
        for where, names in (("levels", self.by_level), ("kinds", self.by_kind)):
            found.extend(
                f"{where}: {key} names no policy {name!r}" for key, name in names.items() if name not in self.policies
            )
        found.extend(
            f"levels: {level} has no policy" for level in ("I", "II", "III", "IV") if level not in self.by_level
        )
        return found


def _policy_problems(policy: Policy, policies: Mapping[str, Policy]) -> list[str]:
    found: list[str] = []
    if not policy.calls:
        found.append(f"{policy.id}: has no step")
    for number, call in enumerate(policy.calls, 1):
        if not call.targets or any(not target.strip() for target in call.targets):
            found.append(f"{policy.id}: step {number} calls nobody")
        if not timedelta(0) < call.after <= timedelta(days=7):
            found.append(f"{policy.id}: step {number}: the delay must be more than 0 and at most 7 days")
    if not 1 <= policy.loops <= 100:
        found.append(f"{policy.id}: loops must lie between 1 and 100")
    passed, at = {policy.id}, policy.then
    while at is not None:
        if at not in policies:
            found.append(f"{policy.id}: then names no policy {at!r}")
            break
        if at in passed:
            found.append(f"{policy.id}: the chain of then comes back to {at!r}")
            break
        passed.add(at)
        at = policies[at].then
    return found


@dataclass(frozen=True)
class Due:
    """The next call: when, whom, and where the chain stands after it."""

    at: datetime
    targets: tuple[str, ...]
    after: Escalation


def chain_of_level(warning: Warning, level: str, policy: str | None, since: datetime) -> Escalation | None:
    """The chain when the level becomes this one, with its policy. One that runs is started again by a higher level only:
    what hovers between two levels would never be called about otherwise."""
    standing = warning.escalation
    if standing is None or policy is None or policy == standing.policy:
        return standing
    if warning.answered:  # nobody is called; a lapse starts this one
        return replace(standing, policy=policy)
    if not above(level, warning.level):
        return standing
    return Escalation(policy, run=standing.run + 1, since=since)


def first_call_from(warning: Warning, policies: Policies, policy: Policy, at: datetime) -> datetime:
    """What the first delay of `policy` counts from where it takes the place of the chain that runs: from `at`, or from
    earlier, so that the call which was due next does not come later."""
    standing = warning.escalation
    since = standing.since if standing else None
    if standing is not None and since is None and (standing.run, standing.step) == (1, -1):
        since = warning.raised_at
    due = next_call(warning, policies, since) if since is not None else None
    return at if due is None else min(at, due.at - policy.calls[0].after)


def next_call(warning: Warning, policies: Policies, since: datetime) -> Due | None:
    """The call after the one that `since` belongs to; None when the warning is answered or the chain is at its end."""
    standing = warning.escalation
    if standing is None or standing.ended or warning.answered:
        return None
    policy = policies.policies.get(standing.policy)
    if policy is None:  # the file changed under an open warning
        policy = policies.choose(warning.kind, warning.level)
        standing = replace(standing, policy=policy.id, loop=0, step=-1)
    following = replace(standing, step=standing.step + 1)
    if following.step >= len(policy.calls):
        following = replace(following, loop=following.loop + 1, step=0)
    if following.loop >= policy.loops:
        if policy.then is None:
            return None
        policy = policies.policies[policy.then]
        following = replace(following, policy=policy.id, loop=0, step=0)
    call = policy.calls[following.step]
    return Due(since + call.after, call.targets, following)
