"""How requests of a command say who sends them: an account's token, or a channel's signature."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from pathlib import Path

import httpx

from shared.clock import Clock, SystemClock
from shared.signing import ChannelKey, KeyFile, signed_headers


class Bearer(httpx.Auth):
    """Sends an account's token with each request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


class Signed(httpx.Auth):
    """Signs each request anew with a channel's key, also one that is sent again."""

    requires_request_body = True

    def __init__(self, key: ChannelKey, clock: Clock | None = None) -> None:
        self._key = key
        self._clock = clock or SystemClock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the four headers."""
        request.headers.update(
            signed_headers(
                self._key.id,
                self._key.secret,
                at=self._clock.now(),
                method=request.method,
                target=request.url.raw_path.decode("ascii"),
                body=request.content,
                nonce=secrets.token_hex(16),
            )
        )
        yield request


def credentials(token: str, key_file: Path | None, channel: str) -> httpx.Auth | None:
    """How the requests say who sends them; None for an open channel. Raises `ValueError`, which quotes no secret."""
    if token and key_file is not None:
        raise ValueError("give --token or --channel-key, not both")
    if token:
        if not token.isascii() or any(character.isspace() for character in token):
            raise ValueError("--token is one word, as the issuer gave it")
        return Bearer(token)
    if key_file is None:
        return None
    keys = KeyFile(key_file)
    keys.load()
    key = keys.of_channel(channel)
    if key is None:
        raise ValueError(f"{key_file} holds no key of the channel {channel}; --channel names another")
    return Signed(key)
