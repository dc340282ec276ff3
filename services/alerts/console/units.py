"""`/units`: open, overdue, and how soon somebody acknowledged; and how good the warnings are."""

from __future__ import annotations

from nicegui import ui

from services.alerts import queries
from services.alerts.console.panels import card
from services.alerts.console.shell import Page
from services.alerts.console.tables import Cell, Link, Strong, table
from services.alerts.console.visitor import Visitor
from services.alerts.queries import Quality, UnitRow

DAYS = (7, 30, 90)


def _minutes(visitor: Visitor, value: float | None) -> str:
    return "—" if value is None else f"{value:g} {visitor.t('分钟', 'min')}"


def _row(visitor: Visitor, row: UnitRow) -> list[Cell]:
    name = visitor.t("未明确单位", "no unit yet") if row.unit == "unassigned" else visitor.unit(row.unit)
    late: Cell = Strong(str(row.overdue_steps)) if row.overdue_steps else "0"
    unit: Cell = name if row.unit == "unassigned" else Link(name, f"/?unit={row.unit}")
    return [
        unit,
        str(row.open),
        late,
        _minutes(visitor, row.median_ack_minutes),
        str(row.never_acknowledged),
        str(row.settled),
        str(row.discarded),
    ]


def figures(visitor: Visitor, found: Quality) -> None:
    """The share that was not real is among them: it shows whether the rules cry wolf."""
    t = visitor.t
    share = f"{100 * found.discarded / found.raised:.0f}%" if found.raised else "—"
    tiles = (
        (t("预警", "warnings"), str(found.raised)),
        (t("核实", "verified"), str(found.verified)),
        (
            t("经核实不实", "not real"),
            f"{found.discarded}（{share}）" if visitor.lang == "zh" else f"{found.discarded} ({share})",
        ),
        (t("了结", "settled"), str(found.settled)),
        (t("签收中位用时", "median to acknowledge"), _minutes(visitor, found.median_ack_minutes)),
        (t("按时签收", "acknowledged in time"), str(found.acknowledged_in_time)),
        (t("超时事项", "steps missed"), str(found.missed_steps)),
    )
    with ui.element("div").classes("fq-tiles"):
        for label, value in tiles:
            with ui.element("div"):
                ui.label(value).classes("n")
                ui.label(label)


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    t, desk = visitor.t, visitor.console.desk
    days = int(visitor.query["days"]) if visitor.query.get("days") in {str(n) for n in DAYS} else 30
    with ui.element("div").classes("fq-bar"):
        for n in DAYS:
            link = ui.link(t(f"近 {n} 天", f"{n} days"), f"/units?days={n}").classes("fq-chip")
            if n == days:
                link.classes("on")
    figures(visitor, await queries.quality(desk, visitor.who, days))
    heads = [
        t("单位", "Unit"),
        t("未了结", "Open"),
        t("超时事项", "Steps overdue"),
        t("签收中位用时", "Median to acknowledge"),
        t("从未签收", "Never acknowledged"),
        t("已了结", "Settled"),
        t("已排除", "Discarded"),
    ]
    with card(t("各单位", "Units"), "fq-units"):
        rows = [_row(visitor, row) for row in await queries.units(desk, visitor.who, days)]
        table(heads, rows, marker="fq-unit-table", empty=t("没有预警", "No warning"))
        ui.label(
            t("“未了结”和“超时事项”含全部在办预警，其余各列为所选天数内发出的预警。",
              "Open and overdue count every open warning; the other columns those raised in the chosen days.")
        ).classes("fq-hint")  # fmt: skip
        ui.label(
            t("时限为内部目标；数字考核单位流程，不评价任何个人。",
              "Internal targets; figures are about a unit's process, never about a person.")
        ).classes("fq-hint")  # fmt: skip
