"""Rows of `routing.yaml` and `units.yaml`, and the rules between rows."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.yamlfile import YamlDocument, read_yaml

Lang = Literal["zh", "en"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,59}$")]
COUNTY_CODE = r"^[0-9]{6}$"
UNIT_CODE = r"^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})(\.[a-z][a-z0-9_]{1,59})?$"
UnitCode = Annotated[str, StringConstraints(pattern=UNIT_CODE)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(_Frozen):
    """Something with a Chinese and an English name."""

    zh: Words
    en: Words

    def name(self, lang: Lang = "zh") -> str:
        """Name in `lang`."""
        return self.en if lang == "en" else self.zh


class Code(Named):
    """One value of a code list; `rank` orders lists that have an order (levels, alert levels)."""

    slug: str = ""
    rank: int | None = None
    aliases: tuple[str, ...] = ()
    face_to_face: bool = False


class LaterLead(_Frozen):
    """From this day another department leads the topic."""

    from_: date = Field(alias="from")
    lead: Slug


class Topic(Named):
    """One of the 33 topics. `lead` is the department of the list of 2011; ask `Directory.lead` for the one of a day."""

    slug: Slug
    lead: Slug
    mode: Literal["lead", "own"]
    divert: Literal["judicial", "discipline"] | None = None
    sensitive: bool = False
    recusal_check: bool = False
    printed_as: Words | None = None
    national_code: str | None = None
    later: tuple[LaterLead, ...] = ()

    def lead_on(self, day: date) -> str:
        """Slug of the department that leads on `day`."""
        held = [change.lead for change in sorted(self.later, key=lambda change: change.from_) if change.from_ <= day]
        return held[-1] if held else self.lead


class Renamed(Named):
    """Name of a department from a day on."""

    from_: date = Field(alias="from")


class MergedInto(_Frozen):
    """The department that continues the powers from a day on."""

    from_: date = Field(alias="from")
    department: Slug


class Department(Named):
    """An organ of the district; `zh`/`en` are its first name."""

    slug: Slug
    from_: date | None = Field(default=None, alias="from")
    renamed: tuple[Renamed, ...] = ()
    merged_into: MergedInto | None = None
    special: bool = False

    def name_on(self, day: date | None, lang: Lang = "zh") -> str:
        """Name that holds on `day`; the latest for None."""
        held: Named = self
        for change in sorted(self.renamed, key=lambda change: change.from_):
            if day is None or change.from_ <= day:
                held = change
        return held.name(lang)


class Category(Named):
    """A level-1 category of the national classification and the topics that may belong to it."""

    topics: tuple[Slug, ...]
    national_code: str | None = None


class Quota(_Frozen):
    """How often a leader receives petitioners."""

    times: int = Field(ge=1)
    per: Literal["week", "month", "quarter", "year"]


class Unit(_Frozen):
    """A place or organ. `parent` supervises it; `local` is the place a vertically managed organ serves."""

    code: UnitCode
    level: str
    zh: Words | None = None
    en: Words | None = None
    parent: UnitCode | None = None
    local: UnitCode | None = None
    management: Literal["local", "vertical"] = "local"

    @property
    def department(self) -> str | None:
        """Slug after the dot, None for a place."""
        return self.code.partition(".")[2] or None

    @property
    def place(self) -> str:
        """Digits before the dot."""
        return self.code.partition(".")[0]


class RoutingFile(_Frozen):
    """`routing.yaml`."""

    version: Words
    topics: tuple[Topic, ...] = Field(min_length=1)
    departments: tuple[Department, ...] = Field(min_length=1)
    categories: tuple[Category, ...] = ()
    codes: dict[Slug, dict[str, Code]]
    kpi_targets: dict[Slug, float]
    reception_quota: dict[Slug, Quota]


class UnitsFile(_Frozen):
    """`units.yaml`."""

    version: Words
    units: tuple[Unit, ...]


def read_directory_files(folder: Path) -> tuple[RoutingFile, UnitsFile]:
    """Read and check both files of a folder; raises `ConfigError` naming file and line."""
    routing = read_routing(folder / "routing.yaml")
    return routing, read_units(folder / "units.yaml", routing)


def read_routing(path: Path) -> RoutingFile:
    """Read and check a routing table; raises `ConfigError`."""
    document = read_yaml(path, RoutingFile)
    _check_routing(document)
    return document.value


def read_units(path: Path, routing: RoutingFile) -> UnitsFile:
    """Read and check the units beside a routing table; raises `ConfigError`."""
    document = read_yaml(path, UnitsFile)
    _check_units(document, routing)
    return document.value


def _check_routing(document: YamlDocument[RoutingFile]) -> None:
    file = document.value
    departments = {row.slug for row in file.departments}
    topics = {row.slug for row in file.topics}
    _refuse_repeats(document, "topics", [row.slug for row in file.topics])
    _refuse_repeats(document, "departments", [row.slug for row in file.departments])
    for index, topic in enumerate(file.topics):
        for slug in (topic.lead, *(change.lead for change in topic.later)):
            if slug not in departments:
                raise document.error(f"lead {slug!r} is not a department", "topics", index, "lead")
    for index, department in enumerate(file.departments):
        target = department.merged_into.department if department.merged_into else None
        if target is not None and target not in departments:
            raise document.error(f"{target!r} is not a department", "departments", index, "merged_into")
        if target is not None and _merges_round(file.departments, department.slug):
            raise document.error(f"{department.slug!r} is merged into itself", "departments", index, "merged_into")
    for index, category in enumerate(file.categories):
        for slug in set(category.topics) - topics:
            raise document.error(f"{slug!r} is not a topic", "categories", index, "topics")
    for level in ("village", "town", "county", "prefecture", "province", "central"):
        if file.codes.get("level", {}).get(level) is None or file.codes["level"][level].rank is None:
            raise document.error(f"level {level!r} with a rank is missing", "codes", "level")


def _refuse_repeats(document: YamlDocument[RoutingFile], section: str, slugs: list[str]) -> None:
    for index, slug in enumerate(slugs):
        if slug in slugs[:index]:
            raise document.error(f"{slug!r} is listed twice", section, index, "slug")


def _merges_round(departments: tuple[Department, ...], slug: str) -> bool:
    target = {row.slug: row.merged_into.department for row in departments if row.merged_into}
    passed, at = {slug}, target.get(slug)
    while at is not None and at not in passed:
        passed.add(at)
        at = target.get(at)
    return at is not None


def _check_units(document: YamlDocument[UnitsFile], routing: RoutingFile) -> None:
    listed: dict[str, Unit] = {}
    departments = {row.slug for row in routing.departments}
    for index, unit in enumerate(document.value.units):
        if unit.code in listed:
            raise document.error(f"unit {unit.code!r} is listed twice", "units", index, "code")
        if unit.level not in routing.codes["level"]:
            raise document.error(f"level {unit.level!r} is not one of the levels", "units", index, "level")
        if unit.parent is not None and unit.parent not in listed:
            # parents first: that also rules out a ring
            raise document.error(f"parent {unit.parent!r} is not listed above this unit", "units", index, "parent")
        if unit.local is not None and unit.local not in listed:
            raise document.error(f"local {unit.local!r} is not listed above this unit", "units", index, "local")
        if unit.zh is None and unit.department not in departments:
            raise document.error(f"unit {unit.code!r} needs zh: no department gives it a name", "units", index, "code")
        if unit.management == "vertical" and unit.local is None:
            raise document.error("a vertically managed unit needs local: the place it serves", "units", index)
        listed[unit.code] = unit
