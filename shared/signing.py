"""Requests signed with HMAC-SHA-256: channels that feed petitions in, and webhooks that go out.

Signed is `timestamp \n METHOD \n path?query \n sha256(body) \n nonce`; headers `X-Key-Id`, `X-Timestamp` (seconds), `X-Nonce`,
`X-Signature` (hex). A request is accepted within ±300 s and once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import structlog
from fastapi import Request
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.access import Principal
from shared.clock import Clock
from shared.directory_file import COUNTY_CODE
from shared.mongo import ASCENDING, DuplicateKeyError, IndexModel, Mongo
from shared.web import Problem

log = structlog.get_logger(__name__)

WINDOW_S: Final = 300
KEEP_NONCE_S: Final = 900
HEADERS: Final = ("x-key-id", "x-timestamp", "x-nonce", "x-signature")
NONCES: Final = "nonces"
INDEXES: Final[Mapping[str, list[IndexModel]]] = {
    NONCES: [IndexModel([("at", ASCENDING)], name="ttl", expireAfterSeconds=KEEP_NONCE_S)]
}
_NONCE: Final = re.compile(r"[A-Za-z0-9_.:-]{8,100}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_NOBODY: Final = b"\0" * 32


@dataclass(frozen=True)
class ChannelKey:
    """A key of a channel. A channel may have two at a time, so that one can be replaced without a gap."""

    id: str
    channel: str
    secret: bytes
    jurisdiction: str | None = None


class Nonces(Protocol):
    """Remembers nonces for as long as a signature could be accepted."""

    async def first(self, key_id: str, nonce: str, at: datetime) -> bool:
        """Note it; False when it has been used before."""


class MongoNonces:
    """Nonces in MongoDB, shared by all instances of a service."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def first(self, key_id: str, nonce: str, at: datetime) -> bool:
        """Note it; False when it has been used before."""
        try:
            await self._mongo[NONCES].insert_one({"_id": f"{key_id}/{nonce}", "at": at})
        except DuplicateKeyError:
            return False
        return True


def signature(key: bytes, *, timestamp: str, method: str, target: str, body: bytes, nonce: str) -> str:
    """Hex signature; `target` is the path with its query, as sent."""
    text = "\n".join((timestamp, method.upper(), target, hashlib.sha256(body).hexdigest(), nonce))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed_headers(
    key_id: str, key: bytes, *, at: datetime, method: str, target: str, body: bytes, nonce: str
) -> dict[str, str]:
    """The four headers of a signed request."""
    stamp = str(int(at.timestamp()))
    made = signature(key, timestamp=stamp, method=method, target=target, body=body, nonce=nonce)
    return {"X-Key-Id": key_id, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": made}


class SignedRequests:
    """Turns a signed request into the principal of its channel, or refuses it with 401."""

    def __init__(self, find: Callable[[str], ChannelKey | None], nonces: Nonces, clock: Clock) -> None:
        self._find = find
        self._nonces = nonces
        self._clock = clock

    @staticmethod
    def present(request: Request) -> bool:
        """The request carries a signature."""
        return any(name in request.headers for name in HEADERS)

    def check_key(self, request: Request) -> None:
        """Refuse a key that nobody has before its body is read into memory: `Problem` 401 `signature-invalid`."""
        if self._find(request.headers.get("x-key-id", "")) is None:
            raise _refused("signature-invalid", "the signature does not fit")

    async def principal(self, request: Request, body: bytes) -> Principal:
        """The channel that signed; raises `Problem` 401: `signature-invalid`, `signature-expired`, `signature-replayed`."""
        found = {name: request.headers.getlist(name) for name in HEADERS}
        if any(len(values) != 1 for values in found.values()):
            raise _refused("signature-invalid", f"send each of {', '.join(HEADERS)} once")
        key_id, stamp, nonce, given = (values[0] for values in found.values())
        if not _SECONDS.fullmatch(stamp) or not _NONCE.fullmatch(nonce) or not given.isascii():
            raise _refused("signature-invalid", "the timestamp is in seconds, the nonce 8 to 100 plain characters")
        key = self._find(key_id)
        target = request.scope["raw_path"].decode("ascii", "replace")
        if request.url.query:
            target += f"?{request.url.query}"
        secret = key.secret if key else _NOBODY
        made = signature(secret, timestamp=stamp, method=request.method, target=target, body=body, nonce=nonce)
        if not hmac.compare_digest(made, given.lower()) or key is None:
            raise _refused("signature-invalid", "the signature does not fit")
        now = self._clock.now()
        if abs(now.timestamp() - int(stamp)) > WINDOW_S:
            raise _refused("signature-expired", f"the timestamp is more than {WINDOW_S} s from our time")
        if not await self._nonces.first(key.id, nonce, now):
            raise _refused("signature-replayed", "this nonce has been used")
        return Principal(f"channel.{key.channel}", "channel", None, key.jurisdiction, channel=key.channel)


class KeyFileError(ValueError):
    """A key file that cannot be used: which key, which field, what is wrong. Never a value."""


class _KeyRow(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    channel: str = Field(min_length=1, max_length=60)
    secret: Base64Bytes = Field(min_length=16, strict=False)
    jurisdiction: str | None = Field(default=None, pattern=COUNTY_CODE)


_ROWS: Final = TypeAdapter(dict[str, _KeyRow], config=ConfigDict(hide_input_in_errors=True))


class KeyFile:
    """Channel keys in `channel_keys.json` of the secrets directory, read again whenever the file changes.

    `{"key id": {"channel": slug, "secret": base64, "jurisdiction": county code or absent}}`. While the file cannot be read
    the keys that were read before stay in force: a slip in an edit stops no channel.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, ChannelKey] = {}
        self._wrong: str | None = None
        self._loaded = False

    def load(self) -> None:
        """Read it at the start, when there are no keys before; raises `KeyFileError`."""
        self._look()
        if self._wrong is not None or self._seen is None:
            raise KeyFileError(f"{self._path}: {self._wrong or 'there is no such file'}")
        self._loaded = True

    def __call__(self, key_id: str) -> ChannelKey | None:
        """The key of that id."""
        self._look()
        return self._keys.get(key_id)

    def of_channel(self, channel: str) -> ChannelKey | None:
        """A key of that channel, for a client that signs; the first of the file."""
        self._look()
        return next((key for key in self._keys.values() if key.channel == channel), None)

    def trouble(self) -> str | None:
        """What is wrong with the file now, for `/health`; None while its keys are those in force."""
        self._look()
        return f"channel keys: {self._wrong}; those read before stay in force" if self._wrong else None

    def _look(self) -> None:
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)  # ctime: who may read it
        except OSError as error:
            if self._seen is not None:
                self._seen = None
                self._refuse("the file is gone" if isinstance(error, FileNotFoundError) else "the file cannot be read")
            return
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._keys = _read_keys(self._path)
        except (OSError, KeyFileError) as error:
            self._refuse(str(error) if isinstance(error, KeyFileError) else "the file cannot be read")
            return
        if self._wrong is not None:
            log.info("channel_keys_read", keys=len(self._keys))
        self._wrong = None

    def _refuse(self, wrong: str) -> None:
        self._wrong = wrong
        if self._loaded:  # before, `load` says it
            log.error("channel_keys_refused", reason=wrong, in_force=len(self._keys))


def _read_keys(path: Path) -> dict[str, ChannelKey]:
    try:
        rows = _ROWS.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise KeyFileError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    return {id: ChannelKey(id, row.channel, row.secret, row.jurisdiction) for id, row in rows.items()}


def _refused(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": "Signature"})
