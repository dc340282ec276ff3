"""Declared topics and their application to a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from pydantic import BaseModel, ConfigDict, Field

from shared.deadletter import dlq_topic
from shared.yamlfile import read_yaml

DECLARATION: Final = Path(__file__).with_name("topics.yaml")
_DAY_MS: Final = 24 * 3600 * 1000


class TopicError(RuntimeError):
    """A topic cannot be brought to what is declared; the message says why and what to do."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(_File):
    """How long, and up to which size, a topic keeps what it holds."""

    retention_days: int = Field(ge=1, le=3650)
    max_message_bytes: int = Field(ge=1024)


class Defaults(Kept):
    """Of keyed topics."""

    replication_factor: int = Field(ge=1)


class DeadLetters(Kept):
    """Of every `<topic>.<group>.dlq`."""

    partitions: int = Field(ge=1)


class Row(_File):
    """One keyed topic, the groups that read it and the service that writes it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9._]{1,100}$")
    partitions: int = Field(ge=1)
    groups: tuple[str, ...]
    owner: str


class TopicsFile(_File):
    """topics.yaml."""

    defaults: Defaults
    topics: tuple[Row, ...] = Field(min_length=1)
    dead_letters: DeadLetters


def read_declaration(path: Path = DECLARATION) -> TopicsFile:
    """Read topics.yaml; raises `ConfigError` naming file and line."""
    document = read_yaml(path, TopicsFile)
    names = [row.name for row in document.value.topics]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise document.error(f"{name!r} is listed twice", "topics", index, "name")
    return document.value


@dataclass(frozen=True)
class Topic:
    """A declared topic."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


def declared(prefix: str = "", *, replication: int | None = None) -> list[Topic]:
    """The topics of `topics.yaml` with their dead letters; `prefix` is for tests that share a broker."""
    file = read_declaration()
    defaults, dead = file.defaults, file.dead_letters
    copies = replication or defaults.replication_factor

    def topic(name: str, partitions: int, kept: Kept) -> Topic:
        config = {
            "retention.ms": str(kept.retention_days * _DAY_MS),
            "max.message.bytes": str(kept.max_message_bytes),
            "cleanup.policy": "delete",
        }
        return Topic(name, partitions, copies, config)

    topics = []
    for row in file.topics:
        name = prefix + row.name
        topics.append(topic(name, row.partitions, defaults))
        topics.extend(topic(dlq_topic(name, prefix + g), dead.partitions, dead) for g in row.groups)
    return topics


async def apply(bootstrap: str, *, prefix: str = "", replication: int | None = None) -> list[str]:
    """Create what is missing; returns the names created. Refuses a keyed topic with another number of partitions."""
    wanted = declared(prefix, replication=replication)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="fengqiao.topics", request_timeout_ms=15_000)
    try:
        await admin.start()
    except KafkaError as error:
        raise TopicError(f"no Kafka at {bootstrap} ({type(error).__name__}): is it running?") from None
    try:
        existing = set(await admin.list_topics())
        wrong = [
            f"{t.name} has {have} partitions, declared are {t.partitions}"
            for t in wanted
            if t.name in existing and (have := await _partitions(admin, t.name)) != t.partitions
        ]
        if wrong:
            raise TopicError("; ".join(wrong) + ". The order of keys would break: make a v2 topic and move over.")
        missing = [t for t in wanted if t.name not in existing]
        if missing:
            await _create(admin, missing)
        return [t.name for t in missing]
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, name: str) -> int:
    described = await admin.describe_topics([name])
    return len(described[0]["partitions"])


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    answer = await admin.create_topics(
        [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.config) for t in topics], timeout_ms=15_000
    )
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another one was first: as good
            raise TopicError(f"{name} was not created: {error.__name__}")


def apply_topics(bootstrap: str, *, prefix: str = "", replication: int | None = None) -> list[str]:
    """`apply` for callers without an event loop."""
    return asyncio.run(apply(bootstrap, prefix=prefix, replication=replication))
