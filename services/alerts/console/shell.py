"""What every page has around it: head, navigation, the line that shows the feed lives, and the loop that brings news."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import Request
from nicegui import ui
from nicegui.client import Client
from starlette.responses import RedirectResponse, Response

from services.alerts.console import no_entry
from services.alerts.console.board import Watch
from services.alerts.console.no_entry import first_page
from services.alerts.console.visitor import LANG_COOKIE, THEME_COOKIE, Console, Visitor, arrive, millis
from services.alerts.domain.warning import Text
from services.alerts.labels import INTERNAL
from shared.roles import ROLE_NAMES, STAFF

BEAT_S: Final = 2.5
REST_S: Final = 0.05, 0.15
"""least and longest pause after a beat; between them it is as long as the beat took"""
TICK_S: Final = 0.5
log = structlog.get_logger()
CSS: Final = (Path(__file__).parent / "console.css").read_text(encoding="utf-8")
ROLES: Final = {role: Text(*names) for role, names in ROLE_NAMES.items()}
PAGES: Final = (
    ("/", "实时预警", "Live", "warnings.read"),
    ("/district", "区域态势", "District", "warnings.read"),
    ("/units", "单位", "Units", "warnings.read"),
    ("/silences", "静默", "Silences", "warnings.read"),
    ("/plans", "预案", "Plans", "warnings.read"),
    ("/drills", "演练", "Exercises", "warnings.read"),
    ("/reports", "专报", "Reports", "warnings.documents"),
    ("/operations", "运行状态", "Operations", "system.operate"),
)
News = Callable[[set[str]], Awaitable[None]]
Build = Callable[[Visitor, "Page"], Awaitable[None]]


class PulseLine(ui.element, component="pulse.js"):
    """The permanent line: live or dead, and how old the newest event is."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        t = visitor.t
        self._props["renew"] = not visitor.console.access.demo
        self._props["words"] = {
            "live": t("实时接收中", "Live"),
            "slow": t("正在启动", "Starting"),
            "dead": t("接收中断", "FEED IS DEAD"),
            "last": t("最近一条事件在 {t}前", "newest event {t} ago"),
            "nothing": t("尚无事件", "no event yet"),
            "frozen": t(
                "画面停在 {t}，此后的预警看不到。请改用电话值守并报告运维。",
                "this screen stopped at {t}; later warnings are not on it. Fall back to the telephone and call operations.",
            ),
            "out": t(
                "登录已失效，画面不再更新，请重新登录。", "signed out: this page no longer changes; sign in again."
            ),
            "trouble_starting": t("正在读取", "loading"),
            "trouble_store": t(
                "数据库无响应，新预警无法读取", "the store does not answer; new warnings cannot be read"
            ),
            "trouble_behind": t("事件积压，画面落后", "events are waiting; the screen lags"),
            "trouble_stopped": t("事件流已停止", "the stream has stopped"),
            "trouble_source": t("消息总线中断，上游预警收不到", "the bus is away; nothing arrives from screening"),
            "s": t("秒", "s"),
            "m": t("分钟", "min"),
            "h": t("小时", "h"),
            "d": t("天", "d"),
        }


class Page:
    """One open page: its path parameters, what it wants to hear of, and the task that tells it."""

    def __init__(self, visitor: Visitor, parameters: dict[str, Any]) -> None:
        self.visitor = visitor
        self.parameters = parameters
        self.client: Client = ui.context.client
        self._wanted: list[News] = []
        self._task: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        self._ticked: tuple[str | None, float] = (None, 0.0)
        self.pulse: PulseLine

    def on_news(self, heard: News) -> None:
        """Call `heard` with the ids that changed (none at a quiet beat). The next call waits for this one."""
        self._wanted.append(heard)

    def wake(self) -> None:
        """Do the next beat now."""
        if self._watch is not None:
            self._watch.woken.set()

    def start(self) -> None:
        """Begin to tell, once the browser is connected."""
        if self._task is None:
            self._task = asyncio.create_task(self._tell(), name="alerts.console.page")

    def stop(self) -> None:
        """End: the page is gone."""
        if self._task is not None:
            self._task.cancel()

    async def _tell(self) -> None:
        """Each message is answered by the browser before the next: a slow page gets fewer, not late ones."""
        board = self.visitor.console.board
        with board.watch() as watch:
            self._watch = watch
            await self._beat(watch, set())
            while not self.client.is_deleted:
                ids = await watch.news(BEAT_S)
                began = time.monotonic()
                await self._beat(watch, ids)
                least, longest = REST_S
                await asyncio.sleep(min(longest, max(least, time.monotonic() - began)))

    async def _beat(self, watch: Watch, ids: set[str]) -> None:
        visitor = self.visitor
        if not self.client.has_socket_connection:
            watch.changed |= ids
            await asyncio.sleep(0.5)
            return
        if not visitor.watching():
            with contextlib.suppress(TimeoutError):
                await self.pulse.run_method("signedOut")
            self.stop()
            return
        try:
            for heard in self._wanted:
                await heard(ids)
            await self._tick(quiet=not ids)
        except TimeoutError:  # the browser is busy or away; what changed is told again
            watch.changed |= ids
        except Exception as error:  # the store is away: the line says so, and the page tries again
            watch.changed |= ids
            log.warning("console_page_waits", error=type(error).__name__)

    async def _tick(self, *, quiet: bool) -> None:
        """Move the line under the head; among many beats at once not at every one."""
        pulse = self.visitor.console.board.pulse
        began = time.monotonic()
        if not quiet and pulse.trouble == self._ticked[0] and began - self._ticked[1] < TICK_S:
            return
        now = millis(self.visitor.console.desk.clock.now())
        news = {"now": now, "trouble": pulse.trouble, "last": millis(pulse.last_at)}
        await self.pulse.run_method("tick", news, timeout=8)
        self._ticked = (pulse.trouble, began)


