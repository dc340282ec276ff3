"""Signing in to pages: OIDC authorization code with PKCE in production, the demo identity provider in the demo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from shared.access import (
    AUDIENCE,
    STAFF,
    Access,
    Principal,
    check_origin,
    demo_principal,
    require,
)
from shared.issuer import discover, fetch_keys
from shared.problem import Problem
from shared.tokens import IssuerKeys, SharedKey, TokenError, TokenReader, issue

STATE_COOKIE: Final = "__Host-fengqiao-signin"
STATE_TYPE: Final = "signin+jwt"
STATE_SECONDS: Final = 600
ID_TOKEN_TYPES: Final = ("jwt", "")


def safe_path(wanted: str | None) -> str:
    """A path of our own site to go back to; anything that a browser could read as another site becomes `/`."""
    if not wanted or len(wanted) > 500 or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    if any(character in "\\\r\n\t\0" or ord(character) < 32 for character in wanted):
        return "/"
    return wanted


def sign_in_routes(
    access: Access,
    *,
    secrets_folder: Path | None = None,
    client: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=5, follow_redirects=False),
    metadata: Callable[[str], Any] = discover,
    keys: IssuerKeys | None = None,
) -> APIRouter:
    """`/auth/login`, `/auth/callback`, `/auth/logout`, `/auth/renew`, `/auth/me`, and `/auth/demo` in the demo only."""
    router = APIRouter(prefix="/auth", include_in_schema=False)
    flow = _Flow(access, secrets_folder, client, metadata, keys)
    signed_in = Depends(require(access))

    @router.get("/login")
    async def login(request: Request, next: Annotated[str | None, Query(max_length=600)] = None) -> Response:
        if access.demo:
            return RedirectResponse(f"/auth/demo?{urlencode({'role': 'duty_officer', 'next': safe_path(next)})}", 303)
        return await flow.begin(request, safe_path(next))

    @router.get("/callback")
    async def callback(request: Request) -> Response:
        return await flow.finish(request)

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        check_origin(request, access.settings.public_url)
        response = RedirectResponse("/", 303)
        access.sign_out(response)
        return response

    @router.post("/renew")
    async def renew(request: Request, who: Principal = signed_in) -> Response:
        response = JSONResponse({"account": who.account})
        if who.session_ends is not None:
            access.renew(response, who, secure=_secure(access, request))
        return response

    @router.get("/me")
    async def me(who: Principal = signed_in) -> dict[str, str | None]:
        return {"account": who.account, "role": who.role, "unit": who.unit, "jurisdiction": who.jurisdiction}

    if access.demo:

        @router.get("/demo")
        async def demo(
            request: Request,
            role: Annotated[str, Query(max_length=20)] = "duty_officer",
            unit: Annotated[str | None, Query(max_length=100)] = None,
            next: Annotated[str | None, Query(max_length=600)] = None,
        ) -> Response:
            chosen = next_role(role)
            if unit is not None and unit not in access.units.units:
                raise Problem(422, "unknown-unit", "the unit is not in the directory")
            response = RedirectResponse(safe_path(next), 303)
            access.sign_in(response, demo_principal(chosen, unit), secure=_secure(access, request))
            return response

    return router


def next_role(role: str) -> Any:
    """A staff role of the demo; raises `Problem` 422."""
    if role not in STAFF:
        raise Problem(422, "unknown-role", f"the roles are {', '.join(STAFF)}")
    return role


def _secure(access: Access, request: Request) -> bool:
    return not access.demo or request.url.scheme == "https"


class _Flow:
    def __init__(
        self,
        access: Access,
        folder: Path | None,
        client: Callable[[], httpx.AsyncClient],
        metadata: Callable[[str], Any],
        keys: IssuerKeys | None,
    ) -> None:
        self._access = access
        self._settings = access.settings
        self._folder = folder
        self._client = client
        self._metadata = metadata
        keys = keys or IssuerKeys(lambda: fetch_keys(self._settings.oidc_issuer), access.clock)
        own = self._settings
        self._id_tokens = TokenReader(keys, own.oidc_issuer, own.oidc_client_id, access.clock, ID_TOKEN_TYPES)
        self._states = TokenReader(
            SharedKey(access.session_key), "fengqiao-signin", AUDIENCE, access.clock, (STATE_TYPE,)
        )

    async def begin(self, request: Request, back: str) -> Response:
        """Send the browser to the issuer; what has to come back is kept in a signed cookie."""
        document = await self._issuer()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        now = int(self._access.clock.now().timestamp())
        kept = {
            "iss": "fengqiao-signin",
            "aud": AUDIENCE,
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "next": back,
            "iat": now,
            "exp": now + STATE_SECONDS,
        }
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._return_address(request),
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        response = RedirectResponse(f"{document['authorization_endpoint']}?{urlencode(query)}", 303)
        response.set_cookie(
            STATE_COOKIE,
            issue(self._access.session_key, kept, typ=STATE_TYPE),
            max_age=STATE_SECONDS,
            httponly=True,
            secure=True,
            samesite="lax",
            path="/",
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Take the code: state, PKCE, nonce and the ID token have to fit; then start the session."""
        kept = await self._kept(request)
        query = request.query_params
        if not hmac.compare_digest(query.get("state", "").encode(), str(kept["state"]).encode()) or not query.get(
            "code"
        ):
            raise Problem(401, "sign-in-failed", "the answer does not belong to this sign-in; start again")
        token = await self._exchange(request, query["code"], str(kept["verifier"]))
        try:
            claims = await self._id_tokens.claims(token)
        except TokenError:
            raise Problem(401, "sign-in-failed", "the identity provider's answer is not valid") from None
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), str(kept["nonce"]).encode()):
            raise Problem(401, "sign-in-failed", "the identity provider's answer is for another sign-in")
        principal = self._access.principal_of(claims)
        response = RedirectResponse(safe_path(str(kept["next"])), 303)
        response.delete_cookie(STATE_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        self._access.sign_in(response, principal, secure=True)
        return response

    async def _kept(self, request: Request) -> Mapping[str, Any]:
        try:
            return await self._states.claims(request.cookies.get(STATE_COOKIE, ""))
        except TokenError:
            raise Problem(
                401, "sign-in-failed", "the sign-in has expired or was not started here; start again"
            ) from None

    async def _exchange(self, request: Request, code: str, verifier: str) -> str:
        document = await self._issuer()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_address(request),
            "client_id": self._settings.oidc_client_id,
            "code_verifier": verifier,
        }
        secret = self._secret()
        if secret:
            form["client_secret"] = secret
        try:
            async with self._client() as client:
                answer = await client.post(str(document["token_endpoint"]), data=form)
            token = answer.json().get("id_token") if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, AttributeError):
            raise Problem(503, "issuer-unavailable", "the sign-in service cannot be reached") from None
        if not isinstance(token, str):
            raise Problem(401, "sign-in-failed", "the identity provider did not accept the code; start again")
        return token

    async def _issuer(self) -> Mapping[str, Any]:
        try:
            document: Mapping[str, Any] = await self._metadata(self._settings.oidc_issuer)
            return document
        except (httpx.HTTPError, ValueError, KeyError):
            raise Problem(503, "issuer-unavailable", "the sign-in service cannot be reached") from None

    def _secret(self) -> str | None:
        path = self._folder / "oidc_client_secret" if self._folder else None
        return path.read_text(encoding="utf-8").strip() if path and path.exists() else None

    def _return_address(self, request: Request) -> str:
        return f"{(self._settings.public_url or str(request.base_url)).rstrip('/')}/auth/callback"
