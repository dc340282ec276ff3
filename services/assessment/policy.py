"""The clock rules as files: `deploy/policy/clocks/*.yaml`, or the folder in `FENGQIAO_CLOCKS`. Refused, not repaired.

An overlay may shorten a national period, never lengthen it: one that plainly would is refused here, and of one that would
on some days only (working days, a move over holidays) the rulebook takes the earlier deadline of the two. No key can pause
a clock (unknown keys are refused).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import chinese_calendar
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.assessment.domain.rules import (
    CLOCKS,
    HANDLE_EXT,
    NOTHING,
    ROUTES,
    Clock,
    Instrument,
    OwnNotice,
    Rulebook,
    Rules,
    Text,
)
from shared.contracts.base import Purpose
from shared.yamlfile import ConfigError, YamlDocument, read_yaml

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,59}$")]
_CEILINGS: Final = {HANDLE_EXT: 30}
"""What no instrument may pass: an extension of more than 30 days (Art. 34)."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Words(_Strict):
    """A text in both languages."""

    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=200)

    def text(self) -> Text:
        """As the domain has it."""
        return Text(self.zh, self.en)


class ClockFile(_Strict):
    """One clock of a file."""

    days: int | None = Field(default=None, ge=1, le=180)
    working_days: int | None = Field(default=None, ge=1, le=60)
    article: str = Field(pattern=r"^\d{1,3}$")
    soon: int = Field(default=3, ge=0, le=60)
    roll_over: bool = False
    note: Words | None = None

    @model_validator(mode="after")
    def _one_length(self) -> ClockFile:
        if (self.days is None) == (self.working_days is None):
            raise ValueError("give either days or working_days")
        return self


class OwnNoticeFile(_Strict):
    """Matters of which some units tell by provisions of their own."""

    units: frozenset[Slug] = Field(min_length=1)
    purposes: frozenset[Purpose] = frozenset()
    topics: frozenset[Slug] = frozenset()
    routes: frozenset[Slug] = frozenset()

    @model_validator(mode="after")
    def _by_matter(self) -> OwnNoticeFile:
        if not (self.purposes or self.topics or self.routes):
            raise ValueError(
                "give purposes, topics or routes: the notice is waived by the matter, never by the unit alone"
            )
        return self

    def build(self) -> OwnNotice:
        """As the domain has it."""
        return OwnNotice(self.units, frozenset(self.purposes), self.topics, self.routes)


class InstrumentFile(_Strict):
    """One file."""

    id: Slug
    from_: date = Field(alias="from")
    until: date | None = None
    applies_to: tuple[Annotated[str, StringConstraints(pattern=r"^\d{2,6}$")], ...] = ()
    instrument: Words
    cite: Words | None = None
    registrar: Slug | None = None
    direct_channels: frozenset[Slug] | None = None
    not_petitions: frozenset[Slug] | None = None
    own_notice: tuple[OwnNoticeFile, ...] | None = None
    handle_routes: frozenset[Slug] | None = None
    handle_purposes: frozenset[Slug] | None = None
    clocks: dict[str, ClockFile] = Field(min_length=1)

    def build(self) -> Instrument:
        """As the domain has it."""
        name, cite = self.instrument.text(), self.cite.text() if self.cite else NOTHING
        clocks = {
            code: Clock(
                code=code,
                days=c.days or c.working_days or 0,
                article=c.article,
                instrument=name,
                working=c.working_days is not None,
                soon=c.soon,
                roll_over=c.roll_over,
                cite=cite,
                note=c.note.text() if c.note else NOTHING,
            )
            for code, c in self.clocks.items()
        }
        rules = Rules(
            clocks,
            self.registrar or "petition_bureau",
            self.direct_channels or frozenset(),
            self.not_petitions or frozenset(),
            tuple(waiver.build() for waiver in self.own_notice or ()),
            self.handle_routes or frozenset(),
            self.handle_purposes or frozenset(),
        )
        return Instrument(self.id, self.from_, self.until, self.applies_to, rules)


