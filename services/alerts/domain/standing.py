"""Several flags that are one warning: what they say together, and what is left when one of them is cleared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from services.alerts.domain.warning import OF_PETITIONS, Flag, Standing, Text, Warning, higher

MOST: Final = 200
"""Petitions and pieces of evidence that a warning names at most, the newest."""


def standing_of(warning: Warning | None) -> tuple[Standing, ...]:
    """The flags that an open warning of these kinds stands on; none for other kinds."""
    if warning is None or not warning.open or warning.kind not in OF_PETITIONS or warning.cleared_at is not None:
        return ()
    return warning.standing or (Standing(warning.flag),)


def followed(warning: Warning, flag: Flag) -> Flag | None:
    """The flag of this warning that a newer one carries on: the warning's own, or the one of the same id among several."""
    if warning.kind not in OF_PETITIONS:
        return warning.flag
    held = (one.flag for one in warning.standing or (Standing(warning.flag),))
    return next((one for one in held if one.flag_id == flag.flag_id), None)


def after_clear(warning: Warning, flag: Flag) -> Warning:
    """The warning when a flag of it was cleared: what is told before that and comes after it is known as old."""

    def on(own: Flag) -> Flag:
        return replace(own, at=max(own.at, flag.at), sequence=max(own.sequence, flag.sequence))

    standing = tuple(
        replace(one, flag=on(one.flag)) if one.flag.flag_id == flag.flag_id else one for one in warning.standing
    )
    return replace(warning, flag=on(warning.flag), standing=standing)


def with_flag(warning: Warning | None, flag: Flag, petitioners: Iterable[str]) -> tuple[Standing, ...]:
    """The flags after one was raised or updated, the newest last; none for kinds where it replaces the one before."""
    if flag.kind not in OF_PETITIONS:
        return ()
    before = [one.flag.at for one in standing_of(warning) if one.flag.flag_id == flag.flag_id]
    return (*without(warning, flag), Standing(replace(flag, at=max([flag.at, *before])), tuple(petitioners)))


def without(warning: Warning | None, flag: Flag) -> tuple[Standing, ...]:
    """The flags after one was cleared."""
    return tuple(one for one in standing_of(warning) if one.flag.flag_id != flag.flag_id)


def together(standing: Sequence[Standing]) -> Flag:
    """What several flags say as one: the newest speaks, the highest level holds, every petition is named, nobody is counted
    twice. `standing` has one at least."""
    flags = [one.flag for one in standing]
    newest = flags[-1]
    if len(flags) == 1:
        return newest
    petitions = dict.fromkeys(id for flag in flags for id in flag.petition_ids)
    evidence = {item.petition_id: item for flag in flags for item in flag.evidence}
    people = {person for one in standing for person in one.petitioners}
    accused = {flag.accused_unit for flag in flags if flag.restricted}
    return replace(
        newest,
        at=max(flag.at for flag in flags),
        sequence=max(flag.sequence for flag in flags),
        level=reduce(higher, (flag.level for flag in flags)),
        petition_ids=tuple(petitions)[-MOST:],
        evidence=tuple(evidence.values())[-MOST:],
        distinct_petitioners=max(len(people), *(flag.distinct_petitioners for flag in flags)),
        headcount=max(flag.headcount for flag in flags),
        expires_at=max((flag.expires_at for flag in flags if flag.expires_at is not None), default=None),
        explanation=_and_more(newest.explanation, len(flags) - 1),
        restricted=bool(accused),
        accused_unit=accused.pop() if len(accused) == 1 else None,  # of several accused none may see it (Art. 30)
    )


def _and_more(text: Text | None, others: int) -> Text | None:
    if text is None:
        return None
    many = "petition does" if others == 1 else "petitions do"
    return Text(
        f"{text.zh}（本事项另有 {others} 件同类情形）", f"{text.en} ({others} more {many} the same in this matter)"
    )
