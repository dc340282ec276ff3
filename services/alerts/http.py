"""The alerts API: warnings, what is done with them, the live stream."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response
from sse_starlette import EventSourceResponse

from services.alerts import bodies, queries
from services.alerts.domain.lifecycle import Refused
from services.alerts.handlers import Desk, Forbidden, Missing, Order, note_text_view, take
from services.alerts.http_filter import FILTERS, read_filter
from services.alerts.http_stream import Listening
from services.alerts.stream import Hub, frame
from shared.access import Access, Principal, Scope, may, require
from shared.openapi import query_names
from shared.web import Body, Problem, json_body, read_body, read_json

PING_S: Final = 15
MAX_BOARD: Final = 1000
UNPROCESSABLE: Final = frozenset(
    {
        "reason-missing",
        "silence-time",
        "unknown-unit",
        "unknown-plan",
        "plan-incomplete",
        "arrival-time",
        "no-such-action",
        "accused-unit",
        "period-invalid",
    }
)
GONE: Final = frozenset({"no-such-step", "no-such-item", "no-plan"})
FORBIDDEN: Final = frozenset({"jurisdiction-not-yours"})
T = TypeVar("T")
B = TypeVar("B", bound=Body)
WarningId = Annotated[str, Path(max_length=100)]


async def answered(work: Awaitable[T], who: Principal | None = None) -> T:
    """Run a use case and turn its refusals into problem documents, which say what `who` may do instead."""
    try:
        return await work
    except Missing:
        raise Problem(404, "not-found", "there is no such thing here") from None
    except Forbidden:
        raise Problem(403, "role-not-allowed", "your role does not do this") from None
    except Refused as refused:
        raise refusal(refused, who) from None


def refusal(refused: Refused, who: Principal | None = None) -> Problem:
    """409 with what is possible now and who was first; 422, 404 or 403 where the request itself does not fit."""
    kinds = ((UNPROCESSABLE, 422), (GONE, 404), (FORBIDDEN, 403))
    status = next((status for codes, status in kinds if refused.code in codes), 409)
    extra: dict[str, Any] = {}
    if refused.warning is not None:
        warning = refused.warning
        extra = {
            "state": warning.state,
            "version": warning.version,
            "by": warning.acknowledged_by or warning.last_actor,
            "at": warning.changed_at.isoformat(),
            "allowed": list(refused.allowed) if who is None else bodies.may_now(warning, who),
        }
    return Problem(status, refused.code, refused.detail, **extra)


async def optional_json(request: Request, model: type[B]) -> B:
    """The body; none at all is an empty object for bodies that need nothing."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        await read_body(request, 0)
        return model()
    return await read_json(request, model)


