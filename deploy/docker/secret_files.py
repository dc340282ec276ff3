"""Secrets of the compose stack: made where they are missing, and each container handed only what it needs.

SOURCE is the operator's directory (`deploy/docker/secrets` unless FENGQIAO_SECRETS_DIR says otherwise): a file that is
there is never changed, so a vault puts its own there first. OUT holds one volume a reader.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from shared import keys

SERVICES: Final = ("intake", "screening", "alerts", "assessment")
SERVICE_UID: Final = 10001
MONGO_UID: Final = 999
# The identity vault's keys never leave intake; what signs between services goes to all.
INTAKE_ONLY: Final = ("identity", "index", "pseudonym")
DATABASE_USERS: Final = ("root", *SERVICES)
# The operator's list of accounts that may no longer sign in; there need not be one.
OPTIONAL: Final = "deactivated.txt"
# Keys of the channels that sign what they send; none before the operator makes them.
CHANNEL_KEYS: Final = "channel_keys.json"


class SecretError(RuntimeError):
    """A secret file that is there cannot be used. The message names the file, never its content."""


def init(source: Path) -> list[str]:
    """Make every secret that `source` lacks (mode 0600); returns the names of those made."""
    source.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = {path.name for path in source.iterdir()}
    for name in keys.NAMES:
        try:
            keys.load_key(source, name, create=True)
        except keys.KeyMissingError as error:
            raise SecretError(str(error)) from None
    for user in DATABASE_USERS:
        _text(source / f"mongo-{user}.password", secrets.token_hex(24))
    # mongod takes 6 to 1024 characters of base64 as the key by which the members of a replica set know each other.
    _text(source / "mongo.keyfile", base64.b64encode(secrets.token_bytes(384)).decode())
    return sorted(path.name for path in source.iterdir() if path.name not in before)


def deliver(source: Path, out: Path) -> None:
    """Fill `out/mongo` and `out/<service>` from a complete `source`: the files of one reader, owned by that reader.

    Whatever else lies in `source` is not looked at. All is read before anything is handed out; raises `SecretError`.
    """
    passwords = {user: _read(source / f"mongo-{user}.password") for user in DATABASE_USERS}
    for_mongo = {f"{user}.password": password for user, password in passwords.items()}
    key_texts = {f"{name}.key": _read(source / f"{name}.key") for name in keys.NAMES}
    optional = {name: _read(source / name) for name in (OPTIONAL, CHANNEL_KEYS) if (source / name).is_file()}
    _fill(out / "mongo", {"keyfile": _read(source / "mongo.keyfile"), **for_mongo}, MONGO_UID)
    for service in SERVICES:
        names = [name for name in keys.NAMES if service == "intake" or name not in INTAKE_ONLY]
        files = {f"{name}.key": key_texts[f"{name}.key"] for name in names}
        files |= {name: text for name, text in optional.items() if service == "intake" or name != CHANNEL_KEYS}
        _fill(out / service, {**files, "mongo.uri": _uri(service, passwords[service])}, SERVICE_UID)


def _uri(service: str, password: str) -> str:
    return f"mongodb://{service}:{quote(password, safe='')}@mongo:27017/?replicaSet=rs0&authSource=admin"


def _text(path: Path, fresh: str) -> None:
    """Write `fresh` unless the file is there; an empty one is refused."""
    if not path.exists():
        draft = path.with_name(f".{path.name}")
        draft.unlink(missing_ok=True)
        _write(draft, fresh, 0o600)
        draft.rename(path)
    if not _read(path):
        raise SecretError(f"{path} is empty: put the secret there, or remove the file to have one made")


def _read(path: Path) -> str:
    """Text of a secret file, without the mark that some editors put before it."""
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not UTF-8 text: save it as UTF-8") from None


def _fill(directory: Path, files: Mapping[str, str], uid: int) -> None:
    """Set the files of one reader's volume: readable by that reader alone, anything else in it removed."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for stale in directory.iterdir():
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        draft = directory / f".{name}"
        draft.unlink(missing_ok=True)
        _write(draft, text, 0o400)
        os.chown(draft, uid, uid)
        draft.rename(directory / name)
    os.chown(directory, uid, uid)
    directory.chmod(0o500)


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
