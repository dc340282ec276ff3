"""What a form of the public pages says, and everything that is wrong with it, in the order of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from fastapi import Request
from pydantic import ValidationError

from services.intake.bodies import PetitionIn
from services.intake.domain.identity import Identity
from services.intake.domain.petition import CodeLists, Filing, faults
from services.intake.forms import check_charset
from shared.web import check_json, field_errors

FIELDS: Final = (
    "purpose", "jurisdiction", "town", "topic", "title", "text", "accused_unit", "name", "phone", "id_number", "address",
    "joined",
)  # fmt: skip
PERSONAL: Final = ("name", "phone", "id_number", "address")
_CHANNEL: Final = "web_portal"
_SAID: Final = frozenset({"title", "text", "jurisdiction", "town", "accused_unit", *PERSONAL})


async def fields(request: Request) -> dict[str, str]:
    """Fields of a form: texts only, line ends as \\n; a missing one is empty. Raises `Problem` 400."""
    check_charset(request)
    form = await request.form(max_files=0, max_fields=40)
    names = (*FIELDS, "token", "asked", "switch", "receipt", "code", "solved", "version")
    return {name: value.replace("\r\n", "\n") if isinstance(value := form.get(name, ""), str) else "" for name in names}


def petition(form: Mapping[str, str]) -> PetitionIn:
    """The body that the form stands for; raises `ValidationError` or `Problem`."""
    who = {name: form[name] for name in PERSONAL if form[name].strip()}
    body: dict[str, Any] = {name: form[name] for name in FIELDS if name not in PERSONAL and form[name].strip()}
    if form["purpose"].strip() == "accusation":  # chosen for an appeal that became one: it is filed by itself (Art. 30)
        body.pop("joined", None)
    raw = orjson.dumps({"channel": _CHANNEL, "title": "", "text": "", **body, "petitioner": who})
    check_json(raw)
    return PetitionIn.model_validate_json(raw, strict=True)


def wrong(form: Mapping[str, str], codes: CodeLists, now: datetime) -> dict[str, str]:
    """Field → key of what to say, for all fields that are wrong: whoever mends them is not sent back for another."""
    found = {name: "field_nul" for name in FIELDS if "\0" in form[name]}
    form = {name: value.replace("\0", "") for name, value in form.items()}
    try:
        filing = petition(form).filing()
    except ValidationError as error:
        told = [one["field"] for one in field_errors(error)]
        filing = _as_it_is(form)
    else:
        told = []
    for field in (*told, *(fault.field or "" for fault in faults(filing, codes, now=now))):
        name, key = _told(field)
        found.setdefault(name, key)
    return {name: found[name] for name in FIELDS if name in found}


def _as_it_is(form: Mapping[str, str]) -> Filing:
    """The filing with what cannot be read left in it, so that the rest is looked at too."""
    return Filing(
        channel=_CHANNEL,
        jurisdiction=form["jurisdiction"],
        title=form["title"],
        text=form["text"],
        identity=Identity(**{name: form[name].strip() for name in PERSONAL}),
        purpose=form["purpose"].strip() or "appeal",
        topic=form["topic"].strip() or None,
        town=form["town"].strip() or None,
        accused_unit=form["accused_unit"].strip() or None,
    )


def _told(field: str) -> tuple[str, str]:
    """Which field of the form to point at, and the key of what to say."""
    name = field.removeprefix("petitioner.")
    if name not in FIELDS:
        return "text", "field_other"
    key = f"field_petitioner.{name}" if name in PERSONAL else f"field_{name}"
    return name, key if name in _SAID else "field_other"
