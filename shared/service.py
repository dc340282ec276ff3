"""One shape for the four services: HTTP, consumers, outbox relay, tickers, health, metrics, contracts.

Nothing connects when a service is composed. Its start waits neither for Kafka nor for MongoDB: it comes up, says in
`/health` what it lacks, and goes on when that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from faststream.kafka import KafkaBroker
from faststream.specification.asyncapi import AsyncAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import attempts, lease, outbox, progress, sockets
from shared.bus import Processor
from shared.clock import Clock, SystemClock
from shared.consumer import BatchConsumer
from shared.events import EVENT_TYPES
from shared.lease import Lease, LeaseLostError
from shared.mongo import IndexModel, Mongo, Unavailable
from shared.observe import Metrics, configure_logging
from shared.observed import Observed
from shared.partitions import Identity
from shared.relay import Relay
from shared.settings import ServiceSettings

WATCHDOG_S: Final = 35
PUBLISH_STALLED_S: Final = 60

Work = Callable[[], Awaitable[None]]
SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
log = structlog.get_logger(__name__)


class Service:
    """A service under composition: `app.py` adds routes, consumers and tickers, and hands out `.app`."""

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        title: str,
        produces: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.instance = settings.instance or f"{name}-0"
        self.log = log
        configure_logging(name, settings.log_level)
        self.metrics = Metrics(name)
        database = f"{settings.prefix.replace('.', '_')}fengqiao_{name}"
        self.mongo = Mongo(settings.mongo, database, app_name=f"{settings.prefix}{self.instance}")
        self.broker = KafkaBroker(
            settings.kafka,
            client_id=f"fengqiao.{self.instance}",
            enable_idempotence=settings.idempotent,
            acks="all",
            allow_auto_create_topics=False,
            graceful_timeout=10,
            logger=None,
        )
        self._title = title
        self._produces = tuple(produces)
        self._consumers: list[BatchConsumer] = []
        self._tickers: list[tuple[str, float, Work, bool]] = []
        self._starts: list[Work] = []
        self._stops: list[Work] = []
        self._warnings: list[Callable[[], str | None]] = []
        self._indexes: dict[str, list[IndexModel]] = {}
        self._retired: dict[str, tuple[str, ...]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = False
        self._began = time.monotonic()
        self._ready = False
        self.relay = Relay(
            self.mongo,
            bootstrap=settings.kafka,
            idempotent=settings.idempotent,
            owner=self.instance,
            clock=self.clock,
            published=self.metrics.published,
            stalled_s=self.metrics.outbox_stalled,
        )
        self.indexes({**outbox.INDEXES, progress.COLLECTION: [], lease.COLLECTION: [], **attempts.INDEXES})
        self.app = FastAPI(title=title, version="1", lifespan=self._lifespan, docs_url=None, redoc_url=None)
        self.app.add_middleware(Observed, service=name, metrics=self.metrics, log=log)
        self.app.add_api_route("/health", self._health, methods=["GET"], include_in_schema=False)
        self.app.add_api_route("/metrics", self._metrics, methods=["GET"], include_in_schema=False)
        self.app.add_api_route("/asyncapi.json", self._asyncapi, methods=["GET"], include_in_schema=False)

    # -- composition --------------------------------------------------------------------------------------------------

    def consume(self, topic: str, processor: Processor, group: str | None = None) -> None:
        """Consume `topic` with `processor`; the group is the service's name unless told otherwise."""
        who = Identity(
            self.name, self.instance, self.settings.prefix + topic, self.settings.prefix + (group or self.name)
        )
        consumer = BatchConsumer(who, processor, self.mongo, self.settings, self.clock, self.metrics)
        consumer.register(self.broker)
        self._consumers.append(consumer)

    def every(self, name: str, seconds: float, work: Work, *, leased: bool = True) -> None:
        """Run `work` every `seconds`; with a lease only one of several instances does, and the next when it ends."""
        self._tickers.append((name, seconds, work, leased))

    def indexes(
        self, indexes: Mapping[str, Sequence[IndexModel]], retired: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Declare collections and their indexes, made at start where missing, and names of those that are no longer wanted."""
        self._retired |= retired or {}
        for collection, models in indexes.items():
            self._indexes.setdefault(collection, []).extend(models)

    def warn(self, trouble: Callable[[], str | None]) -> None:
        """Ask this for what is wrong though the work goes on: `/health` says it, and stays 200, for a restart mends nothing."""
        self._warnings.append(trouble)

    def on_start(self, work: Work) -> None:
        """Run this once the database answers."""
        self._starts.append(work)

    def on_stop(self, work: Work) -> None:
        """Run this first at shutdown."""
        self._stops.append(work)

    # -- life ---------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self._spawn("start", self._bring_up())
        log.info("starting", instance=self.instance, port=self.settings.port)
        try:
            yield
        finally:
            for stop in self._stops:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(stop(), 5)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._connected:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self.broker.stop(), 10)
            await self.mongo.close()
            log.info("stopped", instance=self.instance)

    def _spawn(self, name: str, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=f"{self.name}.{name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A background task that fails for a reason nobody foresaw ends the process: better restarted than half alive."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("task_failed", task=task.get_name(), error=type(error).__name__, exc_info=error)
            os.kill(os.getpid(), signal.SIGTERM)

    async def _bring_up(self) -> None:
        await self._until_there("mongo", self._prepare_store)
        for work in self._starts:
            await self._until_there("start", work)
        self._spawn("relay", self.relay.run())
        for name, seconds, tick, leased in self._tickers:
            self._spawn(f"every.{name}", self._tick(name, seconds, tick, leased=leased))
        if self._consumers:
            await self._until_there("kafka", self._start_broker)
            for consumer in self._consumers:
                self._spawn(f"consume.{consumer.who.topic}", consumer.run())
        self._ready = True
        log.info("ready", instance=self.instance)

    async def _prepare_store(self) -> None:
        ended = await self.mongo.end_orphans()
        if ended:
            log.warning("orphans_ended", count=ended)
        await self.mongo.ensure_indexes(self._indexes, self._retired)

    async def _start_broker(self) -> None:
        try:
            await self.broker.start()
        except BaseException:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.broker.stop(), 5)
            raise
        self._connected = True

    async def _until_there(self, what: str, call: Work) -> None:
        wait = 0.2
        while True:
            try:
                await call()
                return
            except Exception as error:
                log.warning("waiting_for", what=what, error=type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(5.0, wait * 1.7)

    async def _tick(self, name: str, seconds: float, work: Work, *, leased: bool) -> None:
        held = Lease(self.mongo, f"every.{name}", self.instance)
        try:
            while True:
                try:
                    if not leased:
                        await work()
                    elif await held.keep():
                        await held.during(work)
                    else:
                        await asyncio.sleep(1)
                        continue
                except Exception as error:
                    log.warning("tick_failed", ticker=name, error=type(error).__name__, exc_info=not _away(error))
                    await asyncio.sleep(1)
                await asyncio.sleep(seconds)
        finally:
            if leased:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(held.release(), 2)

    # -- what every service answers -----------------------------------------------------------------------------------

    def troubles(self) -> list[str]:
        """What keeps this process's consumers from their work; empty while they work or wait for news."""
        return [trouble for consumer in self._consumers if (trouble := consumer.trouble())]

    def silent_s(self) -> float:
        """Seconds since Kafka last answered a consumer, or since the start while it has not answered at all."""
        if not self._connected:
            return time.monotonic() - self._began
        return max((silent for consumer in self._consumers if (silent := consumer.silent_s()) is not None), default=0.0)

    async def health(self) -> dict[str, Any]:
        """How it is: `status`, the reasons where that is not `healthy`, warnings that change nothing, and its lag by topic."""
        reasons: list[str] = [] if self._ready else ["starting"]
        try:
            await asyncio.wait_for(self.mongo.ping(), 2)
        except (Unavailable, TimeoutError):
            reasons.append("mongo does not answer")
        reasons.extend(self.troubles())
        still_s = self.metrics.outbox_stalled._value.get()
        if self.relay.reachable and still_s > PUBLISH_STALLED_S:
            reasons.append(f"outbox: nothing was published for {still_s:.0f} s though rows wait and Kafka answers")
        return {
            "service": self.name,
            "instance": self.instance,
            "status": "unhealthy" if reasons else "healthy",
            "reasons": reasons,
            "warnings": [told for trouble in self._warnings if (told := trouble())],
            "lag": {c.who.topic: sum(c.lag().values()) for c in self._consumers},
        }

    async def _health(self) -> JSONResponse:
        """200 while it does its work, 503 with the reasons when it does not."""
        body = await self.health()
        return JSONResponse(body, status_code=503 if body["reasons"] else 200)

    async def _metrics(self) -> Response:
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _asyncapi(self) -> Response:
        """The AsyncAPI document: what this service reads (from its subscribers) and writes (from the contracts)."""
        document = AsyncAPI(
            self.broker, title=self._title, version="1", description="CloudEvents 1.0, structured mode"
        ).to_specification()
        raw = document.to_jsonable()
        for event_type in self._produces:
            model = EVENT_TYPES[event_type]
            channel = raw["channels"].setdefault(model.topic_name, {"address": model.topic_name, "messages": {}})
            channel["messages"][model.__name__] = {
                "name": event_type,
                "contentType": "application/cloudevents+json",
                "payload": model.model_json_schema(),
            }
            raw["operations"][f"send.{event_type}"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{model.topic_name}"},
                "messages": [{"$ref": f"#/channels/{model.topic_name}/messages/{model.__name__}"}],
            }
        return JSONResponse(raw)


def _away(error: Exception) -> bool:
    return isinstance(error, Unavailable | LeaseLostError)


def run(create_app: Callable[[SettingsT], FastAPI], settings_class: type[SettingsT]) -> None:
    """Run a service in this process until SIGTERM; a shutdown that hangs is ended after 35 s."""
    settings = settings_class()

    def watch(*_: Any) -> None:
        timer = threading.Timer(WATCHDOG_S, os._exit, args=(70,))
        timer.daemon = True
        timer.start()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            watch()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        lambda: create_app(settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=15,
        limit_concurrency=settings.connections,
        server_header=False,
        proxy_headers=False,  # whose X-Forwarded-For is believed is a setting of the service, not of the server
        http=sockets.BoundedHttp,
        loop="uvloop",
        ws=sockets.BoundedWebSocket,
        ws_max_size=sockets.WS_MESSAGE,
        ws_ping_interval=sockets.WS_PING_S,
        ws_ping_timeout=sockets.WS_PING_S,
    )
    sockets.more_files()
    Server(config).run([sockets.listening(config, settings.unread_s)])
