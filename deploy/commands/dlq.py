"""`fengqiao dlq …`: look at dead letters, and send them again once their cause is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.kafka.topics import declared
from shared.observe import mask
from shared.settings import ServiceSettings

app = typer.Typer(help="Dead letters: records that could not be processed.", no_args_is_help=True)
TopicOption = Annotated[str | None, typer.Option("--topic", help="only this dead-letter topic")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="only this reason")]


def _headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


async def _letters(settings: ServiceSettings, topic: str | None) -> AsyncIterator[ConsumerRecord]:
    wanted = [t for t in declared(settings.prefix) if t.name.endswith(".dlq") and topic in (None, t.name)]
    if not wanted:
        raise typer.BadParameter("--topic is not a dead-letter topic; see deploy/kafka/topics.yaml")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        places = [TopicPartition(t.name, p) for t in wanted for p in range(t.partitions)]
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
    table = Table("dead letter", "reason", "from", "failed at", "bytes")
    found = asyncio.run(_collect(ServiceSettings(), topic, reason))
    for record in found:
        h = _headers(record)
        origin = f"{h.get('dlq-orig-topic')}[{h.get('dlq-orig-partition')}]@{h.get('dlq-orig-offset')}"
        place = f"{record.topic}@{record.offset}"
        table.add_row(place, h.get("dlq-reason"), origin, h.get("dlq-failed-at"), str(len(record.value or b"")))
    console = Console()
    console.print(table)
    console.print(f"{len(found)} dead letters")


@app.command("show")
def show(place: Annotated[str, typer.Argument(help="TOPIC@OFFSET as `dlq list` prints it")]) -> None:
    """Show one dead letter whole, with people's numbers masked."""
    topic, _, offset = place.rpartition("@")
    if not topic or not offset.isdigit():
        typer.echo("name it as TOPIC@OFFSET, as `fengqiao dlq list` prints it", err=True)
        raise typer.Exit(2)
    console = Console()
    for record in asyncio.run(_collect(ServiceSettings(), topic, None)):
        if record.offset == int(offset):
            for name, value in _headers(record).items():
                console.print(f"[bold]{name}[/]: {value}")
            console.print(mask((record.value or b"").decode(errors="backslashreplace")), markup=False)
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
    letters = asyncio.run(_collect(settings, topic, reason))
    if not send:
        Console().print(f"{len(letters)} dead letters would be sent again; add --send")
        return
    asyncio.run(_send(settings, letters, rate))
    Console().print(f"sent {len(letters)}")


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
