"""Numbers a petitioner gets: a receipt to quote, a query code to keep. Both follow from the petition by a keyed hash.

So a repeated request gets the same answer although the code itself is stored nowhere.
"""

from __future__ import annotations

import hmac
import re
import uuid
from datetime import date
from typing import Final

from services.intake.domain.identity import keyed_hash
from services.intake.domain.texts import compact

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs; no 0 O, no 1 I: what is read aloud is written down right."""
CODE_LENGTH: Final = 10
_RECEIPT: Final = re.compile(rf"\d{{6}}-\d{{8}}-[{ALPHABET}]{{8}}", re.ASCII)


def petition_id(key: bytes, channel: str, idempotency_key: str) -> str:
    """The petition's id: the same request always means the same petition, whatever became of the first try."""
    digest = bytearray.fromhex(keyed_hash(key, "petition", channel, idempotency_key)[:32])
    digest[6] = 0x80 | digest[6] & 0x0F  # version 8: made by our own rule (RFC 9562)
    digest[8] = 0x80 | digest[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(digest)))


def receipt(key: bytes, petition: str, jurisdiction: str, day: date) -> str:
    """Receipt number: county, day, eight signs of which the last is a check sign: `379911-20261124-7K3M9Q2P`."""
    body = _signs(keyed_hash(key, "receipt", petition), 7)
    return f"{jurisdiction}-{day:%Y%m%d}-{body}{_check_sign(f'{jurisdiction}{day:%Y%m%d}{body}')}"


def read_receipt(text: str) -> str | None:
    """A receipt as somebody typed it, in its one form; None if it cannot be one (a slip is found by the check sign)."""
    found = re.sub(r"[-‐-―_.]", "", compact(text)).upper()
    plain = f"{found[:6]}-{found[6:14]}-{found[14:]}"
    if not _RECEIPT.fullmatch(plain) or _check_sign(found[:-1]) != found[-1]:
        return None
    return plain


def query_code(key: bytes, petition: str) -> str:
    """The code that opens the progress of one petition: 50 bits."""
    return _signs(keyed_hash(key, "query-code", petition), CODE_LENGTH)


def code_hash(key: bytes, petition: str, code: str) -> str:
    """What is stored of a query code."""
    return keyed_hash(key, "code-hash", petition, code)


def code_fits(key: bytes, petition: str, typed: str, stored: str) -> bool:
    """Whether a typed code belongs to the petition; takes the same time either way."""
    plain = re.sub(r"[-\s]", "", compact(typed)).upper()[:64]
    return hmac.compare_digest(code_hash(key, petition, plain), stored)


def _signs(hexadecimal: str, count: int) -> str:
    number = int(hexadecimal, 16)
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(count))


def _check_sign(text: str) -> str:
    """Weighted sum: finds every single wrong sign and nearly every swap of neighbours."""
    values = [int(sign) for sign in text[:14]] + [ALPHABET.index(sign) for sign in text[14:]]
    return ALPHABET[sum((2 * place + 1) * value for place, value in enumerate(values)) % 32]
