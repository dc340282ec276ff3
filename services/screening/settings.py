"""Settings of the screening service (environment, prefix `FENGQIAO_`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings

PACKAGED = Path(__file__).resolve().parents[2] / "deploy" / "policy"


class Settings(ServiceSettings):
    """What screening is told from outside. Rates are written as in `100/second` and hold for one address."""

    port: int = Field(default=8002, ge=0, le=65535)
    policy: Path = Field(default=PACKAGED, description="a policy file, or a directory of every version")
    policy_poll_s: float = Field(default=2.0, gt=0, description="how often the policy's files are looked at")
    tick_s: float = Field(default=1.0, gt=0, description="how often findings, decisions and expiries are taken up")
    rate_similar: str = Field(default="20/second", description="look-ups of similar matters from one address")
