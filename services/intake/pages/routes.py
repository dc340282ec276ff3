"""The public pages: a form and a progress page that work without scripts, cookies or sessions."""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.intake.bodies import PetitionIn
from services.intake.domain.identity import keyed_hash
from services.intake.domain.masking import mask
from services.intake.domain.petition import PURPOSES, Refused
from services.intake.domain.steps import Step
from services.intake.handlers import PETITIONER, Intake
from services.intake.http import trace_of
from services.intake.pages.reading import FIELDS, fields, petition, wrong
from services.intake.pages.words import WORDS, words
from services.intake.ports import Record
from services.intake.similar import FindSimilar
from services.intake.throttle import Throttle
from services.intake.views import public_view
from shared.clock import BEIJING
from shared.directory import Lang
from shared.mongo import is_unavailable
from shared.problem_page import Link, Look, both
from shared.web import Problem

HERE: Final = Path(__file__).parent
TOKEN_SECONDS: Final = 6 * 3600
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_CSS: Final = (HERE / "intake.css").read_text(encoding="utf-8")
LOOK: Final = Look(
    name=both(*WORDS["system"]),
    css=_CSS,
    links=(Link("/", *WORDS["file"]), Link("/progress", *WORDS["progress"])),
)


def _beijing(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


class Pages:
    """Renders the pages and reads their forms."""

    def __init__(self, intake: Intake, throttle: Throttle, similar: FindSimilar, key: bytes) -> None:
        self.intake = intake
        self.throttle = throttle
        self.similar = similar
        self._key = key
        self._templates = Environment(
            loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["beijing"] = _beijing

    # -- the form -----------------------------------------------------------------------------------------------------

    async def form(self, request: Request) -> Response:
        """The empty form."""
        return self._form(request, dict.fromkeys(FIELDS, ""))

    async def send(self, request: Request) -> Response:
        """File what the form holds, or show it again with what has to be put right or with similar matters."""
        _same_site(request)
        form = await fields(request)
        try:
            await self.throttle.check("form", request)
        except Problem as problem:
            return self._form(request, form, notice="busy", status=problem.status)
        if form["switch"]:
            return self._form(request, form, token=form["token"])
        key = self._token_key(form["token"])
        errors = wrong(form, self.intake.codes, self.intake.clock.now())
        if key is None:
            return self._form(request, form, errors, notice="expired", status=409)
        if errors:
            return self._form(request, form, errors, status=422)
        try:
            body = petition(form)
            similar = await self._similar(form, body)
            if similar:
                return self._form(request, form, similar=similar, token=form["token"])
            filed = await self.intake.file(body.filing(), key, traceparent=trace_of(request))
        except Refused as refused:
            if refused.code == "idempotency-key-reused":  # went back and changed what was filed: another petition
                return self._form(request, form, notice="filed_before", status=409)
            if refused.code == "joined-unknown":
                return self._form(request, form, notice="joined_gone", status=422)
            raise
        except Exception as error:
            if not is_unavailable(error):
                raise
            return self._form(request, form, notice="down", status=503, token=form["token"])
        return self._page(request, "done.html", 201, receipt=filed.receipt, code=filed.query_code)

    async def _similar(self, form: Mapping[str, str], body: PetitionIn) -> list[dict[str, str]]:
        if form["asked"] or body.purpose == "accusation":
            return []
        found = await self.similar(body.jurisdiction, mask(body.title), mask(body.text))
        return [{"petition_id": one.petition_id, "title": one.title} for one in found]

    def _form(
        self,
        request: Request,
        form: Mapping[str, str],
        errors: Mapping[str, str] | None = None,
        *,
        notice: str | None = None,
        similar: list[dict[str, str]] | None = None,
        token: str | None = None,
        status: int = 200,
    ) -> Response:
        lang = _lang(request)
        units, w = self.intake.units, words(lang)
        purposes = {slug: units.code("purpose", slug).name(lang) for slug in ("appeal", *PURPOSES)}
        counties = [(code, units.name(code, lang)) for code in units.counties()]
        towns = [
            (code, f"{name} · {units.name(code, lang)}")
            for county, name in counties
            for code in units.children(county)
            if code.isdecimal()
        ]
        return self._page(
            request,
            "form.html",
            status,
            form={name: value.replace("\0", "") for name, value in form.items()},
            token=token or self._new_token(),
            notice=w[notice] if notice else "",
            errors={field: w[key] for field, key in (errors or {}).items()},
            similar=similar,
            purposes=list(purposes.items()),
            counties=counties,
            towns=towns,
            organs=[(code, units.name(code, lang)) for code in units.units],
            topics=[(slug, topic.name(lang)) for slug, topic in units.topics.items()],
        )

    async def registered(self, request: Request) -> Response:
        """The page that followed a filing, in the other language.

        It may be the only copy of the code: where nobody can say now whether it is right, it stays on the page.
        """
        _same_site(request)
        form = await fields(request)
        receipt, code = form["receipt"], form["code"]
        try:
            await self.throttle.check("progress", request)
            await self.intake.progress(receipt, code)
        except Refused:
            return self._asked(request, receipt, 404, error="wrong")
        except Exception as error:
            if not isinstance(error, Problem) and not is_unavailable(error):
                raise
        return self._page(request, "done.html", receipt=receipt, code=code)

    # -- progress -----------------------------------------------------------------------------------------------------

    async def ask(self, request: Request) -> Response:
        """The look-up form."""
        receipt = request.query_params.get("receipt", "")[:60]
        return self._page(request, "progress.html", view=None, receipt=receipt)

    async def show(self, request: Request) -> Response:
        """Where the petition stands. Receipt and code come in the body, so that they are in no address and no log."""
        return await self._progress(request, evaluate=False)

    async def evaluate(self, request: Request) -> Response:
        """The petitioner says whether it is solved."""
        return await self._progress(request, evaluate=True)

    async def _progress(self, request: Request, *, evaluate: bool) -> Response:
        _same_site(request)
        form = await fields(request)
        receipt, code = form["receipt"], form["code"]
        try:
            await self.throttle.check("progress", request)
            record = await self.intake.progress(receipt, code)
            if evaluate:
                record = await self._evaluate(record, form, request)
        except Problem as problem:
            return self._asked(request, receipt, problem.status, notice="busy_asking")
        except Refused as refused:
            if refused.code == "receipt-or-code-wrong":
                return self._asked(request, receipt, 404, error="wrong")
            return self._asked(request, receipt, 409, notice="moved_on")
        return self._page(
            request,
            "progress.html",
            view=public_view(record, self.intake.units, _lang(request)),
            code=code,
            version=record.life.version,
            readers=await self.intake.readers(record),
            thanks=evaluate,
        )

    async def _evaluate(self, record: Record, form: Mapping[str, str], request: Request) -> Record:
        petition_id, seen = record.petition.petition_id, form["version"]
        # nobody's where it was refused out of the pool of the unassigned: then of whoever acted last
        unit = record.life.unit or next((entry.unit for entry in reversed(record.history) if entry.unit), None)
        step = Step("evaluated", None, unit, PETITIONER, {"solved": form["solved"] == "yes"})
        if form["solved"] not in {"yes", "no"}:
            raise Refused("field-missing", "say whether it is solved", field="solved")
        if not _VERSION.fullmatch(seen):
            raise Refused("version-conflict", "the page does not say what it showed; look the petition up again")
        await self.intake.step(
            petition_id,
            step,
            f"page/{seen}",
            account=PETITIONER,
            expected=int(seen),
            traceparent=trace_of(request),
        )
        return await self.intake.petition(petition_id)

    def _asked(
        self, request: Request, receipt: str, status: int, *, error: str | None = None, notice: str | None = None
    ) -> Response:
        """The look-up form again, with what is wrong with what was asked, or what else there is to say."""
        w = words(_lang(request))
        errors = {"receipt": w[error]} if error else {}
        told = w[notice] if notice else ""
        return self._page(request, "progress.html", status, view=None, receipt=receipt[:60], errors=errors, notice=told)

    # -- common -------------------------------------------------------------------------------------------------------

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        lang = _lang(request)
        other = "zh" if lang == "en" else "en"
        path = "/progress" if template == "progress.html" else "/"
        text = self._templates.get_template(template).render(
            {"lang": lang, "other": other, "w": words(lang), "path": path, "errors": {}, "notice": "", **values}
        )
        headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store", "Content-Language": lang}
        return Response(text, status, headers, "text/html; charset=utf-8")

    def _new_token(self) -> str:
        """A sealed place and time: shows that the form came from here, and makes a second click the same request."""
        issued = f"{int(self.intake.clock.now().timestamp()):x}-{secrets.token_hex(8)}"
        return f"{issued}.{keyed_hash(self._key, 'form', issued)[:32]}"

    def _token_key(self, token: str) -> str | None:
        issued, _, seal = token.partition(".")
        if not hmac.compare_digest(keyed_hash(self._key, "form", issued)[:32].encode(), seal.encode()):
            return None
        age = self.intake.clock.now().timestamp() - int(issued.partition("-")[0], 16)
        return f"form/{issued}" if age <= TOKEN_SECONDS else None


def _lang(request: Request) -> Lang:
    return "en" if request.query_params.get("lang") == "en" else "zh"


def _same_site(request: Request) -> None:
    """Refuse a form that another site sent."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}", f"https://{request.headers.get('host', '')}"}
    if site not in {None, "same-origin", "none"} or (site is None and origin is not None and origin not in own):
        raise Problem(403, "cross-site", "the form has to be sent from this site's own page")


def pages_router(pages: Pages) -> APIRouter:
    """The routes of the pages; they are no part of the API document."""
    router = APIRouter(include_in_schema=False)
    for path, method, endpoint in (
        ("/", "GET", pages.form),
        ("/", "POST", pages.send),
        ("/registered", "POST", pages.registered),
        ("/registered", "GET", pages.ask),  # who types its address in, or comes back to it
        ("/progress", "GET", pages.ask),
        ("/progress", "POST", pages.show),
        ("/progress/evaluation", "POST", pages.evaluate),
    ):
        router.add_api_route(path, endpoint, methods=[method])

    @router.get("/static/intake.css")
    async def stylesheet() -> Response:
        return Response(_CSS, headers={"Cache-Control": "max-age=3600"}, media_type="text/css")

    return router
