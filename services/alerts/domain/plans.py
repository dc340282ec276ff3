"""Emergency plans (应急预案): four kinds of emergency, six principles, versioned checklists (seed 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.warning import AttachedPlan, PlanItem, Text, Warning

EMERGENCY_KINDS: Final[Mapping[str, Text]] = {
    "natural": Text("自然灾害", "natural disaster"),
    "accident": Text("事故灾难", "accident"),
    "health": Text("公共卫生事件", "public health event"),
    "social_security": Text("社会安全事件", "social-security event"),
}
PRINCIPLES: Final[tuple[Text, ...]] = (
    Text("以人为本，减少危害", "people first, reduce harm"),
    Text("居安思危，预防为主", "prepare in quiet times, prevention first"),
    Text("统一领导，分级负责", "one command, responsibility by level"),
    Text("依法规范，加强管理", "by law and rule"),
    Text("快速反应，协同应对", "quick and joint response"),
    Text("依靠科技，提高素质", "by technology and training"),
)


@dataclass(frozen=True)
class PlanTemplate:
    """One plan in one version."""

    id: str
    version: int
    kind: str
    title: Text
    items: tuple[tuple[str, Text], ...]


@dataclass(frozen=True)
class PlanBook:
    """All plans, newest version of each."""

    plans: Mapping[str, PlanTemplate]

    def newest(self, id: str) -> PlanTemplate:
        """A plan by id; raises `Refused`."""
        found = self.plans.get(id)
        if found is None:
            raise Refused("unknown-plan", "there is no emergency plan of that name")
        return found


def attach(book: PlanBook, plan: str, account: str, at: datetime) -> AttachedPlan:
    """A copy of the plan as it is now: later versions do not change what was followed."""
    template = book.newest(plan)
    items = tuple(PlanItem(id, text) for id, text in template.items)
    return AttachedPlan(template.id, template.version, template.kind, template.title, account, at, items)


def tick(warning: Warning, item: str, account: str, at: datetime, note: str | None) -> AttachedPlan:
    """The attached plan with one line done; raises `Refused` for a line that is not there or done already."""
    plan = warning.plan
    if plan is None:
        raise Refused("no-plan", "no emergency plan is attached to this warning", warning)
    line = next((line for line in plan.items if line.id == item), None)
    if line is None:
        raise Refused("no-such-item", "the plan has no line of that name", warning)
    if line.done_at is not None:
        raise Refused("already-done", f"{line.done_by} has ticked this line already", warning)
    done = replace(line, done_at=at, done_by=account, note=note)
    return replace(plan, items=tuple(done if line.id == item else line for line in plan.items))
