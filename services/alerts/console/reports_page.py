"""`/reports`: special reports (专报) that were made, to whom they went and whether they arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nicegui import ui

from services.alerts import queries
from services.alerts.console.panels import card
from services.alerts.console.report_form import open_report
from services.alerts.console.shell import Page
from services.alerts.console.tables import Cell, Link, Strong, table
from services.alerts.console.visitor import Visitor, moment
from services.alerts.domain.warning import Text
from services.alerts.handlers import Missing
from services.alerts.ports import Delivery
from services.alerts.reports import LISTS

STATUS: Final = {
    "pending": Text("待送达", "on its way"),
    "sent": Text("已送达", "delivered"),
    "failed": Text("送达失败", "failed"),
    "withheld": Text("未发送（检举控告，不发被反映单位）", "withheld: an accusation, not for the accused unit"),
}

REASONS: Final = {
    "first": Text("新预警", "first"),
    "new_warning": Text("同组新预警", "new warning"),
    "level_raised": Text("等级提高", "level raised"),
    "grown": Text("人数增长", "grown"),
    "all_closed": Text("全部了结", "all closed"),
    "some_closed": Text("部分了结", "some closed"),
    "repeat": Text("仍未了结，重复提醒", "still open, repeated"),
    "escalated": Text("逐级呼叫", "escalated"),
    "report": Text("专报", "report"),
}


class Reports:
    """The state of one open page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.box = ui.element("div")
        t = visitor.t
        with ui.element("div").classes("fq-bar"):
            button = ui.button(t("生成时段专报", "Report on a period"), on_click=self._new).props("unelevated no-caps")
            button.classes("fq-new-report")
            ui.label(t("单条预警的专报在该预警页生成。", "A report on one warning is made on its page.")).classes(
                "fq-hint"
            )
        self.place = ui.element("div")

    def _new(self) -> None:
        with self.box:
            open_report(self.visitor, None, self.draw)

    async def draw(self) -> None:
        """Read and draw."""
        visitor, t, store = self.visitor, self.visitor.t, self.visitor.console.desk.store
        found = [row for row in await store.documents(warning_id=None, limit=200) if await self._may_see(row)]
        sent = await store.deliveries(warning_id=None, status=None, limit=500)
        by_document: dict[str, list[Delivery]] = {}
        for one in sent:
            kind, _, rest = one.id.partition(":")
            if kind == "document":
                by_document.setdefault(rest.partition("/")[0], []).append(one)
        heads = [t("文件", "Document"), t("报送", "To"), t("内容", "About"), t("生成", "Made"), t("生成人", "By"),
                 t("送达记录", "Delivery record")]  # fmt: skip
        self.place.clear()
        with self.place, card(t("专报", "Special reports"), "fq-report-list"):
            rows = [self._row(row, by_document.get(str(row["_id"]), [])) for row in found]
            table(heads, rows, marker="fq-reports", empty=t("还没有专报", "No report yet"))
        if visitor.may("warnings.handle"):
            with self.place, card(t("消息送达日志（最近 100 条）", "Messages sent, the newest 100"), "fq-deliveries"):
                await self._deliveries([one for one in sent if one.warnings and one.reason != "report"][:100])

    async def _deliveries(self, sent: list[Delivery]) -> None:
        """Who was told of which warning, when, and after how many attempts."""
        visitor, t = self.visitor, self.visitor.t
        rows: list[list[Cell]] = []
        for one in sent:
            if not await self._may_see({"warning_id": one.warnings[0], "by": ""}):
                continue
            status = visitor.text(STATUS.get(one.status))
            about = (
                t(f"{len(one.warnings)} 条预警", f"{len(one.warnings)} warnings")
                if len(one.warnings) > 1
                else t("预警", "warning")
            )
            rows.append(
                [
                    moment(one.created_at),
                    visitor.receiver(one.receiver),
                    Link(about, f"/warnings/{one.warnings[0]}"),
                    visitor.label(REASONS, one.reason),
                    Strong(status) if one.status == "failed" else status,
                    str(len(one.attempts)),
                    t("演练 Exercise", "Exercise") if one.exercise else None,
                ]
            )
        heads = [t("时间", "When"), t("接收方", "To"), t("事项", "About"), t("原因", "Why"), t("状态", "State"),
                 t("尝试次数", "Attempts"), ""]  # fmt: skip
        table(heads, rows, marker="fq-delivery-log", empty=t("还没有消息", "No message yet"))

    async def _may_see(self, row: Mapping[str, Any]) -> bool:
        who = self.visitor.who
        if row.get("warning_id") is None:
            return who.jurisdiction is None or row["by"] == who.account
        try:
            await queries.one(self.visitor.console.desk, who, row["warning_id"])
        except Missing:
            return False
        return True

    def _row(self, row: Mapping[str, Any], sent: list[Delivery]) -> list[Cell]:
        visitor, t = self.visitor, self.visitor.t
        about: Cell
        if row.get("warning_id"):
            about = Link(t("单条预警", "one warning"), f"/warnings/{row['warning_id']}")
        else:
            about = f"{moment(row['since'])} – {moment(row['until'])}"
        record = t("；", "; ").join(
            f"{visitor.receiver(one.receiver)} {visitor.text(STATUS.get(one.status))}" for one in sent
        )
        return [
            Link(str(row["name"]), f"/v1/documents/{row['_id']}"),
            visitor.text(LISTS.get(row["recipients"])),
            about,
            moment(row["at"]),
            visitor.actor(row["by"]),
            record or t("名单为空，未发送", "the list has no receiver"),
        ]


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    shown = Reports(visitor)
    await shown.draw()
