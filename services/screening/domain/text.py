"""Folds petition text: what differs only in writing must look the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_NOISE = re.compile(r"[^0-9a-z\u3400-\u9fff]+")


def fold(text: str) -> str:
    """Half-width, lower case, letters and digits and Chinese characters only: equal for the same text."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", text).lower())


def grams(title: str, text: str) -> Counter[str]:
    """Character 2- and 3-grams with their counts; the title counts three times."""
    counts: Counter[str] = Counter()
    for part, times in ((title, 3), (text, 1)):
        for run in _NOISE.split(unicodedata.normalize("NFKC", part).lower()):
            for size in (2, 3):
                for start in range(len(run) - size + 1):
                    counts[run[start : start + size]] += times
    return counts
