"""An intake process on the real stack, a client that asks until it is answered, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import httpx

from services.intake.store import IDENTITIES, PETITIONS, REQUESTS
from shared import audit, outbox
from shared.access import demo_principal, demo_token
from shared.events import Event, decode
from shared.keys import load_key
from shared.mongo import Mongo
from tests.support.intake import petition_body
from tests.support.spine import ROOT, Spine, read_all, until


class IntakeProcess(Spine):
    """One test's intake service."""

    def mongo(self) -> Mongo:
        return Mongo(self.stack.mongo, f"{self.prefix.replace('.', '_')}fengqiao_intake", app_name="test")

    def start(self, instance: str = "intake-0", **extra: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{instance}.log").open("ab")
        demo = {"FENGQIAO_ENV": "demo", "FENGQIAO_SECRETS": str(self.folder / "secrets")}
        environment = self.environment(instance, **{**demo, **extra})
        process = subprocess.Popen(
            [sys.executable, "-m", "services.intake"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        self.processes.append(process)
        return process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['intake-0']}"

    def client(self) -> httpx.AsyncClient:
        token = demo_token(load_key(self.folder / "secrets", "token", create=True), demo_principal("duty_officer"))
        return httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=30)

    async def healthy(self) -> None:
        async def up() -> bool:
            try:
                return bool((await self.health("intake-0"))["code"] == 200)
            except httpx.HTTPError:
                return False

        await until(up, what="a healthy intake")

    async def file(self, client: httpx.AsyncClient, key: str, **changes: Any) -> httpx.Response:
        """File as a channel would: the same request again until it is answered."""
        body = petition_body(text=f"幸福家园工地欠薪,第{key}件。", petitioner={"phone": "13800138000"}, **changes)
        for _ in range(200):
            try:
                answer = await client.post("/v1/petitions", json=body, headers={"idempotency-key": key})
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code < 500:
                return answer
            await asyncio.sleep(0.1)
        raise AssertionError("no answer")

    async def published(self, count: int) -> list[Event]:
        """The events on the topic once the outbox is empty; one each, in the order of their sequence."""
        mongo = self.mongo()

        async def done() -> bool:
            rows = mongo[outbox.COLLECTION]
            return await rows.count_documents({}) == count and not await rows.count_documents({"pending": True})

        await until(done, what=f"{count} events published")
        await mongo.close()
        records = await read_all(self.stack.kafka, self.petitions)
        events = {str(event.id): event for event in (decode(record.value) for record in records)}
        return list(events.values())

    async def counts(self) -> dict[str, int]:
        mongo = self.mongo()
        names = (PETITIONS, IDENTITIES, REQUESTS, audit.ROWS, outbox.COLLECTION)
        found = {name: int(await mongo[name].count_documents({})) for name in names}
        assert (await audit.verify(mongo)).ok
        await mongo.close()
        return found
