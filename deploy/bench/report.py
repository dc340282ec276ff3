"""How every benchmark tells its result: a table on the terminal, and JSON with the machine it ran on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "fengqiao": version("fengqiao"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def tell(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str] = ()) -> None:
    """Print a table and its notes."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(
            *(f"{v:,.2f}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else str(v) for v in row)
        )
    console = Console()
    console.print(table)
    for note in notes:
        console.print(f"[dim]{note}[/]")


def save(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the JSON, if a path was given."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
