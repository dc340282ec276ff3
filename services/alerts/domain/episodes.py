"""What a flag does to the warnings that are there: open one, add to one, begin a new episode, or nothing, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.alerts.domain.levels import level_of
from services.alerts.domain.standing import followed, standing_of
from services.alerts.domain.warning import LEVELS, Flag, Warning

REOPEN_GROWTH: Final = 1.5
"""A discarded flag comes back when half as many petitioners again stand behind it."""


class Outcome(StrEnum):
    """Why a flag did what it did; also a metric label."""

    FIRST = "first"
    MORE = "more"
    NEW_EPISODE = "new_episode"
    RETURNED = "returned"
    STALE = "stale"
    SAME = "same"
    STILL_DISCARDED = "still_discarded"
    CLEARED = "cleared"
    CLEARED_WHILE_HANDLED = "cleared_while_handled"
    CLEARED_INTO_DISCARDED = "cleared_into_discarded"
    ONE_CLEARED = "one_cleared"
    NOTHING_TO_CLEAR = "nothing_to_clear"


@dataclass(frozen=True)
class Decision:
    """What to do: `raise` (a new warning), `update`, `cancel` or `nothing`, and why."""

    do: str
    outcome: Outcome


def on_flag(latest: Warning | None, flag: Flag) -> Decision:
    """Decide about a flag raised or updated, given the newest warning of its key."""
    if latest is None:
        return Decision("raise", Outcome.FIRST)
    before = followed(latest, flag)
    if latest.open:
        if before is not None and older(flag, before):
            return Decision("nothing", Outcome.STALE)
        if before is not None and _same(before, flag) and latest.cleared_at is None:
            return Decision("nothing", Outcome.SAME)
        return Decision("update", Outcome.MORE)
    if before is not None and before.flag_id == flag.flag_id and not _goes_on(before, flag):
        return Decision("nothing", Outcome.STALE)
    if latest.state == "discarded" and not _worth_another_look(latest, flag):
        return Decision("nothing", Outcome.STILL_DISCARDED)
    return Decision("raise", Outcome.RETURNED if latest.state == "discarded" else Outcome.NEW_EPISODE)


def on_group(latest: Warning | None, flag: Flag, *, entered: bool) -> Decision:
    """Decide about a unit's petitions that stand in one state. A closed warning is followed by a new episode where one of
    them `entered` that state just now: it may be one that was there before and was taken out in between."""
    if latest is None or latest.open:
        return on_flag(latest, flag)
    if not entered:
        return Decision("nothing", Outcome.STALE)
    if latest.state != "discarded":
        return Decision("raise", Outcome.NEW_EPISODE)
    worth = _worth_another_look(latest, flag)
    return Decision("raise", Outcome.RETURNED) if worth else Decision("nothing", Outcome.STILL_DISCARDED)


def on_cleared(latest: Warning | None, flag: Flag, taker: Warning | None = None) -> Decision:
    """Decide about a cleared flag: nobody took it up → cancelled; somebody has it → that person settles it; other flags of
    the same warning hold → it goes on without this one.

    `taker`: the newest warning, of the same kind, of the matter that took this one in, where one did. Was it discarded, the
    flag that now counts both may never be heard of again, so a warning that nobody has looked at does not end by that.
    """
    before = followed(latest, flag) if latest is not None and latest.open else None
    if latest is None or before is None or older(flag, before):
        return Decision("nothing", Outcome.NOTHING_TO_CLEAR)
    if latest.cleared_at is not None:
        return Decision("nothing", Outcome.SAME)
    if len(standing_of(latest)) > 1:
        return Decision("update", Outcome.ONE_CLEARED)
    if latest.state == "raised" and taker is not None and taker.state == "discarded":
        return Decision("update", Outcome.CLEARED_INTO_DISCARDED)
    if latest.state == "raised" and latest.kind != "life_safety":
        return Decision("cancel", Outcome.CLEARED)
    return Decision("update", Outcome.CLEARED_WHILE_HANDLED)


def _same(old: Flag, new: Flag) -> bool:
    return (
        old.size == new.size
        and old.distinct_petitioners == new.distinct_petitioners
        and old.petition_ids == new.petition_ids
        and level_of(old) == level_of(new)
    )


def older(flag: Flag, before: Flag) -> bool:
    """Whether a flag was told before the one that is known, as a dead letter that is sent again. Its time does not say: a
    visit or an answer may be entered late. Where the numbers do not tell the two apart (a row that kept none), it has to."""
    if flag.sequence and before.sequence and flag.sequence != before.sequence:
        return flag.sequence < before.sequence
    return flag.at < before.at


def _goes_on(old: Flag, new: Flag) -> bool:
    """The flag of a closed warning has petitions that were not counted before, and is no older one sent again."""
    again = old.at >= new.at if old.sequence in (0, new.sequence) else older(new, old)
    return not again and bool(set(new.petition_ids) - set(old.petition_ids))


def _worth_another_look(latest: Warning, flag: Flag) -> bool:
    before = followed(latest, flag)
    return (
        latest.protected
        or before is None
        or flag.flag_id != before.flag_id
        or LEVELS.index(level_of(flag)) < LEVELS.index(latest.level)
        or flag.size >= REOPEN_GROWTH * max(1, latest.flag.size)
    )


def age(warning: Warning, now: datetime) -> float:
    """Seconds since it was raised."""
    return (now - warning.raised_at).total_seconds()
