"""The assessment's HTTP interface for staff."""

from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from services.assessment.reading import Question, Reading, RefusedError
from services.assessment.views import obligation_view, scorecard_view, scorecards_csv
from shared.access import Access, Principal, may, require
from shared.directory_file import COUNTY_CODE, UNIT_CODE
from shared.web import Problem

StateName = Literal["pending", "due_soon", "breached", "met", "met_late", "excluded"]
CodeName = Literal["REG_TRANSFER", "NOTIFY", "OBJECT", "HANDLE", "HANDLE_EXT", "REVIEW_ASK"]


def answer(body: Any) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), media_type="application/json")


async def refused(_: Request, error: Exception) -> Response:
    """Exception handler for `RefusedError`."""
    assert isinstance(error, RefusedError)
    return Problem(error.status, error.code, error.detail).response()


def add_routes(app: FastAPI, reading: Reading, access: Access) -> None:
    """Mount the interface."""
    app.add_exception_handler(RefusedError, refused)
    app.include_router(_staff(reading, access))


def _staff(reading: Reading, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["staff"])
    reader = Annotated[Principal, Depends(require(access, *may("obligations.read")))]

    @router.get("/obligations")
    async def obligations(
        principal: reader,
        *,
        unit: Annotated[str | None, Query(pattern=UNIT_CODE)] = None,
        subtree: bool = False,
        jurisdiction: Annotated[str | None, Query(pattern=COUNTY_CODE)] = None,
        state: StateName | None = None,
        obligation: CodeName | None = None,
        petition: Annotated[str | None, Query(max_length=100)] = None,
        size: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
    ) -> Response:
        """Obligations by deadline; those without a deadline only under state=excluded. `next` is the next page's cursor."""
        question = Question(unit, subtree, jurisdiction, state, obligation, petition)
        rows, following = await reading.obligations(
            principal.scope(reading.directory), question, size=size, cursor=cursor
        )
        return answer({"items": [obligation_view(row, reading) for row in rows], "next": following})

    @router.get("/units")
    async def units(principal: reader) -> Response:
        """Units with open duties: how many, how many near, how many broken."""
        counts = await reading.counts(principal.scope(reading.directory))
        items = [
            {
                "unit": c.unit,
                "unit_name": {lang: reading.name(c.unit, lang) for lang in ("zh", "en")},
                "open": c.open,
                "due_soon": c.due_soon,
                "breached": c.breached,
            }
            for c in counts
        ]
        return answer({"items": items})

    @router.get("/units/{code}/scorecard")
    async def scorecard(
        code: str,
        principal: reader,
        *,
        since: Annotated[date | None, Query(alias="from")] = None,
        until: Annotated[date | None, Query(alias="to")] = None,
        subtree: bool = False,
    ) -> Response:
        """One unit's scorecard over the days `from` to `to` (both counted; by default the 90 days up to now)."""
        scope = principal.scope(reading.directory)
        card = await reading.scorecard(scope, code, reading.period(since, until), subtree=subtree)
        return answer(scorecard_view(card, reading))

    @router.get("/scorecards")
    async def scorecards(
        principal: reader,
        *,
        since: Annotated[date | None, Query(alias="from")] = None,
        until: Annotated[date | None, Query(alias="to")] = None,
        format: Literal["json", "csv"] = "json",
    ) -> Response:
        """Every unit's scorecard, for comparison: counts of one to four are suppressed."""
        period = reading.period(since, until)
        cards = await reading.export(principal.scope(reading.directory), period)
        if format == "csv":
            name = f"scorecards-{period[0]:%Y%m%d}-{period[1]:%Y%m%d}.csv"
            headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
            return Response("\ufeff" + scorecards_csv(cards, reading), headers=headers, media_type="text/csv")
        return answer({"items": [scorecard_view(card, reading) for card in cards]})

    return router
