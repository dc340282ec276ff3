"""`fengqiao progress …`: where each group stands, and a human's decision about where it goes on."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.commands.lines import columns
from deploy.commands.partitions import partitions
from deploy.kafka.topics import read_declaration
from shared import progress as store
from shared.clock import SystemClock
from shared.mongo import Mongo
from shared.settings import ServiceSettings

app = typer.Typer(help="Where each consumer group stands.", no_args_is_help=True)
SERVICES = ("screening", "alerts", "assessment")


def _mongo(settings: ServiceSettings, service: str) -> Mongo:
    return Mongo(settings.mongo, f"{settings.prefix.replace('.', '_')}fengqiao_{service}", app_name="fengqiao-progress")


@app.command("show")
def show() -> None:
    """Print the stored offset of every group and partition."""
    settings = ServiceSettings()

    async def rows() -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for service in SERVICES:
            mongo = _mongo(settings, service)
            async for row in mongo[store.COLLECTION].find().sort("_id", 1):
                owner = row.get("owner") or "–"  # none where a human decided before any process claimed it
                place = (row["topic"], str(row["partition"]), str(row["next"]), str(row["epoch"]))
                found.append((service, *place, owner))
            await mongo.close()
        return found

    typer.echo(columns(("service", "topic", "partition", "next offset", "epoch", "owner"), asyncio.run(rows())))


@app.command("set")
def set_offset(
    service: Annotated[str, typer.Option(help="screening, alerts or assessment")],
    topic: Annotated[str, typer.Option()],
    partition: Annotated[int, typer.Option(min=0)],
    to: Annotated[str, typer.Option(help="earliest, latest or an offset")],
) -> None:
    """Decide where a group goes on after its offset was lost. Replaying is safe: effects hang on natural keys."""
    if service not in SERVICES:
        typer.echo(f"--service is one of {', '.join(SERVICES)}", err=True)
        raise typer.Exit(2)
    settings = ServiceSettings()
    read = [settings.prefix + row.name for row in read_declaration().topics if service in row.groups]
    if topic not in read:
        typer.echo(f"{service} does not read {topic}; it reads {', '.join(read)}", err=True)
        raise typer.Exit(2)

    async def decide() -> int:
        there = (await partitions(settings.kafka, [topic]))[topic]
        if partition not in there:
            typer.echo(f"{topic} has no partition {partition}; it has {there[0]} to {there[-1]}", err=True)
            raise typer.Exit(2)
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
        await consumer.start()
        mongo = _mongo(settings, service)
        try:
            tp = TopicPartition(topic, partition)
            begin = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
            offset = {"earliest": begin, "latest": end}.get(to, int(to) if to.isascii() and to.isdigit() else -1)
            if not begin <= offset <= end:
                raise typer.BadParameter(f"--to is earliest ({begin}), latest ({end}) or an offset between them")
            await store.decide(
                mongo, topic, settings.prefix + service, partition, offset=offset, at=SystemClock().now()
            )
            return int(offset)
        finally:
            await consumer.stop()
            await mongo.close()

    offset = asyncio.run(decide())
    typer.echo(f"{topic}[{partition}] of {service} goes on at {offset}; restart the service")
