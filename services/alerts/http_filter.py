"""The filters of lists of warnings, read from the query. A value that no warning can have is refused, not answered by nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from fastapi import Request
from starlette.datastructures import QueryParams

from services.alerts.domain.warning import CLOSED_STATES, LEVELS, OPEN_STATES
from services.alerts.labels import KINDS
from services.alerts.ports import Filter
from shared.directory import Directory
from shared.instants import parse_instant
from shared.web import Problem

_STATES: Final = {"open": frozenset(OPEN_STATES), "closed": frozenset(CLOSED_STATES)}
_TEXTS: Final = ("unit", "jurisdiction", "town", "topic", "matter", "q")
FILTERS: Final = ("state", "level", "kind", *_TEXTS[:-1], "since", "until", "exercise", "q")
"""Query parameters that `read_filter` reads."""


def read_filter(request: Request, units: Directory) -> Filter:
    """A filter from the query; raises `Problem` 422 `filter-invalid`, with an error for each parameter that is wrong."""
    query, wrong = request.query_params, dict[str, str]()

    def one_of(
        name: str, values: Collection[str], allowed: Collection[str], more: Collection[str] = ()
    ) -> frozenset[str]:
        if not set(values) <= set(allowed):
            wrong[name] = f"{name} is one of {', '.join((*more, *allowed))}"
        return frozenset(values)

    asked = set[str]().union(*(_STATES.get(value, {value}) for value in query.getlist("state")))
    states = one_of("state", asked, (*OPEN_STATES, *CLOSED_STATES), tuple(_STATES))
    levels = one_of("level", query.getlist("level"), LEVELS)
    kinds = one_of("kind", query.getlist("kind"), tuple(KINDS))
    texts = {name: query.get(name) for name in _TEXTS}
    if texts["topic"] is not None:
        one_of("topic", (texts["topic"],), tuple(units.topics))
    if texts["unit"] is not None and not units.knows(texts["unit"]):
        wrong["unit"] = "unit is the code of a unit of the directory, as 379911.education_bureau"
    for name, form, what in (("jurisdiction", r"\d{6}", "a county"), ("town", r"\d{9}|\d{12}", "a town")):
        if texts[name] is not None and not re.fullmatch(form, texts[name] or "", re.ASCII):
            wrong[name] = f"{name} is the code of {what}, in digits"
    for name, value in texts.items():
        if value is not None and (len(value) > 200 or "\0" in value):
            wrong[name] = f"{name} has at most 200 characters, and no U+0000"
    if query.get("exercise") not in (None, "true", "false"):
        wrong["exercise"] = "exercise is true or false"
    since, until = (_instant(query, name, wrong) for name in ("since", "until"))
    if wrong:
        errors = [{"field": f"query.{name}", "code": "filter-invalid", "detail": told} for name, told in wrong.items()]
        raise Problem(422, "filter-invalid", "; ".join(wrong.values()), errors=errors)
    return Filter(
        states=states,
        levels=levels,
        kinds=kinds,
        unit=texts["unit"],
        jurisdiction=texts["jurisdiction"],
        town=texts["town"],
        topic=texts["topic"],
        matter=texts["matter"],
        text=texts["q"],
        since=since,
        until=until,
        exercise=None if "exercise" not in query else query["exercise"] == "true",
    )


def _instant(query: QueryParams, name: str, wrong: dict[str, str]) -> datetime | None:
    try:
        return parse_instant(query[name]) if name in query else None
    except ValueError as error:
        wrong[name] = f"{name}: {error}"
        return None
