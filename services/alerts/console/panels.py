"""Panels of a warning's page that explain it: why, since when, who was counted, what was alike, what was done."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from services.alerts.console.visitor import Visitor, millis, moment, plain
from services.alerts.domain.warning import Warning
from services.alerts.labels import ACTIONS, COUNTED, KINDS, MEASURES, STATES, basis, name, reason
from services.alerts.ports import LogRow
from services.alerts.queries import Detail
from services.alerts.reports import after_action
from services.alerts.validity import validity
from shared.clock import BEIJING


def card(title: str, marker: str, tip: str = "") -> ui.element:
    """A titled box to put things in; `tip` says what a number in the title counts."""
    box = ui.element("section").classes(f"fq-card {marker}").props(f'aria-label="{title}"')
    with box:
        explained(title, tip).classes("fq-card-title").props('role="heading" aria-level="2"')
    return box


def explained(words: str, tip: str) -> ui.label:
    """Words with a number, and what that counts on hovering."""
    label = ui.label(words)
    if tip:
        with label.classes("fq-counted").props(f'aria-description="{tip}"'):
            ui.tooltip(tip)
    return label


def pairs(rows: list[tuple[str, str]]) -> None:
    """Names and values."""
    with ui.element("dl").classes("fq-pairs"):
        for label, value in rows:
            with ui.element("dt"):
                ui.label(label)
            with ui.element("dd"):
                ui.label(value)


def why(visitor: Visitor, warning: Warning) -> None:
    """Rule, article, threshold, what was seen, what speaks against it."""
    t, flag = visitor.t, warning.flag
    ui.label(visitor.text(flag.explanation) or t("没有说明", "no explanation came with the flag")).classes("fq-explain")
    _gauge(visitor, warning)
    holds = validity(warning, visitor.console.desk.clock.now(), visitor.lang, moment)
    pairs(
        [
            (t("依据", "Basis"), basis(flag.basis, visitor.lang) or "—"),
            (t("规则", "Rule"), f"{flag.rule_id} v{flag.rule_version} · {flag.policy}"),
            (t("研判时间", "Flagged"), f"{moment(flag.at)} · {holds}"),
        ]
    )
    ui.label(t("反面证据", "What speaks against it")).classes("fq-sub")
    with ui.element("ul").classes("fq-against"):
        for text in flag.counter_evidence:
            with ui.element("li"):
                ui.label(visitor.text(text))
        if not flag.counter_evidence:
            with ui.element("li"):
                ui.label(t("规则未发现反面证据", "The rule found none"))


def _gauge(visitor: Visitor, warning: Warning) -> None:
    flag, t = warning.flag, visitor.t
    top = max(flag.observed, flag.threshold, 1) * 1.15
    with ui.element("div").classes(f"fq-gauge lv-{warning.level}"):
        with ui.element("div").classes("track"):
            ui.element("div").classes("fill").style(f"width:{100 * flag.observed / top:.1f}%")
            ui.element("div").classes("mark").style(f"left:{100 * flag.threshold / top:.1f}%")
        seen = MEASURES.get(warning.kind, MEASURES[""])
        margin = ("+" if flag.margin > 0 else "") + plain(flag.margin)
        words = t("实测{what} {o} · 阈值 {h} · 余量 {m}", "observed {o} {what} · threshold {h} · margin {m}")
        explained(
            words.format(what=visitor.text(seen), o=plain(flag.observed), h=plain(flag.threshold), m=margin),
            t("实测：规则实际数到的；阈值：达到即预警；余量：实测减阈值。",
              "Observed: what the rule counted; threshold: from there on it warns; margin: observed less threshold."),
        )  # fmt: skip


def chart(visitor: Visitor, detail: Detail) -> None:
    """Distinct petitioners as the flags counted them, the threshold, and the petitions as points."""
    flag = detail.warning.flag
    ink, soft, line = ("#e6eaf0", "#98a4b3", "#2c3440") if visitor.dark else ("#1c2430", "#5d6878", "#e1e5ea")
    times = sorted(item.at for item in flag.evidence)
    counted = [[millis(row.at), row.distinct_petitioners or row.observed] for row in detail.flags]
    points = [[millis(at), n] for n, at in enumerate(times, 1)]
    if not counted and not points:
        ui.label(visitor.t("尚无数据", "Nothing to draw yet")).classes("fq-hint")
        return
    axis = {"axisLabel": {"color": soft}, "axisLine": {"lineStyle": {"color": line}}}
    accent, alarm = ("#6aa8f0", "#ff7b72") if visitor.dark else ("#1f5fa8", "#c02626")
    mark = {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": alarm, "type": "dashed"},
        "label": {"formatter": visitor.t("阈值", "threshold"), "color": alarm, "position": "insideEndTop"},
        "data": [{"yAxis": flag.threshold}],
    }
    ui.echart(
        {
            "animation": False,
            "textStyle": {"color": ink},
            "grid": {"left": 34, "right": 14, "top": 28, "bottom": 36},
            "tooltip": {"trigger": "axis"},
            "legend": {"top": 0, "right": 0, "textStyle": {"color": soft}, "itemHeight": 8},
            "xAxis": {
                "type": "time",
                **axis,
                "axisLabel": {"color": soft, "hideOverlap": True, "formatter": "{MM}-{dd}\n{HH}:{mm}"},
            },
            "yAxis": {"type": "value", "minInterval": 1, **axis, "splitLine": {"lineStyle": {"color": line}}},
            "series": [
                {
                    "name": visitor.t("研判人数", "counted petitioners"),
                    "type": "line",
                    "step": "end",
                    "data": counted,
                    "color": accent,
                    "areaStyle": {"opacity": 0.12},
                    "markLine": mark if flag.threshold else {},
                },
                {
                    "name": visitor.t("信访件", "petitions"),
                    "type": "scatter",
                    "symbolSize": 5,
                    "data": points,
                    "color": "#c2640c",
                },
            ],
        }
    ).classes("fq-chart")


def similar(visitor: Visitor, detail: Detail) -> None:
    """Past matters of the kind, and the other episodes of this one."""
    t = visitor.t
    for title, found in (
        (t("本事项以往预警", "Earlier episodes of this matter"), detail.episodes),
        (t("已了结的同类事项", "Settled matters like it"), detail.similar),
    ):
        if not found:
            continue
        ui.label(title).classes("fq-sub")
        with ui.element("ul").classes("fq-similar"):
            for other in found:
                with ui.element("li"):
                    ui.link(visitor.title(other), f"/warnings/{other.id}")
                    ended = reason(other.closed_reason, other.closed_why, visitor.lang)
                    ended = ended or visitor.label(STATES, other.state)
                    ui.label(f"{moment(other.raised_at)} · {visitor.unit(other.flag.town)} · {ended}").classes(
                        "fq-hint"
                    )
    if not detail.episodes and not detail.similar:
        ui.label(t("没有找到", "None was found")).classes("fq-hint")


def history(visitor: Visitor, warning: Warning, log: tuple[LogRow, ...]) -> None:
    """What was done, newest first."""
    with ui.element("ol").classes("fq-log"):
        for line in reversed(log):
            with ui.element("li"):
                with ui.element("div"):
                    ui.label(visitor.label(ACTIONS, line.action)).classes("what")
                    ui.label(visitor.actor(line.actor)).classes("who")
                    ui.label(line.at.astimezone(BEIJING).strftime("%m-%d %H:%M:%S")).classes("when")
                if line.before and line.before != line.state:
                    steps = f"{name(STATES, line.before, visitor.lang)} → {name(STATES, line.state, visitor.lang)}"
                    ui.label(steps).classes("fq-hint")
                if words := _reason(visitor, line):
                    ui.label(words).classes("reason")
                if extra := _extra(visitor, warning, line.detail):
                    ui.label(extra).classes("fq-hint")


def _reason(visitor: Visitor, line: LogRow) -> str:
    """Why; a person's own words are marked as such."""
    words = reason(line.reason, line.why, visitor.lang)
    return f"“{words}”" if words and line.actor is not None else words


