"""Use cases of the assessment service: keep lifecycle events, let the clock strike, answer what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.assessment.domain.ledger import Finding, Held, fresh, plan, strike
from services.assessment.domain.life import Step
from services.assessment.domain.rules import Rulebook
from services.assessment.ports import Store, Transaction
from services.assessment.steps import step_of
from shared.events import (
    Bilingual,
    Event,
    ObligationBreached,
    ObligationData,
    ObligationDueSoon,
    ObligationMet,
    ObligationWithdrawn,
    derived_id,
    new_event,
)

SOURCE = "/assessment"
_CLASSES: Mapping[str, type[ObligationData]] = {
    "due_soon": ObligationDueSoon,
    "breached": ObligationBreached,
    "met": ObligationMet,
    "withdrawn": ObligationWithdrawn,
}


@dataclass(frozen=True)
class Batch:
    """Steps of one batch by petition, in the order in which they came, and the trace each came with."""

    steps: Mapping[str, tuple[str, tuple[Step, ...]]]
    traces: Mapping[str, str | None]


def read(events: Sequence[Event]) -> Batch:
    """Sort lifecycle events by petition. Raises `UnusableError`."""
    steps: dict[str, tuple[str, tuple[Step, ...]]] = {}
    traces: dict[str, str | None] = {}
    for event in events:
        petition, jurisdiction, step = step_of(event)
        county, so_far = steps.get(petition, (jurisdiction, ()))
        steps[petition] = (jurisdiction if step.kind == "filed" else county, (*so_far, step))
        traces[step.id] = event.traceparent
    return Batch(steps, traces)


async def keep(store: Store, tx: Transaction, batch: Batch, book: Rulebook) -> list[Event]:
    """Keep the steps that are new and what follows from them; returns what became met or is owed no more.

    Steps that were kept before change nothing.
    """
    known = await store.held(tx, list(batch.steps))
    todo: list[tuple[Held, tuple[Step, ...]]] = []
    for petition, (jurisdiction, steps) in batch.steps.items():
        held = known.get(petition) or Held(petition, jurisdiction)
        new = fresh(held, steps)
        if new:
            todo.append((held, new))
    rows = await store.rows(tx, [key for held, _ in todo for key in held.owed])
    changes = [plan(held, new, rows, book, batch.traces) for held, new in todo]
    await store.save(tx, changes)
    return [finding_event(f) for c in changes for f in c.findings]


async def let_strike(store: Store, tx: Transaction, now: datetime, limit: int) -> int:
    """Tell of at most `limit` obligations that came near or were broken; returns how many were looked at."""
    rows = await store.watched(tx, now, limit)
    found = [told for row in rows if (told := strike(row, now)) is not None]
    await store.tell(tx, [row for row, _ in found], [finding_event(f) for _, f in found])
    return len(found)


def finding_event(finding: Finding) -> Event:
    """The event of a finding. The same finding has the same id whenever it is made, and the same time but for a withdrawal:
    that has the time of the last step of its batch.
    """
    o, renewal = finding.row.obligation, finding.row.renewal
    why = finding.reason
    data = _CLASSES[finding.kind](
        petition_id=o.petition,
        jurisdiction=o.jurisdiction,
        unit=o.unit,
        obligation=o.code,
        due=o.due_at,
        state=finding.kind,
        basis=o.basis,
        derivation=o.derivation.en,
        explanation=Bilingual(zh=o.derivation.zh, en=o.derivation.en),
        at=finding.at,
        restricted=finding.row.restricted,
        accused_unit=finding.row.accused,
        started_by=o.cause,
        renewal=renewal,
        **({} if why is None else {"reason": Bilingual(zh=why.zh, en=why.en)}),
    )
    return new_event(
        data,
        id=derived_id(o.cause, o.code, finding.kind, *([str(renewal)] if renewal else [])),
        source=SOURCE,
        time=finding.at,
        traceparent=finding.trace,
        causation=finding.by,
    )
