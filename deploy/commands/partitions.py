"""What a cluster holds, asked before anything else: a consumer waits most of a minute for a partition that is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import typer
from aiokafka.admin import AIOKafkaAdminClient

_PATIENCE_S: Final = 2.0
"""A broker may not know yet of a topic that was made a moment ago."""


async def partitions(bootstrap: str, topics: Iterable[str]) -> dict[str, list[int]]:
    """The partitions of these topics; ends with 2 and says what to do where one is missing."""
    wanted = list(topics)
    until = time.monotonic() + _PATIENCE_S
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="fengqiao.partitions", request_timeout_ms=15_000)
    try:
        await admin.start()
        there = await _all(admin)
        while (missing := [name for name in wanted if name not in there]) and time.monotonic() < until:
            await asyncio.sleep(0.2)
            there = await _all(admin)
    finally:
        await admin.close()
    if missing:
        typer.echo(
            f"this Kafka has no topic {', '.join(missing)}; `fengqiao topics apply` makes all, "
            "or FENGQIAO_KAFKA names another Kafka than that of the services",
            err=True,
        )
        raise typer.Exit(2)
    return {name: there[name] for name in wanted}


async def _all(admin: AIOKafkaAdminClient) -> dict[str, list[int]]:
    # By no name: a broker that makes topics by itself would make the one that is asked for.
    found = await admin.describe_topics()
    return {topic["topic"]: sorted(p["partition"] for p in topic["partitions"]) for topic in found}
