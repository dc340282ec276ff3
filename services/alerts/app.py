"""The alerts service put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.alerts.console.board import Board
from services.alerts.console.look import LOOK
from services.alerts.console.mount import mount
from services.alerts.console.remote import Remote
from services.alerts.console.system import System
from services.alerts.console.visitor import Console
from services.alerts.consumers import FindingProcessor, FlagProcessor
from services.alerts.contract import PRODUCES
from services.alerts.courier import Courier
from services.alerts.handlers import Desk
from services.alerts.http import routes
from services.alerts.http_documents import document_routes
from services.alerts.http_more import more_routes
from services.alerts.policy import load_escalations, load_plans
from services.alerts.settings import Settings
from services.alerts.store import INDEXES, RETIRED, MongoStore
from services.alerts.stream import Hub
from services.alerts.timing import fire_due
from shared import web
from shared.access import Access
from shared.audit_http import audit_routes
from shared.directory import directory
from shared.events import FINDINGS, FLAGS
from shared.service import Service
from shared.signin import sign_in_routes

TIMER_S = 0.5
COURIER_S = 0.5
SILENT_S = 10
"""a broker that has not answered for so long is away, and the console says so"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application. Connects to nothing before it is started."""
    settings = settings or Settings()
    service = Service("alerts", settings, title="Fengqiao alerts 预警", produces=PRODUCES)
    units = directory()
    escalations = load_escalations(settings.escalation)
    store = MongoStore(service.mongo, units, prefix=settings.prefix)
    desk = Desk(store, escalations.policies, load_plans(settings.plans), units, service.clock)
    access = Access.of(settings, service.clock, units)
    hub = Hub(store, queue=settings.stream_queue)

    service.indexes(INDEXES, RETIRED)
    service.consume(FLAGS, FlagProcessor(store, escalations.policies))
    service.consume(FINDINGS, FindingProcessor(store, escalations.policies))
    service.mongo.on_commit(hub.wake)
    service.on_start(hub.start)
    board = Board(desk, hub, lambda: service.troubles() or (["kafka"] if service.silent_s() > SILENT_S else []))
    service.on_start(board.start)
    service.on_stop(board.stop)
    service.on_stop(hub.stop)

    async def timers() -> None:
        await fire_due(desk)

    # every instance fires timers: each fires once because its transaction ends it, and none waits for a lease to pass on
    service.every("timers", TIMER_S, timers, leased=False)

    hosts = [host.strip() for host in settings.webhook_hosts.split(",") if host.strip()]
    courier = Courier(store, escalations.receivers, units, service.clock, secrets=settings.secrets, allowed_hosts=hosts)
    service.every("courier", COURIER_S, courier.deliver_due, leased=False)

    web.install(service.app, look=LOOK)
    service.app.include_router(routes(desk, access, hub, stream_life_s=settings.stream_life_s))
    service.app.include_router(more_routes(desk, access))
    service.app.include_router(document_routes(desk, access, escalations.reports))
    service.app.include_router(audit_routes(access, service.mongo))
    service.app.include_router(sign_in_routes(access, secrets_folder=settings.secrets))
    remote = Remote(access, settings.intake_url, settings.screening_url)
    others = {
        "intake": settings.intake_url,
        "screening": settings.screening_url,
        "assessment": settings.assessment_url,
    }
    system = System(service.health, others)
    console = Console(desk, access, board, remote, escalations.reports, settings.geojson, escalations.names, system)
    mount(service.app, console)
    service.app.state.desk = desk
    service.app.state.access = access
    service.app.state.hub = hub
    return service.app
