"""Panels of a warning's page that follow it: who must do what by when, the work plan, the checklist, the arrivals."""

from __future__ import annotations

from uuid import uuid4

from nicegui import ui

from services.alerts.console.actions import Actions
from services.alerts.console.forms import Form
from services.alerts.console.visitor import Visitor, moment
from services.alerts.domain.warning import PlanItem, Warning
from services.alerts.handlers import Order, may_act
from services.alerts.labels import SKIPPED


def steps(visitor: Visitor, warning: Warning, actions: Actions) -> None:
    """Who must do what by when; internal targets, and said so."""
    t, now = visitor.t, visitor.console.desk.clock.now()
    with ui.element("ol").classes("fq-steps"):
        for step in warning.steps:
            skipped = step.done_at is None and not warning.open
            late = step.done_at is None and step.due <= now and not skipped
            state = "done" if step.done_at else "skipped" if skipped else "late" if late else "open"
            with ui.element("li").classes(state):
                ui.element("i").classes("dot")
                with ui.element("div").classes("fq-grow"):
                    ui.label(visitor.text(step.what)).classes("what")
                    ui.label(f"{visitor.actor(step.who)} · {t('时限', 'due')} {moment(step.due)}").classes("fq-hint")
                if step.done_at:
                    words = t("按时", "in time") if step.done_at <= step.due else t("迟", "late")
                    ui.label(f"✓ {moment(step.done_at)} {visitor.actor(step.done_by)} · {words}").classes(
                        "fq-hint done-by"
                    )
                elif skipped:
                    missed = t("（曾超时）", " (was late)") if step.missed else ""
                    ui.label(f"{visitor.text(SKIPPED)}{missed}").classes("fq-hint fq-skipped")
                elif step.id == "report" and warning.open and may_act(visitor.who, "step_done"):
                    order = Order("step_done", cause=str(uuid4()), expected_version=warning.version, item=step.id)
                    button = ui.button(t("已报告", "Done"), on_click=lambda order=order: actions.run(order))
                    button.props("flat dense no-caps").classes("fq-reported")
                elif late:
                    ui.label(t("已超时", "late")).classes("fq-late")
    ui.label(t("均为内部目标，非法定期限。", "Internal targets, not statutory deadlines.")).classes("fq-hint")


def work_plan(visitor: Visitor, warning: Warning) -> None:
    """专门工作方案."""
    t, plan = visitor.t, warning.work_plan
    if plan is None:
        ui.label(t("尚未制定", "None yet")).classes("fq-hint")
        return
    adopted = f"{moment(plan.adopted_at)} {visitor.actor(plan.adopted_by)}"
    ui.label(
        t(f"第 {plan.revision} 版 · 牵头 {visitor.actor(plan.lead)} · {adopted}",
          f"revision {plan.revision} · lead {visitor.actor(plan.lead)} · {adopted}")
    ).classes("fq-hint")  # fmt: skip
    with ui.element("ol").classes("fq-plan"):
        for measure in plan.measures:
            with ui.element("li"):
                ui.label(measure.what)
                ui.label(f"{visitor.actor(measure.who)} · {moment(measure.due)}").classes("fq-hint")


def arrivals(visitor: Visitor, warning: Warning) -> None:
    """Who reached the scene, and when."""
    for arrival in warning.arrivals:
        words = visitor.t("到场", "on the scene")
        with ui.element("div").classes("fq-arrival"):
            ui.label(f"{visitor.actor(arrival.who)} {words} {moment(arrival.at)}")
            ui.label(visitor.t("登记", "entered by") + f" {visitor.actor(arrival.recorded_by)}").classes("fq-hint")


def checklist(visitor: Visitor, warning: Warning, actions: Actions) -> None:
    """The attached emergency plan; each line ticked with who and when."""
    plan, t = warning.plan, visitor.t
    if plan is None:
        ui.label(t("尚未启动", "None attached")).classes("fq-hint")
        return
    done = sum(item.done_at is not None for item in plan.items)
    head = f"{visitor.text(plan.title)} v{plan.version} · {done}/{len(plan.items)}"
    ui.label(head).classes("fq-sub fq-plan-head")
    started = t("启动", "attached")
    ui.label(f"{started} {moment(plan.attached_at)} {visitor.actor(plan.attached_by)}").classes("fq-hint")
    with ui.element("ul").classes("fq-checklist"):
        for item in plan.items:
            with ui.element("li").classes("done" if item.done_at else ""):
                box = ui.checkbox(visitor.text(item.text), value=item.done_at is not None).props("dense")
                if item.done_at or not warning.open or not may_act(visitor.who, "tick"):
                    box.disable()
                else:
                    box.on_value_change(lambda event, item=item: _tick(visitor, warning, actions, item, event.sender))
                if item.done_at:
                    note = f" · {item.note}" if item.note else ""
                    ui.label(f"{moment(item.done_at)} {visitor.actor(item.done_by)}{note}").classes("fq-hint")


def _tick(visitor: Visitor, warning: Warning, actions: Actions, item: PlanItem, box: ui.checkbox) -> None:
    if not box.value:
        return
    t = visitor.t

    async def send() -> bool:
        order = Order("tick", cause=str(uuid4()), expected_version=warning.version, item=item.id,
                      note=(note.value or "").strip() or None)  # fmt: skip
        return await actions.run(order)

    box.value = False  # ticked only when it is written down
    with actions.box, Form(visitor, visitor.text(item.text), t("完成", "Done"), send):
        note = ui.input(t("备注（可不填）", "Note (optional)")).props("outlined dense autofocus maxlength=2000")
        note.classes("fq-field")
