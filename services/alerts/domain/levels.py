"""Levels I–IV of each kind, and what has to be done by when at each level.

紧急 I · 预警 II · 提醒 III · 关注 IV. Internal only: the public four colours do not cover social-safety matters
(突发事件应对法 Art. 63), so nothing here is a public warning. Times are internal targets, not statutory ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.alerts.domain.warning import Flag, Step, Text, Warning, higher


@dataclass(frozen=True)
class KindRow:
    """The lowest level a kind is ever given, and the level from `many` people (petitioners or heads) on."""

    floor: str
    many: int | None = None
    level_of_many: str = "I"


KINDS: Final[Mapping[str, KindRow]] = {
    "life_safety": KindRow("I"),
    "reprisal_risk": KindRow("II"),
    "collective_visit": KindRow("II", many=30),
    "cross_level_visit": KindRow("II"),
    "over_representatives": KindRow("III"),
    "collective_risk": KindRow("III", many=50),
    "cross_level_risk": KindRow("III"),
    "unanswered_repeat": KindRow("III"),
    "overdue": KindRow("III", many=10, level_of_many="II"),
    "near_deadline": KindRow("IV"),
    "pending_elsewhere": KindRow("IV"),
}
"""The numbers 30 and 50 are local practice; a district's policy may send its own level with the flag."""

_DEFAULT: Final = KindRow("IV")


def level_of(flag: Flag) -> str:
    """Level of a warning: what the flag says, and at least what the table says."""
    row = KINDS.get(flag.kind, _DEFAULT)
    level = higher(flag.level, row.floor)
    if row.many is not None and flag.size >= row.many:
        level = higher(level, row.level_of_many)
    return level


TARGETS: Final[Mapping[str, Mapping[str, timedelta]]] = {
    "I": {
        "acknowledge": timedelta(minutes=5),
        "verify": timedelta(minutes=15),
        "report": timedelta(minutes=15),
        "assign": timedelta(minutes=30),
        "on_scene": timedelta(hours=1),
        "plan": timedelta(hours=2),
        "settle": timedelta(days=1),
    },
    "II": {
        "acknowledge": timedelta(minutes=15),
        "verify": timedelta(minutes=30),
        "report": timedelta(hours=1),
        "assign": timedelta(hours=1),
        "plan": timedelta(hours=4),
        "settle": timedelta(days=3),
    },
    "III": {
        "acknowledge": timedelta(hours=1),
        "verify": timedelta(hours=4),
        "assign": timedelta(hours=8),
        "plan": timedelta(days=1),
        "settle": timedelta(days=7),
    },
    "IV": {"acknowledge": timedelta(hours=8), "settle": timedelta(days=15)},
}
"""Internal targets after the warning came up, by level."""

ON_SCENE_KINDS: Final = frozenset({"collective_visit", "cross_level_visit", "over_representatives", "life_safety"})
"""Kinds with people in front of a door: the head of the responsible unit goes there (seed 2.2)."""

_WHAT: Final[Mapping[str, tuple[Text, str]]] = {
    "acknowledge": (Text("签收预警", "Acknowledge the warning"), "duty_officer"),
    "verify": (Text("核实情况", "Verify what is going on"), "duty_officer"),
    "report": (Text("向带班领导报告", "Report to the leader on duty"), "duty_officer"),
    "assign": (Text("交责任单位办理", "Assign it to the responsible unit"), "duty_officer"),
    "plan": (Text("制定专门工作方案", "Adopt a special work plan"), "responsible_unit"),
    "on_scene": (
        Text("主要负责人到场", "Head of the unit on the scene"),
        "head_of_responsible_unit",
    ),
    "settle": (Text("化解并了结", "Settle it"), "responsible_unit"),
}

BASIS: Final = "内部目标 internal target"

DONE_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "acknowledge": ("acknowledge", "assign", "plan", "on_scene"),
    "verify": ("verify",),
    "assign": ("assign",),
    "plan": ("plan",),
    "on_scene": ("on_scene",),
    "settle": ("settle",),
}
"""Which steps an action ticks off. The end of a warning leaves the rest as they are: skipped, for not done is not done."""


def steps_for(level: str, kind: str, raised_at: datetime, *, owner: str | None) -> tuple[Step, ...]:
    """Who must do what by when. `owner` is the responsible unit's code, if one is known."""
    targets = {name: within for name, within in TARGETS[level].items() if name != "on_scene"}
    if kind in ON_SCENE_KINDS:
        targets["on_scene"] = _within(level, "on_scene")
    steps = [Step(name, _WHAT[name][0], _named(_WHAT[name][1], owner), raised_at + within, BASIS)
             for name, within in targets.items()]  # fmt: skip
    return tuple(sorted(steps, key=lambda step: step.due))


def _within(level: str, name: str) -> timedelta:
    """The target of a step at a level; where the level names none (the scene below level I), two hours."""
    return TARGETS[level].get(name, timedelta(hours=2))


def restep(warning: Warning, at: datetime) -> tuple[Step, ...]:
    """Steps after the level or the unit changed: what was done stays done, a due time is never put later. What a higher
    level wants sooner is not late at once: where its time has passed already it counts from now."""
    done = {step.id: step for step in warning.steps}
    fresh = steps_for(warning.level, warning.kind, warning.raised_at, owner=warning.responsible_unit)
    steps: list[Step] = []
    for step in fresh:
        old = done.get(step.id)
        due = at + _within(warning.level, step.id) if step.due <= at else step.due
        if old is None:
            steps.append(Step(step.id, step.what, step.who, due, step.basis))
        elif old.done_at is not None:
            steps.append(old)
        else:
            steps.append(Step(step.id, step.what, step.who, min(old.due, due), step.basis, missed=old.missed))
    kept = {step.id for step in steps}
    return tuple(sorted([*steps, *(s for s in warning.steps if s.id not in kept)], key=lambda step: step.due))


def _named(who: str, owner: str | None) -> str:
    if who == "duty_officer":
        return "duty_officer"
    unit = owner or "unassigned"
    return f"{unit}#head" if who == "head_of_responsible_unit" else unit
