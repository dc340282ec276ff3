"""Reading bearer tokens: JWT with an allow-list of algorithms, from our own demo key or an OIDC issuer's key set."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

if TYPE_CHECKING:
    from shared.clock import Clock

MAX_TOKEN_BYTES: Final = 8 * 1024
LEEWAY_SECONDS: Final = 30
TOKEN_TYPES: Final = ("at+jwt", "application/at+jwt", "jwt")
JWKS_SECONDS: Final = 600
JWKS_PAUSE_SECONDS: Final = 15
"""The issuer is asked again at most this often: made-up kids cannot flood it, nor does each request wait for one that is away."""
_LAST_SECOND: Final = 253_402_300_799
_KID_SIGNS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.=")


class TokenError(Exception):
    """A token that is not accepted; `code` is the stable slug of the problem document."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Keys(Protocol):
    """Where verification keys come from."""

    algorithms: tuple[str, ...]

    async def find(self, kid: str | None) -> Any:
        """The key for a `kid`; raises `TokenError` where there is none."""


class SharedKey:
    """One HS256 key of our own: demo tokens and session cookies."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, key: bytes) -> None:
        self._key = OctKey.import_key(key)

    async def find(self, kid: str | None) -> OctKey:
        """The one key, whatever the kid says."""
        return self._key


class IssuerKeys:
    """The key set of an OIDC issuer: cached, and fetched again when a new `kid` shows up (rotation)."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._set: KeySet | None = None
        self._fetched: datetime | None = None
        self._tried: datetime | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None) -> Any:
        """The issuer's key of that kid; a token without one is accepted only while the issuer has a single key."""
        # while another request asks the issuer, the keys that are held are good enough: it may not answer for seconds
        held = self._set if self._lock.locked() else None
        found = self._pick(held if held is not None else await self._keys(JWKS_SECONDS), kid)
        if found is None:
            found = self._pick(await self._keys(JWKS_PAUSE_SECONDS), kid)
        if found is None:
            raise TokenError("token-invalid", "the token is signed with a key that is not known")
        return found

    @staticmethod
    def _pick(keys: KeySet, kid: str | None) -> Any | None:
        usable = [key for key in keys.keys if key.key_type in ("RSA", "EC")]
        if kid is None:
            return usable[0] if len(usable) == 1 else None
        return next((key for key in usable if key.kid == kid), None)

    async def _keys(self, max_age: float) -> KeySet:
        async with self._lock:
            if not self._within(max_age, self._fetched) and not self._within(JWKS_PAUSE_SECONDS, self._tried):
                await self._ask()
            if self._set is None:
                raise TokenError("issuer-unavailable", "the sign-in service cannot be reached")
            return self._set

    async def _ask(self) -> None:
        """Fetch the keys; those that are held stay where it fails."""
        with contextlib.suppress(httpx.HTTPError, JoseError, ValueError, KeyError, TypeError):
            self._set = KeySet.import_key_set(dict(await self._fetch()))  # type: ignore[arg-type]
            self._fetched = self._clock.now()
        self._tried = self._clock.now()  # not before: a request that is broken off has tried nothing

    def _within(self, seconds: float, moment: datetime | None) -> bool:
        """Whether the moment is so near. Not one that lies ahead: the clock was set back."""
        return moment is not None and 0 <= (self._clock.now() - moment).total_seconds() < seconds


@dataclass(frozen=True)
class TokenReader:
    """Checks signature, type, issuer, audience and times of a token, and gives its claims."""

    keys: Keys
    issuer: str
    audience: str
    clock: Clock
    types: tuple[str, ...] = TOKEN_TYPES

    async def claims(self, token: str) -> dict[str, Any]:
        """Claims of an accepted token; raises `TokenError`, and nothing else, whatever the text is."""
        if len(token.encode(errors="replace")) > MAX_TOKEN_BYTES:
            raise TokenError("token-invalid", "the token is too long")
        header = _header(token)
        if header.get("alg") not in self.keys.algorithms:
            raise TokenError("token-invalid", "the algorithm is not allowed")
        kid = header.get("kid")
        if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 128 or set(kid) - _KID_SIGNS):
            raise TokenError("token-invalid", "the key id is not well formed")
        if str(header.get("typ", "")).lower() not in self.types:
            raise TokenError("token-invalid", "the token type is not the one expected")
        key = await self.keys.find(kid)
        try:
            # `jku`, `jwk` and `x5u` in the header are never looked at: keys come from configuration alone
            read = jwt.decode(token, key, algorithms=list(self.keys.algorithms))
        except (JoseError, ValueError, TypeError, KeyError):
            raise TokenError("token-invalid", "the signature does not fit") from None
        self._check(read.claims)
        return dict(read.claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self.clock.now().timestamp()
        times: dict[str, float] = {}
        for name in ("exp", "iat", "nbf"):
            value = claims.get(name)
            if value is None and name == "nbf":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
                raise TokenError("token-invalid", "a time in the token is missing or not a number")
            times[name] = float(value)
        if times["exp"] <= now - LEEWAY_SECONDS:
            raise TokenError("token-expired", "the token has expired")
        if max(times["iat"], times.get("nbf", times["iat"])) > now + LEEWAY_SECONDS:
            raise TokenError("token-invalid", "the token is not valid yet")
        if claims.get("iss") != self.issuer:
            raise TokenError("token-invalid", "the token is from another issuer")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenError("token-invalid", "the token is for another audience")


def issue(key: bytes, claims: Mapping[str, Any], *, typ: str = "at+jwt") -> str:
    """A token signed with our own key (HS256)."""
    return jwt.encode({"alg": "HS256", "typ": typ}, dict(claims), OctKey.import_key(key), algorithms=["HS256"])


def _header(token: str) -> Mapping[str, Any]:
    try:
        read = jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, json.JSONDecodeError, RecursionError):
        raise TokenError("token-invalid", "this is not a token") from None
    if not isinstance(read, dict):
        raise TokenError("token-invalid", "this is not a token")
    return read
