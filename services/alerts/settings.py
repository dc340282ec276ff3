"""Settings of the alerts service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables with the prefix `FENGQIAO_`."""

    port: int = Field(default=8003, ge=0, le=65535)
    escalation: Path | None = Field(default=None, description="escalation policies; the packaged file by default")
    plans: Path | None = Field(default=None, description="emergency plans; the packaged file by default")
    webhook_hosts: str = Field(default="", description="hosts that webhooks may reach though their address is private")
    stream_queue: int = Field(default=1000, ge=10, description="events that wait for one slow stream client")
    connections: int = Field(default=12_000, ge=10, description="connections at once; each stream client is one")
    stream_life_s: float = Field(default=3600, gt=0, description="longest life of one stream connection, seconds")
    geojson: Path | None = Field(default=None, description="GeoJSON of the towns, for the console's map")
