"""Helpers for tests of alerts: flags and findings to send, and the real service as a process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from shared.access import Principal, demo_principal, demo_token
from shared.events import (
    Bilingual,
    Event,
    Evidence,
    FlagCleared,
    FlagRaised,
    FlagUpdated,
    ObligationBreached,
    ObligationDueSoon,
    ObligationMet,
    ObligationWithdrawn,
    RuleRef,
    derived_id,
    new_event,
)
from shared.keys import load_key
from shared.mongo import Mongo
from tests.support.spine import ROOT, Spine, send_events, until

COUNTY = "379911"
BUREAU = "379911.construction_bureau"
AT = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
_FLAGS = {"raised": FlagRaised, "updated": FlagUpdated, "cleared": FlagCleared}
_FINDINGS = {
    "due_soon": ObligationDueSoon,
    "breached": ObligationBreached,
    "met": ObligationMet,
    "withdrawn": ObligationWithdrawn,
}
EXTENDED = Bilingual(zh="已依法延期", en="extended under Art. 34")


def flag(
    matter: str = "m1",
    kind: str = "collective_risk",
    *,
    what: str = "raised",
    petitioners: int = 5,
    level: str = "III",
    minute: int = 0,
    flag_id: str | None = None,
    unit: str | None = BUREAU,
    jurisdiction: str = COUNTY,
    run: str = "",
    **more: Any,
) -> Event:
    """A flag event; the same arguments give the same event."""
    at = AT + timedelta(minutes=minute)
    data = _FLAGS[what](
        flag_id=flag_id or f"flag-{matter}-{kind}",
        kind=kind,
        matter=matter,
        jurisdiction=jurisdiction,
        petition_ids=tuple(f"{matter}-p{n}" for n in range(petitioners)),
        petitioners=tuple(f"{n:08x}" for n in range(petitioners)),
        distinct_petitioners=petitioners,
        level=level,
        rule=RuleRef(id=kind, version=1, policy="base@1", basis="internal practice"),
        threshold=5,
        observed=petitioners,
        margin=petitioners - 5,
        explanation=Bilingual(zh=f"{petitioners} 人反映同一事项", en=f"{petitioners} people on one matter"),
        evidence=tuple(
            Evidence(petition_id=f"{matter}-p{n}", at=at, channel="web_portal") for n in range(min(petitioners, 3))
        ),
        at=at,
        title="云锦花园地下车库收费",
        topic="urban_construction",
        responsible_unit=unit,
        town="379911001",
        **more,
    )
    id = derived_id(run, matter, kind, what, str(petitioners), str(minute), level, str(flag_id))
    return new_event(data, id=id, source="/screening", time=at, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")


def finding(
    petition: str = "p1",
    state: str = "breached",
    *,
    unit: str = BUREAU,
    obligation: str = "HANDLE",
    minute: int = 0,
    run: str = "",
    due: int = 0,
    started_by: str | None = None,
    renewal: int = 0,
    accused: str | None = None,
    jurisdiction: str = COUNTY,
) -> Event:
    """A finding event, due so many days after `AT`; the same arguments give the same event."""
    at = AT + timedelta(minutes=minute)
    more = {"reason": EXTENDED} if state == "withdrawn" else {}
    data = _FINDINGS[state](
        petition_id=petition,
        jurisdiction=jurisdiction,
        unit=unit,
        obligation=obligation,
        due=AT + timedelta(days=due),
        state=state,
        basis="Art. 34",
        derivation="received 2026-01-01 + 60 d (Art. 34) → 2026-03-02",
        at=at,
        started_by=started_by,
        renewal=renewal,
        restricted=accused is not None,
        accused_unit=accused,
        **more,
    )
    id = derived_id(run, petition, state, unit, obligation, str(minute), str(started_by), str(renewal), str(accused))
    return new_event(data, id=id, source="/assessment", time=at)


@dataclass
class Alerts(Spine):
    """A prefix of one test's own, and alerts processes on it."""

    def mongo(self) -> Mongo:
        return Mongo(self.stack.mongo, f"{self.prefix.replace('.', '_')}fengqiao_alerts", app_name="test")

    def start(self, instance: str = "alerts-0", **extra: str) -> subprocess.Popen[bytes]:
        """Start an alerts process; `FAILPOINT=…` goes in `extra`."""
        log = (self.folder / f"{instance}.log").open("ab")
        environment = self.environment(
            instance, FENGQIAO_ENV="demo", FENGQIAO_SECRETS=str(self.folder / "secrets"), **extra
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "services.alerts"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        self.processes.append(process)
        return process

    def log(self, instance: str = "alerts-0") -> str:
        return super().log(instance)

    def url(self, instance: str = "alerts-0") -> str:
        return f"http://127.0.0.1:{self.ports[instance]}"

    def headers(self, who: Principal | str = "duty_officer") -> dict[str, str]:
        """Authorization of a demo account."""
        principal = demo_principal(who) if isinstance(who, str) else who  # type: ignore[arg-type]
        key = load_key(self.folder / "secrets", "token", create=True)
        return {"Authorization": f"Bearer {demo_token(key, principal)}"}

    async def healthy(self, instance: str = "alerts-0") -> None:
        async def ready() -> bool:
            try:
                return (await self.health(instance))["code"] == 200
            except httpx.TransportError:
                return False

        try:
            await until(ready, seconds=90, what="healthy alerts")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(instance)[-3000:]}") from None

    async def flags_in(self, *events: Event) -> None:
        await send_events(self.stack.kafka, self.flags, events)

    async def findings_in(self, *events: Event) -> None:
        await send_events(self.stack.kafka, self.prefix + "assessment.findings.v1", events)

    def client(self, who: Principal | str = "duty_officer", instance: str = "alerts-0") -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url(instance), headers=self.headers(who), timeout=10)

    async def warnings(self, count: int, who: Principal | str = "duty_officer", **query: Any) -> list[dict[str, Any]]:
        """The list once it has `count` entries."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            nonlocal found
            async with self.client(who) as client:
                answer = await client.get("/v1/warnings", params=query)
                found = answer.json()["warnings"]
            return len(found) == count

        try:
            await until(there, seconds=20, what=f"{count} warnings")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are {len(found)}\n{self.log()[-3000:]}") from None
        return found


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    event: str
    id: str | None
    data: Any


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[Frame]:
    """Server-sent events of a response's lines; comments (heartbeats) are left out."""
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            if "data" in fields:
                yield Frame(fields.get("event", "message"), fields.get("id"), orjson.loads(fields["data"]))
            fields = {}


@asynccontextmanager
async def listening(
    alerts: Alerts, who: Principal | str = "duty_officer", last: str | None = None
) -> AsyncIterator[AsyncIterator[Frame]]:
    """An open stream."""
    headers = {"Last-Event-ID": last} if last is not None else {}
    async with alerts.client(who) as client, client.stream("GET", "/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield frames(answer.aiter_lines())


async def read_until_resume(stream: AsyncIterator[Frame], seconds: float = 10) -> list[Frame]:
    """Frames up to and with the resume marker."""
    found: list[Frame] = []
    async with asyncio.timeout(seconds):
        async for one in stream:
            found.append(one)
            if one.event == "resume":
                return found
    raise AssertionError("the stream ended before its resume marker")
