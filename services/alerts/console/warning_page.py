"""The page of one warning: understand it on the left, follow it to the end on the right."""

from __future__ import annotations

from nicegui import ElementFilter, events, ui

from services.alerts import queries
from services.alerts.console import follow, panels
from services.alerts.console.actions import KEYS, Actions
from services.alerts.console.matter import Matter
from services.alerts.console.petitions import Petitions
from services.alerts.console.report_form import open_report
from services.alerts.console.shell import Page
from services.alerts.console.visitor import Visitor, moment
from services.alerts.domain.warning import Warning
from services.alerts.handlers import Missing
from services.alerts.labels import COUNTED, EXERCISE, INTERNAL, LEVELS, STATES
from services.alerts.queries import Detail


class WarningPage:
    """The state of one open page."""

    def __init__(self, visitor: Visitor, page: Page, detail: Detail) -> None:
        self.visitor = visitor
        self.page = page
        self.detail = detail
        self.place = ui.element("div").classes("fq-warning")
        self.actions = Actions(visitor, lambda: self.detail.warning, self.renew)
        self.petitions = Petitions(visitor, self.actions.box)
        self.matter = Matter(visitor, self.actions.box, lambda: self.detail.warning)
        page.on_news(self._news)
        ui.keyboard(on_key=self._key, ignore=["input", "select", "textarea"])  # a button in focus takes no letter
        self.draw()

    @property
    def warning(self) -> Warning:
        """As this page shows it."""
        return self.detail.warning

    async def _news(self, ids: set[str]) -> None:
        if self.warning.id in ids:
            await self.renew()

    async def renew(self) -> None:
        """Read it again and draw it anew where it is different."""
        try:
            found = await queries.detail(self.visitor.console.desk, self.visitor.who, self.warning.id)
        except Missing:  # it is another unit's now
            ui.navigate.to("/")
            return
        if found.warning.version != self.warning.version or len(found.log) != len(self.detail.log):
            self.detail = found
            self.draw()

    def _key(self, event: events.KeyEventArguments) -> None:
        key = str(event.key.name or "")
        if any(form.value for form in ElementFilter(kind=ui.dialog)):  # a form is open
            return
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        if key == "b":
            ui.navigate.to("/")
        elif key in KEYS:
            ui.timer(0, lambda: self.actions.start(KEYS[key]), once=True)

    def draw(self) -> None:
        """Draw everything but open forms."""
        visitor, t, warning = self.visitor, self.visitor.t, self.warning
        self.place.clear()
        with self.place:
            self._head()
            with ui.element("div").classes("fq-columns"):
                with ui.element("div").classes("fq-left"):
                    with panels.card(t("为什么预警", "Why it was raised"), "fq-why"):
                        panels.why(visitor, warning)
                        contest = ui.element("div").classes("fq-contest-place")
                    with panels.card(t("人数变化", "Petitioners over time"), "fq-over-time"):
                        panels.chart(visitor, self.detail)
                    count = panels.counted(visitor, warning)
                    evidence = t(f"证据与信访件（{count or '无'}）", f"Evidence ({count or 'no petition'})")
                    with panels.card(evidence, "fq-evidence", visitor.text(COUNTED["petitions"])):
                        self.petitions.draw(warning)
                    if self.matter.flagged:
                        with panels.card(t("事项的合并与拆分", "The matter: merging, splitting"), "fq-matter-card"):
                            self.matter.draw(contest)
                    with panels.card(t("相似的以往事项", "Like it, before"), "fq-alike"):
                        panels.similar(visitor, self.detail)
                with ui.element("div").classes("fq-right"):
                    with panels.card(t("谁在何时前做什么", "Who does what by when"), "fq-todo"):
                        follow.steps(visitor, warning, self.actions)
                        follow.arrivals(visitor, warning)
                    with panels.card(t("专门工作方案", "Special work plan"), "fq-work-plan"):
                        follow.work_plan(visitor, warning)
                    with panels.card(t("应急预案", "Emergency plan"), "fq-emergency"):
                        follow.checklist(visitor, warning, self.actions)
                    if not warning.open:
                        with panels.card(t("事后评估", "After-action review"), "fq-review"):
                            panels.review(visitor, self.detail)
                    with panels.card(t("处置过程", "What was done"), "fq-history"):
                        panels.history(visitor, warning, self.detail.log)

    def _head(self) -> None:
        visitor, t, warning = self.visitor, self.visitor.t, self.warning
        with ui.element("div").classes(f"fq-whead lv-{warning.level}"):
            with ui.element("div").classes("fq-line"):
                ui.link("←", "/").classes("fq-back").props(f'aria-label="{t("返回", "Back")}"')
                ui.label(visitor.label(LEVELS, warning.level)).classes("fq-tag level")
                if warning.exercise:
                    ui.label(t("演练 Exercise", EXERCISE.en)).classes("fq-tag drill")
                ui.label(visitor.title(warning)).classes("fq-wtitle").props('role="heading" aria-level="1"')
                ui.element("span").classes("fq-grow")
                ui.label(visitor.label(STATES, warning.state)).classes(f"fq-tag state st-{warning.state}")
            with ui.element("div").classes("fq-line fq-facts"):
                for fact, tip in panels.facts(visitor, warning):
                    panels.explained(fact, tip)
                ui.label(visitor.unit(warning.responsible_unit)).classes("unit")
                if warning.acknowledged_by:
                    ui.label(f"{t('签收', 'has it')}：{visitor.actor(warning.acknowledged_by)}")
                if warning.silenced_until and warning.silenced_until > visitor.console.desk.clock.now():
                    why = f"{visitor.actor(warning.silenced_by)}：{warning.silence_reason}"
                    ui.label(t(f"静默至 {moment(warning.silenced_until)}（{why}）",
                               f"silenced until {moment(warning.silenced_until)} ({why})")).classes("muted")  # fmt: skip
                if warning.flag.restricted:
                    ui.label(t("检举控告：限知", "accusation: restricted")).classes("muted")
            with ui.element("div").classes("fq-line"):
                self.actions.draw()
                ui.element("span").classes("fq-grow")
                if visitor.may("warnings.documents"):
                    button = ui.button(t("专报…", "Report…"), on_click=self._report)
                    button.props("flat dense no-caps").classes("fq-report")
                ui.label(t(INTERNAL.zh, INTERNAL.en)).classes("fq-internal")

    def _report(self) -> None:
        with self.actions.box:
            open_report(self.visitor, self.warning.id)


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    try:
        detail = await queries.detail(visitor.console.desk, visitor.who, str(page.parameters["id"])[:100])
    except Missing:
        page.client.status_code = 404
        with ui.element("div").classes("fq-empty"):
            ui.label(visitor.t("没有这条预警，或不在您的权限范围内。", "There is no such warning for you."))
            ui.link(visitor.t("返回列表", "Back to the list"), "/")
        return
    shown = WarningPage(visitor, page, detail)
    wanted = visitor.query.get("do", "")
    if wanted in KEYS.values():
        ui.timer(0.1, lambda: shown.actions.start(wanted), once=True)
        ui.navigate.history.replace(f"/warnings/{detail.warning.id}")  # not again when the page is loaded again
