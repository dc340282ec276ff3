"""`fengqiao replay`: feed a file of real messages through the intake's HTTP interface."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import orjson
import stamina
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.credentials import credentials
from shared.messages import BadRow, Message, MessageFileError, kind_of, read_mapping, read_messages
from shared.yamlfile import ConfigError

READY: Final = Path(".fengqiao/ready.json")
COUNTY: Final = "379911"
SHOWN: Final = 20
PATIENCE_S: Final = 120.0
"""How long one message is tried again while the intake is away or busy."""


TOLD_EVERY_S: Final = 15.0


class BusyError(Exception):
    """The intake does not answer now, or asks to come back later."""


@dataclass
class Outcome:
    """What became of the rows of a file."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Rows that are settled one way or another."""
        return self.accepted + self.duplicates + len(self.rejected) + len(self.failed)


@dataclass(frozen=True)
class Pace:
    """How fast: `per_second` messages, or `factor` times the pace of the file's own times, or neither: as fast as it goes."""

    per_second: float | None = None
    factor: float | None = None

    @classmethod
    def parse(cls, text: str) -> Pace:
        """`max`, `50` (a second) or `3600x` (an hour of the file in a second); raises `ValueError`."""
        if text == "max":
            return cls()
        number = float(text.removesuffix("x"))
        if not number > 0:
            raise ValueError("a speed is above 0")
        return cls(factor=number) if text.endswith("x") else cls(per_second=number)

    def due(self, number: int, message: Message, first: Message) -> float:
        """Seconds after the start at which the message is sent."""
        if self.per_second:
            return number / self.per_second
        if self.factor:
            return max(0.0, (message.submitted_at - first.submitted_at).total_seconds() / self.factor)
        return 0.0


def request_of(message: Message, *, channel: str, jurisdiction: str, name: str) -> tuple[str, dict[str, Any]]:
    """Idempotency-Key and body of one message. The key follows from the file's name for it, so that twice is once."""
    body: dict[str, Any] = {
        "channel": channel,
        "jurisdiction": message.jurisdiction or jurisdiction,
        "title": message.title,
        "text": message.text,
        "submitted_at": message.submitted_at.isoformat(),
    }
    if message.petitioner:
        body["petitioner_ref"] = message.petitioner
    digest = hashlib.sha256(f"{name}\x1f{message.id}".encode()).hexdigest()
    return f"replay-{digest[:40]}", body


class Sender:
    """Sends messages with bounded concurrency: as many clients of one connection each, for httpx's pool is slow when large."""

    def __init__(self, clients: Sequence[httpx.AsyncClient], outcome: Outcome, told: Callable[[], None]) -> None:
        self._free = list(clients)
        self._outcome = outcome
        self._told = told

    async def send(self, row: int, key: str, body: dict[str, Any]) -> None:
        """Send one message, again and again while the intake is away, and book what became of it."""
        content = orjson.dumps(body)
        headers = {"content-type": "application/json", "idempotency-key": key}
        client = self._free.pop()
        try:
            answer = await self._answer(client, content, headers)
        except (BusyError, httpx.TransportError) as error:
            self._outcome.failed.append((row, type(error).__name__))
        else:
            self._book(row, answer)
        finally:
            self._free.append(client)
        self._told()

    async def _answer(self, client: httpx.AsyncClient, content: bytes, headers: dict[str, str]) -> httpx.Response:
        retries = stamina.retry_context(
            on=(httpx.TransportError, BusyError), attempts=None, timeout=PATIENCE_S, wait_initial=0.1, wait_max=3.0
        )
        async for attempt in retries:
            with attempt:
                answer = await client.post("/v1/petitions", content=content, headers=headers)
                if answer.status_code == 429 or answer.status_code >= 500:
                    raise BusyError(str(answer.status_code))
        return answer

    def _book(self, row: int, answer: httpx.Response) -> None:
        if answer.status_code == 201:
            if "idempotent-replayed" in answer.headers:
                self._outcome.duplicates += 1
            else:
                self._outcome.accepted += 1
            return
        try:
            problem = answer.json()
            self._outcome.rejected.append((row, str(problem["code"]), str(problem["detail"])))
        except (ValueError, KeyError):
            self._outcome.rejected.append((row, f"http-{answer.status_code}", "the answer is no problem document"))


