"""A warning as a line of the live list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from services.alerts.console.visitor import Visitor, millis
from services.alerts.domain.lifecycle import allowed
from services.alerts.domain.warning import LEVELS, OPEN_STATES, Warning
from services.alerts.handlers import may_act
from services.alerts.labels import KINDS, STATES
from services.alerts.labels import LEVELS as LEVEL_NAMES
from shared.directory import Directory

BINS: Final = 14
FILTERS: Final = ("level", "kind", "state", "unit", "town", "q")
ORDER_OF_STEPS: Final = ("acknowledge", "verify", "report", "assign", "plan", "on_scene")


@dataclass(frozen=True)
class Choice:
    """What the list is confined to; every field empty: nothing."""

    levels: frozenset[str] = frozenset()
    kind: str = ""
    state: str = ""
    unit: str = ""
    town: str = ""
    q: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], units: Directory) -> tuple[Choice, tuple[str, ...]]:
        """From an address: the choice, and the names of the filters whose value was none and is left out."""
        text = {name: query.get(name, "")[:200] for name in FILTERS}
        asked = frozenset(text["level"].split(",")) - {""}
        levels = asked & frozenset(LEVELS)
        town = units.units.get(text["town"])
        fits = {
            "level": levels == asked,
            "kind": text["kind"] in ("", *KINDS),
            "state": text["state"] in ("", *OPEN_STATES),
            "unit": not text["unit"] or units.knows(text["unit"]),
            "town": not text["town"] or (town is not None and town.level == "town"),
        }
        kept = {name: text[name] if fits[name] else "" for name in ("kind", "state", "unit", "town")}
        return cls(levels, **kept, q=text["q"]), tuple(name for name, fit in fits.items() if not fit)

    def query(self) -> str:
        """For the address: `level=I%2CII&kind=…`, empty where nothing is chosen."""
        level = ",".join(sorted(self.levels, key=LEVELS.index))
        pairs = {
            "level": level,
            "kind": self.kind,
            "state": self.state,
            "unit": self.unit,
            "town": self.town,
            "q": self.q,
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    def fits(self, warning: Warning, units: Directory) -> bool:
        """Whether the warning is among what was chosen."""
        unit, flag = warning.responsible_unit, warning.flag
        return (
            (not self.levels or warning.level in self.levels)
            and self.kind in ("", warning.kind)
            and self.state in ("", warning.state)
            and (not self.unit or (unit is not None and units.covers(self.unit, unit)))
            and self.town in ("", flag.town)
            and (not self.q or self.q.casefold() in f"{flag.title}\n{flag.title_en}".casefold())
        )


def may_see(visitor: Visitor, warning: Warning) -> bool:
    """Whether the warning is there for this visitor at all."""
    units, flag = visitor.console.desk.units, warning.flag
    return visitor.scope.shows(
        warning.responsible_unit,
        flag.jurisdiction,
        restricted=flag.restricted,
        accused=flag.accused_unit,
        units=units,
    )


def spark(warning: Warning, now: datetime) -> list[int]:
    """Counted petitions so far, at the end of each of the last 14 days; empty where there is nothing to draw."""
    times = sorted(item.at for item in warning.flag.evidence)
    if len(times) < 2:
        return []
    ends = [now - timedelta(days=back) for back in range(BINS - 1, -1, -1)]
    return [sum(at <= end for at in times) for end in ends]


def next_act(visitor: Visitor, warning: Warning) -> dict[str, str] | None:
    """The button of the line: the first open step that this visitor may take, and that needs no more words."""
    if not visitor.may("warnings.carry_out"):
        return None
    can = allowed(warning, visitor.who.account)
    open_steps = {step.id for step in warning.steps if step.done_at is None}
    for name in ORDER_OF_STEPS:
        if name not in open_steps:
            continue
        action = "step_done" if name == "report" else name
        if action not in can or not may_act(visitor.who, action):
            continue
        if label := _button(visitor, warning, name):
            return {"action": name, "label": label}
    return {"action": "open", "label": visitor.t("了结…", "Settle…")} if may_act(visitor.who, "settle") else None


def _button(visitor: Visitor, warning: Warning, name: str) -> str | None:
    t = visitor.t
    if name == "assign":
        unit = warning.responsible_unit
        if unit is None or unit not in visitor.console.desk.units.units:
            return t("交办…", "Assign…")
        return t("交办", "Assign")
    return {
        "acknowledge": t("签收", "Acknowledge"),
        "verify": t("核实", "Verify"),
        "report": t("已报告", "Reported"),
        "plan": t("方案…", "Plan…"),
        "on_scene": t("到场", "On scene"),
    }[name]


def row(visitor: Visitor, warning: Warning, now: datetime) -> dict[str, Any]:
    """The line, in the visitor's language. Only what the line shows."""
    flag, step = warning.flag, warning.next_step()
    level = visitor.label(LEVEL_NAMES, warning.level)
    return {
        "id": warning.id,
        "version": warning.version,
        "level": warning.level,
        "levelName": level,
        "levelWord": level.partition("（")[0].partition(" (")[0],
        "kindName": visitor.label(KINDS, warning.kind),
        "title": visitor.title(warning),
        "stateName": visitor.label(STATES, warning.state),
        "answered": warning.answered,
        "by": visitor.actor(warning.acknowledged_by) if warning.acknowledged_by else "",
        "episode": warning.episode,
        "muted": warning.silenced_until is not None and warning.silenced_until > now,
        "restricted": flag.restricted,
        "exercise": warning.exercise,
        "place": visitor.unit(flag.town or flag.jurisdiction),
        "unit": visitor.unit(warning.responsible_unit),
        "people": max(flag.distinct_petitioners, flag.headcount)
        or int(flag.observed),  # at a visit, who is there counts
        "day": sum(now - item.at <= timedelta(days=1) for item in flag.evidence),
        "spark": spark(warning, now),
        "raised": millis(warning.raised_at),
        "step": None
        if step is None
        else {"what": visitor.text(step.what), "who": visitor.actor(step.who), "due": millis(step.due)},
        "act": next_act(visitor, warning),
    }
