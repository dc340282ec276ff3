"""What a person does with a warning: buttons, the forms that some of them need, and what happened to a click."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from nicegui import ui

from services.alerts.console.forms import Form, local_input, read_local, reason_input
from services.alerts.console.visitor import REFUSALS, SignedOut, Visitor
from services.alerts.domain.lifecycle import allowed
from services.alerts.domain.warning import Measure, Warning
from services.alerts.handlers import Order, may_act, take

ORDER: Final = (
    "acknowledge", "verify", "assign", "plan", "on_scene", "attach_plan", "settle", "silence", "discard", "cancel",
)  # fmt: skip
KEYS: Final = {
    "a": "acknowledge", "v": "verify", "g": "assign", "p": "plan", "c": "on_scene", "e": "attach_plan", "s": "settle",
    "m": "silence",
}  # fmt: skip
KEY_OF: Final = {action: key for key, action in KEYS.items()}
ONE_CLICK: Final = frozenset({"acknowledge", "verify"})
HOURS: Final = (1, 2, 4, 8, 24, 72, 168)


class Actions:
    """Actions on the warning that a page shows. `current` gives the warning as the visitor sees it now."""

    def __init__(self, visitor: Visitor, current: Callable[[], Warning], renew: Callable[[], Awaitable[None]]) -> None:
        self.visitor = visitor
        self.current = current
        self.renew = renew
        self.box = ui.element("div")
        """forms live here, outside of what is drawn anew when the warning changes"""

    def label(self, action: str) -> str:
        """What the button says."""
        t = self.visitor.t
        return {
            "acknowledge": t("签收", "Acknowledge"),
            "verify": t("核实", "Verify"),
            "assign": t("交办", "Assign"),
            "plan": t("专门工作方案", "Work plan"),
            "on_scene": t("到场", "On scene"),
            "attach_plan": t("启动预案", "Emergency plan"),
            "settle": t("了结", "Settle"),
            "silence": t("静默", "Silence"),
            "discard": t("排除", "Discard"),
            "cancel": t("撤销", "Cancel"),
        }[action]

    def may(self, action: str) -> bool:
        """Whether this visitor can do it now. Muting what may not be muted is offered, and refused with the reason."""
        warning = self.current()
        if not may_act(self.visitor.who, action):
            return False
        return action in allowed(warning, self.visitor.who.account) or (
            action == "silence" and warning.open and warning.protected
        )

    def draw(self) -> None:
        """The buttons that make sense now; the next one stands out."""
        able = [action for action in ORDER if self.may(action)]
        open_steps = {step.id for step in self.current().steps if step.done_at is None}
        main = next((action for action in able if action in open_steps), None)
        with ui.element("div").classes("fq-actions").props('role="toolbar"'):
            for action in able:
                button = ui.button(self.label(action), on_click=lambda action=action: self.start(action))
                button.props("no-caps unelevated" if action == main else "no-caps outline")
                button.classes(f"fq-do fq-do-{action}" + (" main" if action == main else ""))
                if action in KEY_OF:
                    with button:
                        ui.tooltip(f"{self.visitor.t('快捷键', 'key')} {KEY_OF[action].upper()}")

    async def start(self, action: str) -> None:
        """Take the action, or open its form."""
        if not self.may(action):
            return
        warning = self.current()
        if action in ONE_CLICK:
            await self.run(Order(action, cause=str(uuid4()), expected_version=warning.version))
        elif action == "silence" and warning.protected:
            ui.notify(REFUSALS["cannot-be-silenced"] if self.visitor.lang == "zh" else PROTECTED_EN, type="warning",
                      position="top", timeout=9000, multi_line=True)  # fmt: skip
        else:
            forms: dict[str, Callable[[Warning], None]] = {
                "assign": self._assign,
                "plan": self._plan,
                "on_scene": self._on_scene,
                "attach_plan": self._attach,
                "silence": self._silence,
            }
            with self.box:
                if action in forms:
                    forms[action](warning)
                else:
                    self._reasoned(action, warning)

    async def run(self, order: Order) -> bool:
        """Take an action; tells the person when it was refused, and by whom they were beaten."""
        visitor = self.visitor
        try:
            visitor.use()
            await take(visitor.console.desk, visitor.who, self.current().id, order)
        except SignedOut:
            ui.navigate.to(f"/auth/login?next=/warnings/{self.current().id}")
            return False
        except Exception as error:
            await self.renew()
            ui.notify(visitor.refusal(error), type="warning", position="top", timeout=9000, multi_line=True,
                      classes="fq-refused")  # fmt: skip
            return False
        await self.renew()
        return True

    def _form(self, action: str, warning: Warning, order: Callable[[], Order | str]) -> Form:
        """A form whose button takes the action with the version that was shown when the form was opened."""

        async def send() -> bool:
            made = order()
            if isinstance(made, str):
                ui.notify(made, type="warning", position="top")
                return False
            return await self.run(made)

        return Form(self.visitor, self.label(action), self.label(action), send)

    def _order(self, action: str, warning: Warning, **more: Any) -> Order:
        return Order(action, cause=str(uuid4()), expected_version=warning.version, **more)

    def _reasoned(self, action: str, warning: Warning) -> None:
        with self._form(action, warning, lambda: self._order(action, warning, reason=text.value.strip())):
            text = reason_input(self.visitor)

    def _assign(self, warning: Warning) -> None:
        visitor = self.visitor
        options = {
            code: visitor.unit(code)
            for code, unit in visitor.console.desk.units.units.items()
            if unit.level in ("county", "town") and not self._is_accused(warning, code)
        }
        suggested = warning.responsible_unit if warning.responsible_unit in options else None
        with self._form(
            "assign",
            warning,
            lambda: (
                self._order("assign", warning, unit=unit.value, reason=(text.value or "").strip() or None)
                if unit.value
                else visitor.t("请选择单位", "Choose a unit")
            ),
        ):
            unit = ui.select(options, value=suggested, label=visitor.t("责任单位", "Responsible unit"), with_input=True)
            unit.props("outlined dense autofocus").classes("fq-field fq-unit")
            ui.label(visitor.t("默认为名录规定的牵头单位。", "Preset: the lead department of the directory.")).classes(
                "fq-hint"
            )
            text = (
                ui.textarea(visitor.t("交办意见（可不填）", "Note (optional)"))
                .props("outlined dense rows=2")
                .classes("fq-field")
            )

    def _posts(self, warning: Warning) -> dict[str, str]:
        """Who can be named in a plan: units and their heads, never persons; the responsible unit first."""
        visitor, own = self.visitor, self._in_charge(warning)
        units = visitor.console.desk.units
        codes = [
            code
            for code, unit in units.units.items()
            if unit.level in ("county", "town") and code != own and not self._is_accused(warning, code)
        ]
        ordered = [own, *codes] if own else codes
        posts = {post: visitor.actor(post) for code in ordered for post in (f"{code}#head", code)}
        return {**posts, "duty_officer": visitor.actor("duty_officer")}

    def _is_accused(self, warning: Warning, code: str) -> bool:
        """Whether the unit is the accused, or stands under it: nobody handles what is said against themselves."""
        accused = {warning.flag.accused_unit, *(one.flag.accused_unit for one in warning.standing)}
        return any(self.visitor.console.desk.units.covers(one, code) for one in accused if one)

    def _in_charge(self, warning: Warning) -> str | None:
        """The responsible unit, where it may be named."""
        own = warning.responsible_unit
        return None if own is None or self._is_accused(warning, own) else own

    def _plan(self, warning: Warning) -> None:
        visitor, t = self.visitor, self.visitor.t
        posts = self._posts(warning)
        own = self._in_charge(warning)
        unit = own or "duty_officer"
        tomorrow = visitor.console.desk.clock.now() + timedelta(days=1)
        lines: list[tuple[Any, Any, Any]] = []

        def order() -> Order | str:
            measures = tuple(
                Measure(what.value.strip(), who.value or unit, read_local(due.value))
                for what, who, due in lines
                if (what.value or "").strip()
            )
            if not measures or not lead.value:
                return REFUSALS["plan-incomplete"] if visitor.lang == "zh" else "name a lead and at least one measure"
            return self._order("plan", warning, lead=lead.value, measures=measures)

        def post(label: str, value: str) -> ui.select:
            options = posts if value in posts else {value: visitor.actor(value), **posts}
            chosen = ui.select(options, value=value, label=label, with_input=True)
            return chosen.props("outlined dense options-dense hide-bottom-space")

        def add(what: str, who: str, due: datetime | None) -> None:
            with rows, ui.element("div").classes("fq-measure"):
                lines.append(
                    (
                        ui.input(t("措施", "Measure"), value=what)
                        .props("outlined dense maxlength=1000")
                        .classes("what"),
                        post(t("责任单位或岗位", "Who"), who),
                        local_input(t("时限", "Due"), due),
                    )
                )

        with self._form("plan", warning, order).classes("wide"):
            lead = post(t("牵头", "Lead"), f"{unit}#head" if own else unit)
            lead.classes("fq-field fq-lead")
            rows = ui.element("div").classes("fq-measures")
            if warning.work_plan:
                for measure in warning.work_plan.measures:
                    add(measure.what, measure.who, measure.due)
            else:
                add("", unit, tomorrow)
            ui.button(t("＋ 增加措施", "+ measure"), on_click=lambda: add("", unit, tomorrow)).props(
                "flat dense no-caps"
            )

    def _on_scene(self, warning: Warning) -> None:
        visitor, t = self.visitor, self.visitor.t
        head = f"{self._in_charge(warning) or 'unassigned'}#head"
        now = visitor.console.desk.clock.now()

        def order() -> Order:
            # as it stands in the form: the time of sending may be much later than the one that was read and left as it was
            return self._order("on_scene", warning, arrived=who.value or head, arrived_at=read_local(when.value))

        with self._form("on_scene", warning, order):
            who = ui.select({head: visitor.actor(head), "duty_officer": visitor.actor("duty_officer")}, value=head,
                            label=t("到场人", "Who arrived")).props("outlined dense").classes("fq-field")  # fmt: skip
            when = local_input(t("到场时间", "Time of arrival"), now).classes("fq-field")

    def _attach(self, warning: Warning) -> None:
        visitor = self.visitor
        options = {id: visitor.text(plan.title) for id, plan in visitor.console.desk.plans.plans.items()}
        preset = warning.kind if warning.kind in options else next(iter(options), None)
        with self._form("attach_plan", warning, lambda: self._order("attach_plan", warning, plan=plan.value)):
            plan = (
                ui.select(options, value=preset, label=self.label("attach_plan"))
                .props("outlined dense")
                .classes("fq-field")
            )

    def _silence(self, warning: Warning) -> None:
        visitor, t = self.visitor, self.visitor.t
        with self._form(
            "silence",
            warning,
            lambda: self._order(
                "silence",
                warning,
                reason=text.value.strip(),
                until=visitor.console.desk.clock.now() + timedelta(hours=hours.value) - timedelta(seconds=1),
            ),
        ):
            choices = {n: t(f"{n} 小时", f"{n} h") if n < 48 else t(f"{n // 24} 天", f"{n // 24} d") for n in HOURS}
            hours = ui.select(choices, value=4, label=t("静默时长（最长七天）", "For how long (7 days at most)"))
            hours.props("outlined dense").classes("fq-field")
            text = reason_input(visitor)
            ui.label(
                t(
                    "只停提醒，预警仍在列表中，并写入专报。",
                    "Only notifications pause; it stays in the list and is reported.",
                )
            ).classes("fq-hint")


PROTECTED_EN: Final = (
    "Life-safety, reprisal and overdue warnings cannot be muted: a person's life or a statutory deadline hangs on them."
)
