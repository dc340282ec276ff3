"""Errors as RFC 9457 problem documents. They name fields, rules and limits, never what was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

PROBLEM_JSON: Final = "application/problem+json"


class Problem(HTTPException):
    """An answer of RFC 9457. `code` is stable and meant for programs; `detail` says what to do and quotes no input."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.status = status
        self.code = code
        self.title = title or code.replace("-", " ").capitalize()
        self.extra = extra

    def body(self) -> bytes:
        """The problem document."""
        body = {
            "type": f"urn:fengqiao:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }
        return orjson.dumps(body)

    def response(self) -> Response:
        """The answer with it."""
        return Response(self.body(), self.status, self.headers, PROBLEM_JSON)


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for an error of a library, of which nothing but the status is fit to be told."""
    code = {404: "not-found", 405: "method-not-allowed"}.get(status, f"http-{status}")
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else None
    detail = {404: "there is nothing at this address", 405: "this address does not take this method"}
    return Problem(status, code, detail.get(status, "the request was refused"), title=phrase, headers=headers)


_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


def field_errors(error: ValidationError | RequestValidationError) -> list[dict[str, str]]:
    """At most 20 of the errors, as field, code and detail. A key that came from outside is not repeated."""
    found = []
    for one in error.errors()[:20]:
        parts = [str(part) for part in one["loc"] if isinstance(part, int) or _PLAIN_NAME.fullmatch(str(part))]
        if one["type"] == "extra_forbidden":
            parts = [*parts[:-1], "(unknown)"]
        detail = one["msg"].removeprefix("Value error, ")
        found.append({"field": ".".join(parts) or "(body)", "code": one["type"].replace("_", "-"), "detail": detail})
    return found


def invalid(error: ValidationError | RequestValidationError) -> Problem:
    """422 with one entry a field."""
    errors = field_errors(error)
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in errors[:3])
    return Problem(422, "invalid-request", detail, errors=errors)