def working_day(day: date) -> bool | None:
    """Whether it is a working day by the State Council's calendar; None for years whose calendar is not known."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None


def load_rules(path: Path | None = None) -> Rulebook:
    """Rulebook from a folder or a single file, the packaged files by default. Raises `ConfigError`."""
    path = path or packaged()
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    documents = [read_instrument(file) for file in files]
    if not documents:
        raise ConfigError(str(path), 1, "holds no *.yaml")
    if all(document.value.applies_to for document in documents):
        raise ConfigError(str(path), 1, "needs a national file (one without applies_to)")
    for document in documents:
        check_instrument(document, documents)
    return Rulebook(tuple(d.value.build() for d in documents), working_day)


def packaged() -> Path:
    """Folder of the packaged rules."""
    return Path(str(resources.files("deploy"))) / "policy" / "clocks"


def read_instrument(path: Path) -> YamlDocument[InstrumentFile]:
    """One file by itself; raises `ConfigError`."""
    return read_yaml(path, InstrumentFile)


def check_instrument(document: YamlDocument[InstrumentFile], documents: Sequence[YamlDocument[InstrumentFile]]) -> None:
    """One file beside those of its folder, itself among them; raises `ConfigError`."""
    national = [d for d in documents if not d.value.applies_to]
    own = document.value
    if sum(d.value.id == own.id for d in documents) > 1:
        raise document.error(f"id {own.id!r} is used by two files", "id")
    if own.until is not None and own.until <= own.from_:
        raise document.error("until has to be after from", "until")
    _check_routes(document, own.handle_routes or frozenset(), "handle_routes")
    for number, waiver in enumerate(own.own_notice or ()):
        _check_routes(document, waiver.routes, "own_notice", number, "routes")
    for code, clock in own.clocks.items():
        if code not in CLOCKS:
            raise document.error(f"clock {code!r} is not one of {', '.join(CLOCKS)}", "clocks", code)
        if (clock.days or 0) > _CEILINGS.get(code, 180):
            raise document.error(f"{code} may not exceed {_CEILINGS[code]} days (Art. 34)", "clocks", code, "days")
        if code == HANDLE_EXT and (clock.days is None or clock.roll_over):
            raise document.error(f"{code} is calendar days added to a deadline: days alone", "clocks", code)
    if own.applies_to:
        for base in national:
            if _overlap(own, base.value):
                _check_shorter(document, base.value)
        return
    for base in national:
        if base is not document and _overlap(own, base.value):
            raise document.error(f"is in force at the same time as {base.value.id!r}", "from")


def _check_routes(document: YamlDocument[InstrumentFile], routes: frozenset[str], *path: str | int) -> None:
    for route in sorted(routes):
        if route not in ROUTES:
            raise document.error(f"route {route!r} is not one of {', '.join(ROUTES)}", *path)


def _overlap(a: InstrumentFile, b: InstrumentFile) -> bool:
    return (a.until is None or b.from_ < a.until) and (b.until is None or a.from_ < b.until)


def _check_shorter(document: YamlDocument[InstrumentFile], base: InstrumentFile) -> None:
    own = document.value
    for given in ("registrar", "direct_channels", "not_petitions", "own_notice", "handle_routes", "handle_purposes"):
        if getattr(own, given) is not None:
            raise document.error("an overlay has clocks only", given)
    for code, clock in own.clocks.items():
        held = base.clocks.get(code)
        if held is None and code == HANDLE_EXT:
            raise document.error(f"{base.id!r} knows no {code}; an overlay may only shorten", "clocks", code)
        if held is not None and _longest(clock) > _longest(held):
            raise document.error(
                f"{code} would be longer than in {base.id!r}; an overlay may only shorten", "clocks", code
            )


def _longest(clock: ClockFile) -> float:
    """Calendar days, about: five working days a week."""
    return clock.days or (clock.working_days or 0) * 7 / 5
