"""Who petitions: numbers read by stated rules, and the pseudonym that stands for a person outside the vault."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Final, Literal

from services.intake.domain.texts import compact, folded, half_width

Basis = Literal["id_number", "phone", "name_address", "reference", "once"]
_ID18: Final = re.compile(r"[1-9]\d{16}[\dX]", re.ASCII)
_ID15: Final = re.compile(r"[1-9]\d{14}", re.ASCII)
_OTHER_DOCUMENT: Final = re.compile(r"[A-Z]{1,3}\d{5,12}[A-Z]?", re.ASCII)
_PHONE: Final = re.compile(r"\d{5,15}", re.ASCII)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class IdentityError(ValueError):
    """A number that cannot be right. `field` names it; its value is in no message."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


@dataclass(frozen=True)
class Identity:
    """What a petitioner said about themselves; empty strings where nothing was said."""

    name: str = ""
    phone: str = ""
    id_number: str = ""
    address: str = ""
    reference: str = ""

    def given(self) -> dict[str, str]:
        """The fields that were filled in."""
        return {field: value for field, value in asdict(self).items() if value}

    def normalised(self) -> Identity:
        """With phone and id number in their one form; raises `IdentityError`."""
        return replace(
            self,
            phone=normal_phone(self.phone) if self.phone else "",
            id_number=normal_id_number(self.id_number) if self.id_number else "",
        )

    def faults(self) -> Iterator[IdentityError]:
        """Each number that cannot be right."""
        for number, read in ((self.phone, normal_phone), (self.id_number, normal_id_number)):
            try:
                if number:
                    read(number)
            except IdentityError as error:
                yield error


def normal_phone(text: str) -> str:
    """Digits only, full-width ones read, without +86: one form for one telephone. 5–15 digits, else `IdentityError`."""
    digits = re.sub(r"[-().·‐-―]", "", compact(half_width(text)))
    bare = re.sub(r"^(?:\+86|0086|86(?=1[3-9]\d{9}$))", "", digits).removeprefix("+")
    if not _PHONE.fullmatch(bare):
        raise IdentityError("petitioner.phone", "a telephone number has 5 to 15 digits, with or without +86")
    return bare


def normal_id_number(text: str) -> str:
    """The id number in its one form, else `IdentityError`.

    18 characters: date and check digit have to be right; a lower-case x is read as X. 15 digits (before 1999): read as
    born in the 1900s and lengthened to 18. Letters and digits: another document (passport, permit), kept as it is.
    """
    number = compact(text).upper()
    if _ID15.fullmatch(number):
        number = f"{number[:6]}19{number[6:]}"
        number += check_digit(number)
    if _ID18.fullmatch(number):
        if not _is_date(number[6:14]) or check_digit(number[:17]) != number[17]:
            raise IdentityError("petitioner.id_number", "the id number's date or check digit is wrong")
        return number
    if _OTHER_DOCUMENT.fullmatch(number):
        return number
    raise IdentityError("petitioner.id_number", "an id number has 18 characters (or 15 digits, if it is an old one)")


def check_digit(first17: str) -> str:
    """Check character of an 18-character id number (GB 11643, ISO 7064 MOD 11-2)."""
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def _is_date(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1800
    except ValueError:
        return False


def basis(identity: Identity, *, channel: str, petition_id: str) -> tuple[Basis, str]:
    """What tells this person from others, the surest first: id number, phone, name with address, the channel's reference.

    With none of them the petition stands for a petitioner of its own. A name alone is shared by too many.
    """
    if identity.id_number:
        return "id_number", identity.id_number
    if identity.phone:
        return "phone", identity.phone
    if identity.name and identity.address:
        return "name_address", f"{folded(identity.name)}|{folded(identity.address)}"
    if identity.reference:
        return "reference", f"{channel}|{identity.reference}"
    return "once", petition_id


def pseudonym(key: bytes, jurisdiction: str, kind: Basis, value: str) -> str:
    """Keyed hash of a person within one county: the same there, not to be joined with another county's."""
    return "p" + keyed_hash(key, "pseudonym", jurisdiction, kind, value)[:26]


def blind_index(key: bytes, field: str, value: str) -> str:
    """Keyed hash by which a person's records are found without reading them."""
    return keyed_hash(key, "index", field, value)


def keyed_hash(key: bytes, *parts: str) -> str:
    """HMAC-SHA-256 over parts that cannot run into each other, in hexadecimal."""
    message = "\x1f".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
