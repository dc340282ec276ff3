"""A screening process on the real stack, and the events to feed it."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import httpx

from shared.access import Principal, demo_principal, demo_token
from shared.events import Event, PetitionFiled, decode, derived_id, new_event
from shared.keys import load_key
from shared.mongo import Mongo
from tests.support.petitions import COUNTY, filed
from tests.support.spine import ROOT, Spine, read_all, send_events, until


def filed_event(n: int, matter: int = 0, *, run: str = "run", **more: Any) -> Event:
    """The filed event of a made-up petition."""
    item = filed(n, matter, **more)
    filing = item.filing
    data = PetitionFiled(
        petition_id=f"{run}-{filing.id}",
        jurisdiction=COUNTY,
        channel=filing.channel,
        title=filing.title,
        text=item.text,
        petitioner=filing.petitioner,
        submitted_at=filing.at,
        received_at=filing.at,
        responsible_unit=f"{COUNTY}.construction_bureau",
        headcount=filing.headcount,
        representatives=filing.representatives,
        level_presented=filing.presented,  # type: ignore[arg-type]
        signals=filing.signals,
    )
    trace = f"00-{'b' * 32}-{n:016x}-01" if n else None
    return new_event(data, id=derived_id(run, str(n)), source="/intake", time=filing.at, traceparent=trace)


def later(data: Any, *, id: str, at: datetime) -> Event:
    """An event of any other data."""
    return new_event(data, id=derived_id(id), source="/test", time=at)


class Screening(Spine):
    """One test's screening service."""

    def mongo(self) -> Mongo:
        return Mongo(self.stack.mongo, f"{self.prefix.replace('.', '_')}fengqiao_screening", app_name="test")

    def start(self, instance: str = "screening-0", **extra: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{instance}.log").open("ab")
        secrets = self.folder / "secrets"
        environment = self.environment(instance, FENGQIAO_ENV="demo", FENGQIAO_SECRETS=str(secrets), **extra)
        process = subprocess.Popen(
            [sys.executable, "-m", "services.screening"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        self.processes.append(process)
        return process

    def token(self, role: Any = "duty_officer", account: str | None = None) -> dict[str, str]:
        key = load_key(self.folder / "secrets", "token", create=True)
        who = demo_principal(role) if account is None else Principal(account, role)
        return {"Authorization": f"Bearer {demo_token(key, who)}"}

    def client(self, role: Any = "duty_officer", instance: str = "screening-0") -> httpx.AsyncClient:
        url = f"http://127.0.0.1:{self.ports[instance]}"
        return httpx.AsyncClient(base_url=url, headers=self.token(role), timeout=15)

    async def healthy(self, instance: str = "screening-0") -> None:
        async def up() -> bool:
            try:
                return (await self.health(instance))["code"] == 200
            except httpx.HTTPError:
                return False

        try:
            await until(up, what="a healthy screening service")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(instance)[-3000:]}") from None

    async def feed(self, *events: Event) -> None:
        await send_events(self.stack.kafka, self.petitions, events)

    async def stored(self, count: int) -> None:
        """Wait until `count` petitions are in the store and the outbox is empty."""
        mongo = self.mongo()

        async def done() -> bool:
            pending = await mongo["outbox"].count_documents({"pending": True})
            return await mongo["petitions"].count_documents({}) >= count and pending == 0

        try:
            await until(done, what=f"{count} petitions screened")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log('screening-0')[-4000:]}") from None
        finally:
            await mongo.close()

    async def flag_events(self) -> list[Event]:
        """What was told on the bus, once each, in the order of the log."""
        found: dict[str, Event] = {}
        for record in await read_all(self.stack.kafka, self.flags):
            event = decode(record.value)
            found.setdefault(str(event.id), event)
        return list(found.values())

    async def rows(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        mongo = self.mongo()
        try:
            return [row async for row in mongo[collection].find(query).sort("_id", 1)]
        finally:
            await mongo.close()
