"""Every codec of Kafka is read; a reader that cannot read one says so and gives nothing up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from shared.events import encode
from tests.support.spine import COUNTY, Spine, filed, read_all, until

pytestmark = pytest.mark.stack
CODECS = ("gzip", "snappy", "lz4", "zstd")


async def send(spine: Spine, codec: str, numbers: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=spine.stack.kafka, acks="all", compression_type=codec, linger_ms=50)
    await producer.start()
    values = [encode(filed(n, run=spine.prefix)) for n in numbers]
    await asyncio.gather(*[await producer.send(spine.petitions, value=v, key=COUNTY.encode()) for v in values])
    await producer.stop()


async def test_every_codec_is_read(spine: Spine) -> None:
    spine.start()
    for n, codec in enumerate(CODECS):
        await send(spine, codec, range(10 * n, 10 * n + 10))
    await spine.drained(40)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(40)})


async def test_a_reader_without_the_codec_is_unhealthy_and_loses_nothing(spine: Spine, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "cramjam.py").write_text("raise ImportError\n")
    poor = spine.start(PYTHONPATH=str(without), FENGQIAO_STALLED_AFTER_S="2")
    await send(spine, "gzip", range(5))  # of the standard library
    await spine.drained(5)
    await send(spine, "zstd", range(5, 10))

    async def unhealthy() -> bool:
        health = await spine.health()
        return health["code"] == 503 and any("not moving" in reason for reason in health["reasons"])

    await until(unhealthy, what="an unhealthy reader")
    assert await read_all(spine.stack.kafka, spine.dlq) == []
    poor.kill()
    poor.wait()
    spine.start()
    await spine.drained(10)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(10)})
