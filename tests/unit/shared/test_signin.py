"""Signing in to pages: group H84 of the bad inputs, against an identity provider that the test plays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Form
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from shared.access import COOKIE, Access, AccessSettings
from shared.clock import FixedClock
from shared.directory import directory
from shared.signin import STATE_COOKIE, safe_path, sign_in_routes
from shared.tokens import IssuerKeys, SharedKey, TokenReader
from shared.web import install

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ISSUER = "https://idp.test"


class Provider:
    """An OIDC issuer: codes work once, with the verifier that fits."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, object] = {}
        self.app = FastAPI()

        @self.app.post("/token")
        async def token(code: str = Form(), code_verifier: str = Form(), client_secret: str = Form("")) -> JSONResponse:
            import base64
            import hashlib

            asked = self.codes.pop(code, None)
            made = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
            if asked is None or asked["code_challenge"] != made or client_secret != "s3cret":
                return JSONResponse({"error": "invalid_grant"}, 400)
            at = int(NOW.timestamp())
            claims = {
                "iss": ISSUER,
                "aud": "fengqiao",
                "sub": "officer.7",
                "role": "duty_officer",
                "nonce": asked["nonce"],
                "iat": at,
                "exp": at + 300,
                **self.claims,
            }
            return JSONResponse({"id_token": jwt.encode({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims, self.key)})

    def authorize(self, location: str) -> tuple[str, str]:
        """What the issuer's page does: gives a code for what it was asked."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}-{asked['state'][:4]}"
        self.codes[code] = asked
        return code, asked["state"]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def client(provider: Provider, tmp_path: Path) -> TestClient:
    (tmp_path / "oidc_client_secret").write_text("s3cret\n")
    clock = FixedClock(NOW)

    async def fetch():
        return {"keys": [provider.key.as_dict(private=False)]}

    async def metadata(_: str):
        return {"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token"}

    keys = IssuerKeys(fetch, clock)
    settings = AccessSettings(oidc_issuer=ISSUER, public_url="https://fq.test")
    reader = TokenReader(keys, ISSUER, "fengqiao", clock)
    access = Access(reader=reader, session_key=b"s" * 32, clock=clock, units=directory(), demo=False, settings=settings)
    app = FastAPI()
    install(app)
    app.include_router(
        sign_in_routes(
            access,
            secrets_folder=tmp_path,
            client=lambda: httpx.AsyncClient(transport=httpx.ASGITransport(app=provider.app)),
            metadata=metadata,
            keys=keys,
        )
    )
    return TestClient(app, base_url="https://fq.test", follow_redirects=False)


def begin(client: TestClient, provider: Provider, back: str = "/board") -> tuple[str, str]:
    answer = client.get("/auth/login", params={"next": back})
    assert answer.status_code == 303
    return provider.authorize(answer.headers["location"])


def finish(client: TestClient, code: str, state: str) -> httpx.Response:
    return client.get("/auth/callback", params={"code": code, "state": state})


def test_signing_in_and_out(client, provider):
    code, state = begin(client, provider)
    answer = finish(client, code, state)
    assert (answer.status_code, answer.headers["location"]) == (303, "/board")
    assert client.get("/auth/me").json()["account"] == "officer.7"
    assert client.post("/auth/logout").status_code == 403
    client.post("/auth/logout", headers={"Origin": "https://fq.test"})
    assert client.get("/auth/me").status_code == 401


def test_a_code_works_once(client, provider):
    code, state = begin(client, provider)
    kept = client.cookies[STATE_COOKIE]
    assert finish(client, code, state).status_code == 303
    assert finish(client, code, state).json()["code"] == "sign-in-failed"
    client.cookies.clear()
    client.cookies.set(STATE_COOKIE, kept)
    assert finish(client, code, state).json()["code"] == "sign-in-failed"
    assert COOKIE not in client.cookies


def test_another_state_nonce_or_browser_is_refused(client, provider):
    code, _ = begin(client, provider)
    assert finish(client, code, "other").json()["code"] == "sign-in-failed"
    code, state = begin(client, provider)
    provider.claims = {"nonce": "another"}
    assert finish(client, code, state).json()["code"] == "sign-in-failed"
    provider.claims = {}
    code, state = begin(client, provider)
    client.cookies.clear()  # the victim's browser has not started this sign-in
    assert finish(client, code, state).json()["code"] == "sign-in-failed"


@pytest.mark.parametrize("claims", [{"aud": "other"}, {"iss": "https://evil.test"}, {"exp": 1}, {"role": "root"}])
def test_an_id_token_that_does_not_fit_is_refused(client, provider, claims):
    code, state = begin(client, provider)
    provider.claims = claims
    assert finish(client, code, state).status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/a\\b",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x",
        "",
        "x" * 600,
        None,
    ],
)
def test_no_open_redirect(wanted):
    assert safe_path(wanted) == "/"


def test_the_way_back_is_kept(client, provider):
    assert safe_path("/warnings?level=I&state=open") == "/warnings?level=I&state=open"
    code, state = begin(client, provider, "//evil.test/x")
    assert finish(client, code, state).headers["location"] == "/"


def test_the_demo_provider_is_there_in_the_demo_only(client):
    assert client.get("/auth/demo").status_code == 404
    clock = FixedClock(NOW)
    reader = TokenReader(SharedKey(b"k" * 32), "fengqiao-demo", "fengqiao", clock)
    access = Access(reader=reader, session_key=b"s" * 32, clock=clock, units=directory(), demo=True)
    app = FastAPI()
    install(app)
    app.include_router(sign_in_routes(access))
    demo = TestClient(app, base_url="http://127.0.0.1:8003", follow_redirects=True)
    demo.get("/auth/login", params={"next": "/auth/me"})
    assert demo.get("/auth/me").json()["role"] == "duty_officer"
    demo.get("/auth/demo", params={"role": "unit", "unit": "379911001", "next": "/auth/me"})
    assert demo.get("/auth/me").json()["unit"] == "379911001"
    assert demo.get("/auth/demo", params={"role": "root"}).json()["code"] == "unknown-role"
    assert demo.get("/auth/demo", params={"role": "unit", "unit": "x"}).json()["code"] == "unknown-unit"
