"""The intake's composition root."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from services.intake.channels import Channels
from services.intake.handlers import Intake, Keys
from services.intake.http import add_routes
from services.intake.http_imports import IMPORT_LIMIT, imports_router
from services.intake.pages.routes import LOOK, Pages, pages_router
from services.intake.ports import Proposal, Propose
from services.intake.settings import Settings
from services.intake.similar import ScreeningClient
from services.intake.store import INDEXES, MongoStore
from services.intake.throttle import Throttle
from services.intake.vault import Vault
from shared import signals, signing, topics
from shared.access import Access
from shared.audit_http import audit_routes
from shared.directory import directory
from shared.events import EVENT_TYPES, PETITIONS
from shared.icon import icon_routes
from shared.keys import load_key
from shared.service import Service
from shared.web import install


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service; nothing connects yet. A model or a key file that cannot be read stops it here."""
    settings = settings or Settings()
    produced = [name for name, model in EVENT_TYPES.items() if model.topic_name == PETITIONS]
    service = Service("intake", settings, title="Fengqiao intake 信访登记", produces=produced)
    demo = settings.env == "demo"
    units = directory()
    index_key = load_key(settings.secrets, "index", create=demo)
    vault = Vault(load_key(settings.secrets, "identity", create=demo), settings.vault_profile)
    store = MongoStore(service.mongo, vault, index_key=index_key, lane=service.instance, prefix=settings.prefix)
    intake = Intake(
        store,
        service.clock,
        Keys(pseudonym=load_key(settings.secrets, "pseudonym", create=demo), index=index_key),
        units,
        propose=proposer(settings.topic_model),
        signals=_signals,
    )
    rates = {"filing": settings.rate_filing, "form": settings.rate_form, "progress": settings.rate_progress}
    throttle = Throttle(rates, settings.proxies())
    service.indexes({**INDEXES, **signing.INDEXES})
    install(service.app, body_limits={"/v1/imports": IMPORT_LIMIT}, look=LOOK)
    access = Access.of(settings, service.clock, units)
    keys = channel_keys(settings.channel_keys)
    if keys is not None:
        service.warn(keys.trouble)
    signed = signing.SignedRequests(keys or no_key, signing.MongoNonces(service.mongo), service.clock)
    channels = Channels(access, signed, settings.opened())
    add_routes(service.app, intake, access, throttle, channels)
    service.app.include_router(imports_router(intake, channels))
    service.app.include_router(audit_routes(access, service.mongo))
    similar = ScreeningClient(settings.screening_url, settings.screening_timeout_s)
    service.app.include_router(pages_router(Pages(intake, throttle, similar, index_key)))
    service.app.include_router(icon_routes())
    service.on_stop(similar.close)
    return service.app


def _signals(title: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(signal.slug for signal in signals.find(title, text)))


def channel_keys(file: Path | None) -> signing.KeyFile | None:
    """The keys of `file`, which is read now: one that cannot be used stops the start. Raises `KeyFileError`."""
    if file is None:
        return None
    keys = signing.KeyFile(file)
    keys.load()
    return keys


def no_key(_: str) -> signing.ChannelKey | None:
    """No channel has a key."""
    return None


def proposer(file: Path | None) -> Propose:
    """Proposes topics by the trained model of `file`, or by the lexicon alone. Raises `ModelFileError`."""
    model: topics.Classifier | None = None
    if file is not None:
        from shared.classifier_file import load  # takes seconds to import: only where a model is used

        model = load(file)

    def propose(title: str, text: str) -> Proposal | None:
        found = topics.suggest(title, text, model)
        if found.topic is None:
            return None
        return Proposal(found.topic, sure=not found.needs_person, zh=found.note("zh"), en=found.note("en"))

    return propose
