"""The intake's HTTP interface: filing, reading, steps, the vault."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import uuid4

import orjson
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from services.intake.bodies import PetitionIn, ReasonIn, StepIn
from services.intake.channels import Channels
from services.intake.domain.petition import Refused
from services.intake.domain.steps import TRANSITIONS, Step
from services.intake.handlers import Intake
from services.intake.ports import Filter, Record
from services.intake.throttle import Throttle
from services.intake.views import is_shown, list_view, public_view, staff_view
from shared.access import Access, Principal, may, require
from shared.directory import Directory
from shared.directory_file import COUNTY_CODE, UNIT_CODE
from shared.instants import Instant
from shared.web import Problem, idempotency_key, json_body, read_json

STATUS: Final[Mapping[str, int]] = {
    "petition-unknown": 404,
    "receipt-or-code-wrong": 404,
    "transition-not-allowed": 409,
    "version-conflict": 409,
    "external-id-taken": 409,
}


def problem_of(refused: Refused) -> Problem:
    """The problem document of a refusal; 422 where nothing else is said."""
    extra: dict[str, Any] = dict(refused.extra)
    if refused.field:
        extra["errors"] = [{"field": refused.field, "code": refused.code, "detail": refused.detail}]
    return Problem(STATUS.get(refused.code, 422), refused.code, refused.detail, **extra)


async def refused_handler(_: Request, error: Exception) -> Response:
    """Exception handler for `Refused`."""
    assert isinstance(error, Refused)
    return problem_of(error).response()


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


def trace_of(request: Request) -> str | None:
    """The request's trace context, as the service's middleware found or made it."""
    return getattr(request.state, "traceparent", None)


def check_step(principal: Principal, step: Step, record: Record, units: Directory) -> None:
    """Raise `Problem` 403 unless the account may enter this step: the work of its own unit, never the verdict on it."""
    is_unit = principal.role == "unit"
    if is_unit and step.type == "evaluated":
        raise Problem(
            403,
            "evaluation-not-yours",
            "whether it is solved is for the petitioner to say, on the progress page; what they told you otherwise the "
            "duty officer of the petition bureau enters",
        )
    # without a unit the step is of the one that has the petition, for which a duty officer may enter it
    acting = step.unit or (record.life.unit if is_unit else None)
    if principal.unit and acting and step.type != "assigned" and not units.covers(principal.unit, acting):
        raise Problem(403, "unit-not-yours", "an account of a unit enters the steps of that unit; name yours in `unit`")


def _one_of(slugs: Iterable[str]) -> Any:
    return Query(pattern=f"^({'|'.join(slugs)})$")


def add_routes(app: FastAPI, intake: Intake, access: Access, throttle: Throttle, channels: Channels) -> None:
    """Mount the interface."""
    app.add_exception_handler(Refused, refused_handler)
    app.include_router(_public(intake, throttle, channels))
    app.include_router(_staff(intake, access))


def _public(intake: Intake, throttle: Throttle, channels: Channels) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["public"])

    @router.post("/petitions", status_code=201, openapi_extra=json_body(PetitionIn, key=True))
    async def file_petition(request: Request) -> Response:
        """Register a petition: anybody's right, by an open channel; by another, its own (signed) or an account's.

        The same Idempotency-Key and body again give the same answer.
        """
        await throttle.check("filing", request)
        key = idempotency_key(request)
        signer = await channels.signer(request)
        body = await read_json(request, PetitionIn)
        await channels.check(request, signer, body)
        filed = await intake.file(body.filing(), key, traceparent=trace_of(request))
        return answer(
            {
                "petition_id": filed.petition_id,
                "receipt": filed.receipt,
                "query_code": filed.query_code,
                "status": filed.status,
            },
            201,
            {"Idempotent-Replayed": "true"} if filed.replayed else None,
        )

    @router.get("/progress")
    async def progress(
        request: Request,
        receipt: Annotated[str, Query(max_length=60)],
        code: Annotated[str, Query(max_length=60)],
        lang: Annotated[str, Query(pattern="^(zh|en)$")] = "zh",
    ) -> Response:
        """Where a petition stands, for whoever has receipt number and query code."""
        await throttle.check("progress", request)
        return answer(public_view(await intake.progress(receipt, code), intake.units, lang))

    return router


def _staff(intake: Intake, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["staff"])
    reader = Annotated[Principal, Depends(require(access, *may("petitions.read")))]
    handler = Annotated[Principal, Depends(require(access, *may("petitions.handle")))]
    opener = Annotated[Principal, Depends(require(access, *may("identity.read")))]
    eraser = Annotated[Principal, Depends(require(access, "leader"))]
    state = Annotated[str | None, _one_of(TRANSITIONS)]
    channels = Annotated[str | None, _one_of(intake.codes.channels)]
    topics = Annotated[str | None, _one_of(intake.codes.topics)]
    name = Annotated[str | None, Query(min_length=1, max_length=100)]
    county = Annotated[str | None, Query(pattern=COUNTY_CODE)]

    async def shown(petition_id: str, principal: Principal) -> Record:
        """The petition, or the same 404 whether it is not there or not theirs to see."""
        record = await intake.petition(petition_id)
        if not is_shown(record, principal, intake.units):
            raise Refused("petition-unknown", "there is no such petition")
        return record

    @router.get("/petitions")
    async def petitions(
        principal: reader,
        *,
        status: state = None,
        channel: channels = None,
        topic: topics = None,
        unit: Annotated[str | None, Query(pattern=UNIT_CODE)] = None,
        jurisdiction: county = None,
        petitioner: name = None,
        since: Instant | None = None,
        until: Instant | None = None,
        size: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """Petitions in the caller's scope, newest first, without their texts; `next` is the cursor of the next page."""
        scope = principal.scope(intake.units)
        if scope.jurisdiction is not None and jurisdiction not in {None, scope.jurisdiction}:
            return answer({"items": [], "next": None})
        wanted = Filter(
            jurisdiction=scope.jurisdiction or jurisdiction,
            status=status,
            channel=channel,
            topic=topic,
            unit=unit,
            petitioner=petitioner,
            since=since,
            until=until,
            under=intake.units.subtree(scope.unit) if scope.unit else frozenset(),
            barred=scope.barred,
            hide_accusations_without_unit=scope.unit is not None,
        )
        records, following = await intake.page(wanted, size=size, cursor=cursor)
        return answer({"items": [list_view(record) for record in records], "next": following})

    @router.get("/petitions/{petition_id}")
    async def petition(petition_id: str, principal: reader) -> Response:
        """One petition with its history; texts masked. The reading is in the audit log."""
        record = await shown(petition_id, principal)
        await intake.note_reading(record, account=principal.account)
        view = staff_view(record, await intake.store.same_text(record))
        return answer(view, headers={"ETag": f'"{record.life.version}"'})

    @router.post("/petitions/{petition_id}/events", status_code=201, openapi_extra=json_body(StepIn))
    async def step(petition_id: str, request: Request, principal: handler) -> Response:
        """Take a step. 409 `transition-not-allowed` names what may come instead.

        A unit enters its own steps (else 403 `unit-not-yours`), and not what the petitioner says of them
        (403 `evaluation-not-yours`).
        """
        key = idempotency_key(request) if "idempotency-key" in request.headers else None
        body = await read_json(request, StepIn)
        wanted = body.step(principal.account, may_name_actor=principal.role == "duty_officer")
        # who handed a petition on sees it no more, and still gets the answer that was lost on the way
        done = None
        if key is not None and wanted.actor == principal.account:
            done = await intake.step_again(petition_id, wanted, key, expected=body.version)
        if done is None:
            record = await shown(petition_id, principal)
            check_step(principal, wanted, record, intake.units)
            done = await intake.step(
                petition_id,
                wanted,
                key or uuid4().hex,
                account=principal.account,
                expected=body.version,
                traceparent=trace_of(request),
            )
        return answer(
            {"petition_id": done.petition_id, "status": done.status, "version": done.version},
            201,
            {"Idempotent-Replayed": "true"} if done.replayed else None,
        )

    @router.post("/petitions/{petition_id}/identity", openapi_extra=json_body(ReasonIn))
    async def identity(petition_id: str, request: Request, principal: opener) -> Response:
        """Who petitions, and the texts as they were sent. The reason and the reader go into the audit log first."""
        body = await read_json(request, ReasonIn)
        record = await shown(petition_id, principal)
        held = await intake.identity(record, account=principal.account, reason=body.reason)
        return answer({"petition_id": petition_id, "identity": held})

    @router.delete("/petitions/{petition_id}/identity", openapi_extra=json_body(ReasonIn))
    async def forget(petition_id: str, request: Request, principal: eraser) -> Response:
        """Delete the petitioner's key. What was sealed with it, in every petition of theirs here, is gone for good."""
        body = await read_json(request, ReasonIn)
        record = await shown(petition_id, principal)
        erased = await intake.forget(record, account=principal.account, reason=body.reason)
        return answer({"petition_id": petition_id, "erased": erased})

    return router
