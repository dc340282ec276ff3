"""Who is asking, and what they may see: principals, roles, unit scope, bearer tokens and cookie sessions."""

from __future__ import annotations

import secrets as random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import Request
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.responses import Response

from shared.clock import Clock, SystemClock
from shared.deactivated import DeactivatedFile
from shared.directory import Directory, directory
from shared.issuer import fetch_keys
from shared.keys import load_key
from shared.problem import Problem
from shared.roles import PERMISSIONS, ROLES, STAFF, Role, may
from shared.tokens import IssuerKeys, SharedKey, TokenError, TokenReader, issue

if TYPE_CHECKING:
    from shared.settings import ServiceSettings

__all__ = [
    "AUDIENCE",
    "COOKIE",
    "DEMO_COOKIE",
    "DEMO_ISSUER",
    "DEMO_UNIT",
    "PERMISSIONS",
    "ROLES",
    "SESSION_IDLE",
    "SESSION_LIMIT",
    "STAFF",
    "Access",
    "AccessSettings",
    "Principal",
    "Role",
    "Scope",
    "check_origin",
    "check_role",
    "demo_principal",
    "demo_token",
    "demo_tokens",
    "may",
    "require",
    "with_scope",
]

DEMO_ISSUER: Final = "fengqiao-demo"
DEMO_UNIT: Final = "379911.hr_social_security_bureau"
AUDIENCE: Final = "fengqiao"
SESSION_TYPE: Final = "session+jwt"
SESSION_IDLE: Final = timedelta(minutes=15)
SESSION_LIMIT: Final = timedelta(hours=8)
COOKIE: Final = "__Host-fengqiao"
DEMO_COOKIE: Final = "fengqiao_demo"
"""Without `__Host-` and `Secure`, for the demo over plain http only; production has no such cookie."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Scope:
    """What a principal's queries are confined to. An empty field confines nothing."""

    unit: str | None = None
    """only what this unit, or a unit under it, is responsible for"""
    jurisdiction: str | None = None
    """only this county"""
    barred: frozenset[str] = frozenset()
    """accused units: an accusation against one of these is not there for this principal (信访工作条例 Art. 30)"""

    def shows(
        self, responsible: str | None, jurisdiction: str, *, restricted: bool, accused: str | None, units: Directory
    ) -> bool:
        """Whether one warning, petition or obligation is there for the principal."""
        if self.jurisdiction is not None and jurisdiction != self.jurisdiction:
            return False
        if self.unit is not None and (responsible is None or not units.covers(self.unit, responsible)):
            return False
        return not self.hides_accusation(restricted=restricted, accused=accused)

    def hides_accusation(self, *, restricted: bool, accused: str | None) -> bool:
        """Hidden from the accused unit's subtree, and from every unit while the accused is not known."""
        if accused is not None:
            return accused in self.barred
        return restricted and self.unit is not None


@dataclass(frozen=True)
class Principal:
    """An authenticated account; never a name. `unit` confines role `unit`, `jurisdiction` a county's own staff."""

    account: str
    role: Role
    unit: str | None = None
    jurisdiction: str | None = None
    expires_at: datetime | None = None
    session_ends: datetime | None = None
    """came by cookie, not by bearer token; signed in until then at the longest"""
    channel: str | None = None
    """of role `channel`: the one channel it files for; without it, none"""

    def scope(self, units: Directory) -> Scope:
        """What this principal's queries are confined to."""
        barred = frozenset({self.unit, *units.ancestors(self.unit)}) if self.unit else frozenset[str]()
        return Scope(self.unit if self.role == "unit" else None, self.jurisdiction, barred)


class AccessSettings(BaseSettings):
    """Sign-in settings (environment, prefix `FENGQIAO_`)."""

    model_config = SettingsConfigDict(env_prefix="FENGQIAO_", extra="ignore", hide_input_in_errors=True)

    oidc_issuer: str = Field(default="", description="issuer URL; its discovery document names keys and endpoints")
    oidc_audience: str = AUDIENCE
    oidc_client_id: str = "fengqiao"
    oidc_role_claim: str = "role"
    oidc_unit_claim: str = "unit"
    oidc_jurisdiction_claim: str = "jurisdiction"
    oidc_channel_claim: str = "channel"
    public_url: str = Field(default="", description="address people see this service under, for the sign-in's return")


