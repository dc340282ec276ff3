"""What every service is told from outside: environment variables with the prefix `FENGQIAO_`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that the four services share. A service's own settings are a subclass."""

    model_config = SettingsConfigDict(env_prefix="FENGQIAO_", extra="ignore", hide_input_in_errors=True)

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, comma-separated")
    mongo: str = Field(default="mongodb://127.0.0.1:27017/?replicaSet=rs0", description="URI of a replica set")
    mongo_file: Path | None = Field(default=None, description="file that holds the URI, instead of `mongo`")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    env: Literal["demo", "production"] = Field(
        default="production", description="demo generates keys and has a demo identity provider"
    )
    instance: str = Field(default="", description="name of this process, kept over restarts: screening-0")
    secrets: Path = Field(default=Path("secrets"), description="directory of the key files")
    idempotent: bool = Field(default=True, description="idempotent producer; off for brokers that have none")
    prefix: str = Field(default="", description="put before every topic, group and database name; for tests")
    intake_url: str = "http://127.0.0.1:8001"
    screening_url: str = "http://127.0.0.1:8002"
    assessment_url: str = "http://127.0.0.1:8004"
    log_level: str = "INFO"
    batch_max: int = Field(default=2000, ge=1, le=10_000, description="records a consumer takes at once")
    batch_wait_ms: int = Field(default=20, ge=1, le=1000, description="how long it waits for them, milliseconds")
    session_timeout_ms: int = Field(
        default=10_000, ge=6_000, description="silence after which Kafka gives a partition away"
    )
    stalled_after_s: float = Field(default=60, gt=0, description="behind and not moving for this long is unhealthy")

    connections: int = Field(default=4000, ge=10, description="connections at once; more are answered with 503")
    unread_s: float = Field(
        default=30, ge=1, le=600, description="seconds for which a client may leave what it was sent unread"
    )

    @model_validator(mode="after")
    def _uri_from_file(self) -> ServiceSettings:
        if self.mongo_file is not None:
            object.__setattr__(self, "mongo", self.mongo_file.read_text(encoding="utf-8").strip())
        return self
