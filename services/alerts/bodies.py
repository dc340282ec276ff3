"""Request bodies of the alerts API, and how a warning is shown."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from services.alerts.domain.lifecycle import allowed
from services.alerts.domain.warning import Measure, Step, Warning
from services.alerts.handlers import may_act
from services.alerts.labels import KINDS
from services.alerts.ports import FlagRow, LogRow
from shared.access import Principal
from shared.directory_file import COUNTY_CODE
from shared.instants import parse_instant
from shared.web import Body

Instant = Annotated[datetime, BeforeValidator(parse_instant)]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=100)]


def _said(text: str) -> str:
    if all(unicodedata.category(c)[0] in "ZC" for c in text):
        raise ValueError("write something that can be read")
    return text


def _kind(slug: str) -> str:
    if slug not in KINDS:
        raise ValueError(f"a kind is one of {', '.join(KINDS)}")
    return slug


Said = AfterValidator(_said)
"""Not empty to the eye: what is only blank is no reason."""
Kind = Annotated[Code, AfterValidator(_kind), Field(json_schema_extra={"enum": list(KINDS)})]
"""A kind that there is: a silence or a drill of another would be accepted and change nothing."""


class ActionBody(Body):
    """What every action takes: why, and the version the officer saw."""

    reason: Reason | None = None
    expected_version: int | None = Field(default=None, ge=1, description="refused with 409 when the warning is newer")


class ReasonedBody(Body):
    """An action that has to be justified by a named human."""

    reason: Reason
    expected_version: int | None = Field(default=None, ge=1)


class AssignBody(ActionBody):
    """交办: to which unit."""

    unit: Code


class MeasureBody(Body):
    """One measure of a work plan; `who` is an account or role id, never a name."""

    what: Annotated[str, Field(min_length=1, max_length=1000)]
    who: Code
    due: Instant | None = None

    def measure(self) -> Measure:
        """The measure as the domain knows it."""
        return Measure(self.what, self.who, self.due)


class PlanBody(ActionBody):
    """专门工作方案."""

    lead: Code
    measures: Annotated[tuple[MeasureBody, ...], Field(min_length=1, max_length=100, strict=False)]


class OnSceneBody(ActionBody):
    """Arrival of whoever is in charge; `who` is an account or role id."""

    arrived_at: Instant | None = None
    who: Code | None = None


class SilenceWarningBody(ReasonedBody):
    """Until when notifications about one warning pause."""

    until: Instant


class AttachBody(ActionBody):
    """Which emergency plan to follow."""

    plan: Code


class TickBody(ActionBody):
    """A line of the attached plan, or a step, that is done."""

    note: Annotated[str, Field(max_length=2000)] | None = None


class SilenceBody(Body):
    """A silence over a matcher; what is not named matches everything."""

    reason: Reason
    ends_at: Instant
    starts_at: Instant | None = None
    kinds: Annotated[tuple[Kind, ...], Field(max_length=20, strict=False)] = ()
    jurisdiction: Annotated[str, Field(pattern=COUNTY_CODE)] | None = None
    unit: Code | None = None
    matter: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class DrillBody(Body):
    """What is rehearsed."""

    kind: Kind
    level: Literal["I", "II", "III", "IV"] = "III"
    jurisdiction: Annotated[str, Field(pattern=COUNTY_CODE)]
    scenario: Annotated[str, Field(min_length=1, max_length=200), Said]
    unit: Code | None = None
    town: Code | None = None
    plan: Code | None = None


class TextViewBody(Body):
    """Why a petition's text is read."""

    reason: Annotated[Reason, Said]
    petition_id: Code


class DocumentBody(Body):
    """专报: which form, to which list, over which period or warning."""

    form: Literal["docx", "pdf"] = "docx"
    recipients: Literal["leaders", "members"] = "leaders"
    lang: Literal["zh", "en"] = "zh"
    warning_id: Code | None = None
    since: Instant | None = None
    until: Instant | None = None


_STEP = TypeAdapter(Step)
_WARNING = TypeAdapter(Warning)
_LOG = TypeAdapter(LogRow)
_FLAG = TypeAdapter(FlagRow)


def may_now(warning: Warning, who: Principal) -> list[str]:
    """What the state allows and the role does."""
    return [action for action in allowed(warning, who.account) if may_act(who, action)]


def show(warning: Warning, who: Principal) -> dict[str, Any]:
    """A warning as the API gives it: the domain's fields, what it stands on flattened, and what `who` may do now."""
    body: dict[str, Any] = _WARNING.dump_python(warning, mode="json", exclude={"standing"})
    flag = body.pop("flag")
    rule = {name: flag.pop(f"rule_{name}") for name in ("id", "version")}
    rule |= {name: flag.pop(name) for name in ("policy", "basis", "threshold", "observed", "margin")}
    flag.pop("level")
    flag["flagged_at"] = flag.pop("at")
    flag.pop("sequence")
    step = warning.next_step()
    return {
        "warning_id": body.pop("id"),
        **flag,
        **body,
        "rule": rule,
        "open": warning.open,
        "next_step": _STEP.dump_python(step, mode="json") if step else None,
        "allowed": may_now(warning, who),
    }


def show_log(row: LogRow) -> dict[str, Any]:
    """A line of the log as the API gives it."""
    body: dict[str, Any] = _LOG.dump_python(row, mode="json")
    return body


def show_flag(row: FlagRow) -> dict[str, Any]:
    """A flag event behind a warning as the API gives it."""
    body: dict[str, Any] = _FLAG.dump_python(row, mode="json")
    return body
