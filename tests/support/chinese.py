"""Half-width punctuation in Chinese sentences: what a reader of a page or report should never see."""

from __future__ import annotations

import html
import re

_HAN = "\u4e00-\u9fff"
_LEFT, _RIGHT = f"(?:[{_HAN}]”?|[」』》）])", f"“?[{_HAN}「『《（]"
HALF_WIDTH = re.compile(f"{_LEFT}[,;:?!(]|[,;:?!)] ?{_RIGHT}")
_TAG = re.compile(r"<[^>]+>")


def half_width(text: str) -> list[str]:
    """The places, each with what stands around it."""
    if not re.search(f"[{_HAN}]", text):  # brackets to look for, in a program
        return []
    return [text[max(0, found.start() - 12) : found.end() + 12] for found in HALF_WIDTH.finditer(text)]


def read_out(page: str) -> str:
    """What a page says: the texts between its tags, and those of its tooltips."""
    said = re.findall(r'\b(?:title|placeholder|aria-label|alt)="([^"]*)"', page)
    return html.unescape("\n".join([*said, *_TAG.split(page)]))
