"""One sample of every event type, from which the golden files were written."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared import events as e

AT = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STEP: dict[str, Any] = {
    "petition_id": "018f3f5e-0000-7000-8000-000000000001",
    "jurisdiction": "370911",
    "at": AT,
    "unit": "hr_social_security_bureau",
    "actor": "handler-7",
}
RULE = e.RuleRef(id="collective_risk", version=1, policy="default@1", basis="internal practice")
WORDS = e.Bilingual(zh="五人以上反映同一事项", en="five or more people on one matter")
FLAG: dict[str, Any] = {
    "flag_id": "018f3f5e-0000-7000-8000-00000000000f",
    "kind": "collective_risk",
    "matter": "018f3f5e-0000-7000-8000-00000000000a",
    "jurisdiction": "370911",
    "petition_ids": ("018f3f5e-0000-7000-8000-000000000001",),
    "petitioners": ("7d0c8f3a",),
    "distinct_petitioners": 5,
    "headcount": 6,
    "level": "II",
    "rule": RULE,
    "threshold": 5,
    "observed": 5,
    "margin": 0,
    "explanation": WORDS,
    "counter_evidence": (WORDS,),
    "evidence": (e.Evidence(petition_id="018f3f5e-0000-7000-8000-000000000001", at=AT, channel="visit", note=WORDS),),
    "at": AT,
    "expires_at": AT + timedelta(days=30),
    "title": "某厂拖欠工资",
    "topic": "labour_dispute",
    "responsible_unit": "hr_social_security_bureau",
    "town": "370911001",
}
WARNING: dict[str, Any] = {
    "warning_id": "018f3f5e-0000-7000-8000-0000000000aa",
    "version": 1,
    "kind": "collective_risk",
    "level": "II",
    "state": "raised",
    "matter": FLAG["matter"],
    "jurisdiction": "370911",
    "responsible_unit": "hr_social_security_bureau",
    "flag_id": FLAG["flag_id"],
    "title": "某厂拖欠工资",
    "petition_ids": FLAG["petition_ids"],
    "distinct_petitioners": 5,
    "explanation": WORDS,
    "topic": "labour_dispute",
    "town": "370911001",
    "actor": "duty-1",
    "reason": "已电话核实",
    "at": AT,
}
OBLIGATION: dict[str, Any] = {
    "petition_id": STEP["petition_id"],
    "jurisdiction": "370911",
    "unit": "hr_social_security_bureau",
    "obligation": "HANDLE",
    "due": AT + timedelta(days=60),
    "basis": "信访工作条例 2022 Art. 34",
    "derivation": "accepted 03-01 + 60 d (Art. 34) → 04-30",
    "at": AT,
    "matter": FLAG["matter"],
}
FILED = e.PetitionFiled(
    petition_id=STEP["petition_id"],
    jurisdiction="370911",
    channel="visit",
    title="某厂拖欠工资",
    text="我们的工资从去年十月起没有发。联系电话[phone]。",
    petitioner="7d0c8f3a",
    submitted_at=AT,
    received_at=AT,
    topic="labour_dispute",
    responsible_unit="hr_social_security_bureau",
    town="370911001",
    headcount=6,
    representatives=3,
    level_presented="prefecture",
    signals=("announced_escalation",),
)
EXTRA: dict[type[Any], dict[str, Any]] = {
    e.PetitionAssigned: {"from_unit": "petition_bureau", "method": "transfer"},
    e.PetitionObjected: {"reasons": "不属于本单位职责"},
    e.PetitionAccepted: {"route": "petition_procedure", "notified_at": AT},
    e.PetitionNotAccepted: {"reasons": "已由法院受理", "notified_at": AT},
    e.PetitionExtended: {"days": 30, "approver": "head-2", "complexity": "需要鉴定", "reason_told_at": AT},
    e.PetitionReplied: {"opinion": "support"},
    e.PetitionMet: {"meeting": "handler"},
    e.PetitionClosed: {"outcome": "support"},
    e.PetitionReopened: {"reasons": "未执行"},
    e.PetitionEvaluated: {"solved": False, "satisfied": False},
    e.FlagCleared: {"reason": "已答复"},
    e.ObligationDueSoon: {"state": "due_soon"},
    e.ObligationBreached: {"state": "breached"},
    e.ObligationMet: {"state": "met"},
    e.ObligationWithdrawn: {
        "state": "withdrawn",
        "reason": e.Bilingual(zh="已依法延期", en="extended under Art. 34"),
        "started_by": e.derived_id("golden", "start"),
        "renewal": 1,
    },
}


def sample(cls: type[Any]) -> e.Event:
    """A complete event of this type."""
    if cls is e.PetitionFiled:
        data: Any = FILED
    elif issubclass(cls, e.PetitionStep):
        data = cls(**STEP, **EXTRA.get(cls, {}))
    elif issubclass(cls, e.FlagData):
        data = cls(**FLAG, **EXTRA.get(cls, {}))
    elif issubclass(cls, e.WarningData):
        data = cls(**WARNING)
    else:
        data = cls(**OBLIGATION, **EXTRA[cls])
    return e.new_event(
        data,
        id=e.derived_id("golden", cls.event_type),
        source="/golden",
        time=AT,
        sequence=2,
        traceparent=TRACE,
        causation=e.derived_id("golden", "cause"),
    )
