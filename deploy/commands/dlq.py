"""`fengqiao dlq …`: look at dead letters, and send them again once their cause is mended."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from typing import Annotated, Final

import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from rich.console import Console
from rich.progress import track

from deploy.commands.lines import columns
from deploy.commands.partitions import partitions
from deploy.kafka.topics import declared
from shared.observe import mask
from shared.settings import ServiceSettings

app = typer.Typer(help="Dead letters: records that could not be processed.", no_args_is_help=True)
TopicOption = Annotated[str | None, typer.Option("--topic", help="only this dead-letter topic")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="only this reason")]
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TRACE: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NONE: Final = "–"


def _headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def _readable(raw: bytes) -> str:
    """Bytes as they may be printed: people's numbers masked, what is no text or steers a terminal escaped.

    Masked first: the digits of an escape would hide where a number begins.
    """
    text = mask(raw.decode(errors="surrogateescape")).encode(errors="surrogateescape").decode(errors="backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _header_line(name: str, value: str) -> str:
    # `dlq-…` is written by the services. The rest came with the record, and anything may stand there.
    if not name.startswith("dlq-"):
        name = _readable(name.encode())
        if value.startswith("base64:"):
            try:
                value = "base64, decoded: " + _readable(base64.b64decode(value.removeprefix("base64:"), validate=True))
            except ValueError:
                value = _readable(value.encode())
        elif not _TRACE.fullmatch(value):
            value = _readable(value.encode())
    return f"{typer.style(name, bold=True)}: {value}"


async def _letters(settings: ServiceSettings, topic: str | None) -> AsyncIterator[ConsumerRecord]:
    wanted = [t for t in declared(settings.prefix) if t.name.endswith(".dlq") and topic in (None, t.name)]
    if not wanted:
        raise typer.BadParameter(
            f"{topic} is not a dead-letter topic; they are TOPIC.GROUP.dlq of deploy/kafka/topics.yaml"
        )
    there = await partitions(settings.kafka, [t.name for t in wanted])
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        places = [TopicPartition(name, p) for name, numbers in there.items() for p in numbers]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            begin = (await consumer.beginning_offsets([place]))[place]
            consumer.seek(place, begin)
            while begin < ends[place]:
                record = await consumer.getone(place)
                begin = record.offset + 1
                yield record
    finally:
        await consumer.stop()


async def _collect(settings: ServiceSettings, topic: str | None, reason: str | None) -> list[ConsumerRecord]:
    return [r async for r in _letters(settings, topic) if reason is None or _headers(r).get("dlq-reason") == reason]


@app.command("list")
def list_letters(topic: TopicOption = None, reason: ReasonOption = None) -> None:
    """List dead letters: where they are, where they came from, why."""
    found = asyncio.run(_collect(ServiceSettings(), topic, reason))
    rows = []
    for record in found:
        h = _headers(record)
        origin = f"{h.get('dlq-orig-topic')}[{h.get('dlq-orig-partition')}]@{h.get('dlq-orig-offset')}"
        known = [h.get(name) or _NONE for name in ("dlq-reason", "dlq-failed-at")]
        rows.append((f"{record.topic}@{record.offset}", known[0], origin, known[1], str(len(record.value or b""))))
    typer.echo(columns(("dead letter", "reason", "from", "failed at", "bytes"), rows))
    typer.echo(f"{len(found)} dead letters")


@app.command("show")
def show(place: Annotated[str, typer.Argument(help="TOPIC@OFFSET as `dlq list` prints it")]) -> None:
    """Show one dead letter whole, with people's numbers masked."""
    topic, _, offset = place.rpartition("@")
    if not topic or not (offset.isascii() and offset.isdigit()):
        typer.echo("name it as TOPIC@OFFSET, as `fengqiao dlq list` prints it", err=True)
        raise typer.Exit(2)
    for record in asyncio.run(_collect(ServiceSettings(), topic, None)):
        if record.offset == int(offset):
            for name, value in _headers(record).items():
                typer.echo(_header_line(name, value))
            typer.echo(_readable(record.value or b""))
            return
    typer.echo("there is no such dead letter", err=True)
    raise typer.Exit(1)


@app.command("replay")
def replay(
    topic: TopicOption = None,
    reason: ReasonOption = None,
    rate: Annotated[float, typer.Option(min=0.1, help="records a second")] = 50,
    send: Annotated[
        bool, typer.Option("--send", help="really send; without it only what would be sent is shown")
    ] = False,
) -> None:
    """Send dead letters to the topic they came from. A dry run unless --send; doing it twice has one effect."""
    settings = ServiceSettings()
    found = asyncio.run(_collect(settings, topic, reason))
    letters = [record for record in found if "dlq-orig-topic" in _headers(record)]
    if send:
        asyncio.run(_send(settings, letters, rate))
        Console().print(f"sent {len(letters)}")
    else:
        Console().print(f"{len(letters)} dead letters would be sent again; add --send")
    if foreign := len(found) - len(letters):
        typer.echo(
            f"{foreign} left where they are: they do not say which topic they came from (dlq-orig-topic)", err=True
        )
        raise typer.Exit(1)


async def _send(settings: ServiceSettings, letters: list[ConsumerRecord], rate: float) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", enable_idempotence=settings.idempotent)
    await producer.start()
    try:
        for record in track(letters, description="sending"):
            h = _headers(record)
            headers = [("dlq-replayed-from", f"{record.topic}@{record.offset}".encode())]
            if "traceparent" in h:
                headers.append(("traceparent", h["traceparent"].encode()))
            value = None if "dlq-value-null" in h else record.value
            await producer.send_and_wait(h["dlq-orig-topic"], value=value, key=record.key, headers=headers)
            await asyncio.sleep(1 / rate)
    finally:
        await producer.stop()
