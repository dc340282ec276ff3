"""The live list at `/`: what needs a person now comes first; filters live in the address."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from nicegui import events, ui

from services.alerts.console.rows import Choice, may_see, row
from services.alerts.console.shell import Page
from services.alerts.console.visitor import SignedOut, Visitor, millis
from services.alerts.domain.warning import LEVELS, OPEN_STATES, Text, Warning
from services.alerts.handlers import Order, take
from services.alerts.labels import KINDS, STATES
from services.alerts.labels import LEVELS as LEVEL_NAMES

SHOWN: Final = 300
FILTER_NAMES: Final = {
    "level": Text("等级", "level"),
    "kind": Text("类型", "kind"),
    "state": Text("状态", "state"),
    "unit": Text("单位", "unit"),
    "town": Text("镇街", "town"),
}
NEEDS_THE_PAGE: Final = ("plan", "open")


class LiveList(ui.element, component="live_list.js"):
    """The list in the browser."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        t = visitor.t
        self._props["wall"] = visitor.wall
        self._props["words"] = {
            "live": t("实时预警列表", "Live list of warnings"),
            "level": t("等级", "Level"),
            "matter": t("事项", "Matter"),
            "place": t("属地 / 责任单位", "Place / unit"),
            "people": t("人数与趋势", "People, trend"),
            "age": t("已历时", "Age"),
            "step": t("下一步与时限（内部目标）", "Next step, due (internal)"),
            "act": t("一键处置", "One click"),
            "exercise": t("演练", "Exercise"),
            "episode": t("第 {n} 次", "episode {n}"),
            "muted": t("静默中", "silenced"),
            "restricted": t("检举控告·限知", "accusation, restricted"),
            "none": t("目前没有待处置的预警", "Nothing is waiting for anybody"),
            "none_filtered": t("没有符合筛选条件的预警", "No warning fits the filters"),
            "more": t("另有 {n} 条未显示，请用筛选缩小范围", "{n} more are not shown; narrow the filters"),
            "late": t("已超 {t}", "{t} late"),
            "left": t("剩 {t}", "{t} left"),
            "s": t("秒", "s"),
            "m": t("分", "min"),
            "h": t("时", "h"),
            "d": t("天", "d"),
        }


