"""Which unit a petition goes to, so that an accusation never reaches the accused (信访工作条例 Arts. 22, 30)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DISCIPLINE: Final = "discipline_supervision"
Covers = Callable[[str, str], bool]


def organ_for_accusation(jurisdiction: str, accused: str | None, covers: Covers) -> str:
    """The discipline organ that handles an accusation: the county's, or the nearest above that is not the accused's own.

    `covers(a, b)` says whether unit b is a or stands under it. An accused government has the organ under it, so it is
    passed over too.
    """
    places = (jurisdiction, f"{jurisdiction[:4]}00", f"{jurisdiction[:2]}0000")
    for place in places:
        organ = f"{place}.{DISCIPLINE}"
        if accused is None or not (covers(accused, organ) or covers(organ, accused)):
            return organ
    return f"{places[-1]}.{DISCIPLINE}"
