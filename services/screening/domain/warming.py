"""Gets the compiled parts ready before the first real petition comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.screening.domain.engine import County
from services.screening.domain.outcome import Filed
from services.screening.domain.petitions import Filing
from services.screening.domain.policy import Policies


def warm_up(policies: Policies) -> None:
    """Link two made-up petitions: the linker's compiled parts are loaded, or compiled once, before the first real one comes."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        Filed(
            Filing(str(n), "000000", str(n), at + timedelta(minutes=n), "web_portal", "某小区停水"), "某小区停水多日。"
        )
        for n in range(2)
    ]
    County("000000", policies).apply(rows)
