"""Texts as people write them: kept as they are; compared in a folded copy."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_SPACE: Final = re.compile(r"\s+")
_UNSEEN: Final = re.compile(
    "["
    + "".join(
        chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
    )
    + "]"
)


def half_width(text: str) -> str:
    """The same text with full-width digits, letters and signs as ASCII, character by character (same length)."""
    return text.translate(_FULL_WIDTH)


def folded(text: str) -> str:
    """What two texts are compared by: NFKC, case folded, without spaces, format and control characters."""
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFKC", plain)


def says_something(text: str) -> bool:
    """Whether there is more than spaces, control characters and punctuation. An emoji counts."""
    return any(unicodedata.category(char)[0] in "LNSM" for char in text)


def is_blank(text: str) -> bool:
    """Only spaces and characters that show nothing."""
    return all(unicodedata.category(char)[0] in "ZC" for char in text)


def compact(text: str) -> str:
    """NFKC without any space: the form of numbers before they are read."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text))
