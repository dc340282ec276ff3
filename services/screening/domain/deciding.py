"""What a decision of staff means for the matters of a county, and when it can mean nothing any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.screening.domain.history import Input, Join, Leave, Withdraw, entry, episode_id
from services.screening.domain.outcome import MatterMerge, Outcome, derived
from services.screening.domain.petitions import Decision

if TYPE_CHECKING:
    from services.screening.domain.engine import County

INACTIVE: Final = "matter-inactive"
"""Nothing happened to the matter for so long that it has left memory: it stays as it was."""
MOVED: Final = "not-members"
"""The petitions belonged to other matters when the decision was taken up."""
GONE: Final = "flag-gone"
"""What the flag rested on was taken back before the decision was taken up, so there was nothing to withdraw."""
_MARGIN: Final = timedelta(days=1)
"""Between a decision and its being taken up the county's time goes on, and with it what has left memory."""


def active_since(newest: datetime, keep_days: int) -> datetime:
    """Matters in which something happened since then can be merged and split: they will still be in memory."""
    return newest - timedelta(days=keep_days) + _MARGIN


def last_of(county: County, decision: Decision) -> datetime:
    """When something last happened to the matter whose flag is withdrawn: a step later than the newest petition may have
    raised it.
    """
    stood = _standing(county, decision) if decision.kind == "withdraw" else None
    return county.histories[stood[0]].last if stood is not None else datetime.min.replace(tzinfo=UTC)


def meaning(county: County, decision: Decision, out: Outcome) -> list[tuple[str, Input]]:
    """A decision as inputs of the matters; `out.refused` says why it means nothing."""
    if decision.kind == "merge" and decision.other is not None:
        return _merge(county, decision, decision.other, out)
    if decision.kind == "split":
        return _split(county, decision, out)
    return _withdraw(county, decision, out)


def _merge(county: County, decision: Decision, other: str, out: Outcome) -> list[tuple[str, Input]]:
    key = (decision.at, decision.id)
    kept, gone = county.root(decision.matter, key), county.root(other, key)
    if kept != gone and not {kept, gone} <= county.histories.keys():
        out.refused[decision.id] = INACTIVE
        return []
    id = derived("merge", decision.matter, other, decision.id)
    row = MatterMerge(id, decision.matter, other, decision.at, decision.id, 1.0, decision.actor)
    return county.merged(row, out)


def _split(county: County, decision: Decision, out: Outcome) -> list[tuple[str, Input]]:
    old, new = county.root(decision.matter, (decision.at, decision.id)), derived("split", decision.id)
    if old not in county.histories:
        out.refused[decision.id] = INACTIVE
        return []
    here = {member.filing.id for member in county.histories[old].members()}
    moving = tuple(p for p in decision.petitions if p in here)
    if not moving:
        out.refused[decision.id] = MOVED
        return []
    rows: list[tuple[str, Input]] = [(old, entry(decision.at, Leave(moving), decision.id))]
    for pid in moving:
        placed = county.placed[pid]
        joined = max(decision.at, placed.member.joined)
        rows.append((new, entry(joined, Join(replace(placed.member, joined=joined), first=False), pid)))
        placed.splits += ((new, joined),)
        home = county.histories.get(placed.home, county.histories[old])  # where it was linked may have left memory
        for step in home.steps_of(pid):
            rows += county.everywhere(step, placed)
    return rows


def _withdraw(county: County, decision: Decision, out: Outcome) -> list[tuple[str, Input]]:
    stood = decision.stood or _standing(county, decision)
    if stood is None or stood[0] not in county.histories or decision.flag is None:
        out.refused[decision.id] = GONE
        return []
    out.stood[decision.id] = stood
    name, kind, scope = stood
    return [(name, entry(decision.at, Withdraw(decision.flag, kind, scope), decision.id))]


def _standing(county: County, decision: Decision) -> tuple[str, str, str] | None:
    """Matter, kind and scope of the flag that a decision names; None where there is no such flag any more."""
    for name in {county.root(decision.matter), decision.matter} & set(county.histories):
        state = county.histories[name].state
        for episode in state.episodes() if state is not None else ():
            if episode_id(name, episode) == decision.flag:
                return name, episode.kind, episode.scope
    return None
