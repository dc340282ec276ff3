"""`fengqiao bench …`: measures, prints a table, writes JSON. Each benchmark is a module of `deploy/bench`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure, print a table, write JSON.", no_args_is_help=True)
Json = Annotated[Path | None, typer.Option("--json", help="also write the figures to this file")]


@app.command("consumer")
def consumer(
    events: Annotated[int, typer.Option(min=1_000)] = 200_000,
    matters: Annotated[int, typer.Option(min=1)] = 5_000,
    runs: Annotated[int, typer.Option(min=1)] = 3,
    json: Json = None,
) -> None:
    """One consumer alone over many events, beside the raw limit of decoding and inserting them."""
    from deploy.bench.consumer import bench

    bench(events, matters, runs, json)
