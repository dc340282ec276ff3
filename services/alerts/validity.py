"""Until when a flag holds, in words that stay true when that day has passed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.alerts.domain.warning import Warning


def validity(warning: Warning, now: datetime, lang: str, shown: Callable[[datetime], str]) -> str:
    """What to say of `expires_at`: it is as of the last telling, by the petitions' own time, which may lie behind the clock's."""
    until, zh = warning.flag.expires_at, lang == "zh"
    if warning.cleared_at is not None:
        at = shown(warning.cleared_at)
        return f"依据已于 {at} 消失" if zh else f"its reason fell away {at}"
    if until is None:
        return "有效期未定" if zh else "no end set"
    day = shown(until)
    if not warning.open:
        return f"通报时有效至 {day}" if zh else f"as told, until {day}"
    if until > now:
        return f"有效至 {day}" if zh else f"until {day}"
    if zh:
        return f"通报时有效至 {day}，该时已过而研判尚未解除：有效期按信访件的时间计算，新的信访件使其延续"
    return f"as told, until {day}; that has passed, the flag stands: its days are the petitions' own, and new ones prolong it"
