"""What two matters have in common on the face of it: for people who look for a twin. The linker goes by the texts instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

NEAR_TITLE: Final = 0.5
"""Share of the shorter title's pairs of characters that the other one has too."""


@dataclass(frozen=True, slots=True)
class Common:
    """`what`: of `title`, `town`, `topic`; `words`: the longest piece that both titles have, where they are near."""

    what: tuple[str, ...] = ()
    words: str = ""


def in_common(one: Mapping[str, Any], other: Mapping[str, Any]) -> Common:
    """Compare two matters by `title`, `town` and `topic`; what neither says is not in common."""
    what = [name for name in ("town", "topic") if one.get(name) and one.get(name) == other.get(name)]
    titles = _folded(one.get("title")), _folded(other.get("title"))
    pairs = [{title[n : n + 2] for n in range(len(title) - 1)} for title in titles]
    fewer = min(len(found) for found in pairs)
    if not fewer or len(pairs[0] & pairs[1]) / fewer < NEAR_TITLE:
        return Common(tuple(what))
    found = SequenceMatcher(None, *titles, autojunk=False).find_longest_match()
    return Common(("title", *what), titles[0][found.a : found.a + found.size])


def _folded(title: str | None) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", title or "").lower()))
