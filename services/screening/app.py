"""The screening service's composition root."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from services.screening import consumers
from services.screening.domain.warming import warm_up
from services.screening.handlers import Desk
from services.screening.http import add_routes
from services.screening.pipeline import Screening
from services.screening.policyfile import PolicyWatch
from services.screening.settings import Settings
from services.screening.store import INDEXES, MongoStore
from shared.access import Access
from shared.audit_http import audit_routes
from shared.directory import directory
from shared.events import EVENT_TYPES, FINDINGS, FLAGS, PETITIONS, WARNINGS
from shared.service import Service
from shared.web import install


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service; nothing connects yet. A policy that cannot be read stops it here, with file and line."""
    settings = settings or Settings()
    watch = PolicyWatch(settings.policy)
    produced = [name for name, model in EVENT_TYPES.items() if model.topic_name == FLAGS]
    service = Service("screening", settings, title="Fengqiao screening 预警筛查", produces=produced)
    store = MongoStore(service.mongo, prefix=settings.prefix)
    screening = Screening(store, lambda: watch.policies, service.clock)
    service.indexes(INDEXES)
    service.consume(PETITIONS, consumers.Petitions(screening))
    service.consume(FINDINGS, consumers.findings(store))
    service.consume(WARNINGS, consumers.warnings(store))

    async def look_at_policy() -> None:
        if watch.poll() is not None:
            service.log.info("policy_reloaded", versions=[policy.name for policy in watch.policies.all])
        elif watch.error is not None:
            service.log.error("policy_refused", error=watch.error, in_force=watch.policies.at(service.clock.now()).name)

    async def warm() -> None:
        await asyncio.to_thread(warm_up, watch.policies)

    service.on_start(warm)
    service.every("policy", settings.policy_poll_s, look_at_policy, leased=False)
    service.every("tick", settings.tick_s, screening.tick, leased=False)
    install(service.app)
    desk = Desk(store, screening, lambda: watch.policies, service.clock)
    access = Access.of(settings, service.clock, directory())
    add_routes(service.app, desk, access, settings.rate_similar)
    service.app.include_router(audit_routes(access, service.mongo))
    return service.app
