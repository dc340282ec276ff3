"""`/plans`: emergency plans with their checklists, and where each is in use."""

from __future__ import annotations

from nicegui import ui

from services.alerts.console.panels import card
from services.alerts.console.rows import may_see
from services.alerts.console.shell import Page
from services.alerts.console.visitor import Visitor
from services.alerts.domain.plans import EMERGENCY_KINDS, PRINCIPLES
from services.alerts.labels import EXERCISE


def _in_use(visitor: Visitor, plan: str) -> None:
    for warning in visitor.console.board.warnings.values():
        if warning.plan is None or warning.plan.plan != plan or not may_see(visitor, warning):
            continue
        done = sum(item.done_at is not None for item in warning.plan.items)
        with ui.element("div").classes("fq-line"):
            if warning.exercise:
                ui.label(visitor.t("演练 Exercise", EXERCISE.en)).classes("fq-tag drill")
            ui.link(visitor.title(warning), f"/warnings/{warning.id}")
            ui.label(f"v{warning.plan.version} · {done}/{len(warning.plan.items)}").classes("fq-hint")


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    t = visitor.t
    with card(t("六项原则", "Six principles"), "fq-principles"), ui.element("ol"):
        for text in PRINCIPLES:
            with ui.element("li"):
                ui.label(visitor.text(text))
    place = ui.element("div").classes("fq-grid")

    async def draw(ids: set[str]) -> None:
        if not ids and place.default_slot.children:
            return
        place.clear()
        plans = visitor.console.desk.plans.plans.values()
        with place:
            for kind, name in EMERGENCY_KINDS.items():
                for plan in (plan for plan in plans if plan.kind == kind):
                    with card(f"{visitor.text(plan.title)} v{plan.version}", f"fq-template fq-plan-{plan.id}"):
                        ui.label(visitor.text(name)).classes("fq-hint")
                        with ui.element("ol").classes("fq-plan"):
                            for _, item in plan.items:
                                with ui.element("li"):
                                    ui.label(visitor.text(item))
                        _in_use(visitor, plan.id)
        if not plans:
            with place:
                ui.label(t("没有预案", "There is no plan")).classes("fq-empty")

    await draw({"first"})
    page.on_news(draw)
