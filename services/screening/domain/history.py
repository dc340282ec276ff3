"""A matter as the ordered list of what happened to it, and the fold of that list into its state and flags.

What is kept is the list; the state is only ever a fold of it in the order of event time. So an input that comes late, a merge that
turns out not to hold, or a restart gives the state that the right order would have given.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from services.screening.domain.flags import OF_A_PETITION, Episode, Finding, Transition, flag_id
from services.screening.domain.petitions import Case, Filing, Step
from services.screening.domain.policy import VISITS, Policies, Policy
from services.screening.domain.rates import CountyRate
from services.screening.domain.rules import OF_MATTERS, OF_PETITIONS, ordinary
from services.screening.domain.state import MatterState, Member


@dataclass(frozen=True, slots=True)
class Join:
    """A petition becomes a member. `first`: it was linked here, not moved here by a merge or a split."""

    member: Member
    first: bool = True


@dataclass(frozen=True, slots=True)
class Beside:
    """A petition showed that these, of other matters, are about the same place and much the same thing."""

    filings: tuple[Filing, ...]


@dataclass(frozen=True, slots=True)
class Absorb:
    """Another matter turned out to be this one. `by_staff`: people said so; then the name of this one stays."""

    other: History
    by_staff: bool = False


@dataclass(frozen=True, slots=True)
class Absorbed:
    """This matter turned out to be part of `kept`; its own flags of the matter end here."""

    kept: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Staff moved petitions out."""

    petitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A flag was contested and found wrong: what it counted does not count again."""

    flag: str
    kind: str
    scope: str


Happening = Join | Beside | Absorb | Absorbed | Leave | Withdraw | Step
_RANK: Final[dict[type[Any], int]] = {Absorb: 0, Join: 1, Beside: 2, Step: 3, Leave: 4, Withdraw: 5, Absorbed: 6}
Input = tuple[tuple[datetime, int, str], Happening]
_KEY: Final = itemgetter(0)
PASSED: Final = "window_passed"
"""Why a flag was cleared whose time was over."""
SPLIT: Final = "split"
"""Why a flag was cleared whose grounds staff moved out of the matter."""


def entry(at: datetime, happening: Happening, id: str) -> Input:
    """An input with the key that puts it in order: time, kind, id."""
    return (at, _RANK[type(happening)], id), happening


def step_entry(step: Step, filing: Filing, joined: datetime) -> Input:
    """A step of a petition that came to its matter at `joined`: not before that, and in the order in which they happened."""
    happened = step.happened or step.at
    at = max(happened - filing.lag, joined)
    return entry(at, replace(step, at=at, happened=happened), f"{happened.isoformat()} {step.id}")


@dataclass(slots=True)
class History:
    """One matter: its inputs in order and, where it needs one, the fold of them.

    `joined`: members that came since `newcomers` was asked; `shuffled`: others may have come or gone too.
    """

    id: str
    inputs: list[Input] = field(default_factory=list)
    state: MatterState | None = None
    stale: bool = False
    sequence: int = 0
    merged_into: str | None = None
    absorbed: bool = False
    joined: list[Member] = field(default_factory=list)
    shuffled: bool = False

    def add(self, item: Input, policies: Policies, rate: CountyRate) -> bool:
        """Take in one input; in order it is a step of the fold. True where it came out of order: the fold is stale."""
        if isinstance(item[1], Absorb):
            item[1].other.fold(policies, rate)
        self.absorbed = self.absorbed or isinstance(item[1], Absorbed)
        if not self.inputs or item[0] > self.inputs[-1][0]:
            self.inputs.append(item)
            match item[1]:
                case Join(member):
                    self.joined.append(member)
                case Absorb(other):
                    self.joined += other.members()
                case Leave():
                    self.shuffled = True
            if self.state is not None and not self.stale:
                # A clock may have ended a flag ahead of what comes now: to this the flag still stands, and may go on.
                if self.state.ended is not None and self.state.ended > item[0][0]:
                    self.stale = True
                else:
                    _step(self.state, item, policies, rate)
            elif self.state is None and not (len(self.inputs) == 1 and plain(item[1])):
                self.stale = True
            return False
        place = bisect_right(self.inputs, item[0], key=_KEY)
        if place and self.inputs[place - 1][0] == item[0]:
            return False  # the same input again
        self.inputs.insert(place, item)
        self.stale = True
        return True

    def remove(self, keys: Iterable[tuple[datetime, int, str]]) -> None:
        """Take inputs back."""
        gone = set(keys)
        self.inputs = [item for item in self.inputs if item[0] not in gone]
        self.absorbed = any(isinstance(happening, Absorbed) for _, happening in self.inputs)
        self.stale = True

    def fold(self, policies: Policies, rate: CountyRate) -> None:
        """Fold the inputs anew where that is needed."""
        if not self.stale:
            return
        self.stale, self.shuffled = False, True
        state = MatterState(self.id)
        for item in self.inputs:
            if isinstance(item[1], Absorb):
                item[1].other.fold(policies, rate)
            _step(state, item, policies, rate)
        self.state = state

    def expire(self, at: datetime) -> bool:
        """Clear what has expired by `at`; true if something did."""
        if self.state is None or (self.merged_into is not None and not self.state.open):
            return False
        before = len(self.state.open)
        _expire(self.state, at)
        return len(self.state.open) != before

    def end(self, keys: Iterable[tuple[str, str]]) -> None:
        """Clear flags whose time is over by another clock than that of the events."""
        if self.state is not None:
            _over(self.state, keys)

    def newcomers(self) -> list[Member]:
        """Members that may not have been here when this was last asked."""
        found = self.members() if self.shuffled else self.joined
        self.joined, self.shuffled = [], False
        return found

    @property
    def petitions(self) -> int:
        """Number of petitions that are members now."""
        return len(self.state.members) if self.state is not None else len(self.inputs)

    @property
    def last(self) -> datetime:
        """When something last happened to it."""
        return self.inputs[-1][0][0]

    def members(self) -> list[Member]:
        """The members now, in the order they joined."""
        if self.state is not None:
            return list(self.state.members.values())
        return [item.member for _, item in self.inputs if isinstance(item, Join)]

    def steps_since(self, at: datetime) -> list[Input]:
        """Steps of its petitions from a moment on."""
        start = bisect_left(self.inputs, at, key=_time)
        return [item for item in self.inputs[start:] if isinstance(item[1], Step)]

    def steps_of(self, petition: str) -> list[Step]:
        """The steps of one petition."""
        return [h for _, h in self.inputs if isinstance(h, Step) and h.petition == petition]

    def forget_steps(self, petition: str) -> None:
        """Take back the steps of one petition."""
        self.remove([key for key, h in self.inputs if isinstance(h, Step) and h.petition == petition])

    def naming(self) -> list[Filing]:
        """The petitions whose earliest names the matter: its own, where it has any."""
        own = self.state.own_filings() if self.state is not None else []
        return own or [member.filing for member in self.members()]


def _time(item: Input) -> datetime:
    return item[0][0]


def in_order(row: tuple[str, Input]) -> tuple[datetime, int, str]:
    """Inputs in the order of their keys; merges that one petition causes stay in the linker's: a matter takes in another
    before it is itself taken in, so what absorbs it sees all of it.
    """
    (at, rank, id), happening = row[1]
    return at, rank, "" if isinstance(happening, Absorb) else id


def plain(happening: Happening) -> bool:
    """Whether this alone can raise no flag: then nothing is folded until a second thing happens."""
    if not isinstance(happening, Join):
        return False
    filing = happening.member.filing
    return not filing.signals and filing.channel not in VISITS and filing.accused_unit is None


def _step(  # noqa: PLR0912 - one branch a kind of happening
    state: MatterState, item: Input, policies: Policies, rate: CountyRate
) -> None:
    (at, _, _), happening = item
    if state.open:
        _expire(state, at)
    if isinstance(happening, Step) and happening.petition not in state.members:
        return  # of a petition that left, or comes later: the rules are not asked at a moment that is none of this matter's
    policy = policies.at(at)
    match happening:
        case Join(member, first):
            state.join(member)
            if first and not ordinary(member.filing):
                _of_petition(state, member.filing, policy, at, OF_PETITIONS)
            if len(state.members) > 1:
                state.note_repeat(member.filing, at, policy.reply_days)
        case Beside(filings):
            state.lay_beside(filings)
        case Step():
            _lifecycle(state, happening, policy, at)
        case Absorb(other, by_staff):
            fresh = {member.filing.id: member for member in other.members() if member.filing.id not in state.members}
            for member in fresh.values():
                state.join(member)
            if by_staff:
                state.came |= fresh.keys()
            if other.state is not None:
                state.came |= other.state.came & fresh.keys()
                stood = _stood(other, at) if other.state.cases else {}
                state.cases.update({pid: case for pid in fresh if (case := stood.get(pid)) is not None})
                state.take_over(other.state, fresh)
        case Leave(petitions):
            for petition in petitions:
                state.leave(petition)
                state.cases.pop(petition, None)
            standing = state.open.get(("collective_visit", ""))
            if standing is not None and not state.members.keys() & set(standing.finding.petitions or ()):
                _close(state, ("collective_visit", ""), at, SPLIT)
        case Absorbed(kept):
            state.merged, state.given = True, state.give()
            for key in [key for key in state.open if key[0] not in OF_A_PETITION]:
                _close(state, key, at, f"merged:{kept}")
            return
        case Withdraw(_, kind, scope):
            state.ignored[kind if not scope else f"{kind}:{scope}"] = at
            if (kind, scope) in state.open:
                _close(state, (kind, scope), at, "contested")
    if not state.merged:
        _of_matter(state, policy, rate, at, SPLIT if isinstance(happening, Leave) else "answered")


def _stood(other: History, until: datetime) -> dict[str, Case | None]:
    """The members just before `until` with their cases, folded from the steps again: a case is not shared by two states.

    A step of what was no member then is not one of this matter, as in its own fold; those at `until` what took it in has itself.
    """
    found: dict[str, Case | None] = {}
    for (at, _, _), happening in other.inputs:
        if at >= until:
            break
        match happening:
            case Join(member):
                found.setdefault(member.filing.id, None)
            case Step(petition=pid) if pid in found:
                case = found[pid] = found[pid] or Case()
                case.apply(happening)
            case Absorb(taken):
                found = _stood(taken, at) | found
            case Leave(petitions):
                found = {pid: case for pid, case in found.items() if pid not in petitions}
    return found


def _lifecycle(state: MatterState, step: Step, policy: Policy, at: datetime) -> None:
    member = state.members[step.petition]
    case = state.cases.setdefault(step.petition, Case())
    case.apply(step)
    if step.kind == "breach_withdrawn":
        state.forget_repeats(step.petition, policy.reply_days)
    if step.kind == "assigned":
        _of_petition(state, member.filing, policy, at, {"reprisal_risk": OF_PETITIONS["reprisal_risk"]})
    for kind, scope in [key for key in state.open if key[0] == "pending_elsewhere"]:
        earlier = state.open[kind, scope].finding.petitions or ()
        if all((other := state.case(p)) is not None and other.settled for p in earlier if p != scope):
            _close(state, (kind, scope), at, "answered")


def _of_petition(state: MatterState, filing: Filing, policy: Policy, at: datetime, rules: dict[str, Any]) -> None:
    for kind, rule in rules.items():
        if (
            getattr(policy.rules, kind).enabled
            and (kind, filing.id) not in state.open
            and f"{kind}:{filing.id}" not in state.ignored
            and (found := rule(state, filing, policy, at)) is not None
        ):
            _raise(state, found, at, 1 + sum(1 for e in state.closed if (e.kind, e.scope) == (kind, filing.id)))


def _of_matter(state: MatterState, policy: Policy, rate: CountyRate, at: datetime, why: str) -> None:
    for kind, rule in OF_MATTERS.items():
        if not getattr(policy.rules, kind).enabled:
            continue
        standing = state.open.get((kind, ""))
        found = rule(state, policy, rate, at, standing)
        if found is None:
            if standing is not None and kind != "collective_visit":
                _close(state, (kind, ""), at, why if kind != "collective_risk" else "below")
        elif found.expires_at <= at:
            continue
        elif standing is None:
            _raise(state, found, at, 1 + sum(1 for e in state.closed if e.kind == kind))
        else:
            standing.update(found, at)


def _raise(state: MatterState, found: Finding, at: datetime, number: int) -> None:
    first = Transition(at, "raised", found)
    state.open[found.kind, found.scope] = Episode(found.kind, found.scope, number, [first], found, at)


def _close(state: MatterState, key: tuple[str, str], at: datetime, reason: str) -> None:
    episode = state.open.pop(key)
    episode.close(at, reason)
    state.closed.append(episode)
    state.ended = at if state.ended is None else max(state.ended, at)


def _expire(state: MatterState, at: datetime) -> None:
    _over(state, [key for key, episode in state.open.items() if episode.finding.expires_at <= at])


def _over(state: MatterState, keys: Iterable[tuple[str, str]]) -> None:
    for key in keys:
        _close(state, key, state.open[key].finding.expires_at, PASSED)


def episode_id(history: str, episode: Episode) -> str:
    """Id of an episode's flag: of the petition where it stands on one, of the matter otherwise."""
    return flag_id(episode.kind, episode.scope or history, episode.number)
