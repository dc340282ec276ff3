"""Filing the rows of a message file: each by the same rules as a petition of its own, each for itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from services.intake.bodies import PetitionIn
from services.intake.columns import COUNTS, IGNORED_MAX, NAME_MAX, PERSONAL, WORDS, Sheet, receipt_time, understood
from services.intake.domain.petition import Refused
from services.intake.handlers import Intake
from shared.messages import BadRow, Message, MessageFileError
from shared.web import field_errors

CHUNK: Final = 64
MAX_ROWS: Final = 100_000
_COUNT: Final = re.compile(r"\d{1,9}")


@dataclass
class ImportReport:
    """What became of the rows. `stopped` says why reading ended early; the rows before it are filed.

    `ignored` names the columns of which nothing was taken, so that none is lost unsaid.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    stopped: dict[str, str] | None = None

    def reject(self, row: int, code: str, detail: str) -> None:
        """Book a row that was not filed."""
        self.rejected.append({"row": row, "code": code, "detail": detail})

    def ignore(self, columns: Iterable[str]) -> None:
        """Name columns once each, in their order; at most so many and so long that the report stays one."""
        for column in columns:
            name = column[:NAME_MAX].encode("utf-8", "replace").decode()  # a header in another encoding than its file
            if len(self.ignored) < IGNORED_MAX and name not in self.ignored:
                self.ignored.append(name)


@dataclass(frozen=True)
class ImportDefaults:
    """What holds for rows that do not say."""

    channel: str
    jurisdiction: str | None
    confined: bool = False
    """the account files for this county only"""
    only_channel: bool = False
    """the sender files for this channel only"""


async def import_rows(
    intake: Intake, rows: Iterator[Message | BadRow], defaults: ImportDefaults, sheet: Sheet | None = None
) -> ImportReport:
    """File every good row. The row's id is its request and its external number: the same file again adds nothing."""
    report = ImportReport()
    receipts = sheet.receipts if sheet else {}
    report.ignore(sheet.ignored if sheet else ())
    while True:
        try:
            chunk = await asyncio.to_thread(lambda: list(islice(rows, CHUNK)))
        except MessageFileError as error:
            report.stopped = {"code": error.code, "detail": error.detail}
            break
        if not chunk:
            break
        await asyncio.gather(*(_import(intake, _with(row, receipts), defaults, report) for row in chunk))
    report.rejected.sort(key=lambda one: one["row"])
    return report


def _with(row: Message | BadRow, receipts: Mapping[int, Mapping[str, str]]) -> Message | BadRow:
    times = receipts.get(row.row)
    return replace(row, more={**row.more, **times}) if times and isinstance(row, Message) else row


async def _import(intake: Intake, row: Message | BadRow, defaults: ImportDefaults, report: ImportReport) -> None:
    if isinstance(row, BadRow):
        report.reject(row.row, row.code, row.detail)
        return
    if defaults.confined and row.jurisdiction not in {None, defaults.jurisdiction}:
        report.reject(row.row, "jurisdiction-not-yours", "an account of a county files for that county")
        return
    more, ignored = understood(row.more)
    report.ignore(ignored)
    if defaults.only_channel and more.get("channel", defaults.channel) != defaults.channel:
        report.reject(row.row, "channel-not-yours", "the key or the token is not one of this channel")
        return
    try:
        body = PetitionIn.model_validate(body_of(row, more, defaults), strict=True)
        filed = await intake.file(body.filing(), f"import/{row.id}")
    except ValidationError as error:
        first = field_errors(error)[0]
        report.reject(row.row, "invalid-request", f"{first['field']}: {first['detail']}")
    except Refused as refused:
        report.reject(row.row, refused.code, refused.detail)
    else:
        if filed.replayed:
            report.duplicates += 1
        else:
            report.accepted += 1


def body_of(row: Message, more: Mapping[str, str], defaults: ImportDefaults) -> dict[str, Any]:
    """The request body that a row stands for, `more` being what is understood of its further columns; raises `Refused`."""
    body: dict[str, Any] = {
        "channel": defaults.channel,
        "jurisdiction": row.jurisdiction or defaults.jurisdiction,
        "title": row.title,
        "text": row.text,
        "submitted_at": row.submitted_at,
        "petitioner_ref": row.petitioner or None,
        "external_id": row.id,
        **{name: more[name] for name in WORDS if name in more},
        **{name: int(more[name]) if _COUNT.fullmatch(more[name]) else more[name] for name in COUNTS if name in more},
    }
    if "received_at" in more:
        body["received_at"] = receipt_time(more["received_at"], row.submitted_at)
    who = {name: more[name] for name in PERSONAL if name in more}
    if who:
        body["petitioner"] = who
    return body