def add_page(holder: list[Console], path: str, zh: str, en: str, build: Build, permission: str) -> None:
    """Register a page. `holder[0]` is the console of this process."""

    @ui.page(path, response_timeout=10)
    async def show(request: Request) -> Response | None:
        visitor = await arrive(holder[0], request)
        if isinstance(visitor, Response):
            return visitor
        if path == "/" and not visitor.may(permission) and (own := first_page(visitor, PAGES)):
            return RedirectResponse(f"{own}?{request.url.query}" if request.url.query else own, 303)
        page = Page(visitor, dict(request.path_params))
        page.client.on_connect(page.start)
        page.client.on_delete(page.stop)
        await _draw(visitor, page, path, visitor.t(zh, en), build, permission)
        return None


async def _draw(visitor: Visitor, page: Page, path: str, title: str, build: Build, permission: str) -> None:
    lang = "zh-CN" if visitor.lang == "zh" else "en"
    ui.add_head_html(f"<style>{CSS}</style><script>document.documentElement.lang='{lang}'</script>")
    ui.dark_mode(visitor.dark)
    ui.page_title(f"{title} · {visitor.t('枫桥预警', 'Fengqiao alerts')}")
    ui.query("body").classes("fq-wall" if visitor.wall else "fq-desk")
    if not visitor.wall:
        _head(visitor, path)
    page.pulse = PulseLine(visitor)
    with ui.element("main").classes("fq-main"):
        if not visitor.may(permission):
            page.client.status_code = 403
            no_entry.draw(visitor, permission, PAGES)
            return
        await build(visitor, page)


def _head(visitor: Visitor, path: str) -> None:
    with ui.element("header").classes("fq-head"):
        with ui.element("a").props('href="/"').classes("fq-brand"):
            ui.label(visitor.t("枫桥", "Fengqiao")).classes("fq-name")
            ui.label(visitor.t("平安指挥部", "Command centre"))
        with ui.element("nav"):
            for address, zh, en, permission in PAGES:
                if visitor.may(permission):
                    link = ui.link(visitor.t(zh, en), address)
                    if address == path:
                        link.classes("here").props('aria-current="page"')
        ui.element("span").classes("fq-grow")
        ui.label(visitor.t(INTERNAL.zh, INTERNAL.en)).classes("fq-internal")
        _switch(visitor, LANG_COOKIE, "zh" if visitor.lang == "en" else "en", visitor.t("EN", "中文"), "fq-lang")
        theme = "light" if visitor.dark else "dark"
        words = visitor.t("浅色", "Light") if visitor.dark else visitor.t("深色", "Dark")
        _switch(visitor, THEME_COOKIE, theme, words, "fq-theme")
        _account(visitor)


def _switch(visitor: Visitor, cookie: str, value: str, words: str, marker: str) -> None:
    """A choice that the browser keeps; the page is drawn again at the same address."""
    secure = "" if visitor.console.access.demo else ";secure"
    code = f"document.cookie='{cookie}={value};path=/;max-age=31536000;samesite=lax{secure}';location.reload()"
    ui.button(words, on_click=lambda: ui.run_javascript(code)).props("flat dense no-caps").classes(
        f"fq-switch {marker}"
    )


def _account(visitor: Visitor) -> None:
    who = visitor.who
    role = visitor.text(ROLES.get(who.role))
    menu = ui.button(f"{who.account} · {role}").props("flat dense no-caps").classes("fq-switch fq-account")
    if not visitor.console.access.demo:
        with menu, ui.menu(), ui.element("form").props('method="post" action="/auth/logout"').classes("fq-menu"):
            ui.button(visitor.t("退出登录", "Sign out")).props('type="submit" flat dense no-caps')
        return
    menu.set_text(visitor.t(f"演示身份：{role}", f"Demo account: {role}"))
    with menu.classes("demo"), ui.menu(), ui.element("div").classes("fq-menu"):
        for slug in STAFF:
            address = f"/auth/demo?{urlencode({'role': slug, 'next': visitor.address})}"
            ui.link(visitor.text(ROLES[slug]), address)