def routes(desk: Desk, access: Access, hub: Hub, *, stream_life_s: float) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/v1")
    reader = Depends(require(access, *may("warnings.read")))
    actor = Depends(require(access, *may("warnings.carry_out")))

    @router.get("/warnings", openapi_extra=query_names(FILTERS))
    async def list_warnings(
        request: Request,
        who: Principal = reader,
        cursor: Annotated[str | None, Query(max_length=20)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """Warnings, newest first. Filters: state, level, kind (each several), unit, jurisdiction, town, topic, matter, …"""
        before = read_cursor(cursor)
        found, following = await queries.page(desk, who, read_filter(request, desk.units), before=before, limit=limit)
        return {
            "warnings": [bodies.show(warning, who) for warning in found],
            "next_cursor": str(following) if following is not None else None,
        }

    @router.get("/warnings/counts")
    async def count_warnings(who: Principal = reader) -> dict[str, dict[str, int]]:
        """Number of warnings by state, and of the open ones by level and kind. Exercises are not counted."""
        return await queries.counts(desk, who)

    @router.get("/board", openapi_extra=query_names(FILTERS))
    async def show_board(request: Request, who: Principal = reader) -> dict[str, Any]:
        """The 1,000 open warnings that need a person most, in that order; `left_out` says how many more there are."""
        found = await queries.board(desk, who, read_filter(request, desk.units))
        shown = found[:MAX_BOARD]
        return {"warnings": [bodies.show(warning, who) for warning in shown], "left_out": len(found) - len(shown)}

    @router.get("/warnings/{warning_id}")
    async def show_warning(warning_id: WarningId, who: Principal = reader) -> dict[str, Any]:
        """One warning with its log, the flags behind it, its other episodes and similar past matters."""
        detail = await answered(queries.detail(desk, who, warning_id))
        return {
            **bodies.show(detail.warning, who),
            "log": [bodies.show_log(row) for row in detail.log],
            "flags": [bodies.show_flag(row) for row in detail.flags],
            "episodes": [bodies.show(warning, who) for warning in detail.episodes],
            "similar": [bodies.show(warning, who) for warning in detail.similar],
        }

    def action(
        path: str, name: str, model: type[Body], fill: Callable[[Any], dict[str, Any]], *, bare: bool = False
    ) -> None:
        async def endpoint(request: Request, warning_id: WarningId, who: Principal = actor) -> dict[str, Any]:
            body: Any = await (optional_json(request, model) if bare else read_json(request, model))
            item = request.path_params.get("item")
            order = Order(
                action=name,
                cause=str(uuid.uuid4()),
                reason=body.reason,
                expected_version=body.expected_version,
                traceparent=getattr(request.state, "traceparent", None),
                **({"item": item} if item else {}),
                **fill(body),
            )
            return bodies.show(await answered(take(desk, who, warning_id, order), who), who)

        endpoint.__doc__ = f"{model.__doc__} Refused with 409 when it cannot be done now or somebody was first."
        router.add_api_route(
            f"/warnings/{{warning_id}}/{path}", endpoint, methods=["POST"], name=name, openapi_extra=json_body(model)
        )

    def nothing(_: Any) -> dict[str, Any]:
        return {}

    action("verify", "verify", bodies.ActionBody, nothing, bare=True)
    action("acknowledge", "acknowledge", bodies.ActionBody, nothing, bare=True)
    action("discard", "discard", bodies.ReasonedBody, nothing)
    action("settle", "settle", bodies.ReasonedBody, nothing)
    action("cancel", "cancel", bodies.ReasonedBody, nothing)
    action("assign", "assign", bodies.AssignBody, lambda body: {"unit": body.unit})
    action(
        "plan",
        "plan",
        bodies.PlanBody,
        lambda body: {"lead": body.lead, "measures": tuple(measure.measure() for measure in body.measures)},
    )
    action(
        "on-scene",
        "on_scene",
        bodies.OnSceneBody,
        lambda body: {"arrived_at": body.arrived_at, "arrived": body.who},
        bare=True,
    )
    action("silence", "silence", bodies.SilenceWarningBody, lambda body: {"until": body.until})
    action("emergency-plan", "attach_plan", bodies.AttachBody, lambda body: {"plan": body.plan})
    action("emergency-plan/items/{item}", "tick", bodies.TickBody, lambda body: {"note": body.note}, bare=True)
    action("steps/{item}", "step_done", bodies.TickBody, nothing, bare=True)

    @router.post("/warnings/{warning_id}/text-views", openapi_extra=json_body(bodies.TextViewBody), status_code=201)
    async def view_text(request: Request, warning_id: WarningId, who: Principal = actor) -> dict[str, str]:
        """Write down who reads a petition's text and why; the text itself comes from intake."""
        body = await read_json(request, bodies.TextViewBody)
        await answered(note_text_view(desk, who, warning_id, body.petition_id, body.reason))
        return {"petition_id": body.petition_id}

    @router.get("/stream", response_class=EventSourceResponse)
    async def stream(
        request: Request,
        who: Principal = reader,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Server-sent events: `event: warning`, `id:` a number without gaps, `data:` the CloudEvent.

        With `Last-Event-ID` everything after it follows; without one, or with one that says nothing, a snapshot of the
        open warnings comes first (`event: snapshot`), then `event: resume` marks where the live part begins. It ends with
        the sign-in, and when the account is deactivated.
        """
        scope = who.scope(desk.units)
        if not hub.alive:
            raise Problem(503, "stream-unavailable", "the stream is not running yet", headers={"Retry-After": "1"})
        life = stream_life_s
        if who.expires_at is not None:
            life = min(life, (who.expires_at - desk.clock.now()).total_seconds())
        listening = Listening(life, lambda: access.is_deactivated(who))
        return EventSourceResponse(
            listening.frames(_frames(hub, scope, last_event_id)),
            ping=PING_S,
            ping_message_factory=listening.ping,
            send_timeout=30,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def _frames(hub: Hub, scope: Scope, last_event_id: str | None) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(hub.follow(scope, last_event_id)) as items:
        async for item in items:
            yield frame(item)


def read_cursor(text: str | None) -> int | None:
    """Where a page goes on; raises `Problem` 422 `cursor-invalid`."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise Problem(422, "cursor-invalid", "use the next_cursor of the page before")
    return int(text)
