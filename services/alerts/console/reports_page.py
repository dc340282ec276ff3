"""`/reports`: special reports (专报) that were made, to whom they went and whether they arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nicegui import ui

from services.alerts import queries
from services.alerts.console.panels import card
from services.alerts.console.report_form import open_report
from services.alerts.console.shell import Page
from services.alerts.console.tables import Cell, Link, table
from services.alerts.console.visitor import Visitor, moment
from services.alerts.domain.warning import Text
from services.alerts.handlers import Missing
from services.alerts.ports import Delivery
from services.alerts.reports import LISTS

STATUS: Final = {
    "pending": Text("待送达", "on its way"),
    "sent": Text("已送达", "delivered"),
    "failed": Text("送达失败", "failed"),
    "withheld": Text("未发送（静默或演练）", "withheld"),
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
        t, store = self.visitor.t, self.visitor.console.desk.store
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
        record = "；".join(f"{one.receiver} {visitor.text(STATUS.get(one.status))}" for one in sent)
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