async def feed(
    rows: Iterable[Message | BadRow],
    send: Callable[[int, Message], Awaitable[None]],
    outcome: Outcome,
    pace: Pace,
    concurrency: int,
) -> None:
    """Send every good row at its time; at most `concurrency` are under way. Bad rows are booked as rejected."""
    slots = asyncio.Semaphore(concurrency)
    started = time.monotonic()
    first: Message | None = None
    number = 0

    async def one(row: int, message: Message) -> None:
        try:
            await send(row, message)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        for row in rows:
            if isinstance(row, BadRow):
                outcome.rejected.append((row.row, row.code, row.detail))
                continue
            first = first or row
            wait = pace.due(number, row, first) - (time.monotonic() - started)
            if wait > 0:
                await asyncio.sleep(wait)
            await slots.acquire()
            tasks.create_task(one(row.row, row))
            number += 1
    outcome.seconds = time.monotonic() - started


def waiting(console: Console, base_url: str) -> stamina.instrumentation.RetryHook:
    """Says now and then that requests are sent again, instead of once for each."""
    last = -TOLD_EVERY_S

    def hook(details: stamina.instrumentation.RetryDetails) -> None:
        nonlocal last
        if time.monotonic() - last >= TOLD_EVERY_S:
            last = time.monotonic()
            told = f"the intake at {base_url} does not answer or is busy: each message is tried for {PATIENCE_S:.0f} s"
            console.print(told, markup=False)

    return hook


def address_of(url: str, ready_file: Path) -> str:
    """Where the intake is: told, or of the stack that runs here, or `FENGQIAO_INTAKE_URL`."""
    if url:
        return url
    if ready_file.exists():
        return str(json.loads(ready_file.read_text(encoding="utf-8"))["intake"])
    return os.environ.get("FENGQIAO_INTAKE_URL", "")


async def run(
    rows: Iterable[Message | BadRow],
    base_url: str,
    *,
    pace: Pace,
    channel: str,
    jurisdiction: str,
    name: str,
    concurrency: int,
    told: Callable[[Outcome], None],
    auth: httpx.Auth | None = None,
) -> Outcome:
    """Replay rows against one intake."""
    outcome = Outcome()
    trust = httpx.create_ssl_context()
    async with contextlib.AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(
                httpx.AsyncClient(base_url=base_url, verify=trust, timeout=30.0, auth=auth)
            )
            for _ in range(concurrency)
        ]
        sender = Sender(clients, outcome, lambda: told(outcome))

        async def send(row: int, message: Message) -> None:
            key, body = request_of(message, channel=channel, jurisdiction=jurisdiction, name=name)
            await sender.send(row, key, body)

        await feed(rows, send, outcome, pace, concurrency)
    return outcome


def in_time_order(rows: Iterable[Message | BadRow]) -> list[Message | BadRow]:
    """Messages as they came in, however the file is sorted: screening sees them in the order of life. Bad rows first."""
    found = list(rows)
    found.sort(key=lambda row: (isinstance(row, Message), row.submitted_at if isinstance(row, Message) else 0))
    return found


