"""The assessment's pages: what is due and broken, how each deadline came about, a unit's scorecard."""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.assessment.domain.life import BEIJING
from services.assessment.pages.charts import rate_bar, unit_bars
from services.assessment.pages.words import LANGS, Words
from services.assessment.ports import UnitCount
from services.assessment.reading import Question, Reading, RefusedError
from shared.access import Access, Principal, Role, check_role, demo_principal, may
from shared.problem_page import Link, Look
from shared.web import Problem

SIZE: Final = 50
REFRESH_S: Final = 30
DEMO_ROLES: Final = ("duty_officer", "leader", "unit", "auditor")
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_CSS: Final = (resources.files("services.assessment.pages") / "assessment.css").read_text(encoding="utf-8")
LOOK: Final = Look(
    name={lang: Words(lang)("title") for lang in LANGS},
    css=_CSS + "nav { display: flex; gap: 1rem; margin-left: auto; }",
    links=(Link("/", "返回总览", "Back to the overview"),),
    signs_in=True,
)
Lang = Annotated[str, Query(pattern="^(zh|en)$")]


def add_pages(app: FastAPI, reading: Reading, access: Access) -> None:
    """Mount the pages."""
    app.include_router(Pages(reading, access).router())


class Pages:
    """Renders on the server; no script, nothing from elsewhere."""

    def __init__(self, reading: Reading, access: Access) -> None:
        self._reading = reading
        self._access = access
        self._templates = Environment(
            loader=PackageLoader("services.assessment.pages"),
            autoescape=True,
            trim_blocks=True,
            undefined=StrictUndefined,
        )

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.overview, methods=["GET"])
        router.add_api_route("/units/{code}", self.unit, methods=["GET"])
        router.add_api_route("/petitions/{petition}", self.petition, methods=["GET"])
        router.add_api_route("/assets/assessment.css", self.css, methods=["GET"])
        return router

    async def css(self) -> Response:
        """The style sheet."""
        return Response(_CSS, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    async def overview(self, request: Request, lang: Lang = "zh") -> Response:
        """What is broken and what is near."""
        principal = await self._who(request)
        scope = principal.scope(self._reading.directory)
        counts = await self._reading.counts(scope)
        breached, _ = await self._reading.obligations(scope, Question(state="breached"), size=SIZE)
        soon, _ = await self._reading.obligations(scope, Question(state="due_soon"), size=SIZE)
        total = UnitCount(
            "", sum(c.open for c in counts), sum(c.due_soon for c in counts), sum(c.breached for c in counts)
        )
        words = Words(lang)
        chart = unit_bars(counts, lambda unit: self._reading.name(unit, lang), words("by_unit_text"))
        values: dict[str, Any] = {
            "total": total,
            "breached": breached,
            "soon": soon,
            "chart": chart,
            "units": [c.unit for c in counts],
        }
        return self._page("overview.html", request, principal, words, REFRESH_S, **values)

    async def unit(self, request: Request, code: str, lang: Lang = "zh", subtree: str = "") -> Response:
        """One unit's scorecard and open duties."""
        principal = await self._who(request)
        scope = principal.scope(self._reading.directory)
        under = subtree == "1"
        card = await self._reading.scorecard(scope, code, self._reading.period(None, None), subtree=under)
        breached, _ = await self._reading.obligations(scope, Question(code, under, state="breached"), size=SIZE)
        soon, _ = await self._reading.obligations(scope, Question(code, under, state="due_soon"), size=SIZE)
        values: dict[str, Any] = {"card": card, "breached": breached, "soon": soon, "subtree": under, "bar": rate_bar}
        return self._page("unit.html", request, principal, Words(lang), **values)

    async def petition(self, request: Request, petition: str, lang: Lang = "zh") -> Response:
        """Every deadline of one petition."""
        principal = await self._who(request)
        scope = principal.scope(self._reading.directory)
        rows, _ = await self._reading.obligations(scope, Question(petition=petition), size=SIZE)
        excluded, _ = await self._reading.obligations(scope, Question(petition=petition, state="excluded"), size=SIZE)
        seen = {r.obligation.id for r in rows}
        rows += [r for r in excluded if r.obligation.id not in seen]
        if not rows:
            raise RefusedError(404, "petition-unknown", "there is no such petition")
        rows.sort(key=lambda r: (r.obligation.started, r.obligation.id))
        return self._page("petition.html", request, principal, Words(lang), rows=rows, petition=petition)

    async def _who(self, request: Request) -> Principal:
        """The reader; a browser that is not signed in is sent to do so.

        In the demo a visitor is signed in: as a duty officer, or as the role asked for with `?as=`.
        """
        asked = request.query_params.get("as", "")
        if self._access.demo and asked in DEMO_ROLES:
            return demo_principal(cast(Role, asked))
        if "authorization" not in request.headers and not await self._signed_in(request):
            if self._access.demo:
                return demo_principal("duty_officer")
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            headers = {"Location": f"/auth/login?{urlencode({'next': back})}"}
            raise Problem(303, "sign-in-first", "sign in to see this page", headers=headers)
        principal = await self._access.request(request)
        check_role(principal, may("obligations.read"))
        return principal

    async def _signed_in(self, request: Request) -> bool:
        try:
            return await self._access.session(request) is not None
        except Problem:
            return self._access.demo  # in the demo it is said what is wrong; elsewhere the sign-in is just over

    def _page(
        self, template: str, request: Request, principal: Principal, words: Words, refresh: int = 0, **values: Any
    ) -> Response:
        kept = {"lang": words.lang} if "lang" in request.query_params else {}

        def link(**changes: str) -> str:
            return urlencode({k: v for k, v in {**kept, **changes}.items() if v})

        html = self._templates.get_template(template).render(
            w=words,
            now=self._reading.clock.now(),
            name=lambda unit: self._reading.name(unit, words.lang),
            link=link,
            shown=lambda moment: _local(moment).strftime("%Y-%m-%d %H:%M"),
            day=lambda moment: _local(moment).date().isoformat(),
            demo=self._access.demo,
            role=principal.role if principal.role in DEMO_ROLES else "duty_officer",
            roles=DEMO_ROLES,
            refresh=refresh,
            size=SIZE,
            **values,
        )
        response = HTMLResponse(html, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
        if self._access.demo and "authorization" not in request.headers:
            self._access.sign_in(response, principal, secure=request.url.scheme == "https")
        elif principal.session_ends is not None and not refresh:  # a page that reloads itself is no use of the session
            self._access.renew(response, principal, secure=True)
        return response


def _local(moment: datetime) -> datetime:
    return moment.astimezone(BEIJING)
