"""What tests of the intake are made with: keys, a clock, an application over any store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from services.intake.channels import Channels
from services.intake.domain.petition import Filing
from services.intake.handlers import Intake, Keys
from services.intake.http import add_routes
from services.intake.http_imports import IMPORT_LIMIT, imports_router
from services.intake.ports import Proposal, Propose, Store
from services.intake.throttle import Throttle
from services.intake.vault import Vault
from shared import signals
from shared.access import DEMO_ISSUER, Access, Principal, demo_token
from shared.clock import Clock, FixedClock
from shared.directory import directory
from shared.signing import ChannelKey, SignedRequests
from shared.tokens import SharedKey, TokenReader
from shared.web import install
from tests.support.memory_intake import MemoryStore, Tables

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
INDEX_KEY = b"i" * 32
TOKEN_KEY = b"t" * 32
COUNTY = "379911"
ID_NUMBER = "11010519491231002X"


def vault() -> Vault:
    return Vault(b"v" * 32)


def fixed_clock() -> FixedClock:
    return FixedClock(NOW)


def no_proposal(_title: str, _text: str) -> Proposal | None:
    return None


def make_intake(store: Store | None = None, clock: Clock | None = None, propose: Propose = no_proposal) -> Intake:
    return Intake(
        store or MemoryStore(vault(), INDEX_KEY),
        clock or fixed_clock(),
        Keys(pseudonym=b"p" * 32, index=INDEX_KEY),
        directory(),
        propose=propose,
        signals=lambda title, text: tuple(dict.fromkeys(one.slug for one in signals.find(title, text))),
    )


def make_access(clock: Clock) -> Access:
    reader = TokenReader(SharedKey(TOKEN_KEY), DEMO_ISSUER, "fengqiao", clock)
    return Access(reader=reader, session_key=b"s" * 32, clock=clock, units=directory(), demo=True)


RATES = {"filing": "100000/second", "form": "100000/second", "progress": "100000/second"}


class Nonces:
    def __init__(self) -> None:
        self.used: set[tuple[str, str]] = set()

    async def first(self, key_id: str, nonce: str, at: datetime) -> bool:
        new = (key_id, nonce) not in self.used
        self.used.add((key_id, nonce))
        return new


def make_app(
    intake: Intake,
    rates: dict[str, str] | None = None,
    *,
    keys: Mapping[str, ChannelKey] | None = None,
    open_channels: frozenset[str] | None = None,
) -> FastAPI:
    app = FastAPI()
    install(app, body_limits={"/v1/imports": IMPORT_LIMIT})
    access = make_access(intake.clock)
    channels = Channels(access, SignedRequests((keys or {}).get, Nonces(), intake.clock), open_channels)
    add_routes(app, intake, access, Throttle(rates or RATES, ()), channels)
    app.include_router(imports_router(intake, channels))
    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake") as client:
        yield client


def bearer(
    role: str = "duty_officer",
    unit: str | None = None,
    account: str = "zhang.san",
    jurisdiction: str | None = None,
    channel: str | None = None,
) -> dict[str, str]:
    principal = Principal(account, role, unit, jurisdiction, channel=channel)  # type: ignore[arg-type]
    token = demo_token(TOKEN_KEY, principal, fixed_clock(), timedelta(days=365))
    return {"authorization": f"Bearer {token}"}


def petition_body(**changes: Any) -> dict[str, Any]:
    """A petition that is in order; a change to None leaves the field out."""
    body = {
        "channel": "web_portal",
        "jurisdiction": COUNTY,
        "title": "拖欠工资",
        "text": "幸福家园二期工地拖欠三十人工资,请帮助。",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def tables(intake: Intake) -> Tables:
    """What the store in memory holds."""
    assert isinstance(intake.store, MemoryStore)
    return intake.store.tables


async def file(client: httpx.AsyncClient, key: str = "k1", **changes: Any) -> httpx.Response:
    """File a petition that is in order but for the changes."""
    return await client.post("/v1/petitions", json=petition_body(**changes), headers={"idempotency-key": key})


def filing(**changes: Any) -> Filing:
    return Filing(
        **{
            "channel": "web_portal",
            "jurisdiction": COUNTY,
            "title": "拖欠工资",
            "text": "幸福家园二期工地拖欠三十人工资。",
            **changes,
        }
    )
