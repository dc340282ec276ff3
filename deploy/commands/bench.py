"""`fengqiao bench …`: measures, prints a table, writes JSON. Each benchmark is a module of `deploy/bench`."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.servers import OnTheseServers, agree, announce

app = typer.Typer(help="Measure, print a table, write JSON.", no_args_is_help=True)
Json = Annotated[Path | None, typer.Option("--json", help="also write the figures to this file")]


def _writes(name: str, on_these_servers: bool) -> None:
    agree(f"bench {name}", on_these_servers)
    announce()


@app.command("consumer")
def consumer(
    events: Annotated[int, typer.Option(min=1_000)] = 200_000,
    matters: Annotated[int, typer.Option(min=1)] = 5_000,
    runs: Annotated[int, typer.Option(min=1)] = 3,
    on_these_servers: OnTheseServers = False,
    json: Json = None,
) -> None:
    """One consumer alone over many events, beside the raw limit of decoding and inserting them."""
    _writes("consumer", on_these_servers)
    from deploy.bench.consumer import bench

    bench(events, matters, runs, json)


@app.command("pipeline")
def pipeline(
    events: Annotated[int, typer.Option(min=100)] = 20_000,
    rate: Annotated[float, typer.Option(min=1, help="petitions a second for the latency")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="how long that rate is kept")] = 60,
    on_these_servers: OnTheseServers = False,
    json: Json = None,
) -> None:
    """Outbox to Kafka to all services, events/s and CPU; and petition to stream, p50, p95, p99."""
    _writes("pipeline", on_these_servers)
    from deploy.bench.pipeline import bench

    bench(events, rate, seconds, json)


@app.command("screen")
def screen(
    rate: Annotated[float, typer.Option(min=1, help="petitions a second")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="how long that rate is kept")] = 30,
    on_these_servers: OnTheseServers = False,
    json: Json = None,
) -> None:
    """Petition to the painted frame of a real browser, p50, p95, p99, beside the stream; needs a Chromium."""
    _writes("screen", on_these_servers)
    from deploy.bench.chromium import BrowserMissingError
    from deploy.bench.screen import bench

    try:
        met = bench(rate, seconds, json)
    except BrowserMissingError as error:
        typer.echo(f"cannot measure the screen: {error}", err=True)
        raise typer.Exit(2) from None
    if not met:
        raise typer.Exit(1)


@app.command("chaos")
def chaos(
    events: Annotated[int, typer.Option(min=100)] = 20_000,
    kills: Annotated[int, typer.Option(min=1)] = 24,
    seed: Annotated[int, typer.Option()] = 1,
    on_these_servers: OnTheseServers = False,
    json: Json = None,
) -> None:
    """Petitions under load while services, broker and mongod are killed: nothing lost, nothing doubled."""
    _writes("chaos", on_these_servers)
    from deploy.bench.chaos import bench

    if not bench(events, kills, seed, json):
        raise typer.Exit(1)


@app.command("linking")
def linking(
    sizes: Annotated[list[int] | None, typer.Option("--live", min=100, help="live messages; repeat it")] = None,
    adds: Annotated[int, typer.Option(min=10, help="messages measured at each size")] = 2_000,
    queries: Annotated[int, typer.Option(min=1, help="questions to brute-force cosine")] = 100,
    json: Json = None,
) -> None:
    """Petitions linked a second against 1 k, 10 k, 100 k live ones, beside brute-force cosine; memory; agreement."""
    from deploy.bench.linking import bench

    bench(sizes or [1_000, 10_000, 100_000], adds, queries, json)


@app.command("stream")
def stream(
    clients: Annotated[int, typer.Option(min=1, max=12_000, help="stream clients")] = 1_000,
    idle: Annotated[bool, typer.Option("--idle", help="they only listen, and one more never reads; no storm")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="with --idle: how long nothing happens")] = 30,
    on_these_servers: OnTheseServers = False,
    json: Json = None,
) -> None:
    """One warning to a thousand listeners, and a thousand reconnecting within ten seconds without a gap."""
    _writes("stream", on_these_servers)
    from deploy.bench.stream import bench, bench_idle

    if not (bench_idle(clients, seconds, json) if idle else bench(clients, json)):
        raise typer.Exit(1)


@app.command("backtest")
def backtest(
    counties: Annotated[int, typer.Option(min=1)] = 8,
    per_day: Annotated[float, typer.Option(min=1, help="petitions a day in each county")] = 60,
    days: Annotated[float, typer.Option(min=1, max=3660)] = 365,
    json: Json = None,
) -> None:
    """Linking and rules over a year of a made-up city, county by county, without Kafka and MongoDB."""
    from deploy.bench.backtest import bench

    bench(counties, per_day, days, json)
