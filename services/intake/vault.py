"""Envelope encryption of people's data: one data key a petitioner, wrapped by the service's key.

AES-256-GCM, or SM4-GCM where the profile says so (128-bit keys, derived for wrapping). Each value is bound to its place
by associated data, so that none can be moved to another document or field. Deleting the wrapped key deletes the person.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Profile = Literal["A256GCM", "SM4GCM"]
_KEY_BYTES: Final[dict[str, int]] = {"A256GCM": 32, "SM4GCM": 16}
_NONCE: Final = 12
_TAG: Final = 16
VERSION: Final = 1


class VaultError(RuntimeError):
    """A sealed value does not open: wrong key, wrong place, or changed."""


@dataclass(frozen=True)
class Place:
    """Where a sealed value belongs."""

    collection: str
    document: str
    field: str

    def aad(self) -> bytes:
        """Associated data: collection, document, field, version."""
        return f"{self.collection}|{self.document}|{self.field}|{VERSION}".encode()


class Vault:
    """Seals and opens values with data keys that it makes and wraps."""

    def __init__(self, key: bytes, profile: Profile = "A256GCM") -> None:
        self.profile: Profile = profile
        self._master = key
        self.key_id = hashlib.sha256(b"fengqiao kek id" + key).hexdigest()[:16]

    def new_key(self, subject: str) -> tuple[bytes, dict[str, Any]]:
        """A data key and its wrapped form for the document of `subject`."""
        data_key = os.urandom(_KEY_BYTES[self.profile])
        return data_key, {**self._wrap(data_key, subject), "kek": self.key_id}

    def unwrap(self, wrapped: dict[str, Any], subject: str) -> bytes:
        """The data key; raises `VaultError`."""
        return _open(self._kek(wrapped["a"]), wrapped, Place("identity_keys", subject, "key"))

    def seal(self, data_key: bytes, value: str, place: Place) -> dict[str, Any]:
        """A sealed value, as a document: algorithm, nonce, ciphertext with its tag."""
        profile: Profile = "A256GCM" if len(data_key) == 32 else "SM4GCM"
        return _seal(profile, data_key, value.encode(), place)

    def open(self, data_key: bytes, sealed: dict[str, Any], place: Place) -> str:
        """The value; raises `VaultError`."""
        return _open(data_key, sealed, place).decode()

    def _wrap(self, data_key: bytes, subject: str) -> dict[str, Any]:
        return _seal(self.profile, self._kek(self.profile), data_key, Place("identity_keys", subject, "key"))

    def _kek(self, profile: str) -> bytes:
        if profile == "A256GCM":
            return self._master
        return HKDF(SHA256(), _KEY_BYTES[profile], salt=None, info=b"fengqiao vault " + profile.encode()).derive(
            self._master
        )


def _seal(profile: Profile, key: bytes, value: bytes, place: Place) -> dict[str, Any]:
    nonce = os.urandom(_NONCE)
    if profile == "A256GCM":
        return {"a": profile, "n": nonce, "c": AESGCM(key).encrypt(nonce, value, place.aad())}
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(place.aad())
    return {"a": profile, "n": nonce, "c": encryptor.update(value) + encryptor.finalize() + encryptor.tag}


def _open(key: bytes, sealed: dict[str, Any], place: Place) -> bytes:
    nonce, body = bytes(sealed["n"]), bytes(sealed["c"])
    try:
        if sealed["a"] == "A256GCM":
            return AESGCM(key).decrypt(nonce, body, place.aad())
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, body[-_TAG:])).decryptor()
        decryptor.authenticate_additional_data(place.aad())
        return decryptor.update(body[:-_TAG]) + decryptor.finalize()
    except InvalidTag:
        raise VaultError(f"{place.collection}.{place.field} does not open") from None
