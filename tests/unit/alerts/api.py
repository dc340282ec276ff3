"""The alerts API on the memory store, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from services.alerts.http import routes
from services.alerts.http_documents import document_routes
from services.alerts.http_more import more_routes
from services.alerts.stream import Hub
from shared import web
from shared.access import AUDIENCE, DEMO_ISSUER, Access, AccessSettings, Principal, demo_principal, demo_token
from shared.directory import directory
from shared.tokens import SharedKey, TokenReader
from tests.unit.alerts.desk import Bench

KEY = b"k" * 32


class Api(Bench):
    """A desk with its HTTP side."""

    def __init__(self) -> None:
        super().__init__()
        reader = TokenReader(SharedKey(KEY), DEMO_ISSUER, AUDIENCE, self.clock)
        self.access = Access(
            reader=reader,
            session_key=b"s" * 32,
            clock=self.clock,
            units=directory(),
            demo=True,
            settings=AccessSettings(),
        )
        self.hub = Hub(self.store, queue=20)
        self.store.on_commit = self.hub.wake
        self.app = FastAPI()
        web.install(self.app)
        self.app.include_router(routes(self.desk, self.access, self.hub, stream_life_s=3600))
        self.app.include_router(more_routes(self.desk, self.access))
        lists = {"leaders": ["leader_on_duty"], "members": ["member_units"]}
        self.app.include_router(document_routes(self.desk, self.access, lists))

    def client(self, who: Principal | str | None = "duty_officer") -> httpx.AsyncClient:
        """A client signed in as `who`."""
        principal = demo_principal(who) if isinstance(who, str) else who  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {demo_token(KEY, principal, self.clock)}"} if principal else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://fq.test", headers=headers)

    async def post(
        self, path: str, body: object = None, who: Principal | str | None = "duty_officer"
    ) -> httpx.Response:
        """POST as `who`."""
        async with self.client(who) as client:
            return await client.post(path, json={} if body is None else body)

    async def get(self, path: str, who: Principal | str | None = "duty_officer", **query: object) -> httpx.Response:
        """GET as `who`."""
        async with self.client(who) as client:
            return await client.get(path, params=query or None)  # type: ignore[arg-type]


@asynccontextmanager
async def running(api: Api) -> AsyncIterator[Api]:
    """With the stream's reader running."""
    await api.hub.start()
    try:
        yield api
    finally:
        await api.hub.stop()
