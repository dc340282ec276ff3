"""The assessment's composition root."""

from __future__ import annotations

from fastapi import FastAPI

from services.assessment.consumers import PetitionEvents
from services.assessment.http import add_routes
from services.assessment.pages.routes import LOOK, add_pages
from services.assessment.policy import load_rules
from services.assessment.reading import Reading
from services.assessment.settings import Settings
from services.assessment.store import INDEXES, RETIRED, MongoStore
from services.assessment.ticker import Ticker
from shared.access import Access
from shared.directory import directory
from shared.events import EVENT_TYPES, FINDINGS, PETITIONS
from shared.icon import icon_routes
from shared.service import Service
from shared.signin import sign_in_routes
from shared.web import install


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service; nothing connects yet."""
    settings = settings or Settings()
    produced = [name for name, model in EVENT_TYPES.items() if model.topic_name == FINDINGS]
    service = Service("assessment", settings, title="Fengqiao assessment 督办考核", produces=produced)
    store = MongoStore(service.mongo, prefix=settings.prefix)
    reading = Reading(store, service.clock, directory())
    access = Access.of(settings, service.clock)
    service.indexes(INDEXES, RETIRED)
    service.consume(PETITIONS, PetitionEvents(store, load_rules(settings.clocks)))
    service.every("deadlines", settings.tick_s, Ticker(service.mongo, store, service.clock))
    install(service.app, look=LOOK)
    add_routes(service.app, reading, access)
    add_pages(service.app, reading, access)
    service.app.include_router(icon_routes())
    service.app.include_router(sign_in_routes(access, secrets_folder=settings.secrets))
    return service.app
