"""Documents of the alerts API: CAP messages, special reports, after-action reviews."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from services.alerts import bodies, cap, queries, reports
from services.alerts.handlers import Desk, Missing
from services.alerts.http import answered, read_cursor
from services.alerts.http_filter import FILTERS, read_filter
from shared.access import Access, Principal, may, require
from shared.clock import BEIJING
from shared.directory import Lang
from shared.openapi import query_names
from shared.web import Problem, json_body, read_json

Id = Annotated[str, Path(max_length=100)]
PAGE: Final = 100
_PRIVATE: Final = {"Cache-Control": "no-store"}


def document_routes(desk: Desk, access: Access, lists: Mapping[str, Sequence[str]]) -> APIRouter:
    """The router. `lists` names the receivers of special reports."""
    router = APIRouter(prefix="/v1")
    reader = Depends(require(access, *may("warnings.read")))
    writer = Depends(require(access, *may("warnings.documents")))

    @router.get("/cap", openapi_extra=query_names(FILTERS))
    async def cap_feed(
        request: Request, who: Principal = reader, cursor: Annotated[str | None, Query(max_length=20)] = None
    ) -> Response:
        """Atom feed of the newest CAP 1.2 message of each warning, newest first, 100 a page. Restricted and Private only."""
        asked = read_filter(request, desk.units)
        found, place = await queries.changed(desk, who, asked, before=read_cursor(cursor), limit=PAGE)
        entries = [(warning, await desk.store.log(warning.id)) for warning in found]
        following = None if place is None else f"/v1/cap?{_again(request, cursor=str(place))}"
        body = cap.feed(entries, desk.clock.now(), following)
        return Response(body, media_type="application/atom+xml", headers=_PRIVATE)

    @router.get("/cap/{warning_id}")
    async def cap_one(warning_id: Id, who: Principal = reader) -> Response:
        """The newest CAP 1.2 message about a warning, with references to those before it."""
        warning = await answered(queries.one(desk, who, warning_id))
        body = cap.cap_message(warning, await desk.store.log(warning_id), desk.units)
        return Response(body, media_type="application/cap+xml", headers=_PRIVATE)

    @router.get("/warnings/{warning_id}/after-action")
    async def review(warning_id: Id, who: Principal = reader, lang: Annotated[Lang, Query()] = "zh") -> dict[str, Any]:
        """The after-action review."""
        section = reports.after_action(await answered(queries.detail(desk, who, warning_id)), lang)
        return {"heading": section.heading, "lines": list(section.lines)}

    @router.post("/documents", status_code=201, openapi_extra=json_body(bodies.DocumentBody))
    async def make_document(request: Request, who: Principal = writer) -> dict[str, Any]:
        """Make a special report (专报) and send it to its list; the record says to whom and when."""
        body = await read_json(request, bodies.DocumentBody)
        from services.alerts.render import render  # half a second of libraries that a service may never need

        wanted = reports.Wanted(body.form, body.recipients, body.lang, body.warning_id, body.since, body.until)
        report = await answered(reports.compose(desk, who, wanted))
        made = await reports.send(
            desk, who, wanted, report, render(report, body.form), lists.get(body.recipients, ()), str(uuid.uuid4())
        )
        return _record(made.record)

    @router.get("/documents")
    async def list_documents(
        who: Principal = writer, warning_id: Annotated[str | None, Query(max_length=100)] = None
    ) -> dict[str, Any]:
        """Special reports that were made, newest first."""
        found = await desk.store.documents(warning_id=warning_id, limit=200)
        return {"documents": [_record(row) for row in found if await _may_see_document(desk, who, row)]}

    @router.get("/documents/{document_id}")
    async def get_document(document_id: Id, who: Principal = writer) -> Response:
        """The document as it was sent."""
        row = await desk.store.document(document_id)
        if row is None or not await _may_see_document(desk, who, row):
            raise Problem(404, "not-found", "there is no such thing here")
        headers = {"Content-Disposition": f'attachment; filename="{row["name"]}"', **_PRIVATE}
        return Response(bytes(row["body"]), media_type=reports.MEDIA_TYPES[row["form"]], headers=headers)

    return router


def _again(request: Request, **changed: str) -> str:
    """The query of a request with something else in it."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    return urlencode([*kept, *changed.items()])


async def _may_see_document(desk: Desk, who: Principal, row: Mapping[str, Any]) -> bool:
    if row.get("warning_id") is None:
        return who.jurisdiction is None or row["by"] == who.account
    try:
        await queries.one(desk, who, row["warning_id"])
    except Missing:
        return False
    return True


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in row.items() if key not in ("_id", "body")}
    times = {key: value.astimezone(BEIJING).isoformat() for key, value in shown.items() if hasattr(value, "astimezone")}
    return {"id": row["_id"], **shown, **times, "url": f"/v1/documents/{row['_id']}"}
