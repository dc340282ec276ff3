"""Settings of the assessment (environment, prefix `FENGQIAO_`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the assessment is told from outside."""

    port: int = Field(default=8004, ge=0, le=65535)
    clocks: Path | None = Field(default=None, description="folder of clock rules; empty: the packaged ones")
    tick_s: float = Field(default=1.0, gt=0, le=5, description="how often the clock looks for deadlines, seconds")
