"""`/drills`: rehearse a warning. It behaves like a real one and is marked as an exercise everywhere."""

from __future__ import annotations

from uuid import uuid4

from nicegui import ui

from services.alerts import queries
from services.alerts.console.forms import Form
from services.alerts.console.panels import card
from services.alerts.console.shell import Page
from services.alerts.console.tables import Cell, Link, table
from services.alerts.console.visitor import SignedOut, Visitor, moment
from services.alerts.domain.warning import LEVELS, Warning
from services.alerts.handlers import Drill, may_act, start_drill
from services.alerts.labels import KINDS, STATES
from services.alerts.labels import LEVELS as LEVEL_NAMES
from services.alerts.ports import Filter


class Drills:
    """The state of one open page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.box = ui.element("div")
        t = visitor.t
        with ui.element("div").classes("fq-bar"):
            ui.label(t("演练 Exercise", "Exercise")).classes("fq-tag drill")
            if may_act(visitor.who, "assign"):
                button = ui.button(t("开始演练", "Start an exercise"), on_click=self._new).props("unelevated no-caps")
                button.classes("fq-new-drill")
            ui.label(
                t("演练预警流程与真实预警相同，处处标明“演练”，不计入统计。",
                  "An exercise runs like a real warning, is marked everywhere, and is counted nowhere.")
            ).classes("fq-hint")  # fmt: skip
        self.place = ui.element("div")

    async def draw(self) -> None:
        """Read and draw."""
        visitor, t = self.visitor, self.visitor.t
        found, _ = await queries.page(visitor.console.desk, visitor.who, Filter(exercise=True), limit=100)
        heads = [t("情景", "Scenario"), t("类型", "Kind"), t("等级", "Level"), t("开始", "Started"), t("状态", "State"),
                 t("签收用时", "To acknowledge"), t("预案", "Plan")]  # fmt: skip
        self.place.clear()
        with self.place, card(t("演练记录", "Exercises so far"), "fq-drill-list"):
            rows = [self._row(warning) for warning in found]
            table(heads, rows, marker="fq-drills", empty=t("还没有演练", "No exercise yet"))

    def _row(self, warning: Warning) -> list[Cell]:
        visitor = self.visitor
        took, plan = "—", "—"
        if warning.first_acknowledged_at is not None:
            minutes = (warning.first_acknowledged_at - warning.raised_at).total_seconds() / 60
            took = f"{minutes:.1f} {visitor.t('分钟', 'min')}"
        if warning.plan is not None:
            done = sum(item.done_at is not None for item in warning.plan.items)
            plan = f"{visitor.text(warning.plan.title)} {done}/{len(warning.plan.items)}"
        return [
            Link(visitor.title(warning), f"/warnings/{warning.id}"),
            visitor.label(KINDS, warning.kind),
            visitor.label(LEVEL_NAMES, warning.level),
            moment(warning.raised_at),
            visitor.label(STATES, warning.state),
            took,
            plan,
        ]

    def _new(self) -> None:
        visitor, t, desk = self.visitor, self.visitor.t, self.visitor.console.desk
        units = desk.units

        async def send() -> bool:
            if not (scenario.value or "").strip():
                ui.notify(t("请写明演练情景", "Describe the scenario"), type="warning", position="top")
                return False
            cause = str(uuid4())
            drill = Drill(cause, kind.value, level.value, county.value, scenario.value.strip(), unit.value or None,
                          town.value or None, plan.value or None)  # fmt: skip
            try:
                visitor.use()
                warning = await start_drill(desk, visitor.who, drill, cause)
            except SignedOut:
                ui.navigate.to("/auth/login?next=/drills")
                return False
            except Exception as error:
                ui.notify(visitor.refusal(error), type="warning", position="top")
                return False
            ui.navigate.to(f"/warnings/{warning.id}")
            return True

        with self.box, Form(visitor, t("开始演练", "Start an exercise"), t("开始", "Start"), send):
            scenario = ui.input(t("情景（不写真实姓名）", "Scenario (no real names)")).classes("fq-field fq-scenario")
            scenario.props("outlined dense autofocus maxlength=200")
            kind = _choice(t("类型", "Kind"), {slug: visitor.label(KINDS, slug) for slug in KINDS}, "collective_visit")
            level = _choice(t("等级", "Level"), {slug: visitor.label(LEVEL_NAMES, slug) for slug in LEVELS}, "II")
            own = visitor.who.jurisdiction
            counties = {code: visitor.unit(code) for code in units.counties() if own in (None, code)}
            county = _choice(t("区县", "County"), counties, next(iter(counties)))
            none = {"": "—"}
            towns = {
                code: visitor.unit(code) for code, one in units.units.items() if one.level == "town" and "." not in code
            }
            town = _choice(t("镇街", "Town"), {**none, **towns}, "")
            places = {code: visitor.unit(code) for code, one in units.units.items() if one.level in ("county", "town")}
            unit = _choice(t("责任单位", "Unit"), {**none, **places}, "")
            plans = {id: visitor.text(one.title) for id, one in desk.plans.plans.items()}
            plan = _choice(
                t("预案", "Plan"), {**none, **plans}, "collective_visit" if "collective_visit" in plans else ""
            )


def _choice(label: str, options: dict[str, str], value: str) -> ui.select:
    return ui.select(options, value=value, label=label).props("outlined dense options-dense").classes("fq-field")


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    shown = Drills(visitor)
    await shown.draw()

    async def news(ids: set[str]) -> None:
        if ids:
            await shown.draw()

    page.on_news(news)
