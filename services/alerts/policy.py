"""The files that steer alerts: escalation policies with their receivers, and emergency plans. A bad file is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.alerts.domain.escalation import Call, Policies, Policy
from services.alerts.domain.plans import PlanBook, PlanTemplate
from services.alerts.domain.warning import Text
from shared.yamlfile import ConfigError, YamlDocument, read_yaml

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> timedelta:
    """`90s`, `15m`, `1.5h`, `2d`; raises `ValueError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a time is a number and s, m, h or d, such as 15m")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TitleRow(_File):
    """A title in both languages."""

    zh: str
    en: str


class Receiver(_File):
    """Where messages go. `name` is what people read; the slug where there is none."""

    name: TitleRow | None = None
    type: Literal["console", "webhook", "apprise"]
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    key_id: str | None = None
    key: Name | None = None
    urls: Name | None = None
    unit: str | None = None


class StepRow(_File):
    """One call."""

    after: Duration
    call: tuple[Name, ...]


class PolicyRow(_File):
    """One policy."""

    notify: tuple[Name, ...] = ()
    steps: tuple[StepRow, ...]
    loops: int = 1
    then: Name | None = None
    acknowledge_holds: Duration | None = None
    repeat: Duration | None = None


class EscalationFile(_File):
    """escalation.yaml."""

    version: str
    receivers: dict[Name, Receiver]
    policies: dict[Name, PolicyRow]
    levels: dict[Literal["I", "II", "III", "IV"], Name]
    kinds: dict[Name, Name] = {}
    reports: dict[Literal["leaders", "members"], tuple[Name, ...]] = {}


class ItemRow(_File):
    """One line of a checklist."""

    id: Name
    zh: str
    en: str


class PlanRow(_File):
    """One emergency plan."""

    id: Name
    version: int = Field(ge=1)
    kind: Literal["natural", "accident", "health", "social_security"]
    title: TitleRow
    items: tuple[ItemRow, ...] = Field(min_length=1)


class PlansFile(_File):
    """plans.yaml."""

    plans: tuple[PlanRow, ...]


@dataclass(frozen=True)
class Escalations:
    """Policies for the domain, receivers for the courier."""

    policies: Policies
    receivers: dict[str, Receiver]
    reports: dict[str, tuple[str, ...]]

    @property
    def names(self) -> dict[str, Text]:
        """What people call the receivers."""
        return {slug: Text(one.name.zh, one.name.en) for slug, one in self.receivers.items() if one.name}


def folder() -> Path:
    """Where the packaged files are."""
    return Path(str(resources.files("deploy"))) / "policy"


def load_escalations(path: Path | None = None) -> Escalations:
    """Read escalation.yaml; raises `ConfigError` for chains that call nobody, at once, or round in circles."""
    document = read_yaml(path or folder() / "escalation.yaml", EscalationFile)
    file = document.value
    policies = Policies(
        version=file.version,
        policies={
            name: Policy(
                id=name,
                calls=tuple(Call(step.after, step.call) for step in row.steps),
                loops=row.loops,
                then=row.then,
                ack_holds=row.acknowledge_holds,
                repeat=row.repeat,
                notify=row.notify,
            )
            for name, row in file.policies.items()
        },
        by_level={str(level): name for level, name in file.levels.items()},
        by_kind=dict(file.kinds),
    )
    problems = policies.problems()
    if problems:
        raise document.error("; ".join(problems), "policies")
    _check_receivers(document)
    return Escalations(policies, dict(file.receivers), {str(name): row for name, row in file.reports.items()})


def _check_receivers(document: YamlDocument[EscalationFile]) -> None:
    file = document.value
    for name, row in file.receivers.items():
        if row.type == "webhook" and not (row.url and row.key_id and row.key):
            raise document.error("a webhook needs url, key_id and key", "receivers", name)
        if row.type == "apprise" and not row.urls:
            raise document.error("apprise needs urls, the name of a file of URLs", "receivers", name)
    for name, listed in file.reports.items():
        if unknown := [target for target in listed if target not in file.receivers]:
            raise document.error(f"there is no receiver {unknown[0]!r}", "reports", name)
    for name, policy in file.policies.items():
        for target in (*policy.notify, *(target for step in policy.steps for target in step.call)):
            if target not in file.receivers:
                raise document.error(f"there is no receiver {target!r}", "policies", name)
        for label, span in (("repeat", policy.repeat), ("acknowledge_holds", policy.acknowledge_holds)):
            if span is not None and not timedelta(seconds=1) <= span <= timedelta(days=30):
                raise document.error(f"{label} must lie between 1s and 30d", "policies", name, label)


def load_plans(path: Path | None = None) -> PlanBook:
    """Read plans.yaml; raises `ConfigError`."""
    document = read_yaml(path or folder() / "plans.yaml", PlansFile)
    plans: dict[str, PlanTemplate] = {}
    for index, row in enumerate(document.value.plans):
        if len({item.id for item in row.items}) != len(row.items):
            raise document.error("two lines of a plan have the same id", "plans", index)
        if row.id not in plans or plans[row.id].version < row.version:
            items = tuple((item.id, Text(item.zh, item.en)) for item in row.items)
            plans[row.id] = PlanTemplate(row.id, row.version, row.kind, Text(row.title.zh, row.title.en), items)
    return PlanBook(plans)


__all__ = ["ConfigError", "Escalations", "Receiver", "load_escalations", "load_plans", "parse_duration"]
