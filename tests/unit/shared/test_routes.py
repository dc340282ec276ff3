"""Every route of every service asks who is there, but for those that are named here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

from deploy.local.supervise import SERVICES
from shared.keys import NAMES, load_key

EVERY_SERVICE = {"GET /health", "GET /metrics", "GET /asyncapi.json"}
ICON = "GET /favicon.ico"
SIGN_IN = {"GET /auth/login", "GET /auth/callback", "POST /auth/logout"}
PUBLIC = {
    "intake": {
        "POST /v1/petitions",
        "GET /v1/progress",
        "GET /",
        "POST /",
        "POST /registered",
        "GET /registered",
        "GET /progress",
        "POST /progress",
        "POST /progress/evaluation",
        "GET /static/intake.css",
        ICON,
    },
    "screening": {"GET /v1/similar"},
    "alerts": {ICON, *SIGN_IN},
    "assessment": {"GET /assets/assessment.css", ICON, *SIGN_IN},
}
AUDITED = {"intake", "screening", "alerts"}
PAGES = {"assessment": {"GET /", "GET /units/{code}", "GET /petitions/{petition}"}}
"""A browser that is not signed in is sent to do so and brought back."""


def places_of(routes: Iterable[Any]) -> Iterator[str]:
    """Method and path of each route, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from places_of(included.routes)
        elif isinstance(route, APIRoute):
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD", "OPTIONS"})


def app_of(service: str, folder: Path) -> Any:
    """The service as in production, over nothing."""
    for name in NAMES:
        load_key(folder, name, create=True)
    settings = import_module(f"services.{service}.settings").Settings(
        env="production", secrets=folder, kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:1/?replicaSet=none"
    )
    return import_module(f"services.{service}.app").create_app(settings)


@pytest.mark.parametrize("service", SERVICES)
async def test_no_route_passes_over_a_parameter_that_it_does_not_know(service: str, tmp_path: Path) -> None:
    app = app_of(service, tmp_path)
    places = {place for place in places_of(app.routes) if " /v1/" in place}
    assert len(places) > 3
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for place in sorted(places):
            method, _, path = place.partition(" ")
            answer = await client.request(method, re.sub(r"\{[^}]*\}", "x", path), params={"nonsense": "1"})
            assert (answer.status_code, answer.json()["code"]) == (422, "unknown-parameter"), place
        if f"GET {ICON[4:]}" in set(places_of(app.routes)):
            assert (await client.get(ICON[4:])).headers["content-type"] == "image/svg+xml"
        for page in {"/health", "/metrics", "/asyncapi.json", "/"} & {place[4:] for place in places_of(app.routes)}:
            assert (await client.get(page, params={"utm_source": "wechat"})).status_code != 422, page


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_but_the_public_ones_is_401_without_a_sign_in(service: str, tmp_path: Path) -> None:
    app = app_of(service, tmp_path)
    places = set(places_of(app.routes))
    public = PUBLIC[service] | EVERY_SERVICE
    assert public <= places
    assert ("GET /v1/audit" in places) == (service in AUDITED)
    assert len(places - public) > 3
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for place in sorted(places - public):
            method, _, path = place.partition(" ")
            address = re.sub(r"\{[^}]*\}", "x", path)
            answer = await client.request(method, address, headers={"cookie": "__Host-fengqiao=forged"})
            if place in PAGES.get(service, ()):
                assert (answer.status_code, answer.headers["location"]) == (
                    303,
                    f"/auth/login?next={quote(address, '')}",
                )
            else:
                assert answer.status_code == 401, f"{place} answers {answer.status_code} to somebody unknown"
