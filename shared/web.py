"""HTTP at the edge: a JSON reader that takes nothing doubtful, RFC 9457 problems, and limits around every request.

Nothing here echoes what was sent: problem documents name fields, rules and limits, never values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from shared.edge import Edge, too_large
from shared.instants import Instant, parse_instant
from shared.openapi import document, json_body, queries
from shared.problem import Problem, field_errors, invalid, of_status
from shared.problem_page import Look, ProblemPages

__all__ = [
    "Body",
    "Instant",
    "Problem",
    "check_json",
    "field_errors",
    "idempotency_key",
    "install",
    "invalid",
    "json_body",
    "parse_instant",
    "read_body",
    "read_json",
]

JSON_LIMIT: Final = 256 * 1024
MAX_DEPTH: Final = 16
INT64: Final = range(-(2**63), 2**63)
M = TypeVar("M", bound=BaseModel)


class Body(BaseModel):
    """Base of request bodies: strict types, no unknown field, no input in errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


# -- reading a body ---------------------------------------------------------------------------------------------------


async def read_json(request: Request, model: type[M], *, limit: int = JSON_LIMIT) -> M:
    """Read the body as one JSON object of `model`.

    Raises `Problem`: 415 media type or encoding, 413 above `limit` bytes, 408 too slow, 400 not one well-formed UTF-8
    JSON text (byte order mark, duplicate keys, NaN, depth), 422 anything the model does not allow.
    """
    _media_type(request.headers)
    body = await read_body(request, limit)
    check_json(body)
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise invalid(error) from None


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body; 413 as soon as it is longer than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _media_type(headers: Headers) -> None:
    if len(headers.getlist("content-type")) != 1:
        raise Problem(415, "content-type", "send exactly one Content-Type: application/json")
    media, _, parameters = headers["content-type"].partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise Problem(415, "content-type", "send Content-Type: application/json, in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content-encoding", "send the body uncompressed", headers={"Accept-Encoding": "identity"})


def check_json(body: bytes) -> None:
    """Refuse what parsers disagree on or the store cannot hold; raises `Problem` 400 or 422."""
    if not body.strip():
        raise Problem(400, "body-empty", "the body is empty; one JSON object is expected")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Problem(400, "byte-order-mark", "send UTF-8 without a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(
            400, "not-utf8", f"byte {error.start} is not UTF-8; a GBK or GB18030 text has to be converted first"
        ) from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise Problem(400, "too-deep", f"nesting is limited to {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise Problem(400, "not-json", f"not one JSON text: {error.msg} at character {error.pos}") from None
    if not isinstance(value, dict):
        raise Problem(422, "not-an-object", "the body must be one JSON object")
    _walk(value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "duplicate-key", "an object names the same key twice")
    return found


def _constant(_: str) -> NoReturn:
    raise Problem(400, "not-json", "NaN and Infinity are not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 100:
        raise Problem(400, "number-too-long", "a number has more than 100 digits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer)


def _walk(root: dict[str, Any]) -> None:
    stack: list[tuple[Any, int]] = [(root, 1)]
    while stack:
        value, depth = stack.pop()
        if isinstance(value, str):
            _text(value)
        elif isinstance(value, dict):
            stack.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            stack.extend((part, depth + 1) for part in value)
        elif isinstance(value, float) and value in {float("inf"), float("-inf")}:
            raise Problem(422, "number-out-of-range", "a number is too large")
        elif isinstance(value, int) and value not in INT64:
            raise Problem(422, "number-out-of-range", "whole numbers must fit 64 bits")
        if depth > MAX_DEPTH + 1:
            raise Problem(400, "too-deep", f"nesting is limited to {MAX_DEPTH} levels")


def _text(value: str) -> None:
    if "\0" in value:
        raise Problem(422, "nul-character", "a text holds the character U+0000")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Problem(422, "lone-surrogate", "a text holds half of a surrogate pair") from None


_VISIBLE = re.compile(r"[\x21-\x7e]{1,200}")


def idempotency_key(request: Request) -> str:
    """The `Idempotency-Key` header: 1–200 visible ASCII characters, given once; else 400."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        raise Problem(400, "idempotency-key-missing", "send an Idempotency-Key header, one per thing to be done")
    if len(values) > 1 or not _VISIBLE.fullmatch(values[0]):
        raise Problem(400, "idempotency-key-invalid", "send one Idempotency-Key of 1 to 200 visible ASCII characters")
    return values[0]


# -- the application --------------------------------------------------------------------------------------------------


def install(app: FastAPI, *, body_limits: Mapping[str, int] | None = None, look: Look | None = None) -> None:
    """Problems for every error, limits and security headers for every request; before the routes are added.

    With a `look` a browser gets a page for a problem that it ran into; programs and `/v1/` get the document.
    `body_limits` raises the limit of `BODY_LIMIT` bytes for paths that start with a key. A route that comes after this and
    stands in the OpenAPI document takes no query parameter but those it has there; pages do not stand in it.
    """
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _request)
    # Inside what is there already, where `add_middleware` would put them outside: who observes sees these answers too.
    if look is not None:
        app.user_middleware.append(Middleware(ProblemPages, look=look))
    app.user_middleware.append(Middleware(Edge, body_limits=dict(body_limits or {})))
    document(app)
    app.router.dependencies.append(Depends(_known_query))


async def _known_query(request: HTTPConnection) -> None:
    """Refuse a parameter that would be passed over in silence: the answer would look like one to the whole question."""
    if not request.scope["query_string"]:
        return
    state = request.app.state
    if not hasattr(state, "queries"):
        state.queries = queries(request.app)
    known: dict[str, bool] | None = state.queries.get((request.scope["route"].path_format, request.scope.get("method")))
    if known is None:
        return
    given = [name for name, _ in request.query_params.multi_items()]
    names = f"the parameters here are: {', '.join(known)}" if known else "this address takes no parameter"
    errors = []
    if not known.keys() >= set(given):
        errors.append({"field": "(unknown)", "code": "unknown-parameter", "detail": names})
    for name, several in known.items():
        if given.count(name) > 1 and not several:
            errors.append({"field": f"query.{name}", "code": "parameter-repeated", "detail": "is given more than once"})
    if errors:
        raise Problem(422, errors[0]["code"], "; ".join(f"{e['field']}: {e['detail']}" for e in errors), errors=errors)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return (
        of_status(error.status_code, error.headers).response() if not isinstance(error, Problem) else error.response()
    )


async def _request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(error).response()
