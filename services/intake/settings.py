"""Settings of the intake (environment, prefix `FENGQIAO_`)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal

from limits import parse
from pydantic import Field, FilePath, model_validator

from shared.settings import ServiceSettings

OPEN_CHANNELS: Final = frozenset({"web_portal", "dept_website"})


class Settings(ServiceSettings):
    """What the intake is told from outside. Rates are written as in `100/second` and hold for one address."""

    port: int = Field(default=8001, ge=0, le=65535)
    vault_profile: Literal["A256GCM", "SM4GCM"] = Field(default="A256GCM", description="cipher of new identity records")
    rate_filing: str = Field(default="", description="filing API; empty: 50/second, in the demo 5000/second")
    rate_form: str = Field(default="", description="public form; empty: 5/minute, in the demo 60/minute")
    rate_progress: str = Field(default="", description="progress look-ups; empty: 20/minute, in the demo 600/minute")
    trusted_proxies: str = Field(default="", description="networks whose X-Forwarded-For is believed, comma-separated")
    channel_keys: FilePath | None = Field(default=None, description="key file of the channels that sign their requests")
    open_channels: str | None = Field(
        default=None,
        description="channels that anybody may file by, comma-separated; unset: web_portal,dept_website, in the demo all",
    )
    topic_model: Path | None = Field(
        default=None, description="file of `fengqiao classify train`; without one the lexicon alone proposes topics"
    )
    screening_timeout_s: float = Field(default=0.8, gt=0, le=5, description="wait for suggestions of similar matters")

    @model_validator(mode="after")
    def _rates(self) -> Settings:
        demo = self.env == "demo"
        for name, usual, generous in (
            ("rate_filing", "50/second", "5000/second"),
            ("rate_form", "5/minute", "60/minute"),
            ("rate_progress", "20/minute", "600/minute"),
        ):
            if not getattr(self, name):
                object.__setattr__(self, name, generous if demo else usual)
            parse(getattr(self, name))
        self.proxies()
        return self

    def opened(self) -> frozenset[str] | None:
        """Channels that anybody may file by; None for all."""
        if self.open_channels is None:
            return None if self.env == "demo" else OPEN_CHANNELS
        return frozenset(part.strip() for part in self.open_channels.split(",") if part.strip())

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The trusted networks; raises `ValueError` for one that is none."""
        return tuple(ip_network(part.strip()) for part in self.trusted_proxies.split(",") if part.strip())
