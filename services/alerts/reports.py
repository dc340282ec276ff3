"""专报: what a special report says, about one warning or a period, and its after-action part. Rendering is in `render.py`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.alerts import labels, queries
from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.silence import Silence
from services.alerts.domain.warning import Text, Warning
from services.alerts.handlers import Desk, Forbidden
from services.alerts.ports import Delivery, Filter, Tx
from services.alerts.queries import Detail
from shared.access import PERMISSIONS, Principal
from shared.clock import BEIJING
from shared.directory import Directory, Lang
from shared.events import derived_id

MEDIA_TYPES: Final = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}
MOST_LISTED: Final = 200
LISTS: Final = {"leaders": Text("报区委区政府领导", "leaders"), "members": Text("送指挥部成员单位", "member units")}


@dataclass(frozen=True)
class Section:
    """A heading with lines and perhaps a table (first row: headings)."""

    heading: str
    lines: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Report:
    """A document before it has a form."""

    title: str
    subtitle: str
    mark: str | None
    sections: tuple[Section, ...]
    exercise: bool = False


def _t(lang: str, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def when(at: datetime | None) -> str:
    """A time as people here read it."""
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if at else "—"


def of_warning(detail: Detail, desk: Desk, lang: Lang = "zh") -> Report:
    """The report about one warning: what, why, who did what by when, and how it ended."""
    warning, flag = detail.warning, detail.warning.flag
    unit = warning.responsible_unit
    facts = [
        (_t(lang, "类型", "Kind"), labels.name(labels.KINDS, warning.kind, lang)),
        (_t(lang, "等级", "Level"), labels.name(labels.LEVELS, warning.level, lang)),
        (_t(lang, "状态", "State"), labels.name(labels.STATES, warning.state, lang)),
        (_t(lang, "地点", "Place"), desk.units.name(flag.town or flag.jurisdiction, lang)),
        (
            _t(lang, "责任单位", "Responsible unit"),
            desk.units.name(unit, lang) if unit else "—",
        ),
        *_numbers(warning, lang),
        (_t(lang, "发出时间", "Raised"), when(warning.raised_at)),
        (_t(lang, "第几次", "Episode"), str(warning.episode)),
    ]
    sections = [Section(_t(lang, "一、基本情况", "1. Facts"), table=tuple(facts))]
    sections.append(Section(_t(lang, "二、预警依据", "2. Why it was raised"), _reasons(warning, lang)))
    sections.append(_steps(warning, desk.units, lang))
    if warning.work_plan:
        head = (_t(lang, "措施", "Measure"), _t(lang, "责任人", "Who"), _t(lang, "时限", "Due"))
        rows = tuple((m.what, labels.actor(m.who, desk.units, lang), when(m.due)) for m in warning.work_plan.measures)
        sections.append(Section(_t(lang, "专门工作方案", "Special work plan"), table=(head, *rows)))
    if warning.plan:
        sections.append(_checklist(warning, desk.units, lang))
    sections.append(_log(detail, desk.units, lang))
    if not warning.open:
        sections.append(after_action(detail, lang))
    return Report(
        title=_t(lang, "专  报", "Special report"),
        subtitle=labels.title(warning, lang),
        mark=_mark(lang, exercise=warning.exercise),
        sections=tuple(sections),
        exercise=warning.exercise,
    )


def _numbers(warning: Warning, lang: Lang) -> list[tuple[str, str]]:
    """People and petitions apart, each where the warning counts it: one person may file for a crowd, a unit's deadlines count no
    people."""
    flag = warning.flag
    petitions = len(flag.petition_ids)
    if warning.kind in ("overdue", "near_deadline"):  # all that are late, of which it lists 200
        petitions = max(petitions, int(flag.observed))
    found = (
        (_t(lang, "信访人数", "Distinct petitioners"), flag.distinct_petitioners),
        (_t(lang, "信访件数", "Petitions"), petitions),
        (_t(lang, "现场最多人数", "Present at most"), flag.headcount),
    )
    return [(label, str(number)) for label, number in found if number]


def _mark(lang: str, *, exercise: bool) -> str:
    internal = _t(lang, labels.INTERNAL.zh, labels.INTERNAL.en)
    return f"{_t(lang, labels.EXERCISE.zh, labels.EXERCISE.en)} · {internal}" if exercise else internal


def _reasons(warning: Warning, lang: Lang) -> tuple[str, ...]:
    flag = warning.flag
    lines = [_t(lang, flag.explanation.zh, flag.explanation.en)] if flag.explanation else []
    basis = labels.basis(flag.basis, lang)
    rule = f"{flag.rule_id} v{flag.rule_version} · {flag.policy} · {basis}"
    lines.append(_t(lang, f"规则：{rule}", f"Rule: {rule}"))
    seen, limit = f"{flag.observed:g}", f"{flag.threshold:g}"
    lines.append(_t(lang, f"阈值 {limit}，实测 {seen}", f"Threshold {limit}, observed {seen}"))
    against = [_t(lang, text.zh, text.en) for text in flag.counter_evidence]
    if against:
        lines.append(_t(lang, "反面证据：" + "；".join(against), "Against it: " + "; ".join(against)))
    return tuple(lines)


def _by(who: str | None, units: Directory, lang: Lang) -> str:
    return labels.actor(who, units, lang) if who else "—"


def _steps(warning: Warning, units: Directory, lang: Lang) -> Section:
    head = tuple(_t(lang, zh, en) for zh, en in (("事项", "Step"), ("责任", "Who"), ("时限", "Due"), ("完成", "Done")))
    rows = tuple(
        (
            _t(lang, step.what.zh, step.what.en),
            labels.actor(step.who, units, lang),
            when(step.due),
            f"{when(step.done_at)} {labels.actor(step.done_by, units, lang)}"
            if step.done_at
            else _t(lang, "未完成", "open")
            if warning.open
            else _t(lang, labels.SKIPPED.zh, labels.SKIPPED.en),
        )
        for step in warning.steps
    )
    note = _t(lang, "以上时限均为内部目标，非法定期限。", "All of these are internal targets, not statutory deadlines.")
    return Section(_t(lang, "三、谁在何时前做什么", "3. Who does what by when"), (note,), (head, *rows))


def _checklist(warning: Warning, units: Directory, lang: Lang) -> Section:
    plan = warning.plan
    assert plan is not None
    rows = tuple(
        (_t(lang, item.text.zh, item.text.en), when(item.done_at), _by(item.done_by, units, lang), item.note or "")
        for item in plan.items
    )
    head = tuple(_t(lang, zh, en) for zh, en in (("事项", "Item"), ("时间", "When"), ("人员", "Who"), ("备注", "Note")))
    title = _t(lang, plan.title.zh, plan.title.en)
    heading = _t(lang, f"应急预案：{title}", f"Emergency plan: {title}")
    return Section(f"{heading} v{plan.version}", table=(head, *rows))


def _log(detail: Detail, units: Directory, lang: Lang) -> Section:
    head = tuple(
        _t(lang, zh, en) for zh, en in (("时间", "When"), ("动作", "Action"), ("人员", "Who"), ("理由", "Reason"))
    )
    rows = tuple(
        (
            when(row.at),
            labels.name(labels.ACTIONS, row.action, lang),
            labels.actor(row.actor, units, lang),
            labels.reason(row.reason, row.why, lang),
        )
        for row in detail.log
    )
    return Section(_t(lang, "四、处置过程", "4. What was done"), table=(head, *rows))


def _names(texts: Sequence[Text], lang: Lang) -> str:
    if not texts:
        return _t(lang, "无", "none")
    return "、".join(text.zh for text in texts) if lang == "zh" else ", ".join(text.en for text in texts)


def after_action(detail: Detail, lang: Lang = "zh") -> Section:
    """The after-action part: how long things took, which targets were missed, what the plan left open."""
    warning = detail.warning
    lines = []
    if warning.first_acknowledged_at:
        minutes = (warning.first_acknowledged_at - warning.raised_at).total_seconds() / 60
        lines.append(_t(lang, f"签收用时 {minutes:.1f} 分钟", f"Acknowledged after {minutes:.1f} minutes"))
    else:
        lines.append(_t(lang, "无人签收", "Nobody acknowledged"))
    if warning.closed_at:
        hours = (warning.closed_at - warning.raised_at).total_seconds() / 3600
        lines.append(_t(lang, f"处置总时长 {hours:.1f} 小时", f"Closed after {hours:.1f} hours"))
    late = [s for s in warning.steps if s.missed or (s.done_at and s.done_at > s.due)]
    names = _names([step.what for step in late], lang)
    lines.append(_t(lang, f"未按内部目标完成：{names}", f"Internal targets missed: {names}"))
    if warning.plan:
        left = [item for item in warning.plan.items if item.done_at is None]
        names = _names([item.text for item in left], lang)
        lines.append(_t(lang, f"预案未完成事项：{names}", f"Lines of the plan left open: {names}"))
    calls = sum(row.action == "escalate" for row in detail.log)
    lines.append(_t(lang, f"逐级呼叫 {calls} 次", f"Calls up the chain: {calls}"))
    why = labels.reason(warning.closed_reason, warning.closed_why, lang) or "—"
    lines.append(_t(lang, f"结论：{why}", f"Conclusion: {why}"))
    return Section(_t(lang, "五、事后评估", "5. After-action review"), tuple(lines))


def of_period(
    warnings: Sequence[Warning],
    silences: Sequence[tuple[Silence, Warning | None]],
    desk: Desk,
    since: datetime,
    until: datetime,
    lang: Lang,
) -> Report:
    """The report about a period: figures, what is open, what was muted and why. Accusations are not in it.

    A silence about one warning comes with that.
    """
    shown = [w for w in warnings if not w.flag.restricted and not w.exercise]
    drills = sum(w.exercise for w in warnings)
    by_kind = Counter(w.kind for w in shown)
    by_state = Counter(w.state for w in shown)
    figures = [
        (_t(lang, "预警总数", "Warnings"), str(len(shown))),
        (_t(lang, "已核实", "Verified"), str(sum(w.verified_at is not None for w in shown))),
        (_t(lang, "经核实不实", "Found not real"), str(by_state["discarded"])),
        (_t(lang, "已了结", "Settled"), str(by_state["settled"])),
        (_t(lang, "仍未了结", "Still open"), str(sum(w.open for w in shown))),
        (_t(lang, "演练", "Exercises"), str(drills)),
    ]
    kinds = tuple((labels.name(labels.KINDS, kind, lang), str(n)) for kind, n in by_kind.most_common())
    sections = [
        Section(_t(lang, "一、总体情况", "1. Figures"), table=tuple(figures)),
        Section(_t(lang, "二、类型分布", "2. By kind"), table=kinds),
    ]
    head = tuple(
        _t(lang, zh, en)
        for zh, en in (("等级", "Level"), ("类型", "Kind"), ("责任单位", "Unit"), ("状态", "State"), ("事项", "Matter"))
    )
    rows = [
        (
            w.level,
            labels.name(labels.KINDS, w.kind, lang),
            desk.units.name(w.responsible_unit, lang) if w.responsible_unit else "—",
            labels.name(labels.STATES, w.state, lang),
            labels.title(w, lang),
        )
        for w in sorted((w for w in shown if w.open), key=lambda w: (w.level, w.raised_at))
    ]
    cut = _t(lang, f"仅列 {MOST_LISTED} 条，共 {len(rows)} 条。", f"{MOST_LISTED} of {len(rows)} are listed.")
    sections.append(
        Section(
            _t(lang, "三、未了结预警", "3. Open warnings"),
            (cut,) if len(rows) > MOST_LISTED else (),
            (head, *rows[:MOST_LISTED]),
        )
    )
    muted = [(s, one) for s, one in silences if s.starts_at < until and s.ends_at > since]
    mute_head = tuple(
        _t(lang, zh, en)
        for zh, en in (("范围", "What"), ("起", "From"), ("止", "Until"), ("人员", "Who"), ("理由", "Why"))
    )
    mute_rows = tuple(
        (
            labels.muted(s, desk.units, lang, labels.title(one, lang) if one else ""),
            when(s.starts_at),
            when(s.ends_at),
            s.author,
            s.reason,
        )
        for s, one in muted
    )
    sections.append(Section(_t(lang, "四、静默情况", "4. Silences"), table=(mute_head, *mute_rows)))
    return Report(
        title=_t(lang, "专  报", "Special report"),
        subtitle=f"{when(since)} — {when(until)}",
        mark=_mark(lang, exercise=False),
        sections=tuple(sections),
    )


@dataclass(frozen=True)
class Wanted:
    """Which report: about a warning, or about a period; for which list; in which form."""

    form: str
    recipients: str
    lang: Lang = "zh"
    warning_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Made:
    """A report that was made, with its delivery record."""

    id: str
    name: str
    body: bytes
    record: dict[str, Any]


async def compose(desk: Desk, who: Principal, wanted: Wanted) -> Report:
    """The report as this principal may see it. Raises `Missing`, `Forbidden`, `Refused`."""
    if who.role not in PERMISSIONS["warnings.documents"]:
        raise Forbidden("documents")
    if wanted.warning_id is not None:
        detail = await queries.detail(desk, who, wanted.warning_id)
        if detail.warning.flag.restricted and wanted.recipients == "members":
            raise Refused("accusation", "a report about an accusation does not go to member units", detail.warning)
        return of_warning(detail, desk, wanted.lang)
    if wanted.since is None or wanted.until is None or wanted.since >= wanted.until:
        raise Refused("period-invalid", "name a warning, or since and until")
    span = Filter(since=wanted.since, until=wanted.until)
    found = [warning async for warning in queries.each(desk, who.scope(desk.units), span)]
    silences = await queries.plain_silences(desk, who)
    silenced = {w.id: w for w in await desk.store.many([s.warning_id for s in silences if s.warning_id])}
    pairs = [(s, silenced.get(s.warning_id or "")) for s in silences]
    return of_period(found, pairs, desk, wanted.since, wanted.until, wanted.lang)


async def send(
    desk: Desk, who: Principal, wanted: Wanted, report: Report, body: bytes, receivers: Sequence[str], cause: str
) -> Made:
    """Keep the document as it is now, and have it sent to its list; the delivery record says to whom and when."""
    now = desk.clock.now()
    id = derived_id(cause, "document")
    name = f"report-{now.astimezone(BEIJING):%Y%m%d-%H%M}-{id[:8]}.{wanted.form}"
    record = {
        "_id": id,
        "name": name,
        "form": wanted.form,
        "recipients": wanted.recipients,
        "receivers": list(receivers),
        "warning_id": wanted.warning_id,
        "since": wanted.since,
        "until": wanted.until,
        "by": who.account,
        "at": now,
        "sha256": hashlib.sha256(body).hexdigest(),
        "body": body,
    }
    ids = (wanted.warning_id,) if wanted.warning_id else ()
    text = {
        "title": f"{report.title.replace('  ', '')} {report.subtitle}",
        "document": f"/v1/documents/{id}",
        "reason": "report",
    }

    async def work(tx: Tx) -> None:
        await tx.put_document(record)
        rows = [
            Delivery(f"document:{id}/{name}", name, "report", ids, text, now, now, exercise=report.exercise)
            for name in receivers
        ]
        await tx.put_deliveries(rows)
        await tx.audit(
            actor=who.account,
            action="document.send",
            object=id,
            at=now,
            detail={"list": wanted.recipients, "form": wanted.form},
        )

    await desk.store.run(work)
    return Made(id, name, body, record)
