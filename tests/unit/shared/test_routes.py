"""Every route of every service asks who is there, but for those that are named here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from deploy.local.supervise import SERVICES
from shared.keys import NAMES, load_key

EVERY_SERVICE = {"GET /health", "GET /metrics", "GET /asyncapi.json"}
PUBLIC = {
    "intake": {
        "POST /v1/petitions",
        "GET /v1/progress",
        "GET /",
        "POST /",
        "GET /progress",
        "POST /progress",
        "POST /progress/evaluation",
        "GET /static/intake.css",
    },
    "screening": {"GET /v1/similar"},
    "alerts": {"GET /auth/login", "GET /auth/callback", "POST /auth/logout"},
    "assessment": {"GET /assets/assessment.css"},
}


def places_of(routes: Iterable[Any]) -> Iterator[str]:
    """Method and path of each route, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from places_of(included.routes)
        elif isinstance(route, APIRoute):
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD", "OPTIONS"})


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_but_the_public_ones_is_401_without_a_sign_in(service: str, tmp_path: Path) -> None:
    for name in NAMES:
        load_key(tmp_path, name, create=True)
    settings = import_module(f"services.{service}.settings").Settings(
        env="production", secrets=tmp_path, kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:1/?replicaSet=none"
    )
    app: Any = import_module(f"services.{service}.app").create_app(settings)
    places = set(places_of(app.routes))
    public = PUBLIC[service] | EVERY_SERVICE
    assert public <= places
    assert len(places - public) > 3
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for place in sorted(places - public):
            method, _, path = place.partition(" ")
            answer = await client.request(method, re.sub(r"\{[^}]*\}", "x", path))
            assert answer.status_code == 401, f"{place} answers {answer.status_code} to somebody unknown"
