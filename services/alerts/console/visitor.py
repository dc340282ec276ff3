"""Who looks at a page: the principal, the language, the theme; and everything that a page works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.alerts.console.board import Board
from services.alerts.console.remote import Remote
from services.alerts.console.system import System
from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.warning import Text, Warning
from services.alerts.handlers import Desk, Forbidden, Missing
from services.alerts.labels import STATES, actor, name, title
from shared.access import PERMISSIONS, SESSION_IDLE, Access, Principal, Scope
from shared.clock import BEIJING
from shared.directory import Lang
from shared.mongo import Unavailable
from shared.web import Problem

LANG_COOKIE: Final = "fengqiao_lang"
THEME_COOKIE: Final = "fengqiao_theme"


@dataclass(frozen=True)
class Console:
    """What the pages work with. One a process."""

    desk: Desk
    access: Access
    board: Board
    remote: Remote
    lists: Mapping[str, Sequence[str]]
    """receivers of special reports by list"""
    geojson: Path | None = None
    receivers: Mapping[str, Text] = field(default_factory=dict)
    """names of the receivers of messages"""
    system: System | None = None


class SignedOut(Exception):  # noqa: N818 - an answer, not a fault
    """The sign-in behind the page has ended."""


@dataclass
class Visitor:
    """One open page."""

    console: Console
    who: Principal
    lang: Lang
    dark: bool
    wall: bool
    address: str
    """path and query, to come back to"""
    used_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)

    def t(self, zh: str, en: str) -> str:
        """The sentence in this visitor's language."""
        return zh if self.lang == "zh" else en

    def text(self, text: Text | None) -> str:
        """The same for a pair."""
        return "" if text is None else text.zh if self.lang == "zh" else text.en

    def title(self, warning: Warning) -> str:
        """What the warning is about: the petitioners' own words, or the system's in this visitor's language."""
        return title(warning, self.lang)

    def label(self, table: dict[str, Text], slug: str) -> str:
        """Name of a slug."""
        return name(table, slug, self.lang)

    def unit(self, code: str | None) -> str:
        """Name of a unit, a town or a county."""
        return self.console.desk.units.name(code, self.lang) if code else "—"

    def topic(self, slug: str | None) -> str:
        """Name of a topic."""
        found = self.console.desk.units.topics.get(slug or "")
        return (slug or "—") if found is None else found.zh if self.lang == "zh" else found.en

    def channel(self, slug: str) -> str:
        """Name of a channel."""
        found = self.console.desk.units.codes.get("channel", {}).get(slug)
        return slug if found is None else found.zh if self.lang == "zh" else found.en

    def receiver(self, slug: str) -> str:
        """Name of a receiver of messages."""
        return self.text(self.console.receivers.get(slug)) or slug

    def actor(self, who: str | None) -> str:
        """Whoever has to do something: a role, a unit, the head of a unit, an account."""
        return actor(who, self.console.desk.units, self.lang)

    @cached_property
    def scope(self) -> Scope:
        """What this visitor's lists are confined to."""
        return self.who.scope(self.console.desk.units)

    def may(self, permission: str) -> bool:
        """Whether the role holds a permission."""
        return self.who.role in PERMISSIONS[permission]

    def watching(self) -> bool:
        """Whether the page may go on showing news: within the 8 hours, account not deactivated."""
        return self.console.access.stands(self.who)

    def use(self) -> None:
        """Note that a person does something. Raises `SignedOut` after 15 minutes without (production) or 8 hours."""
        now = self.console.desk.clock.now()
        idle = timedelta(days=1) if self.console.access.demo else SESSION_IDLE
        if not self.watching() or now - self.used_at > idle:
            raise SignedOut
        self.used_at = now

    def refusal(self, error: Exception) -> str:
        """What a person reads when something was refused; names who was first."""
        if isinstance(error, Missing):
            return self.t("没有这条记录，或不在您的权限范围内。", "There is no such thing here, or you may not see it.")
        if isinstance(error, Forbidden):
            return self.t("您的角色不能执行此操作。", "Your role does not do this.")
        if isinstance(error, Unavailable):
            return self.t("存储暂不可用，操作未执行，请重试。", "The store is away; nothing was done. Try again.")
        if isinstance(error, Refused):
            return self._refused(error)
        return self.t("操作失败，未作更改。", "It failed; nothing was changed.")

    def _refused(self, error: Refused) -> str:
        if error.code in ("version-conflict", "already-acknowledged") and error.warning is not None:
            warning: Warning = error.warning
            first = self.actor(warning.last_actor if error.code == "version-conflict" else warning.acknowledged_by)
            state, at = self.label(STATES, warning.state), clock_time(warning.changed_at)
            return self.t(
                f"{first} 已在 {at} 先行操作，现为“{state}”。您的操作没有执行，页面已更新。",
                f"{first} was first, at {at}: it is {state} now. Yours was not carried out; the page is up to date.",
            )
        zh = REFUSALS.get(error.code)
        return error.detail if zh is None or self.lang == "en" else zh


