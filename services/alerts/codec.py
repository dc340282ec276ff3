"""Between the domain's values and stored documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from services.alerts.domain.findings import FindingRow
from services.alerts.domain.notify import Told
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Timer
from services.alerts.domain.warning import Warning
from services.alerts.ports import Delivery, FlagRow, LogRow, StreamRow

SCHEMA: Final = 1

_WARNING: Final = TypeAdapter(Warning)
_SILENCE: Final = TypeAdapter(Silence)
_DELIVERY: Final = TypeAdapter(Delivery)
_FLAG: Final = TypeAdapter(FlagRow)
_LOG: Final = TypeAdapter(LogRow)
_FINDING: Final = TypeAdapter(FindingRow)


def dump_warning(warning: Warning) -> dict[str, Any]:
    """The stored form of a warning."""
    body: dict[str, Any] = _WARNING.dump_python(warning)
    return body


def load_warning(document: Mapping[str, Any]) -> Warning:
    """A warning from its stored form."""
    return _WARNING.validate_python(document)


def dump_silence(silence: Silence) -> dict[str, Any]:
    """The stored form of a silence."""
    body: dict[str, Any] = _SILENCE.dump_python(silence)
    return {"_id": silence.id, **body}


def load_silence(document: Mapping[str, Any]) -> Silence:
    """A silence from its stored form."""
    return _SILENCE.validate_python({k: v for k, v in document.items() if k != "_id"})


def dump_delivery(row: Delivery) -> dict[str, Any]:
    """The stored form of a delivery."""
    body: dict[str, Any] = _DELIVERY.dump_python(row)
    body["_id"] = body.pop("id")
    return body


def load_delivery(document: Mapping[str, Any]) -> Delivery:
    """A delivery from its stored form."""
    return _DELIVERY.validate_python({"id": document["_id"], **{k: v for k, v in document.items() if k != "_id"}})


def dump_flag(row: FlagRow) -> dict[str, Any]:
    """The stored form of a flag event."""
    body: dict[str, Any] = _FLAG.dump_python(row)
    body["_id"] = body.pop("id")
    return body


def load_flag(document: Mapping[str, Any]) -> FlagRow:
    """A flag event from its stored form."""
    return _FLAG.validate_python({"id": document["_id"], **{k: v for k, v in document.items() if k != "_id"}})


def dump_findings(rows: Sequence[FindingRow]) -> dict[str, Any]:
    """The stored form of a petition's obligation: the row that counts, the others under `beside`."""
    first, *rest = (_FINDING.dump_python(row) for row in rows)
    return {"_id": first.pop("id"), **first, **({"beside": rest} if rest else {})}


def load_findings(document: Mapping[str, Any]) -> tuple[FindingRow, ...]:
    """Back from `dump_findings`."""
    own = {key: value for key, value in document.items() if key not in ("_id", "beside")}
    rows = ({"id": document["_id"], **own}, *document.get("beside", ()))
    return tuple(_FINDING.validate_python(row) for row in rows)


def dump_log(row: LogRow) -> dict[str, Any]:
    """The stored form of a line of the log."""
    body: dict[str, Any] = _LOG.dump_python(row)
    return {"_id": f"{row.warning_id}/{row.version}", **body}


def load_log(document: Mapping[str, Any]) -> LogRow:
    """A line of the log from its stored form."""
    return _LOG.validate_python({k: v for k, v in document.items() if k != "_id"})


def dump_timer(timer: Timer) -> dict[str, Any]:
    """The stored form of a timer."""
    return {
        "_id": timer.id,
        "kind": timer.kind,
        "subject": timer.subject,
        "due": timer.due,
        "detail": dict(timer.detail),
    }


def load_timer(document: Mapping[str, Any]) -> Timer:
    """A timer from its stored form."""
    return Timer(document["_id"], document["kind"], document["subject"], document["due"], document.get("detail", {}))


def dump_told(group: str, told: Told) -> dict[str, Any]:
    """The stored form of what was told about a group."""
    firing = [{"id": id, "level": level, "size": size} for id, (level, size) in sorted(told.firing.items())]
    return {"_id": group, "at": told.at, "n": told.n, "firing": firing}


def load_told(document: Mapping[str, Any]) -> Told:
    """What was told about a group, from its stored form."""
    firing = {row["id"]: (row["level"], row["size"]) for row in document["firing"]}
    return Told(document["at"], firing, document["n"])


def load_stream(document: Mapping[str, Any]) -> StreamRow:
    """A row of the stream from its stored form; a warning's document holds its newest row under `stream`."""
    return StreamRow(
        seq=document["_id"],
        warning_id=document["warning_id"],
        type=document["type"],
        at=document["at"],
        event=document["event"],
        unit_path=frozenset(document["unit_path"]),
        jurisdiction=document["jurisdiction"],
        restricted=document["restricted"],
        accused=document["accused"],
    )


def dump_stream(row: StreamRow) -> dict[str, Any]:
    """The stored form of a row of the stream."""
    return {
        "_id": row.seq,
        "warning_id": row.warning_id,
        "type": row.type,
        "at": row.at,
        "event": row.event,
        "unit_path": sorted(row.unit_path),
        "jurisdiction": row.jurisdiction,
        "restricted": row.restricted,
        "accused": row.accused,
    }
