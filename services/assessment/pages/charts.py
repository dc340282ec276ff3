"""Charts as inline SVG: drawn on the server, readable without scripts, no colour of the four public warning colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from markupsafe import Markup

from services.assessment.ports import UnitCount

ROWS: Final = 15
_WIDTH, _LABEL, _ROW = 860, 270, 26
_PARTS: Final = (("breached", "c-breached"), ("due_soon", "c-soon"), ("pending", "c-open"))


def unit_bars(counts: Sequence[UnitCount], name: Callable[[str], str], title: str) -> Markup:
    """Open duties by unit, those with most broken ones first; numbers stand beside the bars."""
    shown = sorted(counts, key=lambda c: (-c.breached, -c.due_soon, -c.open, c.unit))[:ROWS]
    if not shown:
        return Markup("")
    most = max(c.open for c in shown)
    room = _WIDTH - _LABEL - 130
    parts = [
        f'<svg class="chart" role="img" viewBox="0 0 {_WIDTH} {len(shown) * _ROW + 6}" width="{_WIDTH}">',
        f"<title>{escape(title)}</title>",
    ]
    for number, count in enumerate(shown):
        top = number * _ROW + 4
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(name(count.unit)[:24])}</text>')
        values = {
            "breached": count.breached,
            "due_soon": count.due_soon,
            "pending": count.open - count.breached - count.due_soon,
        }
        left = float(_LABEL)
        for key, style in _PARTS:
            width = values[key] / most * room
            if values[key]:
                parts.append(f'<rect class="{style}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="18"/>')
            left += width
        numbers = f"{values['breached']} / {values['due_soon']} / {values['pending']}"
        parts.append(f'<text x="{left + 8:.1f}" y="{top + 14}">{numbers}</text>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - numbers, and names that were escaped


def rate_bar(rate: float | None, title: str) -> Markup:
    """A rate between 0 and 1."""
    if rate is None:
        return Markup("")
    return Markup(  # noqa: S704 - numbers, and a title that was escaped
        f'<svg class="rate" role="img" viewBox="0 0 160 14" width="160" height="14"><title>{escape(title)}</title>'
        f'<rect class="c-rest" width="160" height="14"/>'
        f'<rect class="c-done" width="{160 * rate:.1f}" height="14"/></svg>'
    )
