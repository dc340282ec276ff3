"""Play a district against the running system over HTTP, on a clock that runs faster than the real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import orjson
from httpx_sse import aconnect_sse

from deploy.simulator.district import District, Filing, Happening, Step

AT_ONCE: Final = 16
_LOOK_EVERY_S: Final = 0.05


@dataclass
class Tally:
    """What was played so far."""

    at: datetime
    channels: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def filed(self) -> int:
        """Petitions accepted."""
        return sum(self.channels.values())


class Player:
    """Sends what happens to the intake, each petition's steps in their order."""

    def __init__(self, intake: str, token: str, start: datetime) -> None:
        self._intake = intake
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ids: dict[str, str] = {}
        self._order: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.tally = Tally(start)

    def client(self) -> httpx.AsyncClient:
        """A client that is signed in."""
        return httpx.AsyncClient(timeout=30, trust_env=False, headers=self._headers)

    async def play(self, district: District, *, seconds: float, told: Callable[[Tally], None]) -> None:
        """Play all of it within about `seconds`; slower where the system is slower."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        gate = asyncio.Semaphore(AT_ONCE)
        speed = timedelta(days=district.days) / seconds
        async with self.client() as client, asyncio.TaskGroup() as sending:
            for happening in district.happenings():
                due = begun + (happening.at - district.start) / speed
                while (wait := due - loop.time()) > 0:
                    self.tally.at = district.start + (loop.time() - begun) * speed
                    told(self.tally)
                    await asyncio.sleep(min(wait, _LOOK_EVERY_S))
                await gate.acquire()
                sending.create_task(self._send(client, happening, gate))
                self.tally.at = happening.at
                told(self.tally)
        told(self.tally)

    async def send(self, client: httpx.AsyncClient, happening: Happening) -> None:
        """Send one; what the intake refuses is counted by its code."""
        async with self._order[happening.key]:
            if isinstance(happening, Filing):
                await self._file(client, happening)
            else:
                await self._step(client, happening)

    async def _send(self, client: httpx.AsyncClient, happening: Happening, gate: asyncio.Semaphore) -> None:
        try:
            await self.send(client, happening)
        finally:
            gate.release()

    async def _file(self, client: httpx.AsyncClient, filing: Filing) -> None:
        moment = filing.at.astimezone(UTC).isoformat()
        body = {**filing.body, "submitted_at": moment, "received_at": moment}
        answer = await _post(client, f"{self._intake}/v1/petitions", body, filing.key)
        if answer.status_code == 201:
            self._ids[filing.key] = answer.json()["petition_id"]
            self.tally.channels[filing.body["channel"]] += 1
        else:
            self._refused(answer)

    async def _step(self, client: httpx.AsyncClient, step: Step) -> None:
        petition = self._ids.get(step.key)
        if petition is None:
            return
        body = {**step.body, "at": step.at.astimezone(UTC).isoformat()}
        key = f"{step.key}-{step.body['type']}"
        answer = await _post(client, f"{self._intake}/v1/petitions/{petition}/events", body, key)
        if answer.status_code == 201:
            self.tally.steps[step.body["type"]] += 1
        else:
            self._refused(answer)

    def _refused(self, answer: httpx.Response) -> None:
        with contextlib.suppress(ValueError):
            self.tally.refused[str(answer.json().get("code", answer.status_code))] += 1


async def _post(client: httpx.AsyncClient, url: str, body: Mapping[str, Any], key: str) -> httpx.Response:
    """Post until there is an answer: a service that is being restarted is asked again, under the same key."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post(url, json=body, headers={"Idempotency-Key": key})
            if answer.status_code not in (429, 502, 503, 504):
                return answer
        await asyncio.sleep(0.3)


async def warnings(alerts: str, token: str) -> AsyncIterator[dict[str, Any]]:
    """Events of the alerts stream for ever; after a break it goes on where it stopped."""
    last = ""
    async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=60), trust_env=False) as client:
        while True:
            headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
            with contextlib.suppress(httpx.HTTPError):
                async with aconnect_sse(client, "GET", f"{alerts}/v1/stream", headers=headers) as source:
                    async for message in source.aiter_sse():
                        last = message.id or last
                        if message.event == "warning":
                            yield orjson.loads(message.data)
            await asyncio.sleep(0.5)
