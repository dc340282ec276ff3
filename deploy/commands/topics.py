"""`fengqiao topics …`: the declared topics, applied to a cluster."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from deploy.kafka import topics as declaration
from deploy.kafka.topics import apply_topics
from shared.settings import ServiceSettings

__all__ = ["app", "apply_topics"]

app = typer.Typer(help="Create the declared topics.", no_args_is_help=True)


@app.command("apply")
def apply(
    kafka: Annotated[str | None, typer.Option(help="bootstrap servers; default FENGQIAO_KAFKA")] = None,
    replication: Annotated[int | None, typer.Option(min=1, help="copies of each partition")] = None,
) -> None:
    """Create the topics that are missing; refuse what would break the order of keys."""
    bootstrap = kafka or ServiceSettings().kafka
    try:
        created = apply_topics(bootstrap, replication=replication)
    except declaration.TopicError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    console = Console()
    for name in created:
        console.print(f"created {name}")
    console.print(f"{len(declaration.declared()) - len(created)} topics were there already")