REFUSALS: Final[Mapping[str, str]] = {
    "not-allowed-now": "当前状态下不能执行此操作。",
    "reason-missing": "请填写理由。",
    "cannot-be-silenced": "生命安全、打击报复和超期类预警不得静默：事关人身安全或法定期限，任何人不得关闭提醒。",
    "silence-time": "静默须有截止时间，最长七天，且晚于现在。",
    "unknown-unit": "名录中没有该单位。",
    "accused-unit": "不得将检举控告交给被反映单位或其下属单位办理（信访工作条例第三十条）。",
    "plan-incomplete": "专门工作方案须写明牵头人和至少一项措施。",
    "arrival-time": "到场时间不能在未来，也不能早于预警很久。",
    "unknown-plan": "没有该应急预案。",
    "no-plan": "尚未启动应急预案。",
    "no-such-item": "预案中没有该事项。",
    "already-done": "该事项已有人完成。",
    "no-such-step": "该事项已完成或不存在。",
    "step-needs-action": "该事项须通过相应操作完成，不能直接勾选。",
    "accusation": "涉及检举控告的专报不发送成员单位。",
    "jurisdiction-not-yours": "区县账号只能处理本区县的事项。",
    "no-such-action": "没有此项操作。",
    "period-invalid": "请选择预警，或填写起止时间（止晚于起）。",
}


async def arrive(console: Console, request: Request) -> Visitor | Response:
    """The visitor of a request; or the answer instead: to the sign-in."""
    query = request.query_params
    path = request.url.path
    address = f"{path}?{request.url.query}" if request.url.query else path
    try:
        who = await console.access.session(request)
    except Problem as problem:
        if problem.code == "account-deactivated":
            return problem.response()
        who = None
    if who is None:
        return RedirectResponse(f"/auth/login?next={quote(address, safe='')}", 303)
    lang: Lang = "en" if (query.get("lang") or request.cookies.get(LANG_COOKIE)) == "en" else "zh"
    wall = query.get("wall") == "1"
    theme = query.get("theme") or request.cookies.get(THEME_COOKIE) or ("dark" if wall else "light")
    now = console.desk.clock.now()
    return Visitor(console, who, lang, theme == "dark", wall, address, now, dict(query.multi_items()))


def clock_time(at: datetime | None) -> str:
    """Time of day in Beijing."""
    return at.astimezone(BEIJING).strftime("%H:%M:%S") if at else "—"


def moment(at: datetime | None) -> str:
    """Month, day and time in Beijing."""
    return at.astimezone(BEIJING).strftime("%m-%d %H:%M") if at else "—"


def millis(at: datetime | None) -> int | None:
    """For the browser."""
    return int(at.timestamp() * 1000) if at else None


def plain(value: Any) -> str:
    """A number without a useless fraction."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)
