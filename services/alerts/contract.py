"""Between the domain and the wire: flags in, warning events out."""

from __future__ import annotations

from typing import Any, Final

from services.alerts.domain.warning import Change, EvidenceItem, Flag, Text
from shared.events import (
    Bilingual,
    Event,
    FlagData,
    WarningAcknowledged,
    WarningAssigned,
    WarningCancelled,
    WarningDiscarded,
    WarningEscalated,
    WarningOnScene,
    WarningPlanAdopted,
    WarningRaised,
    WarningSettled,
    WarningSilenced,
    WarningUpdated,
    WarningVerified,
    derived_id,
    new_event,
)
from shared.observe import mask

SOURCE: Final = "/fengqiao/alerts"
LAST_NUMBER: Final = 2**63 - 1
"""The store keeps no larger one, and an absurd number must not stop the reader."""

_TYPES: Final[dict[str, type[Any]]] = {
    "raise": WarningRaised,
    "verify": WarningVerified,
    "discard": WarningDiscarded,
    "acknowledge": WarningAcknowledged,
    "assign": WarningAssigned,
    "plan": WarningPlanAdopted,
    "on_scene": WarningOnScene,
    "escalate": WarningEscalated,
    "settle": WarningSettled,
    "cancel": WarningCancelled,
    "silence": WarningSilenced,
}
PRODUCES: Final = tuple(sorted({cls.event_type for cls in _TYPES.values()} | {WarningUpdated.event_type}))


def event_of(change: Change) -> Event:
    """The event of a change. Its id hangs on warning and version, so the same change is always the same event."""
    warning, flag = change.warning, change.warning.flag
    data = _TYPES.get(change.action, WarningUpdated)(
        warning_id=warning.id,
        version=warning.version,
        kind=warning.kind,
        level=warning.level,
        state=warning.state,
        matter=warning.matter,
        jurisdiction=flag.jurisdiction,
        responsible_unit=warning.responsible_unit,
        episode=warning.episode,
        previous=warning.previous,
        flag_id=flag.flag_id,
        title=flag.title,
        petition_ids=flag.petition_ids,
        distinct_petitioners=flag.distinct_petitioners,
        explanation=Bilingual(zh=flag.explanation.zh, en=flag.explanation.en) if flag.explanation else None,
        topic=flag.topic,
        town=flag.town,
        restricted=flag.restricted,
        accused_unit=flag.accused_unit,
        exercise=warning.exercise,
        actor=change.actor,
        reason=_said(change),
        at=change.at,
    )
    return new_event(
        data,
        id=derived_id(warning.id, str(warning.version)),
        source=SOURCE,
        time=change.at,
        sequence=warning.version,
        traceparent=change.traceparent,
        causation=change.cause,
    )


def _said(change: Change) -> str | None:
    """The reason as it goes out: what people write about an accusation stays in the log, of the rest what names a person."""
    if change.why is not None or change.reason is None:
        return change.reason
    return None if change.warning.flag.restricted else mask(change.reason)


def flag_of(event: Event) -> Flag:
    """A flag event as the domain knows it."""
    data: FlagData = event.data
    return Flag(
        flag_id=data.flag_id,
        kind=data.kind,
        matter=data.matter,
        jurisdiction=data.jurisdiction,
        level=data.level,
        at=data.at,
        title=data.title,
        topic=data.topic,
        town=data.town,
        responsible_unit=data.responsible_unit,
        petition_ids=data.petition_ids,
        distinct_petitioners=data.distinct_petitioners,
        headcount=data.headcount,
        explanation=_text(data.explanation),
        counter_evidence=tuple(Text(t.zh, t.en) for t in data.counter_evidence),
        evidence=tuple(
            EvidenceItem(item.petition_id, item.at, item.channel, _text(item.note)) for item in data.evidence[-200:]
        ),
        rule_id=data.rule.id,
        rule_version=data.rule.version,
        policy=data.rule.policy,
        basis=data.rule.basis,
        threshold=data.threshold,
        observed=data.observed,
        margin=data.margin,
        expires_at=data.expires_at,
        restricted=data.restricted,
        accused_unit=data.accused_unit,
        sequence=min(event.sequence, LAST_NUMBER),
    )


def _text(text: Bilingual | None) -> Text | None:
    return Text(text.zh, text.en) if text else None
