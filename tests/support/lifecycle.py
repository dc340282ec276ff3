"""Short ways to write the lifecycle events of made-up petitions."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime
from typing import Any

from services.assessment.domain.life import life_of
from services.assessment.domain.obligation import Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.policy import load_rules
from services.assessment.steps import step_of
from shared import events as contract
from shared.clock import BEIJING

BOOK = load_rules()
COUNTY = "379911"
BUREAU = f"{COUNTY}.construction_bureau"
HEALTH = f"{COUNTY}.health_bureau"
REGISTRAR = f"{COUNTY}.petition_bureau"
_STEPS = {
    cls.event_type.split(".")[2]: cls for cls in contract.EVENT_TYPES.values() if issubclass(cls, contract.PetitionStep)
}


def at(text: str) -> datetime:
    """`2026-03-01` or `2026-03-01 09:00`, Beijing time."""
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


class Story:
    """Writes events with ids that are the same in every run: `story.filed("2026-03-01")`, `story("accepted", "2026-03-02")`."""

    def __init__(self, petition: str = "P1", county: str = COUNTY, unit: str | None = None) -> None:
        self.petition, self.county = petition, county
        self.unit = unit or f"{county}.construction_bureau"
        self.events: list[contract.Event] = []
        self._count = itertools.count(1)

    def filed(self, when: str, *, recorded: str | None = None, **more: Any) -> contract.Event:
        """Register the petition, received at `when`."""
        values: dict[str, Any] = {
            "channel": "web_portal",
            "title": "路灯不亮",
            "text": "路灯不亮已两周。",
            "petitioner": "p-1",
            "submitted_at": at(when),
            "received_at": at(when),
        }
        data = contract.PetitionFiled(petition_id=self.petition, jurisdiction=self.county, **(values | more))
        return self._add(data, recorded or when)

    def __call__(
        self, kind: str, when: str, *, unit: str | None = None, recorded: str | None = None, **more: Any
    ) -> contract.Event:
        """A later step."""
        if kind == "extended":
            more = {"days": 30, "approver": "head-1", "complexity": "三家单位", "reason_told_at": at(when)} | more
        if kind in ("objected", "not_accepted"):
            more = {"reasons": "不属本单位职责"} | more
        if kind == "evaluated":
            more = {"solved": True} | more
        if kind == "met":
            more = {"meeting": "handler"} | more
        data = _STEPS[kind](
            petition_id=self.petition, jurisdiction=self.county, at=at(when), unit=unit or self.unit, **more
        )
        return self._add(data, recorded or when)

    def _add(self, data: Any, recorded: str) -> contract.Event:
        number = next(self._count)
        event = contract.new_event(
            data,
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.petition}/{number}")),
            source="/intake",
            time=at(recorded),
            sequence=number,
        )
        self.events.append(event)
        return event

    def steps(self) -> list[Any]:
        """The steps of the events so far."""
        return [step_of(e)[2] for e in self.events]


def accepted() -> Story:
    """Filed on the first of March, accepted on the third."""
    story = Story()
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", "2026-03-03")
    return story


def settled(petition: str, *, on: str, kind: str = "replied") -> Story:
    story = Story(petition)
    story.filed("2026-03-01")
    story("accepted", "2026-03-02")
    story(kind, on)
    return story


def worked(story: Story) -> dict[str, Obligation]:
    """Obligations by code; a code that comes again gets a number."""
    found: dict[str, Obligation] = {}
    for o in obligations(life_of(story.petition, story.county, story.steps()), BOOK):
        name = o.code if o.code not in found else f"{o.code}#{sum(k.startswith(o.code) for k in found) + 1}"
        found[name] = o
    return found
