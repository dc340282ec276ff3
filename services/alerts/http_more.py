"""More of the alerts API: silences, drills, emergency plans, deliveries, figures."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import TypeAdapter

from services.alerts import bodies, queries
from services.alerts.domain.plans import EMERGENCY_KINDS, PRINCIPLES
from services.alerts.domain.silence import Silence
from services.alerts.handlers import Desk, Drill, Missing, end_silence, silence, start_drill
from services.alerts.http import answered
from services.alerts.ports import Delivery
from shared.access import Access, Principal, may, require
from shared.web import Problem, json_body, read_json

_SILENCE = TypeAdapter(Silence)
_DELIVERY = TypeAdapter(Delivery)
Id = Annotated[str, Path(max_length=100)]


def more_routes(desk: Desk, access: Access) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/v1")
    reader = Depends(require(access, *may("warnings.read")))
    officer = Depends(require(access, *may("warnings.handle")))

    @router.get("/silences")
    async def list_silences(who: Principal = reader) -> dict[str, Any]:
        """Silences with author, reason and end; they also stand in the period's special report."""
        return {"silences": [_SILENCE.dump_python(one, mode="json") for one in await queries.silences(desk, who)]}

    @router.post("/silences", status_code=201, openapi_extra=json_body(bodies.SilenceBody))
    async def make_silence(request: Request, who: Principal = officer) -> dict[str, Any]:
        """Mute notifications. Life safety, reprisal and overdue warnings cannot be muted (409 `cannot-be-silenced`)."""
        body = await read_json(request, bodies.SilenceBody)
        if body.unit is not None and not desk.units.knows(body.unit):  # it would be kept and mute nothing
            told = "unit is the code of a unit of the directory, as 379911.education_bureau"
            raise Problem(422, "unknown-unit", told)
        now = desk.clock.now()
        wanted = Silence(
            id=str(uuid.uuid4()),
            author=who.account,
            reason=body.reason,
            starts_at=body.starts_at or now,
            ends_at=body.ends_at,
            created_at=now,
            kinds=body.kinds,
            jurisdiction=body.jurisdiction,
            unit=body.unit,
            matter=body.matter,
        )
        made: dict[str, Any] = _SILENCE.dump_python(await answered(silence(desk, who, wanted)), mode="json")
        return made

    @router.delete("/silences/{silence_id}")
    async def stop_silence(silence_id: Id, who: Principal = officer) -> dict[str, Any]:
        """End a silence before its time."""
        ended: dict[str, Any] = _SILENCE.dump_python(await answered(end_silence(desk, who, silence_id)), mode="json")
        return ended

    @router.post("/drills", status_code=201, openapi_extra=json_body(bodies.DrillBody))
    async def drill(request: Request, who: Principal = officer) -> dict[str, Any]:
        """Raise an exercise warning; it is marked as an exercise everywhere."""
        body = await read_json(request, bodies.DrillBody)
        cause = str(uuid.uuid4())
        wanted = Drill(cause, body.kind, body.level, body.jurisdiction, body.scenario, body.unit, body.town, body.plan)
        return bodies.show(await answered(start_drill(desk, who, wanted, cause)), who)

    @router.get("/emergency-plans")
    async def emergency_plans(_: Principal = reader) -> dict[str, Any]:
        """Emergency plans, the kinds of emergency and the six principles."""
        return {
            "plans": [
                {
                    "id": plan.id,
                    "version": plan.version,
                    "kind": plan.kind,
                    "title": asdict(plan.title),
                    "items": [{"id": id, **asdict(text)} for id, text in plan.items],
                }
                for plan in desk.plans.plans.values()
            ],
            "kinds": {slug: asdict(text) for slug, text in EMERGENCY_KINDS.items()},
            "principles": [asdict(text) for text in PRINCIPLES],
        }

    @router.get("/deliveries")
    async def deliveries(
        who: Principal = officer,
        warning_id: Annotated[str | None, Query(max_length=100)] = None,
        status: Annotated[str | None, Query(pattern="^(pending|sent|failed|withheld)$")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """The delivery log: every message, every attempt, newest first."""
        found = await desk.store.deliveries(warning_id=warning_id, status=status, limit=limit)
        shown = [row for row in found if await _may_see(desk, who, row)]
        return {"deliveries": [_DELIVERY.dump_python(row, mode="json") for row in shown]}

    @router.get("/units")
    async def unit_figures(who: Principal = reader, days: Annotated[int, Query(ge=1, le=366)] = 30) -> dict[str, Any]:
        """How each unit deals with its warnings."""
        return {"units": [asdict(row) for row in await queries.units(desk, who, days)]}

    @router.get("/quality")
    async def figures(who: Principal = reader, days: Annotated[int, Query(ge=1, le=366)] = 30) -> dict[str, Any]:
        """How good the warnings are; the share that was not real is among them."""
        return asdict(await queries.quality(desk, who, days))

    return router


async def _may_see(desk: Desk, who: Principal, row: Delivery) -> bool:
    for id in row.warnings:
        try:
            await queries.one(desk, who, id)
        except Missing:
            return False
    return True
