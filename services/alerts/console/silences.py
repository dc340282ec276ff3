"""`/silences`: what is muted, by whom, why and until when; one button to end it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from nicegui import ui

from services.alerts import queries
from services.alerts.console.actions import HOURS
from services.alerts.console.forms import Form, reason_input
from services.alerts.console.panels import card
from services.alerts.console.shell import Page
from services.alerts.console.tables import Cell, Link, Press, table
from services.alerts.console.visitor import SignedOut, Visitor, moment
from services.alerts.domain.silence import Silence
from services.alerts.handlers import end_silence, may_act, silence
from services.alerts.labels import KINDS, muted


class Silences:
    """The state of one open page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.box = ui.element("div")
        t = visitor.t
        if may_act(visitor.who, "silence"):
            with ui.element("div").classes("fq-bar"):
                button = ui.button(t("新建静默", "New silence"), on_click=self._new).props("unelevated no-caps")
                button.classes("fq-new-silence")
                ui.label(
                    t(
                        "生命安全、打击报复、超期类预警任何人不得静默。",
                        "Life safety, reprisal and overdue are never muted.",
                    )
                ).classes("fq-hint")
        self.place = ui.element("div")

    async def draw(self) -> None:
        """Read and draw."""
        visitor, t = self.visitor, self.visitor.t
        now = visitor.console.desk.clock.now()
        found = await queries.silences(visitor.console.desk, visitor.who)
        running = [one for one in found if one.ends_at > now]
        over = [one for one in found if one.ends_at <= now][:100]
        heads = [t("范围", "What"), t("起", "From"), t("止", "Until"), t("设置人", "By"), t("理由", "Why"), ""]
        self.place.clear()
        with self.place:
            with card(t("生效中", "In force"), "fq-running"):
                rows = [self._row(one, running=True) for one in running]
                table(heads, rows, marker="fq-silences", empty=t("没有生效的静默", "Nothing is muted"))
            if over:
                with card(t("已结束", "Ended"), "fq-over"):
                    rows = [self._row(one, running=False) for one in over]
                    table(heads, rows, marker="fq-silences", empty="")

    def _row(self, one: Silence, *, running: bool) -> list[Cell]:
        visitor, t = self.visitor, self.visitor.t
        what = muted(one, visitor.console.desk.units, visitor.lang)
        scope: Cell = Link(what, f"/warnings/{one.warning_id}") if one.warning_id else what
        end: Cell = None
        theirs = visitor.who.jurisdiction in (None, one.jurisdiction)  # a county ends none that holds beyond it
        if running and theirs and may_act(visitor.who, "silence"):
            end = Press(t("提前结束", "End now"), lambda: self._end(one.id), "fq-end")
        elif one.ended_by:
            end = f"{t('结束', 'ended by')} {visitor.actor(one.ended_by)}"
        return [scope, moment(one.starts_at), moment(one.ends_at), visitor.actor(one.author), one.reason, end]

    async def _end(self, id: str) -> None:
        visitor = self.visitor
        try:
            visitor.use()
            await end_silence(visitor.console.desk, visitor.who, id)
        except SignedOut:
            ui.navigate.to("/auth/login?next=/silences")
        except Exception as error:
            ui.notify(visitor.refusal(error), type="warning", position="top")
        await self.draw()

    def _new(self) -> None:
        visitor, t = self.visitor, self.visitor.t
        units = visitor.console.desk.units

        async def send() -> bool:
            now = visitor.console.desk.clock.now()
            wanted = Silence(
                id=str(uuid4()),
                author=visitor.who.account,
                reason=(reason.value or "").strip(),
                starts_at=now,
                ends_at=now + timedelta(hours=hours.value),
                created_at=now,
                kinds=tuple(kinds.value or ()),
                unit=unit.value or None,
            )
            try:
                visitor.use()
                await silence(visitor.console.desk, visitor.who, wanted)
            except SignedOut:
                ui.navigate.to("/auth/login?next=/silences")
                return False
            except Exception as error:
                ui.notify(visitor.refusal(error), type="warning", position="top", timeout=9000, multi_line=True)
                return False
            await self.draw()
            return True

        with self.box, Form(visitor, t("新建静默", "New silence"), t("静默", "Silence"), send):
            names = {slug: visitor.label(KINDS, slug) for slug in KINDS}
            kinds = ui.select(names, multiple=True, value=[], label=t("类型（空为全部）", "Kinds (none: all)"))
            kinds.props("outlined dense use-chips").classes("fq-field fq-kinds")
            places = {"": t("全部单位", "All units"), **{code: visitor.unit(code) for code in units.units}}
            unit = ui.select(places, value="", label=t("单位", "Unit"), with_input=True).props("outlined dense")
            unit.classes("fq-field")
            choices = {n: t(f"{n} 小时", f"{n} h") if n < 48 else t(f"{n // 24} 天", f"{n // 24} d") for n in HOURS}
            hours = (
                ui.select(choices, value=4, label=t("时长", "For how long")).props("outlined dense").classes("fq-field")
            )
            reason = reason_input(visitor)


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    shown = Silences(visitor)
    await shown.draw()

    async def news(ids: set[str]) -> None:
        if ids:
            await shown.draw()

    page.on_news(news)
