"""What the OpenAPI document says of bodies that `shared.web.read_json` reads, and of the problems every route may answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

_REF: Final = "#/components/schemas/"
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457; `code` is stable",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}},
    },
}
_documented: dict[str, Any] = {"Problem": _PROBLEM}


def json_body(model: type[BaseModel], *, key: bool = False) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body with `read_json` (and wants an Idempotency-Key, if `key`)."""
    schema = model.model_json_schema(ref_template=_REF + "{model}")
    _documented.update(schema.pop("$defs", {}))
    _documented[model.__name__] = schema
    content = {"application/json": {"schema": {"$ref": _REF + model.__name__}}}
    extra: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    if key:
        limits = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
        extra["parameters"] = [{"in": "header", "name": "Idempotency-Key", "required": True, "schema": limits}]
    return extra


def query_names(names: Iterable[str]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads these parameters from the query itself, each as often as it comes."""
    schema = {"type": "array", "items": {"type": "string"}}
    return {"parameters": [{"in": "query", "name": name, "schema": schema} for name in sorted(names)]}


def queries(app: FastAPI) -> dict[tuple[str, str], dict[str, bool]]:
    """Query parameters of each documented route (path, method): name, and whether it may come several times."""
    return {
        (path, method.upper()): {
            one["name"]: any(part.get("type") == "array" for part in (one["schema"], *one["schema"].get("anyOf", ())))
            for one in operation.get("parameters", ())
            if one["in"] == "query"
        }
        for path, operations in app.openapi().get("paths", {}).items()
        for method, operation in operations.items()
    }


def document(app: FastAPI) -> None:
    """Complete the application's OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(_documented)
        content = {"application/problem+json": {"schema": {"$ref": _REF + "Problem"}}}
        for path in schema.get("paths", {}).values():
            for operation in path.values():
                responses = operation["responses"]
                responses.pop("422", None)
                responses["4XX"] = {"description": "refused", "content": content}
                responses["5XX"] = {"description": "failed", "content": content}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