class Access:
    """Turns a request into a `Principal`, or refuses it. One object a service; connects to nothing when it is made."""

    def __init__(
        self,
        *,
        reader: TokenReader,
        session_key: bytes,
        clock: Clock,
        units: Directory,
        demo: bool,
        settings: AccessSettings | None = None,
        deactivated: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.settings = settings or AccessSettings()
        self.clock = clock
        self.units = units
        self.demo = demo
        self.session_key = session_key
        self._reader = reader
        self._sessions = TokenReader(SharedKey(session_key), "fengqiao-session", AUDIENCE, clock, (SESSION_TYPE,))
        self._deactivated = deactivated

    @classmethod
    def of(cls, settings: ServiceSettings, clock: Clock | None = None, units: Directory | None = None) -> Access:
        """From the service's settings: the demo's own key when `env` is demo, the OIDC issuer's keys in production."""
        clock = clock or SystemClock()
        demo = settings.env == "demo"
        own = AccessSettings()
        if demo:
            reader = TokenReader(
                SharedKey(load_key(settings.secrets, "token", create=True)), DEMO_ISSUER, AUDIENCE, clock
            )
        else:
            keys = IssuerKeys(lambda: fetch_keys(own.oidc_issuer), clock)
            reader = TokenReader(keys, own.oidc_issuer, own.oidc_audience, clock)
        return cls(
            reader=reader,
            session_key=load_key(settings.secrets, "session", create=demo),
            clock=clock,
            units=units or directory(),
            demo=demo,
            settings=own,
            deactivated=DeactivatedFile(settings.secrets / "deactivated.txt"),
        )

    async def bearer(self, token: str) -> Principal:
        """Principal of a bearer token; raises `Problem` 401."""
        try:
            claims = await self._reader.claims(token)
        except TokenError as error:
            raise _refused(error) from None
        return self._principal(claims, session=False)

    def principal_of(self, claims: Mapping[str, Any]) -> Principal:
        """Principal of checked claims of the issuer; raises `Problem` 401 where they name no role."""
        return self._principal(claims, session=False)

    async def request(self, request: Request) -> Principal:
        """Principal of a request: bearer token, else session cookie. Raises `Problem` 401, or 403 for a forged post."""
        headers = request.headers.getlist("authorization")
        if headers:
            scheme, _, token = headers[0].partition(" ")
            if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
                raise _refused(TokenError("token-invalid", "send one Authorization header: Bearer and a token"))
            return await self.bearer(token.strip())
        found = await self.session(request)
        if found is None:
            raise _refused(TokenError("token-missing", "sign in, or send Authorization: Bearer with a token"))
        check_origin(request, self.settings.public_url)
        return found

    async def session(self, request: Request) -> Principal | None:
        """Principal of the session cookie, None where there is none; raises `Problem` 401 for one that is not ours."""
        cookie = request.cookies.get(COOKIE) or (request.cookies.get(DEMO_COOKIE) if self.demo else None)
        return await self.session_token(cookie) if cookie else None

    async def session_token(self, cookie: str) -> Principal:
        """Principal of a session cookie's value; raises `Problem` 401."""
        try:
            claims = await self._sessions.claims(cookie)
        except TokenError as error:
            raise _refused(error) from None
        return self._principal(claims, session=True)

    def session_of(self, principal: Principal, until: datetime | None = None) -> str:
        """Value of a session cookie, signed; ends with `until`, or with the idle time before that.

        A page's server also sends it to the other services to ask them in its visitor's name.
        """
        now = self.clock.now()
        end = until or now + SESSION_LIMIT
        claims = {
            "iss": "fengqiao-session",
            "aud": AUDIENCE,
            "sub": principal.account,
            "role": principal.role,
            "unit": principal.unit,
            "jurisdiction": principal.jurisdiction,
            "iat": int(now.timestamp()),
            "exp": int(min(end, now + (SESSION_LIMIT if self.demo else SESSION_IDLE)).timestamp()),
            "end": int(end.timestamp()),
        }
        return issue(self.session_key, claims, typ=SESSION_TYPE)

    def stands(self, principal: Principal) -> bool:
        """Whether a sign-in by cookie still holds: within its 8 hours, and the account not deactivated since."""
        ends = principal.session_ends
        if ends is None or self.clock.now() >= ends:
            return False
        try:
            return principal.account not in self._deactivated()
        except Problem:  # the list cannot be read
            return False

    def is_deactivated(self, principal: Principal) -> bool:
        """Whether an account that was let in has been deactivated since, however it signed in."""
        try:
            return principal.account in self._deactivated()
        except Problem:  # a list that cannot be read is no reason to put out everybody
            return False

    def sign_in(self, response: Response, principal: Principal, *, secure: bool, until: datetime | None = None) -> None:
        """Set the session cookie: 15 minutes without use, 8 hours in all (`until` carries the end over a renewal)."""
        token = self.session_of(principal, until)
        plain = self.demo and not secure
        response.set_cookie(
            DEMO_COOKIE if plain else COOKIE, token, httponly=True, secure=not plain, samesite="lax", path="/"
        )

    def renew(self, response: Response, principal: Principal, *, secure: bool) -> None:
        """Start the 15 minutes again, within the 8 hours of the same sign-in."""
        self.sign_in(response, principal, secure=secure, until=principal.session_ends)

    def sign_out(self, response: Response) -> None:
        """Remove the session cookies."""
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        response.delete_cookie(DEMO_COOKIE, path="/")

    def _principal(self, claims: Mapping[str, Any], *, session: bool) -> Principal:
        own = self.settings
        names = ("role", "unit", "jurisdiction", "channel")
        if not session and not self.demo:
            names = (own.oidc_role_claim, own.oidc_unit_claim, own.oidc_jurisdiction_claim, own.oidc_channel_claim)
        account, (role, unit, jurisdiction, channel) = claims.get("sub"), (claims.get(name) for name in names)
        texts = [value for value in (account, role, unit, jurisdiction, channel) if value is not None]
        if not account or any(not isinstance(value, str) or len(value) > 200 for value in texts):
            raise _refused(TokenError("token-invalid", "the token does not name an account"))
        if role not in ROLES or (role == "unit" and not unit):
            raise _refused(TokenError("token-invalid", "the token names no role, or a unit without its code"))
        if account in self._deactivated():
            raise _refused(TokenError("account-deactivated", "this account has been deactivated"))
        expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
        ends = datetime.fromtimestamp(int(claims["end"]), UTC) if session else None
        own_channel = channel or None if role == "channel" else None
        return Principal(account, cast(Role, role), unit or None, jurisdiction or None, expires, ends, own_channel)


def require(access: Access, *roles: Role) -> Callable[[Request], Awaitable[Principal]]:
    """A FastAPI dependency: the principal, if it has one of `roles` (any, where none is named); else 401 or 403."""

    async def dependency(request: Request) -> Principal:
        principal = await access.request(request)
        check_role(principal, roles)
        return principal

    return dependency


def check_role(principal: Principal, roles: tuple[str, ...]) -> None:
    """Raise `Problem` 403 `role-not-allowed` unless the principal has one of the roles."""
    if roles and principal.role not in roles:
        needed = sorted(roles)
        raise Problem(403, "role-not-allowed", f"this needs one of the roles {', '.join(needed)}", roles=needed)


def check_origin(request: Request, public_url: str = "") -> None:
    """Refuse a state-changing request that another site made with this browser's cookie (403 `cross-site`).

    Behind a proxy that ends TLS the browser's origin is that of `public_url`, not the one this process sees.
    """
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    if origin is None and request.headers.get("sec-fetch-site") == "same-origin":
        return
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}".lower()}
    if public_url:
        own.add("/".join(public_url.lower().split("/")[:3]))
    if origin is None or origin.lower() not in own:
        raise Problem(403, "cross-site", "a request with a session cookie has to come from this site's own pages")