class Live:
    """The state of one open list."""

    def __init__(self, visitor: Visitor, page: Page) -> None:
        self.visitor = visitor
        self.page = page
        self.choice, self._ignored = Choice.of(visitor.query, visitor.console.desk.units)
        self.ready = False
        self._sent: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, tuple[Warning, int, dict[str, Any]]] = {}
        self._chips: dict[str, tuple[ui.element, ui.label]] = {}
        self._picture: object = None
        self._order: list[str] = []
        self._known: set[str] | None = None
        self._refilled = True

    def draw(self) -> None:
        """Lay the page out."""
        visitor = self.visitor
        if visitor.wall:
            with ui.element("div").classes("fq-wallhead"):
                ui.label(visitor.t("枫桥 · 平安指挥部 实时预警", "Fengqiao · live warnings")).classes("fq-walltitle")
                self.counts = ui.element("div").classes("fq-counts")
        else:
            self._toolbar()
        if self._ignored:
            names = visitor.t("、", ", ").join(visitor.label(FILTER_NAMES, name) for name in self._ignored)
            words = visitor.t(
                f"地址中有无效的筛选值，未采用：{names}", f"The address has values that are none; left out: {names}"
            )
            ui.label(words).classes("fq-hint fq-ignored").props('role="status"')
        self.list = LiveList(visitor)
        self.list.on("ready", self._begin)
        self.list.on("step", self._step)
        self.list.on("fresh", lambda event: self._fresh(int(event.args)))
        self.page.on_news(self.news)

    def _toolbar(self) -> None:
        visitor, choice, t = self.visitor, self.choice, self.visitor.t
        units = visitor.console.desk.units
        with ui.element("div").classes("fq-bar").props(f'role="search" aria-label="{t("筛选", "Filters")}"'):
            self.counts = ui.element("div").classes("fq-counts")
            kinds = {"": t("全部类型", "All kinds"), **{slug: visitor.label(KINDS, slug) for slug in KINDS}}
            states = {"": t("全部状态", "All states"), **{slug: visitor.label(STATES, slug) for slug in OPEN_STATES}}
            departments = {code: visitor.unit(code) for code, unit in units.units.items() if unit.level == "county"}
            towns = {code: visitor.unit(code) for code, unit in units.units.items() if unit.level == "town"}
            plain_towns = {code: name for code, name in towns.items() if "." not in code}
            self._select("kind", kinds, choice.kind)
            self._select("state", states, choice.state)
            self._select("unit", {"": t("全部单位", "All units"), **departments, **plain_towns}, choice.unit)
            self._select("town", {"": t("全部镇街", "All towns"), **plain_towns}, choice.town)
            search = ui.input(placeholder=t("搜索事项（/）", "Search (/)"), value=choice.q).classes("fq-search")
            search.props("dense outlined clearable debounce=250 maxlength=200")
            search.on_value_change(lambda event: self.choose(q=(event.value or "").strip()))
            ui.element("span").classes("fq-grow")
            self.news_button = ui.button(on_click=self._seen).props("flat dense no-caps").classes("fq-news")
            self.news_button.set_visibility(False)
            self.sound = ui.button(t("声音：关", "Sound off"), on_click=self._toggle_sound)
            self.sound.props("flat dense no-caps").classes("fq-switch fq-sound")
            ui.link(t("大屏", "Wall screen"), "/?wall=1").classes("fq-switch fq-walllink").props('target="_blank"')
        self._sounding = False

    def _select(self, name: str, options: dict[str, str], value: str) -> None:
        if value and value not in options:
            options = {**options, value: self.visitor.unit(value)}
        chosen = ui.select(options, value=value, on_change=lambda event: self.choose(**{name: event.value or ""}))
        chosen.props("dense outlined options-dense").classes(f"fq-filter fq-filter-{name}")
        if len(options) > 15:
            chosen.props("use-input fill-input hide-selected input-debounce=0")

    def choose(self, **changed: Any) -> None:
        """Filter anew; the address follows, so that it can be kept or sent to somebody."""
        choice = replace(self.choice, **changed)
        if choice == self.choice:
            return
        self.choice = choice
        query = choice.query()
        ui.navigate.history.replace(f"/?{query}" if query else "/")
        self._refilled = True
        self._wake()

    def _wake(self) -> None:
        self.page.wake()

    def _begin(self) -> None:
        """The browser has the component and, after a reconnection, no rows."""
        self.ready, self._sent, self._order = True, {}, []
        self._wake()

    def visible(self, now: datetime) -> list[Warning]:
        """Rows for this visitor, in the order in which they need a person."""
        visitor = self.visitor
        units = visitor.console.desk.units
        return [
            warning
            for warning in visitor.console.board.ordered(now)
            if self.choice.fits(warning, units) and may_see(visitor, warning)
        ]

    def _rows(self, found: list[Warning], now: datetime) -> dict[str, dict[str, Any]]:
        """Lines by id, drawn anew where the warning is another one or a minute has passed (trend, silences)."""
        minute, before = int(now.timestamp() // 60), self._lines
        self._lines = {
            warning.id: had
            if (had := before.get(warning.id)) is not None and had[0] is warning and had[1] == minute
            else (warning, minute, row(self.visitor, warning, now))
            for warning in found
        }
        return {id: line for id, (_, _, line) in self._lines.items()}

    async def news(self, _: set[str]) -> None:
        """Send what is different from what the browser has, and wait until it has taken it."""
        if not self.ready or not self.visitor.console.board.loaded.is_set():
            return  # an empty list would say that nothing is waiting
        now = self.visitor.console.desk.clock.now()
        found = self.visible(now)
        rows = self._rows(found[:SHOWN], now)
        put = [line for id, line in rows.items() if self._sent.get(id) != line]
        order = list(rows)
        ids = {warning.id for warning in found}
        fresh = [] if self._known is None or self._refilled else [id for id in order if id not in self._known]
        if put or order != self._order or self._refilled:
            news = {
                "now": millis(now),
                "put": put,
                "order": order if order != self._order else None,
                "more": len(found) - len(order),
                "filtered": self.choice != Choice(),
                "fresh": [id for id in fresh if not rows[id]["answered"]],
                "refilled": self._refilled,
            }
            await self.list.run_method("patch", news, timeout=8)
            self._sent, self._order, self._refilled = rows, order, False
            self._show_counts()
        self._known = ids if self._known is None else self._known | ids

    def _show_counts(self) -> None:
        visitor = self.visitor
        shown = [w for w in visitor.console.board.warnings.values() if may_see(visitor, w)]
        counts = {level: sum(w.level == level for w in shown) for level in LEVELS}
        waiting = sum(not w.answered for w in shown)
        picture = (tuple(counts.values()), waiting, self.choice.levels)
        if self._picture == picture:
            return
        self._picture = picture
        if not self._chips:
            self._draw_counts()
        for level, (chip, label) in self._chips.items():
            on = level in self.choice.levels
            chip.props(f'aria-pressed="{"true" if on else "false"}"')
            chip.classes(add="on" if on else None, remove=None if on else "on")
            label.set_text(str(counts[level]))
        box, label = self._waiting
        box.classes(add="some" if waiting else None, remove=None if waiting else "some")
        label.set_text(str(waiting))

    def _draw_counts(self) -> None:
        visitor = self.visitor
        with self.counts:
            for level in LEVELS:
                with ui.element("button").classes(f"fq-chip lv-{level}").props('type="button"') as chip:
                    ui.label(visitor.label(LEVEL_NAMES, level))
                    self._chips[level] = (chip, ui.label().classes("n"))
                if not visitor.wall:
                    chip.on("click", lambda _, level=level: self.choose(levels=self.choice.levels ^ {level}))
            with ui.element("span").classes("fq-waiting") as box:
                ui.label(visitor.t("待签收", "waiting"))
                self._waiting = (box, ui.label().classes("n"))

    def _fresh(self, count: int) -> None:
        if self.visitor.wall:
            return
        self.news_button.set_visibility(count > 0)
        self.news_button.set_text(self.visitor.t(f"{count} 条新预警 · 知悉", f"{count} new · seen"))

    def _seen(self) -> None:
        self.list.run_method("seen")

    async def _toggle_sound(self) -> None:
        self._sounding = bool(await self.list.run_method("listen", not self._sounding, timeout=5))
        t = self.visitor.t
        self.sound.set_text(t("声音：开", "Sound on") if self._sounding else t("声音：关", "Sound off"))

    async def _step(self, event: events.GenericEventArguments) -> None:
        """One click: take the step, or go to the page where it needs words."""
        id, name, version = str(event.args["id"]), str(event.args["action"]), int(event.args["version"])
        warning = self.visitor.console.board.warnings.get(id)
        unit = warning.responsible_unit if warning else None
        if name in NEEDS_THE_PAGE or (name == "assign" and unit not in self.visitor.console.desk.units.units):
            ui.navigate.to(f"/warnings/{id}?do={'settle' if name == 'open' else name}")
            return
        action = "step_done" if name == "report" else name
        order = Order(
            action,
            cause=str(uuid4()),
            expected_version=version,
            unit=unit if name == "assign" else None,
            item="report" if name == "report" else None,
        )
        try:
            self.visitor.use()
            await take(self.visitor.console.desk, self.visitor.who, id, order)
        except SignedOut:
            ui.navigate.to("/auth/login?next=/")
        except Exception as error:
            ui.notify(self.visitor.refusal(error), type="warning", position="top", timeout=8000)
        self.list.run_method("free", id)


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    Live(visitor, page).draw()
