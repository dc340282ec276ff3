"""What readers are shown of the rows: pages, matters, their history, and nothing of a flag that is not there for the reader."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.screening.ports import Document, Wanted
from shared.instants import parse_instant

_TELLING: Final = ("signals", "shared", "core", "beside")
"""Of a petition's row: what its text says in short, and what ties it to others."""


@dataclass(frozen=True)
class Actor:
    """Who acts: an account, how to tell whether a row is there for it, and whether every accusation may be counted."""

    account: str
    role: str
    sees: Callable[[Document], bool] = lambda _: True
    counts_accusations: bool = True

    @property
    def may_be_accused(self) -> bool:
        """An account of a unit: a complaint of reprisal may be about it."""
        return self.role == "unit" or not self.counts_accusations


def of_petition(row: Document, actor: Actor) -> Document:
    """A petition's row as the reader may know it; what was found in its text is not for a unit that it may be about."""
    return {key: value for key, value in row.items() if key not in _TELLING} if actor.may_be_accused else row


def with_flags(rows: Iterable[Document], flags: Iterable[Document], actor: Actor) -> list[Document]:
    """Matters with the kinds of their open `flags` that are there for the reader: a kind alone tells that there is one."""
    seen = {(flag["matter"], flag["kind"]) for flag in flags if actor.sees(flag)}
    return [row | {"flags": [kind for kind in row["flags"] if (row["_id"], kind) in seen]} for row in rows]


def wilson(right: int, judged: int) -> tuple[float, float]:
    """95 % interval of a share; (0, 1) where nothing was judged."""
    if not judged:
        return 0.0, 1.0
    z, share = 1.96, right / judged
    middle = share + z * z / (2 * judged)
    half = z * math.sqrt(share * (1 - share) / judged + z * z / (4 * judged * judged))
    return max(0.0, (middle - half) / (1 + z * z / judged)), min(1.0, (middle + half) / (1 + z * z / judged))


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """The place that a cursor names; raises ValueError for one that is not ours."""
    try:
        at, _, id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().partition("|")
        return parse_instant(at), id
    except (UnicodeError, binascii.Error) as error:
        raise ValueError("not a cursor") from error


def page(rows: list[Document], actor: Actor, wanted: Wanted, time: str) -> Document:
    """What the actor may see of the rows; the next page begins after the last row that was read, seen or not."""
    cursor = None
    if len(rows) == wanted.limit:
        cursor = base64.urlsafe_b64encode(f"{rows[-1][time].isoformat()}|{rows[-1]['_id']}".encode()).decode()
    return {"items": [public(row) for row in rows if actor.sees(row)], "next": cursor}


def public(row: Document) -> Document:
    """A row without what is the engine's own and what names a petitioner."""
    hidden = (
        "_id",
        "told",
        "turn",
        "petitioners" if isinstance(row.get("petitioners"), list | tuple) else "",
        "retracted",
        "moved",
        "subjects",
        "stood",
        "sequence",
    )
    return {"id": row["_id"], **{key: value for key, value in row.items() if key not in hidden}}


def without(contest: Document) -> Document:
    """A contest without those before it."""
    return {key: value for key, value in contest.items() if key != "before"}


def subject(row: Document) -> Document:
    """What a matter is at this moment, to be told of later."""
    return {name: row.get(name) for name in ("title", "petitions", "petitioners")}


def other_of(line: Document, id: str) -> str | None:
    """Of a merge or a decision of matter `id`: the other matter it is about."""
    sides = (line["kept"], line["gone"]) if "kept" in line else (line["matter"], line["other"])
    return next((side for side in sides if side is not None and side != id), None)


def told(line: Document, id: str, seen: Mapping[str, Document]) -> Document:
    """A merge or decision with the other matter as it was at the time, where the reader may see that one."""
    row = seen.get(other_of(line, id) or "")
    if row is None:
        return public(line)
    then = next((one for one in line.get("subjects", ()) if one["matter"] == row["_id"]), None)
    if then is None:  # by the linker: what was taken in stands in its row as it was then
        then = {"title": row.get("title", "")} if line.get("kept") == row["_id"] else subject(row)
    return public(line) | {"subject": {**then, "matter": row["_id"]}}