def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="messages: .jsonl, .csv or .xlsx")],
    speed: Annotated[
        str, typer.Option(help="max; or 50: messages a second; or 3600x: times the file's own pace")
    ] = "max",
    url: Annotated[str, typer.Option(help="base URL of the intake; default: the stack that runs here")] = "",
    jurisdiction: Annotated[str, typer.Option(help="county code for rows that name none")] = COUNTY,
    mapping: Annotated[Path | None, typer.Option(help="YAML file: our name: the file's name")] = None,
    channel: Annotated[str, typer.Option(help="channel the messages came by")] = "web_portal",
    ready_file: Annotated[Path, typer.Option(help="ready file of `fengqiao up`")] = READY,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="requests under way at once")] = 48,
    token: Annotated[
        str,
        typer.Option(
            envvar="FENGQIAO_TOKEN", show_envvar=True, help="bearer token of an account that may file by the channel"
        ),
    ] = "",
    channel_key: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="key file like the intake's CHANNEL_KEYS; the channel's key signs"
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="name of the source; the same name and row id are the same petition")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="end with 1 also where a row was rejected")] = False,
) -> None:
    """Feed a file of messages through the intake in the order of their time. Safe to run again: what is there stays."""
    console = Console(stderr=True, highlight=False)
    base_url = address_of(url, ready_file)
    if not base_url:
        console.print(f"no intake found: start `fengqiao up --ready-file {READY}`, or give --url")
        raise typer.Exit(2)
    if not base_url.startswith(("http://", "https://")):
        console.print("--url is an address such as http://127.0.0.1:8001")
        raise typer.Exit(2)
    try:
        pace = Pace.parse(speed)
    except ValueError:
        console.print(
            f"--speed {speed}: it is max, a number of messages a second, or a factor such as 3600x", markup=False
        )
        raise typer.Exit(2) from None
    try:
        auth = credentials(token, channel_key, channel)
    except ValueError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(2) from None
    try:
        names = read_mapping(mapping) if mapping else None
        kind_of(file.name)
        rows = in_time_order(read_messages(file, mapping=names))
    except (ValueError, ConfigError) as error:
        detail = error.detail if isinstance(error, MessageFileError) else str(error)
        console.print(f"{file.name}: {detail}", markup=False)
        raise typer.Exit(2) from None
    stamina.instrumentation.set_on_retry_hooks([waiting(console, base_url)])
    outcome = _replay(
        rows, file.name, auth, base_url, pace, channel, jurisdiction, name or file.stem, concurrency, console
    )
    Console(highlight=False).print(table(outcome))
    if outcome.failed or (strict and outcome.rejected):
        raise typer.Exit(1)
    if not outcome.accepted + outcome.duplicates:
        raise typer.Exit(2)


def _replay(
    rows: list[Message | BadRow],
    title: str,
    auth: httpx.Auth | None,
    base_url: str,
    pace: Pace,
    channel: str,
    jurisdiction: str,
    name: str,
    concurrency: int,
    console: Console,
) -> Outcome:
    columns = (SpinnerColumn(), TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=len(rows))
        return asyncio.run(
            run(
                rows,
                base_url,
                pace=pace,
                channel=channel,
                jurisdiction=jurisdiction,
                name=name,
                concurrency=concurrency,
                told=lambda outcome: progress.update(task, completed=outcome.done),
                auth=auth,
            )
        )


def table(outcome: Outcome) -> Table:
    """What became of the rows."""
    rate = outcome.done / outcome.seconds if outcome.seconds else 0.0
    shown = Table(title=f"{outcome.done} rows in {outcome.seconds:.1f} s ({rate:.0f} a second)", title_justify="left")
    for column in ("outcome", "rows", "which"):
        shown.add_column(column, justify="right" if column == "rows" else "left")
    shown.add_row("accepted", str(outcome.accepted), "")
    shown.add_row("duplicates", str(outcome.duplicates), "were there already")
    reasons = Counter(f"{code}: {detail}" for _, code, detail in outcome.rejected)
    for reason, count in reasons.most_common():
        where = [str(row) for row, code, detail in outcome.rejected if f"{code}: {detail}" == reason]
        shown.add_row(
            "rejected", str(count), f"{reason} (rows {', '.join(where[:SHOWN])}{'…' if count > SHOWN else ''})"
        )
    if outcome.failed:
        where = [str(row) for row, _ in outcome.failed[:SHOWN]]
        shown.add_row("no answer", str(len(outcome.failed)), f"run it again (rows {', '.join(where)})")
    return shown
