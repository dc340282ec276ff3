"""Dead letters: records that cannot be processed go to `<topic>.<group>.dlq` with their bytes untouched.

They leave through the outbox, in the transaction that moves the progress past them, so none is lost and none doubled.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from shared.bus import Dead
from shared.events import derived_id
from shared.observe import mask
from shared.outbox import Outgoing

SCHEMA: Final = "1"
_HEADER_LIMIT: Final = 1024
_HEADERS_KEPT: Final = 50
_NAME_LIMIT: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def dlq_topic(topic: str, group: str) -> str:
    """The topic of a group's dead letters."""
    return f"{topic}.{group}.dlq"


def _text(value: bytes | None) -> str:
    """A header value as text: base64 with a prefix where it is no UTF-8, cut at 1 KiB."""
    if value is None:
        return "null:"
    try:
        return value[:_HEADER_LIMIT].decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value[: _HEADER_LIMIT // 2]).decode()


def _name(name: str) -> str:
    """A header's name as a key. The store takes none with U+0000, and a letter it refuses would block its partition."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", f"orig-{name}")[:_NAME_LIMIT]


def bare(dead: Dead) -> Dead:
    """The dead letter without what a stranger may have put beside key and value: the last try to write one."""
    return replace(dead, record=replace(dead.record, headers=()), detail="")


def dead_letter(dead: Dead, *, group: str, service: str, failed_at: datetime) -> Outgoing:
    """The outbox record of a dead letter. The reason names no input value."""
    record = dead.record
    headers = {
        "dlq-schema": SCHEMA,
        "dlq-reason": dead.reason,
        "dlq-error-class": dead.error_class,
        "dlq-error": mask(dead.detail)[:_HEADER_LIMIT],
        "dlq-orig-topic": record.topic,
        "dlq-orig-partition": str(record.partition),
        "dlq-orig-offset": str(record.offset),
        "dlq-orig-timestamp-ms": str(record.timestamp),
        "dlq-group": group,
        "dlq-attempts": str(dead.attempts),
        "dlq-first-failed-at": failed_at.astimezone(UTC).isoformat(),
        "dlq-failed-at": failed_at.astimezone(UTC).isoformat(),
        "dlq-service": service,
        "dlq-version": version("fengqiao"),
    }
    if record.value is None:
        headers["dlq-value-null"] = "1"
    for name, value in record.headers[:_HEADERS_KEPT]:
        headers.setdefault(_name(name), _text(value))
        if name == "traceparent":
            headers.setdefault("traceparent", _text(value))
    return Outgoing(
        id=derived_id("dead-letter", record.topic, str(record.partition), str(record.offset), group),
        topic=dlq_topic(record.topic, group),
        key=record.key,
        value=record.value,
        at=failed_at,
        headers=headers,
    )