def demo_principal(role: Role, unit: str | None = None) -> Principal:
    """The demo identity provider's account of a role."""
    return Principal(f"demo.{role}", role, (unit or DEMO_UNIT) if role == "unit" else unit)


def demo_token(
    key: bytes, principal: Principal, clock: Clock | None = None, lifetime: timedelta = timedelta(days=30)
) -> str:
    """A bearer token of the demo identity provider."""
    now = (clock or SystemClock()).now()
    claims = {
        "iss": DEMO_ISSUER,
        "aud": AUDIENCE,
        "sub": principal.account,
        "role": principal.role,
        "unit": principal.unit,
        "jurisdiction": principal.jurisdiction,
        "channel": principal.channel,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": random.token_hex(8),
    }
    return issue(key, claims)


def demo_tokens(secrets: Path) -> dict[str, str]:
    """Role → signed token of the demo identity provider, with the key in `secrets` (made if missing): demo only."""
    key = load_key(secrets, "token", create=True)
    return {role: demo_token(key, demo_principal(role)) for role in STAFF}


def with_scope(principal: Principal, *, unit: str | None = None, jurisdiction: str | None = None) -> Principal:
    """The same principal, confined further."""
    return replace(principal, unit=unit or principal.unit, jurisdiction=jurisdiction or principal.jurisdiction)


def _refused(error: TokenError) -> Problem:
    if error.code == "issuer-unavailable":
        return Problem(503, error.code, error.detail, headers={"Retry-After": "5"})
    return Problem(401, error.code, error.detail, headers={"WWW-Authenticate": f'Bearer error="{error.code}"'})
