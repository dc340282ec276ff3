"""Silences: notifications pause, for a stated time and a stated reason. What is urgent for people is never muted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.warning import PROTECTED, Warning

LONGEST: Final = timedelta(days=7)


@dataclass(frozen=True)
class Silence:
    """Which warnings are muted, from when until when, by whom and why. An empty matcher matches everything."""

    id: str
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    kinds: tuple[str, ...] = ()
    jurisdiction: str | None = None
    unit: str | None = None
    matter: str | None = None
    warning_id: str | None = None
    ended_by: str | None = None


def checked(silence: Silence) -> Silence:
    """The silence, if it may be made; raises `Refused` (`cannot-be-silenced`, `reason-missing`, `silence-time`)."""
    named = sorted(PROTECTED.intersection(silence.kinds))
    if named:
        detail = f"{', '.join(named)}: life safety, reprisal and overdue warnings cannot be muted"
        raise Refused("cannot-be-silenced", detail)
    if not silence.reason.strip():
        raise Refused("reason-missing", "a silence needs a reason")
    if silence.ends_at <= silence.starts_at or silence.ends_at <= silence.created_at:
        raise Refused("silence-time", "a silence has to end after it starts, and in the future")
    if silence.ends_at - silence.starts_at > LONGEST:
        raise Refused("silence-time", f"a silence lasts {LONGEST.days} days at the longest; make it anew if need be")
    return silence


def mutes(silence: Silence, warning: Warning, now: datetime) -> bool:
    """Whether the silence mutes this warning's notifications now."""
    if warning.protected or not silence.starts_at <= now < silence.ends_at:
        return False
    return (
        (not silence.kinds or warning.kind in silence.kinds)
        and silence.jurisdiction in (None, warning.flag.jurisdiction)
        and silence.unit in (None, warning.responsible_unit)
        and silence.matter in (None, warning.matter)
        and silence.warning_id in (None, warning.id)
    )
