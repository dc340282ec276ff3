"""Between the events of the bus and the values of the domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from services.screening.domain.outcome import Filed, Notice
from services.screening.domain.petitions import PETITION_PROCEDURE, Filing, Step, StepKind, moment
from shared import signals
from shared.events import (
    Bilingual,
    Event,
    Evidence,
    FlagCleared,
    FlagData,
    FlagRaised,
    FlagUpdated,
    ObligationBreached,
    ObligationWithdrawn,
    PetitionAccepted,
    PetitionEvaluated,
    PetitionExtended,
    PetitionFiled,
    PetitionStep,
    RuleRef,
    new_event,
)

SOURCE: Final = "/screening"
BACKFILL: Final = timedelta(days=30)
"""A petition registered later than this after it was submitted is a back-fill: its steps keep their distance from it."""

_STEPS: Final[dict[str, StepKind]] = {
    f"fengqiao.petition.{name}.v1": name
    for name in (
        "assigned",
        "objected",
        "accepted",
        "not_accepted",
        "extended",
        "replied",
        "served",
        "met",
        "closed",
        "reopened",
        "evaluated",
    )
}
_REPLIES: Final = ("HANDLE", "HOTLINE_REPLY", "REPLY")
"""Obligations whose breach means that the petitioner was not answered."""
_BREACHES: Final[dict[type[Any], StepKind]] = {ObligationBreached: "breached", ObligationWithdrawn: "breach_withdrawn"}


def filed_of(event: Event, at: datetime) -> Filed:
    """What the engine takes of a filed event. A submission after the broker's own time `at` is clamped to it."""
    data: PetitionFiled = event.data
    submitted = moment(min(data.submitted_at, at))
    lag = moment(data.received_at) - submitted
    filing = Filing(
        id=data.petition_id,
        county=data.jurisdiction,
        petitioner=data.petitioner,
        at=submitted,
        channel=data.channel,
        title=data.title,
        cause=str(event.id),
        topic=data.topic,
        unit=data.responsible_unit,
        town=data.town,
        headcount=data.headcount,
        representatives=data.representatives,
        presented=data.level_presented,
        competent=data.level_competent,
        signals=_signals(data),
        restricted=data.purpose == "accusation",
        appeal=data.purpose == "appeal",
        accused_unit=data.accused_unit,
        joined=data.joined,
        lag=lag if lag > BACKFILL else timedelta(),
    )
    return Filed(filing, data.text)


def _signals(data: PetitionFiled) -> tuple[str, ...]:
    found = signals.encode(signals.find(data.title, data.text)) if data.title or data.text else ()
    known = {signal.partition(":")[0] for signal in found}
    return (*found, *(slug for slug in data.signals if slug.partition(":")[0] not in known))


def step_of(event: Event, at: datetime) -> Step | None:
    """What the engine takes of a later event of a petition; None for one that says nothing to screening."""
    kind = _STEPS.get(event.type)
    if kind is None or not isinstance(event.data, PetitionStep):
        return None
    data = event.data
    return Step(
        id=str(event.id),
        petition=data.petition_id,
        kind=kind,
        at=moment(min(data.at, at)),
        unit=data.unit,
        days=data.days if isinstance(data, PetitionExtended) else 0,
        solved=data.solved if isinstance(data, PetitionEvaluated) else None,
        route=data.route if isinstance(data, PetitionAccepted) else PETITION_PROCEDURE,
    )


def breach_of(event: Event) -> Step | None:
    """The breach of a reply's deadline, or that it was none, as a step of its petition; None for other findings."""
    data = event.data
    kind = _BREACHES.get(type(data))
    if kind is None or not data.obligation.startswith(_REPLIES):
        return None
    which = f"{data.obligation}/{data.started_by}/{data.renewal}" if data.started_by else ""
    return Step(str(event.id), data.petition_id, kind, moment(data.at), data.unit, breach=which)


_CLASSES: Final[dict[str, type[FlagData]]] = {"raised": FlagRaised, "updated": FlagUpdated, "cleared": FlagCleared}


def event_of(notice: Notice, *, traceparent: str | None = None, causation: str | None = None) -> Event:
    """The event of `screening.flags.v1` that tells of a notice."""
    flag = notice.flag
    values = {
        "flag_id": flag.id,
        "kind": flag.kind,
        "matter": flag.matter,
        "jurisdiction": flag.county,
        "petition_ids": flag.petitions,
        "petitioners": flag.petitioners,
        "distinct_petitioners": flag.distinct,
        "headcount": flag.headcount,
        "level": flag.level,
        "rule": RuleRef(id=flag.rule, version=flag.rule_version, policy=flag.policy, basis=flag.basis),
        "threshold": flag.threshold,
        "observed": flag.observed,
        "margin": flag.margin,
        "explanation": _both(flag.explanation),
        "counter_evidence": tuple(_both(text) for text in flag.against),
        "evidence": _evidence(flag.evidence, flag.phrases),
        "at": notice.at,
        "expires_at": flag.expires_at,
        "title": flag.title,
        "topic": flag.topic,
        "responsible_unit": flag.unit,
        "town": flag.town,
        "restricted": flag.restricted,
        "accused_unit": flag.accused_unit,
    }
    if notice.what == "cleared":
        values["reason"] = flag.reason
    return new_event(
        _CLASSES[notice.what](**values),
        id=notice.id,
        source=SOURCE,
        time=notice.at,
        sequence=notice.sequence,
        traceparent=traceparent,
        causation=causation,
    )


def _both(text: tuple[str, str]) -> Bilingual:
    return Bilingual(zh=text[0], en=text[1])


def _evidence(rows: Iterable[tuple[str, datetime, str]], phrases: tuple[tuple[str, str], ...]) -> tuple[Evidence, ...]:
    note = None
    if phrases:
        note = Bilingual(zh="、".join(zh for zh, _ in phrases), en=", ".join(en for _, en in phrases))
    return tuple(Evidence(petition_id=id, at=at, channel=channel, note=note) for id, at, channel in rows)
