"""Failpoints: places where a test may make a process fail, at every commit boundary.

`FAILPOINT=name:nth:action` (several with commas): at the nth passage of that name do `exit` (end the process at once, as
kill -9 would), `raise`, or `sleep` (hold for a second). Without the variable a passage costs one dictionary look-up.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Final

EXIT_CODE: Final = 137
ACTIONS: Final = ("exit", "raise", "sleep")


class FailpointError(RuntimeError):
    """What the action `raise` raises."""


def _parse(spec: str) -> dict[str, tuple[int, str]]:
    points: dict[str, tuple[int, str]] = {}
    for part in filter(None, (p.strip() for p in spec.split(","))):
        name, nth, action = part.rsplit(":", 2)
        if action not in ACTIONS or not nth.isdigit():
            raise ValueError(f"FAILPOINT: {part!r} is not name:nth:action with an action of {', '.join(ACTIONS)}")
        points[name] = (int(nth), action)
    return points


_points = _parse(os.environ.get("FAILPOINT", ""))
_passed: Counter[str] = Counter()


def arm(spec: str) -> None:
    """Set the failpoints of this process anew; for tests in the same process."""
    global _points
    _points = _parse(spec)
    _passed.clear()


async def failpoint(name: str) -> None:
    """Pass the place called `name`; fail here if the environment says so."""
    point = _points.get(name)
    if point is None:
        return
    _passed[name] += 1
    nth, action = point
    if _passed[name] != nth:
        return
    if action == "exit":
        os._exit(EXIT_CODE)
    if action == "raise":
        raise FailpointError(name)
    await asyncio.sleep(1)
