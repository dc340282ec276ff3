"""Every error of every service has the one shape, whichever library finds it; a browser gets a page, a program never."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from deploy.local.supervise import SERVICES
from shared.problem_page import BY_CODE, BY_STATUS
from tests.unit.shared.test_routes import app_of

FORM = {"content-type": "application/x-www-form-urlencoded"}
POLL = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
EVERYWHERE: list[tuple[str, str, dict[str, str], bytes | None, int, str]] = [
    ("GET", "/nope", {}, None, 404, "not-found"),
    ("GET", "/nope/", {}, None, 404, "not-found"),
    ("GET", "/v1/nope", {}, None, 404, "not-found"),
    ("GET", "/%ff%fe", {}, None, 404, "not-found"),
    ("POST", "/nope", {}, b"x", 404, "not-found"),
    ("DELETE", "/health", {}, None, 405, "method-not-allowed"),
    ("POST", "/openapi.json", {}, b"", 405, "method-not-allowed"),
    ("POST", "/nope", {}, b"x" * 1_100_000, 413, "body-too-large"),
    ("GET", "/" + "a" * 9000, {}, None, 414, "url-too-long"),
    ("GET", "/v1/%00", {}, None, 400, "url-invalid"),
]
OWN: dict[str, list[tuple[str, str, dict[str, str], bytes | None, int, str]]] = {
    "intake": [
        ("DELETE", "/", {}, None, 405, "method-not-allowed"),
        ("GET", "/progress/evaluation", {}, None, 405, "method-not-allowed"),
        ("POST", "/v1/petitions", {"idempotency-key": "k", "content-type": "text/plain"}, b"x", 415, "content-type"),
        ("GET", "/v1/progress?receipt=x", {}, None, 422, "invalid-request"),
        ("POST", "/", {"content-type": "multipart/form-data; boundary=x"}, b"garbage", 400, "http-400"),
        ("POST", "/", {"content-type": "multipart/form-data"}, b"garbage", 400, "http-400"),
        ("POST", "/", FORM, b"&".join(b"a%d=1" % n for n in range(100)), 400, "http-400"),
    ],
    "screening": [
        ("GET", "/", {}, None, 404, "not-found"),
        ("GET", "/v1/similar?title=x", {}, None, 422, "invalid-request"),
        ("POST", "/v1/similar", {}, b"", 405, "method-not-allowed"),
    ],
    "alerts": [
        ("POST", "/", {}, b"", 405, "method-not-allowed"),
        ("GET", "/warnings/", {}, None, 404, "not-found"),
        ("GET", "/warnings/a/b", {}, None, 404, "not-found"),
        ("POST", "/warnings/x", {}, b"", 405, "method-not-allowed"),
        ("GET", "/_nicegui/nope", {}, None, 404, "not-found"),
        ("GET", "/_nicegui_ws/", {}, None, 404, "not-found"),
        ("GET", "/_nicegui_ws/socket.io/", {}, None, 400, "http-400"),
        ("GET", f"{POLL}&j=0", {}, None, 400, "socket-unknown"),
        ("GET", f"{POLL}&sid=zzz", {}, None, 400, "socket-unknown"),
        ("PUT", POLL, {}, b"", 405, "method-not-allowed"),
        ("POST", POLL, {}, b"garbage", 400, "socket-message"),
        ("GET", "/v1/warnings", {}, None, 401, "token-missing"),
        ("GET", "/auth/callback", {}, None, 401, "sign-in-failed"),
        ("GET", "/auth/logout", {}, None, 405, "method-not-allowed"),
        ("POST", "/auth/logout", {}, b"", 403, "cross-site"),
        ("GET", "/auth/login?next=" + "x" * 700, {}, None, 422, "invalid-request"),
    ],
    "assessment": [
        ("POST", "/", {}, b"", 405, "method-not-allowed"),
        ("GET", "/units/x?lang=xx", {}, None, 422, "invalid-request"),
        ("GET", "/auth/callback", {}, None, 401, "sign-in-failed"),
        ("POST", "/auth/logout", {}, b"", 403, "cross-site"),
    ],
}
CASES = [(service, *case) for service in SERVICES for case in (*EVERYWHERE, *OWN[service])]


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The services as in production, over nothing: none of these requests may come as far as a store."""
    yield {name: app_of(name, tmp_path_factory.mktemp(name)) for name in SERVICES}


def client_of(app: Any, accept: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://fq.test", headers={"accept": accept})


@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "body", "status", "code"),
    CASES,
    ids=[f"{case[0]}-{case[1]}-{case[2][:40]}-{case[5]}" for case in CASES],
)
async def test_an_error_is_a_problem_document_for_a_program_and_a_page_for_a_browser(
    apps: dict[str, Any], service: str, method: str, path: str, headers: dict[str, str], body: bytes | None,
    status: int, code: str,
) -> None:  # fmt: skip
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        async with client_of(apps[service], accept) as client:
            answer = await client.request(method, path, headers=headers, content=body)
        assert answer.headers["content-type"] == "application/problem+json", accept
        found = answer.json()
        assert (answer.status_code, found["status"], found["code"]) == (status, status, code)
        assert {"type", "title", "detail"} <= found.keys()
        assert ("allow" in answer.headers) == (status == 405)
    async with client_of(apps[service], "text/html,application/xhtml+xml,*/*;q=0.8") as client:
        answer = await client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status
    page = service != "screening" and not path.startswith("/v1/")
    assert answer.headers["content-type"] == ("text/html; charset=utf-8" if page else "application/problem+json")
    if page:
        words = BY_CODE.get(code) or BY_STATUS[status]
        for lang in ("zh", "en"):
            assert f"<h1>{words.heading[lang]}</h1>" in answer.text
            assert words.advice[lang] in answer.text
        assert re.search(r'<a href="/[^"]*">', answer.text), "it leads nowhere"
        assert code in answer.text
        assert "vary" in answer.headers
        assert "nope" not in answer.text


async def test_the_page_is_in_the_language_asked_for_with_the_other_one_switch_away(apps: dict[str, Any]) -> None:
    async with client_of(apps["intake"], "text/html") as client:
        zh, en = (await client.get("/nope")).text, (await client.get("/nope?lang=en")).text
        kept = (await client.get("/nope", headers={"cookie": "fengqiao_lang=en"})).text
    assert [re.findall(r'<div id="(\w+)"', text) for text in (zh, en, kept)] == [
        ["en", "zh"],
        ["zh", "en"],
        ["zh", "en"],
    ]
    assert '<html lang="zh-CN">' in zh
    assert '<html lang="en">' in en
    assert '<a href="#en" lang="en">English</a>' in zh
    assert '<a href="#zh" lang="zh-CN">中文</a>' in en


async def test_a_page_allows_its_own_style_and_no_script(apps: dict[str, Any]) -> None:
    for service in ("intake", "alerts", "assessment"):
        async with client_of(apps[service], "text/html") as client:
            answer = await client.get("/nope?x=<script>")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "<script" not in answer.text
        assert answer.headers["x-frame-options"] == "DENY"


async def test_a_sign_in_that_failed_leads_to_another_one(apps: dict[str, Any]) -> None:
    for service in ("alerts", "assessment"):
        async with client_of(apps[service], "text/html") as client:
            page = (await client.get("/auth/callback?code=1&state=2")).text
        assert 'href="/auth/login?next=%2F"' in page
