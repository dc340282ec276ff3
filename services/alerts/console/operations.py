"""`/operations`: how the services are, for whoever runs them. It shows no case."""

from __future__ import annotations

import time
from typing import Final

from nicegui import ui

from services.alerts.console.panels import card
from services.alerts.console.shell import Page
from services.alerts.console.system import State
from services.alerts.console.tables import Cell, Strong, table
from services.alerts.console.visitor import Visitor
from services.alerts.domain.warning import Text

REST_S: Final = 10
SERVICES: Final = {
    "intake": Text("信访登记 intake", "intake"),
    "screening": Text("预警筛查 screening", "screening"),
    "alerts": Text("预警 alerts", "alerts"),
    "assessment": Text("督办考核 assessment", "assessment"),
}
STATES: Final = {
    "healthy": Text("正常", "healthy"),
    "unhealthy": Text("异常", "unhealthy"),
    "unreachable": Text("连接不上", "cannot be reached"),
}
COMMANDS: Final = (
    ("fengqiao dlq list", Text("不能处理的消息", "messages that could not be processed")),
    ("fengqiao progress show", Text("各服务读到哪里", "how far each service has read")),
    ("fengqiao audit verify", Text("审计日志是否完整", "whether the audit log is whole")),
)


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    t = visitor.t
    with card(t("服务状态", "Services"), "fq-services"):
        place = ui.element("div")
    with card(t("命令", "Commands"), "fq-commands"):
        heads = [t("命令", "Command"), t("看什么", "What it shows")]
        table(heads, [[line, visitor.text(what)] for line, what in COMMANDS], marker="fq-command-table", empty="")
        ui.label(t("本页不显示任何信访事项。", "This page shows no case.")).classes("fq-hint")
    drawn = 0.0

    async def draw(_: set[str]) -> None:
        nonlocal drawn
        if drawn and time.monotonic() - drawn < REST_S:
            return
        states = await visitor.console.system.states() if visitor.console.system else []
        drawn = time.monotonic()
        place.clear()
        heads = [
            t("服务", "Service"),
            t("状态", "State"),
            t("原因与提示", "Reasons and warnings"),
            t("待处理", "Waiting"),
        ]
        with place:
            table(heads, [row(visitor, state) for state in states], marker="fq-service-table", empty="—")

    await draw(set())
    page.on_news(draw)


def row(visitor: Visitor, state: State) -> list[Cell]:
    """One service's line."""
    status = visitor.text(STATES.get(state.status)) or state.status
    said = "; ".join((*state.reasons, *state.warnings))
    waiting = "—" if state.lag is None else str(sum(state.lag.values()))
    return [
        visitor.text(SERVICES[state.name]),
        status if state.status == "healthy" else Strong(status),
        said or "—",
        waiting,
    ]
