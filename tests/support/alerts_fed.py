"""Feeds a store of alerts, fake or real, as its consumers do, and reads it whole."""

from __future__ import annotations

from typing import Any

from services.alerts.policy import load_escalations
from services.alerts.ports import Filter, Store
from services.alerts.signals import Heard, on_findings, on_flags
from shared.access import Scope

POLICIES = load_escalations().policies


async def flags_in(store: Store, *events: Any) -> None:
    heard = [Heard(event, event.time) for event in events]
    await store.run(lambda tx: on_flags(tx, heard, POLICIES))


async def findings_in(store: Store, *events: Any) -> None:
    heard = [Heard(event, event.time) for event in events]
    await store.run(lambda tx: on_findings(tx, heard, POLICIES))


async def all_warnings(store: Store, scope: Scope | None = None, **filter: Any) -> list[Any]:
    return [w for _, w in await store.find(scope or Scope(), Filter(**filter), before=None, limit=500)]
