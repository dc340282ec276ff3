"""What a change writes besides the warning itself: its log line and its row of the stream. Shared by both stores."""

from __future__ import annotations

from services.alerts.contract import event_of
from services.alerts.domain.warning import Change
from services.alerts.ports import LogRow, StreamRow
from shared.directory import Directory
from shared.events import Event, encode


def log_row(change: Change) -> LogRow:
    """The line of the log."""
    warning = change.warning
    return LogRow(
        warning_id=warning.id,
        version=warning.version,
        action=change.action,
        before=change.before,
        state=warning.state,
        actor=change.actor,
        reason=change.reason,
        at=change.at,
        level=warning.level,
        detail=dict(change.detail),
        why=change.why,
    )


def stream_row(change: Change, seq: int, units: Directory) -> tuple[StreamRow, Event]:
    """The row of the stream, and the event it carries. A unit that hands a warning on still hears of that."""
    warning, event = change.warning, event_of(change)
    path: set[str] = set()
    for unit in (warning.responsible_unit, change.from_unit):
        if unit:
            path |= {unit, *units.ancestors(unit)}
    row = StreamRow(
        seq=seq,
        warning_id=warning.id,
        type=event.type,
        at=change.at,
        event=encode(event).decode(),
        unit_path=frozenset(path),
        jurisdiction=warning.flag.jurisdiction,
        restricted=warning.flag.restricted,
        accused=warning.flag.accused_unit,
    )
    return row, event
