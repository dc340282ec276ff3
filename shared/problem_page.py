"""What a browser shows where a program gets a problem document: a short page that says what happened and what to do next.

Both languages are in the page and the switch asks for nothing again: it also works where a form was sent.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problem import PROBLEM_JSON
from shared.roles import ROLE_NAMES

LANG_COOKIE: Final = "fengqiao_lang"
Both = Mapping[str, str]


def both(zh: str, en: str) -> Both:
    """A text in both languages."""
    return {"zh": zh, "en": en}


class Words(NamedTuple):
    """What happened, and what to do about it."""

    heading: Both
    advice: Both


def _words(heading: tuple[str, str], advice: tuple[str, str]) -> Words:
    return Words(both(*heading), both(*advice))


_AGAIN: Final = (
    "不能确认已经登记。请稍等片刻再试；如仍不行，请联系系统管理员。",
    "Nothing is known to be registered. Wait a moment and try again; if it stays so, tell the administrator.",
)
_BACK: Final = (
    "请返回上一页修改后再试，或从下面的入口重新进入。",
    "Go back and change it, or start again from a link below.",
)
BY_CODE: Final[Mapping[str, Words]] = {
    "role-not-allowed": _words(
        ("您的角色不能打开此页", "Your role does not open this page"),
        (
            "请换用有权限的账号登录，或请有权限的同事办理。",
            "Sign in with an account that may, or ask a colleague who may.",
        ),
    ),
    "account-deactivated": _words(
        ("账号已停用", "This account has been deactivated"),
        ("请联系本单位的系统管理员。", "Speak to the administrator of your organ."),
    ),
    "deactivated-unreadable": _words(
        ("暂时不能登录", "Nobody can sign in just now"),
        (
            "停用账号名单无法读取。请联系本单位的系统管理员。",
            "The list of deactivated accounts cannot be read. Speak to the administrator of your organ.",
        ),
    ),
    "sign-in-failed": _words(
        ("登录没有完成", "The sign-in was not completed"),
        (
            "登录已过期，或者不是从本系统开始的。请重新登录。",
            "It has expired, or was not started here. Please sign in again.",
        ),
    ),
    "issuer-unavailable": _words(
        ("登录服务暂时连接不上", "The sign-in service cannot be reached"),
        ("请稍等片刻再登录。", "Wait a moment and sign in again."),
    ),
    "cross-site": _words(
        ("这次提交不是从本系统的页面发出的", "This was not sent from a page of this site"),
        (
            "为了您的安全，没有执行。请从下面的入口打开页面，再操作一次。",
            "For your safety nothing was done. Open the page from a link below and do it there.",
        ),
    ),
}
BY_STATUS: Final[Mapping[int, Words]] = {
    400: _words(("提交的内容无法读取", "What was sent cannot be read"), _BACK),
    401: _words(("请先登录", "Please sign in"), ("登录以后才能打开此页。", "This page opens after a sign-in.")),
    404: _words(
        ("没有这个页面", "There is no such page"),
        ("请核对网址，或从下面的入口进入。", "Check the address, or go on from a link below."),
    ),
    405: _words(
        ("这个地址不能直接打开", "This address is not one to open"),
        (
            "它只接收本系统页面发来的内容。请从下面的入口进入。",
            "It only takes what pages send. Go on from a link below.",
        ),
    ),
    408: _words(("提交没有及时到达", "What was sent did not arrive in time"), _AGAIN),
    413: _words(
        ("提交的内容太多", "Too much was sent"),
        ("没有登记。请返回上一页，删减后再提交。", "Nothing was registered. Go back, shorten it, and send it again."),
    ),
    414: _words(("网址太长", "The address is too long"), ("请从下面的入口进入。", "Go on from a link below.")),
    422: _words(("网址中有不能用的内容", "The address holds something that cannot be used"), _BACK),
    429: _words(
        ("操作过于频繁", "Too many requests"),
        ("请一分钟后再试。", "Please try again in a minute."),
    ),
    500: _words(("系统出了问题", "Something failed on our side"), _AGAIN),
    503: _words(("系统暂时不可用", "The system is not available just now"), _AGAIN),
}
REFUSED: Final = _words(("这个请求没有被接受", "The request was refused"), _BACK)
SIGN_IN: Final = both("登录", "Sign in")
OTHER_ACCOUNT: Final = both("换一个账号登录", "Sign in with another account")


class Link(NamedTuple):
    """Where a page leads on to."""

    address: str
    zh: str
    en: str


@dataclass(frozen=True)
class Look:
    """How the pages of a service look: its name, its style sheet, where they lead, whether one signs in to them."""

    name: Both
    css: str
    links: tuple[Link, ...]
    signs_in: bool = False

    @cached_property
    def style(self) -> Markup:
        """The style sheet with the language switch's own rules."""
        return Markup(self.css + _SWITCH)  # noqa: S704 - the service's own file

    @cached_property
    def policy(self) -> str:
        """A Content-Security-Policy that allows this style and nothing else."""
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        parts = ("default-src 'none'", f"style-src 'sha256-{digest}'", "img-src 'self'", "form-action 'none'")
        return "; ".join((*parts, "base-uri 'none'", "frame-ancestors 'none'"))


