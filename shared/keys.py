"""Key files: one file a key, 32 random bytes in base64, in a directory that only the service can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

NAMES: Final = ("identity", "pseudonym", "index", "token", "session", "service")
_BYTES: Final = 32


class KeyMissingError(RuntimeError):
    """A key file is not there, or does not hold 32 bytes. The message names the file and what to do."""


def load_key(directory: Path, name: str, *, create: bool = False) -> bytes:
    """Read the key `name` (32 bytes). With `create` (demo and tests only) a missing one is made, readable by the owner."""
    path = directory / f"{name}.key"
    if create and not path.exists():
        _make(path)
    try:
        key = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except FileNotFoundError:
        raise KeyMissingError(f"{path} is missing: create it with `fengqiao secrets init {directory}`") from None
    except (binascii.Error, ValueError):
        raise KeyMissingError(f"{path} is not base64: create it with `fengqiao secrets init`") from None
    if len(key) != _BYTES:
        raise KeyMissingError(f"{path} holds {len(key)} bytes, a key has {_BYTES}")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(base64.b64encode(secrets.token_bytes(_BYTES)).decode(), encoding="ascii")
    try:
        os.link(draft, path)  # fails if another process was first: then its key counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()
