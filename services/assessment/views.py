"""Obligations and scorecards as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.assessment.domain.ledger import Row
from services.assessment.domain.life import BEIJING
from services.assessment.domain.rules import Text
from services.assessment.domain.scorecard import Figure, Scorecard
from services.assessment.reading import Reading


def local(moment: datetime | None) -> str | None:
    """Beijing time, to the second."""
    return None if moment is None else moment.astimezone(BEIJING).isoformat(timespec="seconds")


def both(text: Text | None) -> dict[str, str] | None:
    """Both languages."""
    return None if text is None else {"zh": text.zh, "en": text.en}


def obligation_view(row: Row, reading: Reading) -> dict[str, Any]:
    """One obligation."""
    o, now = row.obligation, reading.clock.now()
    return {
        "id": o.id,
        "petition": o.petition,
        "jurisdiction": o.jurisdiction,
        "unit": o.unit,
        "unit_name": {lang: reading.name(o.unit, lang) for lang in ("zh", "en")},
        "obligation": o.code,
        "due": local(o.due_at),
        "state": o.state(now),
        "basis": o.basis,
        "derivation": both(o.derivation),
        "started": local(o.started),
        "ended": local(o.ended),
        "excluded": both(o.why_excluded(now)),
        "approver": o.approver,
        "restricted": row.restricted,
        "historic": row.historic,
    }


def figure_view(figure: Figure) -> dict[str, Any]:
    """One figure; null where a count is suppressed."""
    return {
        "key": figure.key,
        "name": both(figure.name),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "rate": None if figure.rate is None else round(figure.rate, 4),
        "excluded": [{"reason": both(reason), "count": n} for reason, n in figure.excluded.items()],
        "not_due": figure.not_due,
        "no_answer": figure.no_answer,
    }


def scorecard_view(card: Scorecard, reading: Reading) -> dict[str, Any]:
    """One scorecard."""
    return {
        "unit": card.unit,
        "unit_name": {lang: reading.name(card.unit, lang) for lang in ("zh", "en")},
        "from": local(card.since),
        "to": local(card.until),
        "at": local(card.at),
        "measures": [
            {"figure": figure_view(m.figure), "beside": [figure_view(f) for f in m.beside]} for m in card.measures
        ],
    }


def scorecards_csv(cards: Sequence[Scorecard], reading: Reading) -> str:
    """A line a unit and figure. Cells that a spreadsheet would take for a formula are quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["unit", "name", "measure", "figure", "figure_name", "numerator", "denominator", "rate", "not_due", "no_answer"]
    )
    for card in cards:
        name = reading.name(card.unit, "zh")
        for measure in card.measures:
            for figure in (measure.figure, *measure.beside):
                rate = "" if figure.rate is None else f"{figure.rate:.4f}"
                cells = [card.unit, name, measure.figure.key, figure.key, figure.name.zh]
                counts = [figure.numerator, figure.denominator, rate, figure.not_due, figure.no_answer]
                writer.writerow([_plain(c) for c in cells] + ["" if c is None else c for c in counts])
    return out.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
