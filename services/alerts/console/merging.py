"""The form in which a matter takes in another: likely twins first, and a look at both before they are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from nicegui import ui

from services.alerts.console.visitor import Visitor, moment
from services.alerts.domain.warning import Text

COMMON: Final = {
    "title": Text("标题相近", "near title"),
    "town": Text("同一属地", "same place"),
    "topic": Text("同一类别", "same topic"),
}


class Twins:
    """The choice of the other matter, and the comparison with it. `rows` as screening orders them."""

    def __init__(self, visitor: Visitor, own: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        self.visitor = visitor
        self._own = own
        self._rows = {row["id"]: row for row in rows}
        self._select: ui.select | None = None

    @property
    def chosen(self) -> str | None:
        """The matter to take in."""
        return self._select.value if self._select is not None else None

    def draw(self) -> None:
        """The choice, and below it what is chosen."""
        t = self.visitor.t
        if not self._rows:
            ui.label(t("本区县没有其他事项。", "There is no other matter in this county.")).classes("fq-hint")
        options = {id: self._option(row) for id, row in self._rows.items()}
        label = t("并入本事项的另一事项", "The matter that this one takes in")
        self._select = ui.select(options, label=label, with_input=True, on_change=self._compare)
        self._select.props("outlined dense options-dense").classes("fq-field fq-other")
        order = t(
            "排序：与本事项相同之处（标题、属地、类别）多的在前，其余按最近来件时间。",
            "Order: most in common with this matter (title, place, topic) first, then by the latest petition.",
        )
        ui.label(order).classes("fq-hint fq-order")
        self._place = ui.element("div").classes("fq-compare-place").props('role="status"')

    def _option(self, row: Mapping[str, Any]) -> str:
        parts = [row["title"], people(self.visitor, row), _at(row["last_at"]), *self._reasons(row)]
        return " · ".join(parts)

    def _reasons(self, row: Mapping[str, Any]) -> list[str]:
        return [self.visitor.text(COMMON[name]) for name in row["common"]]

    def _compare(self) -> None:
        self._place.clear()
        row = self._rows.get(self.chosen or "")
        if row is None:
            return
        visitor, t, own = self.visitor, self.visitor.t, self._own
        with self._place:
            with ui.element("table").classes("fq-compare"):
                self._line(
                    "", t("本事项（保留）", "this one (stays)"), t("另一事项（并入）", "the other (goes in)"), "th"
                )
                for name, show in (
                    (t("标题", "title"), lambda one: one["title"]),
                    (t("属地", "place"), lambda one: visitor.unit(one.get("town") or one["county"])),
                    (t("类别", "topic"), lambda one: visitor.topic(one.get("topic"))),
                    (t("责任单位", "unit"), lambda one: visitor.unit(one.get("unit"))),
                    (t("信访人", "petitioners"), lambda one: str(one["petitioners"])),
                    (t("信访件", "petitions"), lambda one: str(one["petitions"])),
                    (t("起止", "from, to"), lambda one: f"{_at(one['opened_at'])} – {_at(one['last_at'])}"),
                ):
                    self._line(name, show(own), show(row))
            self._verdict(row)
            ui.label(
                t("合并后沿用本事项的标题、类别和责任单位；另一事项的预警随之撤销或由经办人了结。",
                  "This matter's title, topic and unit stay; the other's warnings end, or whoever has them settles them.")
            ).classes("fq-hint")  # fmt: skip
            if row["petitioners"] > own["petitioners"]:
                ui.label(
                    t("另一事项人数更多；如应以其名称为准，请在该事项的预警页上合并。",
                      "More people stand behind the other; to keep its name, merge on the page of its warning.")
                ).classes("fq-hint fq-larger")  # fmt: skip

    def _line(self, name: str, one: str, other: str, cell: str = "td") -> None:
        with ui.element("tr"):
            for tag, words in (("th", name), (cell, one), (cell, other)):
                with ui.element(tag):
                    ui.label(words)

    def _verdict(self, row: Mapping[str, Any]) -> None:
        t = self.visitor.t
        if reasons := self._reasons(row):
            words = t("、", ", ").join(reasons)
            if shared := row.get("common_words"):
                words += t(f"（均有“{shared}”）", f" (both say “{shared}”)")
            ui.label(f"{t('共同之处', 'In common')}：{words}").classes("fq-common")
        else:
            ui.label(
                t("未发现共同之处：标题、属地、类别都不相同。请在理由中写明为何是同一事项。",
                  "Nothing in common found: title, place and topic all differ. Say in the reason why they are one matter.")
            ).classes("fq-common fq-nothing")  # fmt: skip


def people(visitor: Visitor, row: Mapping[str, Any]) -> str:
    """How many stand behind a matter: petitioners and petitions."""
    n, m = row["petitioners"], row["petitions"]
    zh, en = f"{n} 名信访人、{m} 件", f"{n} petitioner{'s' * (n != 1)}, {m} petition{'s' * (m != 1)}"
    return visitor.t(zh, en)


def _at(text: str) -> str:
    return moment(datetime.fromisoformat(text))
