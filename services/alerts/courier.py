"""Messages go out: taken one by one from the store, sent at least once, each attempt written down.

A message that was sent but not marked is sent again with the same `Idempotency-Key`: that is how receivers know it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import structlog

from services.alerts import labels, outward
from services.alerts.domain.timers import delivery_wait
from services.alerts.policy import Receiver
from services.alerts.ports import Delivery, Store
from shared.access import Principal, Role
from shared.clock import Clock
from shared.directory import Directory
from shared.events import derived_id
from shared.failpoint import failpoint
from shared.keys import load_key
from shared.signing import signed_headers

HOLD: Final = timedelta(seconds=20)
"""A message that was taken and not marked is taken again after this."""
ATTEMPT_S: Final = 15.0
"""An attempt ends within the hold: nobody takes a message while it is still being sent."""
GIVE_UP: Final = timedelta(hours=24)
EACH_AT_ONCE: Final = 4
"""Attempts at one receiver at a time: one that does not answer takes up its own places and nobody else's."""
LOOK_AGAIN_S: Final = 0.5
"""What comes up while attempts are under way is looked for after this."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one attempt went."""

    ok: bool
    code: str
    detail: str = ""
    delivered: tuple[str, ...] = ()
    """marks of the addresses that have the message now, where a receiver has several"""


Send = Callable[[Receiver, Delivery, bytes], Awaitable[Outcome]]


