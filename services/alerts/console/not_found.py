"""What answers an address that is nobody's."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

NOT_FOUND: Final = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>404 · 枫桥预警 Fengqiao alerts</title>
<style>body{font:16px/1.7 system-ui,sans-serif;text-align:center;padding:15vh 16px;color:#1c2430;background:#f4f6f9}
h1{font-size:20px}p{color:#5d6878}@media(prefers-color-scheme:dark){body{color:#e6eaf0;background:#12161c}a{color:#6aa8f0}}
</style></head><body><h1>没有这个页面 · There is no such page</h1><p>404</p>
<a href="/">返回实时预警 · Back to the live list</a></body></html>"""


class NotFound:
    """A page for a browser; for a program, and under `/v1/`, the API's problem document."""

    def __init__(self, api: ASGIApp) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and not scope["path"].startswith("/v1/")
        if asked and "text/html" in Headers(scope=scope).get("accept", ""):
            await HTMLResponse(NOT_FOUND, 404, headers={"Vary": "Accept"})(scope, receive, send)
            return
        await self._api(scope, receive, send)
