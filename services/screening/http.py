"""Routes of screening. Staff only, but for the look-up of similar matters, which intake asks before a filing."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import Response
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from pydantic import BaseModel, ConfigDict, Field

from services.screening.domain.flags import KINDS
from services.screening.handlers import Desk, NotFound, Refused
from services.screening.ports import Wanted
from services.screening.views import Actor, read_cursor
from shared.access import Access, Principal, may, require
from shared.directory_file import COUNTY_CODE, UNIT_CODE
from shared.web import Problem, json_body, read_json

NO_MATTER: Final = Problem(404, "matter-not-found", "there is no such matter")
NO_FLAG: Final = Problem(404, "flag-not-found", "there is no such flag")


class Body(BaseModel):
    """A strict request body."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    reason: str = Field(min_length=3, max_length=2000, description="why; kept in the history")


class MergeBody(Body):
    """The matter that this one takes in."""

    other: str = Field(min_length=1, max_length=100)


class SplitBody(Body):
    """The petitions that are another matter."""

    petitions: list[str] = Field(min_length=1, max_length=500)


class ResolveBody(Body):
    """How a contest ends."""

    outcome: str = Field(pattern="^(upheld|withdrawn)$")


def add_routes(app: FastAPI, desk: Desk, access: Access, rate_similar: str) -> None:
    """Mount the routes."""
    limiter = FixedWindowRateLimiter(MemoryStorage())
    limit = parse(rate_similar)
    reader = Annotated[Principal, Depends(require(access, *may("warnings.read")))]
    officer = Annotated[Principal, Depends(require(access, *may("warnings.handle")))]
    concerned = Annotated[Principal, Depends(require(access, "duty_officer", "unit", "leader"))]
    leader = Annotated[Principal, Depends(require(access, "duty_officer", "leader"))]
    page_size = Annotated[int, Query(alias="limit", ge=1, le=200)]
    in_county = Annotated[str | None, Query(alias="jurisdiction", pattern=COUNTY_CODE)]
    cursor = Annotated[str | None, Query(max_length=300)]

    def actor(principal: Principal) -> Actor:
        scope = principal.scope(access.units)

        def sees(row: dict[str, Any]) -> bool:
            return scope.shows(
                row.get("unit"),
                row["county"],
                restricted=bool(row.get("restricted")),
                accused=row.get("accused_unit"),
                units=access.units,
            )

        return Actor(principal.account, principal.role, sees, counts_accusations=not scope.barred)

    @app.get("/v1/matters")
    async def matters(
        who: reader,
        county: in_county = None,
        state: Annotated[str | None, Query(pattern="^(open|merged)$")] = "open",
        unit: Annotated[str | None, Query(pattern=UNIT_CODE)] = None,
        at_least: Annotated[int, Query(ge=1, le=10_000)] = 2,
        size: page_size = 50,
        after: cursor = None,
    ) -> Response:
        """Matters of more than one petition, the newest activity first."""
        wanted = Wanted(
            who.jurisdiction or county, state, unit=unit, at_least=at_least, limit=size, after=_cursor(after)
        )
        return _json(await desk.matters(wanted, actor(who)))

    @app.get("/v1/matters/{id}")
    async def matter(id: str, who: reader) -> Response:
        """One matter: petitions, merges, decisions, flags."""
        return await _answer(desk.matter(id, actor(who)), NO_MATTER)

    @app.get("/v1/matters/{id}/near")
    async def near(id: str, who: officer) -> Response:
        """Matters of the county that this one could take in, likely twins first; what each has in common with it."""
        return await _answer(desk.near(id, actor(who)), NO_MATTER)

    @app.post("/v1/matters/{id}/merge", status_code=202, openapi_extra=json_body(MergeBody))
    async def merge(id: str, request: Request, who: officer) -> Response:
        """Two matters are one."""
        body = await read_json(request, MergeBody)
        return await _answer(desk.merge(id, body.other, body.reason, actor(who)), NO_MATTER, 202)

    @app.post("/v1/matters/{id}/split", status_code=202, openapi_extra=json_body(SplitBody))
    async def split(id: str, request: Request, who: officer) -> Response:
        """Some petitions are another matter."""
        body = await read_json(request, SplitBody)
        return await _answer(desk.split(id, body.petitions, body.reason, actor(who)), NO_MATTER, 202)

    @app.get("/v1/flags")
    async def flags(
        who: reader,
        county: in_county = None,
        state: Annotated[str | None, Query(pattern="^(open|cleared)$")] = None,
        kind: Annotated[str | None, Query(pattern=f"^({'|'.join(KINDS)})$")] = None,
        matter: Annotated[str | None, Query(max_length=100)] = None,
        size: page_size = 50,
        after: cursor = None,
    ) -> Response:
        """Flags, the newest first."""
        wanted = Wanted(who.jurisdiction or county, state, kind=kind, matter=matter, limit=size, after=_cursor(after))
        return _json(await desk.flags(wanted, actor(who)))

    @app.get("/v1/flags/{id}")
    async def flag(id: str, who: reader) -> Response:
        """One flag, explained."""
        return await _answer(desk.flag(id, actor(who)), NO_FLAG)

    @app.post("/v1/flags/{id}/contest", status_code=201, openapi_extra=json_body(Body))
    async def contest(id: str, request: Request, who: concerned) -> Response:
        """Say that a flag is wrong."""
        body = await read_json(request, Body)
        return await _answer(desk.contest(id, body.reason, actor(who)), NO_FLAG, 201)

    @app.post("/v1/flags/{id}/contest/resolve", openapi_extra=json_body(ResolveBody))
    async def resolve(id: str, request: Request, who: leader) -> Response:
        """Decide a contest."""
        body = await read_json(request, ResolveBody)
        return await _answer(desk.resolve(id, body.outcome, body.reason, actor(who)), NO_FLAG)

    @app.get("/v1/precision")
    async def precision(who: reader, county: in_county = None) -> Response:
        """What became of the flags of each rule."""
        return _json(await desk.precision(who.jurisdiction or county, actor(who)))

    @app.get("/v1/policy")
    async def policy(who: reader) -> Response:
        """The policy in force."""
        return _json(desk.policy())

    @app.get("/v1/similar")
    async def similar(
        request: Request,
        jurisdiction: Annotated[str, Query(pattern=COUNTY_CODE)],
        title: Annotated[str, Query(min_length=1, max_length=200)],
        text: Annotated[str, Query(max_length=2000)] = "",
    ) -> Response:
        """Up to three similar open matters: public text only. Intake shows them before a filing."""
        address = request.client.host if request.client else "unknown"
        if not await limiter.hit(limit, "similar", address):
            raise Problem(429, "too-many-requests", "too many look-ups from this address", headers={"Retry-After": "1"})
        return _json(desk.similar(jurisdiction, title, text))


def _cursor(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    try:
        return read_cursor(after)
    except ValueError:
        raise Problem(422, "cursor-invalid", "use the `next` of the page before") from None


async def _answer(work: Awaitable[Any], missing: Problem, status: int = 200) -> Response:
    """What a use case gives; `missing` where there is no such thing, 409 where it cannot be done as things are."""
    try:
        return _json(await work, status)
    except NotFound:
        raise missing from None
    except Refused as refused:
        raise Problem(409, refused.code, refused.detail) from None


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content, default=str), status_code=status, media_type="application/json")