class Courier:
    """Delivers what is due."""

    def __init__(
        self,
        store: Store,
        receivers: Mapping[str, Receiver],
        units: Directory,
        clock: Clock,
        *,
        secrets: Path,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._units = units
        self._clock = clock
        self._secrets = secrets
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._send: dict[str, Send] = {"console": _shown, "webhook": self._webhook, "apprise": self._apprise}

    async def deliver_due(self) -> None:
        """Send everything that is due, and what becomes due meanwhile; several at a time, a few to each receiver."""
        running: dict[asyncio.Task[Outcome], str] = {}
        failed: BaseException | None = None
        try:
            while True:
                # after a failure (the store is away, say) nothing more is taken, and what is being sent is sent
                while failed is None and (row := await self._next(Counter(running.values()))):
                    running[asyncio.create_task(self.deliver(row), name="alerts.delivery")] = row.receiver
                if not running:
                    break
                ended, _ = await asyncio.wait(running, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    del running[task]
                    failed = failed or task.exception()
        finally:  # the service ends, or nothing can be taken any more: what was taken and not marked is taken again after its hold
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if failed is not None:
            raise failed

    async def _next(self, under_way: Counter[str]) -> Delivery | None:
        now = self._clock.now()
        busy = [name for name, number in under_way.items() if number >= EACH_AT_ONCE]
        return await self._store.claim_delivery(now, now + HOLD, busy=busy)

    async def deliver(self, row: Delivery) -> Outcome:
        """One attempt, written down."""
        await failpoint("alerts.delivery.before_send")
        outcome = await self._attempt(row)
        await failpoint("alerts.delivery.after_send")
        now = self._clock.now()
        attempts = len(row.attempts) + 1
        status = "sent" if outcome.ok else "failed" if now - row.created_at >= GIVE_UP else "pending"
        if outcome.code == "withheld":
            status = "withheld"
        attempt = {"at": now, "ok": outcome.ok, "code": outcome.code, "detail": outcome.detail}
        if outcome.delivered:
            attempt["delivered"] = list(outcome.delivered)
        await self._store.mark_delivery(row.id, status=status, attempt=attempt, next_at=now + delivery_wait(attempts))
        await failpoint("alerts.delivery.after_mark")
        return outcome

    async def _attempt(self, row: Delivery) -> Outcome:
        receiver = self._receivers.get(row.receiver)
        if receiver is None:
            return Outcome(False, "no-such-receiver", "the policy file no longer names this receiver")
        body = await self._body(receiver, row)
        if body is None:
            return Outcome(False, "withheld", "an accusation is not sent to the accused unit or one under it")
        try:
            return await self._send[receiver.type](receiver, row, body)
        except outward.AddressRefusedError as refused:
            return Outcome(False, "address-refused", str(refused))
        except (httpx.HTTPError, OSError) as error:
            return Outcome(False, "unreachable", type(error).__name__)
        except Exception as error:  # a missing key, a wrong URL: written down and tried again like the rest
            log.error("delivery_failed", receiver=row.receiver, error=type(error).__name__)  # noqa: TRY400 - no message
            return Outcome(False, "receiver-misconfigured", type(error).__name__)

    async def _body(self, receiver: Receiver, row: Delivery) -> bytes | None:
        """The message as this receiver may have it; None when nothing of it may be sent there."""
        role: Role = "unit" if receiver.unit else "leader"
        scope = Principal(f"receiver.{row.receiver}", role, receiver.unit).scope(self._units)
        hidden = set()
        for id in row.warnings:
            warning = await self._store.get(id)
            if warning is None or scope.hides_accusation(
                restricted=warning.flag.restricted, accused=warning.flag.accused_unit
            ):
                hidden.add(id)
        if row.warnings and hidden == set(row.warnings):
            return None
        shown = [one for one in row.body.get("warnings", ()) if one["warning_id"] not in hidden]
        body: dict[str, Any] = {"id": row.id, "exercise": row.exercise, **row.body, "warnings": shown}
        return orjson.dumps(body)

    async def _webhook(self, receiver: Receiver, row: Delivery, body: bytes) -> Outcome:
        url = httpx.URL(receiver.url or "")
        key = load_key(self._secrets, receiver.key or "webhook")
        now = self._clock.now()
        headers = signed_headers(
            receiver.key_id or "",
            key,
            at=now,
            method="POST",
            target=url.raw_path.decode("ascii"),
            body=body,
            nonce=derived_id(row.id, str(len(row.attempts)), now.isoformat()),
        )
        headers |= {"Content-Type": "application/json", "Idempotency-Key": row.id}
        async with asyncio.timeout(ATTEMPT_S):
            status = await outward.post(receiver.url or "", body=body, headers=headers, allowed_hosts=self._hosts)
        # 409: the receiver has it already
        return Outcome(200 <= status < 300 or status == 409, f"http-{status}")

    async def _apprise(self, receiver: Receiver, row: Delivery, body: bytes) -> Outcome:
        import apprise  # slow to load, and most deployments have no such receiver

        lines = (self._secrets / f"{receiver.urls}.urls").read_text(encoding="utf-8").splitlines()
        urls = [url for line in lines if (url := line.strip()) and not url.startswith("#")]
        if not urls:
            return Outcome(False, "no-address", "the file names no address")
        title, text = as_text(orjson.loads(body), self._units)

        async def one(url: str) -> bool:
            sender = apprise.Apprise()
            async with asyncio.timeout(ATTEMPT_S):
                return bool(sender.add(url) and await sender.async_notify(body=text, title=title))

        # each address by itself: together, one that fails would have the others get the message again and again
        had = {mark for attempt in row.attempts for mark in attempt.get("delivered", ())}
        left = {mark: url for url in urls if (mark := _mark_of(row, url)) not in had}
        ends = await asyncio.gather(*(one(url) for url in left.values()), return_exceptions=True)
        now_have = tuple(mark for mark, end in zip(left, ends, strict=True) if end is True)
        failed = len(left) - len(now_have)
        if not failed:
            return Outcome(True, "sent", delivered=now_have)
        return Outcome(False, "refused", f"{failed} of {len(urls)} addresses did not take it", now_have)


def _mark_of(row: Delivery, url: str) -> str:
    """What stands for an address in the delivery log: the address itself holds secrets."""
    return hashlib.sha256(f"{row.id}\n{url}".encode()).hexdigest()[:12]


async def _shown(receiver: Receiver, row: Delivery, body: bytes) -> Outcome:
    """The console shows what is in the delivery log: there is nothing to send."""
    return Outcome(True, "shown")


def as_text(body: Mapping[str, Any], units: Directory) -> tuple[str, str]:
    """Title and lines of a message for people; without the text of a petition."""
    warnings = body.get("warnings", [])
    mark = f"【{labels.EXERCISE.zh}】" if body.get("exercise") else ""
    if not warnings:
        return f"{mark}{body.get('title', '平安指挥部')}", f"{body.get('document', '')}\n{labels.INTERNAL.zh}"
    first = warnings[0]
    title = f"{mark}{labels.name(labels.LEVELS, first['level'])} {labels.name(labels.KINDS, first['kind'])}"
    lines = []
    for one in warnings:
        words = [labels.name(labels.LEVELS, one["level"]), labels.name(labels.KINDS, one["kind"])]
        words += [labels.name(labels.STATES, one["state"]), one["title"]]
        if unit := one["responsible_unit"]:
            words.append(units.name(unit))
        lines.append(" ".join(words))
    return title, "\n".join([*lines, labels.INTERNAL.zh])
