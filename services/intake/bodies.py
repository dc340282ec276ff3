"""Request bodies of the intake, field by field (design §10)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.intake.domain.identity import Identity
from services.intake.domain.petition import TEXT_MAX, TITLE_MAX, Filing
from services.intake.domain.steps import Step
from shared.directory_file import COUNTY_CODE, UNIT_CODE
from shared.events import Level, Purpose
from shared.web import Body, Instant

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,59}$")]
Unit = Annotated[str, Field(pattern=UNIT_CODE)]
County = Annotated[str, Field(pattern=COUNTY_CODE)]
Town = Annotated[str, Field(pattern=r"^([0-9]{9}|[0-9]{12})$")]
PetitionId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,79}$")]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Visible = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$")]


class PetitionerIn(Body):
    """Who petitions; every field may be left out."""

    name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, max_length=40)
    id_number: str | None = Field(default=None, max_length=40)
    address: str | None = Field(default=None, max_length=500)


class PetitionIn(Body):
    """A petition to be registered."""

    channel: Slug
    jurisdiction: County
    title: str = Field(min_length=1, max_length=TITLE_MAX)
    text: str = Field(min_length=1, max_length=TEXT_MAX)
    submitted_at: Instant | None = Field(default=None, description="not in the future; default: now")
    received_at: Instant | None = Field(
        default=None, description="when the organ received it, where that was earlier than now; staff and channels only"
    )
    petitioner: PetitionerIn | None = None
    petitioner_ref: Annotated[Visible, Field(max_length=200)] | None = Field(
        default=None, description="the channel's own opaque reference of the petitioner"
    )
    purpose: Purpose = "appeal"
    topic: Slug | None = None
    town: Town | None = None
    headcount: int | None = Field(default=None, ge=1, le=100_000, description="visits only")
    representatives: int | None = Field(default=None, ge=1, le=100_000, description="visits only, at most headcount")
    level_presented: Level | None = None
    external_id: Annotated[Visible, Field(max_length=100)] | None = Field(
        default=None, description="the channel's own number, unique within the channel"
    )
    joined: PetitionId | None = Field(
        default=None, description="a petition whose matter the filer chose to join; not with purpose accusation"
    )
    accused_unit: Unit | None = Field(default=None, description="with purpose accusation only")

    def filing(self) -> Filing:
        """The same, for the domain."""
        who = self.petitioner or PetitionerIn()
        return Filing(
            channel=self.channel,
            jurisdiction=self.jurisdiction,
            title=self.title,
            text=self.text,
            submitted_at=self.submitted_at,
            received_at=self.received_at,
            identity=Identity(
                name=(who.name or "").strip(),
                phone=(who.phone or "").strip(),
                id_number=(who.id_number or "").strip(),
                address=(who.address or "").strip(),
                reference=self.petitioner_ref or "",
            ),
            purpose=self.purpose,
            topic=self.topic,
            town=self.town,
            headcount=self.headcount,
            representatives=self.representatives,
            level_presented=self.level_presented,
            external_id=self.external_id,
            joined=self.joined,
            accused_unit=self.accused_unit,
        )


StepType = Literal[
    "assigned", "objected", "accepted", "not_accepted", "extended", "replied", "served", "met", "executed", "closed",
    "reopened", "evaluated",
]  # fmt: skip


class StepIn(Body):
    """A step in a petition's life. Which further fields a step has follows from its event type."""

    type: StepType
    at: Instant | None = Field(default=None, description="when it happened; default: now")
    unit: Unit | None = Field(default=None, description="unit that acts, or that is assigned; default: the current one")
    actor: Account | None = Field(default=None, description="account that acted, where it is not the caller")
    version: int | None = Field(default=None, ge=1, description="version the caller saw; 409 if there is a newer one")
    from_unit: Unit | None = None
    method: Literal["transfer", "assign"] | None = None
    reasons: Words | None = None
    route: Slug | None = Field(default=None, description="of the code list `route`; default: petition_procedure")
    notified_at: Instant | None = None
    days: int | None = Field(default=None, ge=1, le=30)
    approver: Account | None = None
    complexity: Words | None = None
    reason_told_at: Instant | None = None
    opinion: Literal["support", "explain", "reject"] | None = None
    meeting: Literal["unit_leader", "handler", "writer"] | None = None
    outcome: Words | None = None
    solved: bool | None = None
    satisfied: bool | None = None

    def step(self, account: str, *, may_name_actor: bool) -> Step:
        """The same, for the domain; the actor is the caller unless the caller may enter acts of others."""
        common = {"type", "at", "unit", "actor", "version"}
        given = self.model_dump(exclude=common, exclude_none=True)
        actor = self.actor if may_name_actor and self.actor else account
        return Step(type=self.type, at=self.at, unit=self.unit, actor=actor, fields=given)


class ReasonIn(Body):
    """Why identity is read or erased."""

    reason: str = Field(min_length=4, max_length=500)