# The language that was not asked for stands first, so that choosing it can hide the other.
_SWITCH: Final = """
body.problem > div:first-of-type { display: none; }
body.problem > div:first-of-type:target { display: block; }
body.problem > div:first-of-type:target + div { display: none; }
"""
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def page(look: Look, problem: Mapping[str, Any], *, lang: str, path: str) -> str:
    """The page for a problem document that was met at `path`."""
    status, code = int(problem["status"]), str(problem["code"])
    words = BY_CODE.get(code) or BY_STATUS.get(status) or (BY_STATUS[500] if status >= 500 else REFUSED)
    may = [ROLE_NAMES[role] for role in problem.get("roles", ()) if role in ROLE_NAMES]
    asks = look.signs_in and status in {401, 403} and code not in {"cross-site", "account-deactivated"}
    back = "/" if path.startswith("/auth/") else path
    return _TEMPLATES.get_template("problem_page.html").render(
        look=look,
        css=look.style,
        words=words,
        status=status,
        code=code,
        roles={"zh": [zh for zh, _ in may], "en": [en for _, en in may]} if may else None,
        sign_in=f"/auth/login?next={quote(back, safe='')}" if asks else None,
        sign_in_words=OTHER_ACCOUNT if status == 403 else SIGN_IN,
        first=lang,
        second="zh" if lang == "en" else "en",
    )


def wants_page(scope: Scope) -> bool:
    """Whether a browser asks for a page: it names text/html and not JSON, outside the interface under `/v1/`."""
    if scope["type"] != "http" or scope["path"].startswith("/v1/"):
        return False
    accept = Headers(scope=scope).get("accept", "").lower()
    return "text/html" in accept and "json" not in accept


class ProblemPages:
    """Middleware: a problem document on its way to a browser becomes a page, whatever gave it."""

    def __init__(self, app: ASGIApp, look: Look) -> None:
        self._app = app
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if not wants_page(scope):
            await self._app(scope, receive, send)
            return
        start: MutableMapping[str, Any] | None = None
        parts: list[bytes] = []

        async def told(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._answer(scope, start, orjson.loads(b"".join(parts)), send)

        await self._app(scope, receive, told)

    async def _answer(self, scope: Scope, start: Message, problem: Mapping[str, Any], send: Send) -> None:
        request = Request(scope)
        english = (request.query_params.get("lang") or request.cookies.get(LANG_COOKIE)) == "en"
        lang = "en" if english else "zh"
        body = page(self._look, problem, lang=lang, path=scope["path"]).encode()
        headers = MutableHeaders(scope=start)
        headers["content-type"] = "text/html; charset=utf-8"
        headers["content-length"] = str(len(body))
        headers["content-security-policy"] = self._look.policy
        headers["content-language"] = lang
        headers["vary"] = "Accept, Cookie"
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _is_problem(start: Message) -> bool:
    return start["status"] >= 400 and Headers(scope=start).get("content-type", "").startswith(PROBLEM_JSON)
