"""The demo in the terminal: what is being played, and each warning as it comes, with kind, matter, petitioners and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.simulator.player import Tally
from shared.clock import BEIJING
from shared.directory import directory

STYLES: Final = {
    "I": "bold white on red",
    "II": "bold black on orange3",
    "III": "bold black on yellow",
    "IV": "white on blue",
}
LEVELS: Final = {"I": "Ⅰ 紧急", "II": "Ⅱ 预警", "III": "Ⅲ 提醒", "IV": "Ⅳ 关注"}
SHOWN: Final = ("fengqiao.warning.raised.v1", "fengqiao.warning.escalated.v1", "fengqiao.warning.cancelled.v1")
KINDS: Final = {
    "collective_visit": "集体访",
    "collective_risk": "集体访苗头",
    "cross_level_visit": "越级走访",
    "cross_level_risk": "越级走访苗头",
    "over_representatives": "代表超5人",
    "pending_elsewhere": "正在办理",
    "unanswered_repeat": "未答复重复",
    "life_safety": "生命安全",
    "reprisal_risk": "打击报复风险",
    "overdue": "超期",
    "near_deadline": "临期",
}


class View:
    """A panel that stays at the bottom, and lines that scroll above it."""

    def __init__(self, console: Console, addresses: dict[str, str]) -> None:
        self._console = console
        self._addresses = addresses
        self._tally: Tally | None = None
        self._raised = 0
        self._live = Live(self._panel(), console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> View:
        if not self._console.is_terminal:  # a file or a pipe sees the panel at the end only
            for name, url in self._addresses.items():
                self._console.print(f"{name} {url}", soft_wrap=True)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """One line above the panel."""
        self._console.print(line)

    def played(self, tally: Tally) -> None:
        """Show how far the district has come."""
        self._tally = tally
        self._live.update(self._panel())

    def warn(self, event: dict[str, Any]) -> None:
        """Print a warning that came over the stream."""
        if event.get("type") not in SHOWN:
            return
        data = event["data"]
        raised = event["type"] == SHOWN[0]
        self._raised += raised
        self._console.print(line_of(event["type"].split(".")[2], data))
        if raised and data.get("explanation"):
            self._console.print(Text(f"      为什么 {data['explanation']['zh']}", style="dim"), soft_wrap=True)

    def _panel(self) -> Panel:
        table = Table.grid(padding=(0, 2))
        if self._tally is not None:
            t = self._tally
            today = t.at.astimezone(BEIJING)
            table.add_row("区内日期 district day", f"{today:%Y-%m-%d %H:%M}")
            channels = "  ".join(f"{_channel(c)} {n}" for c, n in t.channels.most_common())
            table.add_row("来信来访 petitions", f"{t.filed}   {channels}")
            table.add_row("办理 steps", "  ".join(f"{k} {n}" for k, n in t.steps.most_common()))
            if t.refused:
                table.add_row("未收 refused", "  ".join(f"{k} {n}" for k, n in t.refused.most_common()))
        table.add_row("预警 warnings", str(self._raised))
        links = [f"{name} {url}" for name, url in self._addresses.items()]
        return Panel(Group(table, *links), title="枫桥 Fengqiao — Ctrl-C 结束 ends it", title_align="left")


def line_of(change: str, data: dict[str, Any]) -> Text:
    """Level, kind, matter, petitioners and unit on one line."""
    level = data["level"]
    word = {"raised": "新预警", "escalated": "升级", "cancelled": "解除"}[change]
    line = Text(f"{datetime.now(UTC).astimezone(BEIJING):%H:%M:%S} {word} ")
    line.append(f" {LEVELS[level]} ", style=STYLES[level])
    line.append(f" {KINDS.get(data['kind'], data['kind'])} {data['kind']}  ", style="bold")
    line.append(f"《{data.get('title') or '—'}》")
    if data.get("distinct_petitioners"):
        line.append(f"  {data['distinct_petitioners']} 人")
    if data.get("responsible_unit"):
        line.append(f"  → {directory().name(data['responsible_unit'])}", style="cyan")
    return line


def _channel(slug: str) -> str:
    return directory().code("channel", slug).zh
