"""`/district`: townships × topics, the last day and the last month, and the map where the deployment has one."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from services.alerts import queries
from services.alerts.console.map import Area, areas, picture
from services.alerts.console.panels import card
from services.alerts.console.shell import Page
from services.alerts.console.visitor import Visitor
from services.alerts.domain.warning import LEVELS
from services.alerts.labels import LEVELS as LEVEL_NAMES
from services.alerts.queries import District
from shared.clock import BEIJING


def _ink(visitor: Visitor) -> tuple[str, str, str]:
    return ("#e6eaf0", "#98a4b3", "#2c3440") if visitor.dark else ("#1c2430", "#5d6878", "#e1e5ea")


def heat(visitor: Visitor, found: District) -> None:
    """Townships by topics, over 30 days."""
    ink, soft, line = _ink(visitor)
    cells = {place: n for place, n in found.heat.items() if any(place)}
    if elsewhere := found.heat.get(("", ""), 0):
        ui.label(
            visitor.t(
                f"另有 {elsewhere} 条没有镇街和主题（如超期类），不在图中",
                f"{elsewhere} more have neither town nor topic (deadlines, say) and are not in it",
            )
        ).classes("fq-hint fq-elsewhere")
    towns = sorted({town for town, _ in cells})
    totals: dict[str, int] = {}
    for (_, topic), n in cells.items():
        totals[topic] = totals.get(topic, 0) + n
    topics = sorted(totals, key=lambda topic: -totals[topic])[:16]
    data = [[topics.index(topic), towns.index(town), n] for (town, topic), n in cells.items() if topic in topics]
    if not data:
        ui.label(visitor.t("近 30 天没有预警", "No warning in 30 days")).classes("fq-hint")
        return
    other = visitor.t("未定", "unknown")
    axis = {"type": "category", "splitArea": {"show": False}, "axisLine": {"lineStyle": {"color": line}}}
    low, high = ("#223044", "#ff8f5a") if visitor.dark else ("#eef3f9", "#c2410c")
    ui.echart(
        {
            "animation": False,
            "textStyle": {"color": ink},
            "grid": {"left": 96, "right": 18, "top": 10, "bottom": 64},
            "tooltip": {"position": "top"},
            "xAxis": {
                **axis,
                "data": [visitor.topic(topic) if topic else other for topic in topics],
                "axisLabel": {"color": soft, "rotate": 32, "interval": 0},
            },
            "yAxis": {
                **axis,
                "data": [visitor.unit(town) if town else other for town in towns],
                "axisLabel": {"color": soft},
            },
            "visualMap": {
                "min": 0,
                "max": max(4, *(n for *_, n in data)),
                "calculable": False,
                "show": False,
                "inRange": {"color": [low, high]},
            },
            "series": [
                {
                    "type": "heatmap",
                    "data": data,
                    "label": {"show": True, "color": ink},
                    "itemStyle": {"borderColor": line, "borderWidth": 1},
                }
            ],
        }
    ).classes("fq-heat").style(f"height:{84 + 30 * max(4, len(towns))}px")


def bars(visitor: Visitor, rows: tuple[tuple[Any, int], ...], form: str) -> None:
    """Warnings by hour or day."""
    ink, soft, line = _ink(visitor)
    ui.echart(
        {
            "animation": False,
            "textStyle": {"color": ink},
            "grid": {"left": 28, "right": 8, "top": 12, "bottom": 22},
            "tooltip": {"trigger": "axis"},
            "xAxis": {
                "type": "category",
                "data": [at.astimezone(BEIJING).strftime(form) for at, _ in rows],
                "axisLabel": {"color": soft},
                "axisLine": {"lineStyle": {"color": line}},
            },
            "yAxis": {
                "type": "value",
                "minInterval": 1,
                "axisLabel": {"color": soft},
                "splitLine": {"lineStyle": {"color": line}},
            },
            "series": [
                {"type": "bar", "data": [n for _, n in rows], "color": "#6aa8f0" if visitor.dark else "#1f5fa8"}
            ],
        }
    ).classes("fq-bars")


def counts(visitor: Visitor, found: District) -> None:
    """Open warnings by level."""
    with ui.element("div").classes("fq-counts"):
        for level in LEVELS:
            with ui.element("a").props(f'href="/?level={level}"').classes(f"fq-chip lv-{level}"):
                ui.label(visitor.label(LEVEL_NAMES, level))
                ui.label(str(found.open_by_level.get(level, 0))).classes("n")


def town_map(visitor: Visitor, shapes: list[Area], found: District) -> None:
    """Towns, the darker the more warnings."""
    by_town: dict[str, int] = {}
    for (town, _), n in found.heat.items():
        by_town[town] = by_town.get(town, 0) + n
    most = max(by_town.values(), default=0) or 1
    drawn = picture(shapes)
    svg = ui.element("svg").props(f'viewBox="0 0 {drawn.width:.0f} {drawn.height:.0f}" role="img"').classes("fq-map")
    with svg:
        for area in drawn.areas:
            n = by_town.get(area.code, 0)
            with ui.element("a").props(f'href="/?town={area.code}"'):
                path = ui.element("path").style(f"--heat:{100 * n / most:.0f}%")
                path.props["d"] = area.path
                words = f"{visitor.unit(area.code)} {n}"
                TextElement(tag="text", text=words).props(f'x="{area.x:.1f}" y="{area.y:.1f}"')


async def build(visitor: Visitor, page: Page) -> None:
    """The page."""
    t, desk = visitor.t, visitor.console.desk
    place = ui.element("div").classes("fq-district")
    shapes: list[Area] = []
    if visitor.console.geojson is not None:
        raw = await asyncio.to_thread(visitor.console.geojson.read_bytes)
        shapes = areas(orjson.loads(raw))
    at: list[float] = [0.0]

    def trends(found: District) -> None:
        with card(t("近 24 小时", "Last 24 hours"), "fq-hours"):
            bars(visitor, found.by_hour, "%H:00")
        with card(t("近 30 天", "Last 30 days"), "fq-days"):
            bars(visitor, found.by_day, "%m-%d")

    async def draw() -> None:
        found = await queries.district(desk, visitor.who)
        at[0] = desk.clock.now().timestamp()
        place.clear()
        with place:
            counts(visitor, found)
            with ui.element("div").classes("fq-columns"):
                with ui.element("div").classes("fq-left"):
                    with card(t("镇街 × 主题（近 30 天）", "Townships × topics, 30 days"), "fq-heat-card"):
                        heat(visitor, found)
                    if shapes:
                        trends(found)
                with ui.element("div").classes("fq-right"):
                    if shapes:
                        with card(t("地图（近 30 天）", "Map, 30 days"), "fq-map-card"):
                            town_map(visitor, shapes, found)
                    else:
                        trends(found)

    async def news(ids: set[str]) -> None:
        if ids and desk.clock.now().timestamp() - at[0] > 10:  # figures of a month need no second hand
            await draw()

    await draw()
    page.on_news(news)
