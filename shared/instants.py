"""Times as they come in from outside: RFC 3339, with a zone, and nothing that two readers could read differently."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
YEARS: Final = range(1949, 2200)
"""Years that a time from outside may lie in: all that petitions have to do with, and none at which arithmetic overflows."""


def parse_instant(value: object) -> datetime:
    """Read an RFC 3339 time with a zone, as UTC cut to milliseconds.

    Refused with `ValueError`: no zone, numbers (seconds and milliseconds cannot be told apart), 24:00, leap seconds
    (clocks and BSON have none; send second 59), offsets beyond 14 h, years outside 1949–2199.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("the time needs a zone")
        return value.astimezone(UTC)
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not an RFC 3339 time with a zone, such as 2026-03-01T09:30:00+08:00")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if year not in YEARS:
        raise ValueError("the year must lie between 1949 and 2199")
    if second == 60:
        raise ValueError("leap seconds are not taken; send second 59")
    zone = match[8].upper()
    if zone != "Z" and (int(zone[1:3]) * 60 + int(zone[4:6]) > 14 * 60 or int(zone[4:6]) > 59):
        raise ValueError("the zone lies beyond ±14:00")
    micro = int((match[7] or ".0")[1:].ljust(3, "0")[:3]) * 1000
    try:
        at = datetime(year, month, day, hour, minute, second, micro, UTC)
    except ValueError:
        raise ValueError("no such date or time") from None
    if zone == "Z":
        return at
    return at.replace(tzinfo=datetime.strptime(zone, "%z").tzinfo).astimezone(UTC)


Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A field of a request body that holds an RFC 3339 time; see `parse_instant`."""
