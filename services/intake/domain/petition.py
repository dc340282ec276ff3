"""A petition as it is filed: what is allowed, and what is registered of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.intake.domain.identity import Identity
from services.intake.domain.texts import is_blank, says_something

TITLE_MAX: Final = 200
TEXT_MAX: Final = 20_000
CLOCK_SKEW: Final = timedelta(minutes=5)
"""A sender's clock may run ahead by this much; the time is then taken as the time of receipt, so none is in the future."""
LEVELS: Final = ("village", "town", "county", "prefecture", "province", "central")
PURPOSES: Final = ("suggestion", "accusation", "appeal", "consult")


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """The request cannot be done. `code` is stable; `detail` quotes nothing that was sent."""

    def __init__(self, code: str, detail: str, *, field: str | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.extra = extra


@dataclass(frozen=True)
class Filing:
    """What came in, read and typed but not yet judged."""

    channel: str
    jurisdiction: str
    title: str
    text: str
    submitted_at: datetime | None = None
    received_at: datetime | None = None
    identity: Identity = field(default_factory=Identity)
    purpose: str = "appeal"
    topic: str | None = None
    town: str | None = None
    headcount: int | None = None
    representatives: int | None = None
    level_presented: str | None = None
    external_id: str | None = None
    joined: str | None = None
    accused_unit: str | None = None

    @property
    def is_accusation(self) -> bool:
        """检举控告: none of its text leaves the vault."""
        return self.purpose == "accusation"


@dataclass(frozen=True)
class CodeLists:
    """The slugs of the directory that a filing and its steps may use."""

    channels: Collection[str]
    face_to_face: Collection[str]
    topics: Collection[str]
    routes: Collection[str]


def checked(filing: Filing, codes: CodeLists, *, now: datetime) -> Filing:
    """The filing with its identity normalised and its times settled; raises `Refused` for the first thing wrong.

    The organ received it now, unless it is entered later than it came, as letters are (Art. 22 counts from there).
    """
    for fault in faults(filing, codes, now=now):
        raise fault
    return replace(
        filing,
        submitted_at=min(filing.submitted_at or now, now),
        received_at=min(filing.received_at or now, now),
        identity=filing.identity.normalised(),
    )


def faults(filing: Filing, codes: CodeLists, *, now: datetime) -> Iterator[Refused]:
    """Everything that is wrong with the filing, one at a time."""
    yield from _texts(filing)
    yield from _codes(filing, codes)
    yield from _people(filing, codes)
    if filing.accused_unit is not None and not filing.is_accusation:
        yield Refused("accused-without-accusation", "accused_unit goes with purpose accusation", field="accused_unit")
    if filing.joined is not None and filing.is_accusation:
        detail = "an accusation is filed by itself (Art. 30); leave joined out"
        yield Refused("joined-with-accusation", detail, field="joined")
    submitted = filing.submitted_at or now
    if submitted > now + CLOCK_SKEW:
        yield Refused("submitted-in-future", "submitted_at lies in the future", field="submitted_at")
    for error in filing.identity.faults():
        yield Refused("identity-invalid", error.detail, field=error.field)
    if filing.received_at is not None and not min(submitted, now) <= filing.received_at <= now + CLOCK_SKEW:
        yield Refused("received-at-invalid", "received_at lies between submitted_at and now", field="received_at")


def _texts(filing: Filing) -> Iterator[Refused]:
    if not 1 <= len(filing.title) <= TITLE_MAX or is_blank(filing.title):
        yield Refused("title-invalid", f"the title has 1 to {TITLE_MAX} characters, not only spaces", field="title")
    if not 1 <= len(filing.text) <= TEXT_MAX or not says_something(filing.text):
        detail = f"the text has 1 to {TEXT_MAX} characters, not only spaces and punctuation"
        yield Refused("text-invalid", detail, field="text")


def _codes(filing: Filing, codes: CodeLists) -> Iterator[Refused]:
    for name, value, allowed in (
        ("channel", filing.channel, codes.channels),
        ("topic", filing.topic, codes.topics),
        ("purpose", filing.purpose, PURPOSES),
        ("level_presented", filing.level_presented, LEVELS),
    ):
        if value is not None and value not in allowed:
            yield Refused(f"{name.replace('_', '-')}-unknown", f"one of: {', '.join(allowed)}", field=name)
    if filing.town is not None and not filing.town.startswith(filing.jurisdiction):
        yield Refused("town-not-in-county", "a town's code begins with that of its county", field="town")


def _people(filing: Filing, codes: CodeLists) -> Iterator[Refused]:
    for name, count in (("headcount", filing.headcount), ("representatives", filing.representatives)):
        if count is None:
            continue
        if filing.channel not in codes.face_to_face:
            detail = f"only visits have it; channels: {', '.join(codes.face_to_face)}"
            yield Refused(f"{name}-not-a-visit", detail, field=name)
        elif not 1 <= count <= 100_000:
            yield Refused(f"{name}-invalid", "a number from 1 to 100,000", field=name)
    if filing.representatives is not None and filing.representatives > (filing.headcount or 0):
        detail = "there cannot be more representatives than people; send headcount too"
        yield Refused("representatives-exceed-headcount", detail, field="representatives")


@dataclass(frozen=True)
class Registered:
    """A petition as it is kept: masked texts, a pseudonym, no identity. `text` is empty for an accusation."""

    petition_id: str
    receipt: str
    code_hash: str
    channel: str
    jurisdiction: str
    title: str
    text: str
    fingerprint: str
    petitioner: str
    submitted_at: datetime
    received_at: datetime
    """when the organ received it: the clocks start here"""
    registered_at: datetime
    """when it was entered here: the order of events"""
    purpose: str
    topic: str | None
    topic_source: str
    """`filer` if it came with the petition, `proposed` if the text made it plain, `none` if a person has to say"""
    proposed_topic: str | None
    proposed_why: Mapping[str, str] | None
    responsible_unit: str | None
    town: str | None
    headcount: int | None
    representatives: int | None
    level_presented: str | None
    level_competent: str
    external_id: str | None
    joined: str | None
    accused_unit: str | None
    signals: tuple[str, ...]
    traceparent: str | None = None

    @property
    def restricted(self) -> bool:
        """An accusation: hidden from the accused unit and everything under it."""
        return self.purpose == "accusation"
