"""`fengqiao demo`: the system with a living district in it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from deploy.commands.servers import OnTheseServers, agree
from deploy.commands.up import Ending, Stopped, stopped_by_signals
from deploy.local.errors import LocalStackError
from deploy.local.supervise import Supervisor
from deploy.simulator.district import District, Filing
from deploy.simulator.live import View
from deploy.simulator.player import Player, warnings

LIVE_EVERY_S: Final = 6.0


def demo(
    state: Annotated[Path, typer.Option(help="data, logs and keys of the demo")] = Path(".fengqiao/demo"),
    days: Annotated[float, typer.Option(min=1, help="days of the district that are played")] = 60,
    seconds: Annotated[float, typer.Option(min=1, help="in how many seconds")] = 75,
    seed: Annotated[int, typer.Option(help="another seed, another district")] = 0,
    ready_file: Annotated[Path | None, typer.Option(help="as of `fengqiao up`")] = None,
    once: Annotated[bool, typer.Option("--once", help="end when the days are played")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="go on with the data of the demo before")] = False,
    on_these_servers: OnTheseServers = False,
) -> None:
    """Start everything, play sped-up days of a made-up district, name each warning as it comes."""
    agree("demo", on_these_servers)
    console = Console(highlight=False)
    file = ready_file or state / "ready.json"
    supervisor = Supervisor(state, ready_file=file, reuse=keep, say=lambda line: console.print(line, markup=False))
    try:
        with stopped_by_signals(supervisor) as ending, contextlib.suppress(Stopped), supervisor:
            asyncio.run(_show(console, supervisor.ready, ending, days, seconds, seed or int(time.time()), once=once))
    except LocalStackError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


async def _show(
    console: Console, ready: dict[str, Any], ending: Ending, days: float, seconds: float, seed: int, *, once: bool
) -> None:
    start = datetime.now(UTC) - timedelta(days=days)
    district = District(seed, start, days)
    player = Player(ready["intake"], ready["tokens"]["duty_officer"], start)
    addresses = {
        "指挥部 console   ": ready["alerts"],
        "受理 intake       ": ready["intake"],
        "考评 assessment   ": ready["assessment"],
    }
    with ending.cancelling(), View(console, addresses) as view:
        listener = asyncio.create_task(_listen(view, ready))
        try:
            await player.play(district, seconds=seconds, told=view.played)
            if not once:
                await _go_on(player, seed, view)
            await asyncio.sleep(2)  # the last warnings
        finally:
            listener.cancel()


async def _listen(view: View, ready: dict[str, Any]) -> None:
    async for event in warnings(ready["alerts"], ready["tokens"]["duty_officer"]):
        view.warn(event)


async def _go_on(player: Player, seed: int, view: View) -> None:
    """After the sped-up days, live: a petition now and then, dated now, until Ctrl-C."""
    draw = random.Random(seed)
    async with player.client() as client:
        n = 0
        while True:
            n += 1
            today = District(seed + n, datetime.now(UTC) - timedelta(hours=1), days=1, per_day=20)
            filing = next(today.filings())
            await player.send(client, Filing(datetime.now(UTC), f"live-{seed}-{n}", filing.body))
            player.tally.at = datetime.now(UTC)
            view.played(player.tally)
            await asyncio.sleep(draw.uniform(0.5, 1.5) * LIVE_EVERY_S)
