"""`POST /v1/imports`: a message file as the body, or as the part `file` of a form."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile

from services.intake.channels import Channels, check_channel, check_county
from services.intake.columns import Sheet
from services.intake.forms import check_charset
from services.intake.handlers import Intake
from services.intake.http import answer
from services.intake.imports import MAX_ROWS, ImportDefaults, import_rows
from shared.access import Principal
from shared.directory_file import COUNTY_CODE
from shared.messages import Kind, MessageFileError, kind_of, read_stream
from shared.web import Problem, check_json

IMPORT_LIMIT: Final = 20 * 1024 * 1024
MEMORY: Final = 1024 * 1024
MEDIA: Final[Mapping[str, Kind]] = {
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_BODY: Final = {"schema": {"type": "string", "format": "binary"}}


def imports_router(intake: Intake, channels: Channels) -> APIRouter:
    """The route for files."""
    router = APIRouter(prefix="/v1", tags=["channels"])
    filer = Annotated[Principal, Depends(channels.importer)]

    @router.post("/imports", openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(MEDIA, _BODY)}})
    async def import_file(
        request: Request,
        principal: filer,
        channel: Annotated[str, Query(pattern="^[a-z][a-z0-9_]{1,59}$")],
        jurisdiction: Annotated[str | None, Query(pattern=COUNTY_CODE)] = None,
        mapping: Annotated[str | None, Query(max_length=4000, description='{"title": "留言主题"}')] = None,
    ) -> Response:
        """File every row of a JSONL, CSV or XLSX file of at most 20 MiB. Bad rows are reported, the others are filed.

        The same file again, or the rest of it after a break, adds what is missing and nothing twice. `ignored` of the
        report names the columns of which nothing was taken.
        """
        if channel not in intake.codes.channels:
            raise Problem(422, "channel-unknown", f"one of: {', '.join(intake.codes.channels)}")
        is_channel = principal.role == "channel"  # by its key or its token
        if is_channel:
            check_channel(principal, channel)
        check_county(principal, jurisdiction)
        names = _mapping(mapping)
        with tempfile.SpooledTemporaryFile(max_size=MEMORY) as file:
            kind = await _receive(request, file)
            file.seek(0)
            try:
                sheet = await _sheet(file, names) if kind == "xlsx" else None
                rows = read_stream(file, kind, mapping=names, max_rows=MAX_ROWS)  # type: ignore[arg-type]
                confined = principal.jurisdiction is not None
                defaults = ImportDefaults(channel, principal.jurisdiction or jurisdiction, confined, is_channel)
                report = await import_rows(intake, rows, defaults, sheet)
            except MessageFileError as error:
                raise Problem(422, error.code, error.detail) from None
        if report.stopped is not None and not report.accepted + report.duplicates + len(report.rejected):
            raise Problem(422, report.stopped["code"], report.stopped["detail"])
        return answer(asdict(report))

    return router


async def _receive(request: Request, file: "tempfile.SpooledTemporaryFile[bytes]") -> Kind:
    """Take the whole upload before anything of it is looked at; gives its kind."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data":
        check_charset(request)
        async with request.form(max_files=1, max_fields=5) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise Problem(422, "file-missing", "the form has no file in the part `file`")
            while chunk := await part.read(MEMORY):
                file.write(chunk)
            return _kind(part.filename or "")
    if media not in MEDIA:
        raise Problem(415, "content-type", f"send one of: {', '.join(MEDIA)}, multipart/form-data")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content-encoding", "send the file uncompressed")
    async for chunk in request.stream():
        file.write(chunk)
    return MEDIA[media]


async def _sheet(file: "tempfile.SpooledTemporaryFile[bytes]", names: Mapping[str, str]) -> Sheet:
    return await asyncio.to_thread(Sheet.read, file, names, max_rows=MAX_ROWS)  # type: ignore[arg-type]


def _kind(name: str) -> Kind:
    try:
        return kind_of(name)
    except MessageFileError as error:
        raise Problem(415, error.code, error.detail) from None


def _mapping(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    check_json(text.encode("utf-8", "replace"))
    found = orjson.loads(text)
    if not all(isinstance(value, str) for value in found.values()):
        raise Problem(422, "mapping-invalid", "a mapping is a JSON object of our name to the file's name")
    return {str(ours): str(theirs) for ours, theirs in found.items()}