def _extra(visitor: Visitor, warning: Warning, detail: Any) -> str:
    found = dict(detail)
    plans = visitor.console.desk.plans.plans
    items = {item.id: item.text for item in warning.plan.items} if warning.plan else {}
    parts = []
    if unit := found.get("unit"):
        parts.append(visitor.unit(unit))
    if arrived := found.get("arrived"):
        parts.append(visitor.actor(arrived))
    if plan := found.get("plan"):
        parts.append(visitor.text(plans[plan].title) if plan in plans else plan)
    if item := found.get("item"):
        parts.append(visitor.text(items.get(item)) or item)
    if step := found.get("step"):
        parts.append(visitor.text(next((one.what for one in warning.steps if one.id == step), None)) or step)
    return " · ".join(parts)


def review(visitor: Visitor, detail: Detail) -> None:
    """The after-action review of a closed warning."""
    section = after_action(detail, visitor.lang)
    with ui.element("ul").classes("fq-against"):
        for line in section.lines:
            with ui.element("li"):
                ui.label(line)


def facts(visitor: Visitor, warning: Warning) -> list[tuple[str, str]]:
    """The line under the title: each fact, and what a number in it counts."""
    t, flag = visitor.t, warning.flag
    n, heads = flag.distinct_petitioners, flag.headcount
    parts = [
        (visitor.label(KINDS, warning.kind), ""),
        (visitor.unit(flag.town or flag.jurisdiction), ""),
        (visitor.topic(flag.topic) if flag.topic else "", ""),
        (t(f"信访人 {n} 名", f"petitioners: {n}") if n else "", visitor.text(COUNTED["petitioners"])),
        (counted(visitor, warning), visitor.text(COUNTED["petitions"])),
        (t(f"现场最多 {heads} 人", f"present at most: {heads}") if heads else "", visitor.text(COUNTED["headcount"])),
        (t(f"发出 {moment(warning.raised_at)}", f"raised {moment(warning.raised_at)}"), ""),
        (t(f"第 {warning.episode} 次", f"episode {warning.episode}") if warning.episode > 1 else "",
         visitor.text(COUNTED["episode"])),
        (_fell_away(visitor, warning), ""),
    ]  # fmt: skip
    return [(fact, tip) for fact, tip in parts if fact]


def _fell_away(visitor: Visitor, warning: Warning) -> str:
    if not warning.open or not warning.cleared_at:
        return ""
    if warning.state == "raised":
        return visitor.t("依据已消失，仍须有人查看", "its reason fell away; somebody still has to look at it")
    return visitor.t("依据已消失，待经办人了结", "its reason fell away; whoever has it settles it")


def counted(visitor: Visitor, warning: Warning) -> str:
    """How many petitions the warning counts."""
    count = len(warning.flag.petition_ids)
    return visitor.t(f"信访件 {count} 件", f"petitions: {count}") if count else ""
