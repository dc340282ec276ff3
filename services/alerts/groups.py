"""What was told about a warning goes with it into the group that it moves to: its end is told to those who heard of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from services.alerts.domain.notify import Told, group_key
from services.alerts.domain.warning import Change
from services.alerts.ports import Tx


async def hand_over(tx: Tx, changes: Iterable[Change]) -> None:
    """After a warning was given to another unit or its level changed, in the transaction that changes it."""
    for change in changes:
        if change.prior is not None:
            await move(tx, change.warning.id, group_key(change.prior), group_key(change.warning))


async def move(tx: Tx, warning_id: str, old: str, new: str) -> None:
    """What was told about it in one group counts as told in another; the old one says nothing of it any more."""
    there = await tx.told(old) if old != new else None
    if there is None or warning_id not in there.firing:
        return
    here = await tx.told(new) or Told(there.at)
    left = {id: seen for id, seen in there.firing.items() if id != warning_id}
    await tx.set_told(old, replace(there, firing=left))
    firing = {**here.firing, warning_id: there.firing[warning_id]}
    await tx.set_told(new, replace(here, at=max(here.at, there.at), firing=firing))
