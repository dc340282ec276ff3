"""The district's directory: topics and their lead departments by date, units and their parents, code lists.

Read once from `routing.yaml` and `units.yaml`: the packaged `deploy/directory`, or the folder in `FENGQIAO_DIRECTORY`.
Everything here is frozen. Codes of counties the files do not list still work: parent and name follow from the code.
"""

import os
from collections.abc import Mapping
from datetime import date
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from shared.directory_file import (
    Category,
    Code,
    Department,
    Lang,
    Named,
    Quota,
    RoutingFile,
    Topic,
    Unit,
    UnitsFile,
    read_directory_files,
)
from shared.yamlfile import ConfigError


class UnknownCodeError(LookupError):
    """A topic, department, unit or code that the directory does not have."""


class Directory:
    """Queries over the two files. Build with `load_directory`; services take `directory()`."""

    def __init__(self, routing: RoutingFile, units: UnitsFile) -> None:
        self.version = f"{routing.version}+{units.version}"
        self.routing_version = routing.version
        self.topics: Mapping[str, Topic] = MappingProxyType({row.slug: row for row in routing.topics})
        self.departments: Mapping[str, Department] = MappingProxyType({row.slug: row for row in routing.departments})
        self.categories: Mapping[str, Category] = MappingProxyType({row.zh: row for row in routing.categories})
        self.units: Mapping[str, Unit] = MappingProxyType({row.code: row for row in units.units})
        self.codes: Mapping[str, Mapping[str, Code]] = MappingProxyType(
            {
                name: MappingProxyType({slug: code.model_copy(update={"slug": slug}) for slug, code in codes.items()})
                for name, codes in routing.codes.items()
            }
        )
        self.kpi_targets: Mapping[str, float] = MappingProxyType(dict(routing.kpi_targets))
        self.reception_quota: Mapping[str, Quota] = MappingProxyType(dict(routing.reception_quota))

    # --- codes

    def code(self, kind: str, slug: str) -> Code:
        """Value of a code list, by slug or alias; raises `UnknownCodeError` naming what is allowed."""
        values = self.codes.get(kind)
        if values is None:
            raise UnknownCodeError(f"no code list {kind!r}; there are {', '.join(self.codes)}")
        found = values.get(slug) or next((value for value in values.values() if slug in value.aliases), None)
        if found is None:
            raise UnknownCodeError(f"{kind} {slug!r} is not one of {', '.join(values)}")
        return found

    def rank(self, level: str) -> int:
        """Rank of a level: 1 village … 6 central."""
        return self.code("level", level).rank or 0

    # --- topics

    def topic(self, slug: str) -> Topic:
        """Topic by slug, Chinese name or the name a faulty list prints; raises `UnknownCodeError`."""
        found = self.topics.get(slug) or self._topics_by_name.get(slug)
        if found is None:
            raise UnknownCodeError(f"topic {slug!r} is not one of the {len(self.topics)} topics")
        return found

    @cached_property
    def _topics_by_name(self) -> dict[str, Topic]:
        return {name: row for row in self.topics.values() for name in (row.zh, row.printed_as) if name}

    def department(self, slug: str) -> Department:
        """Department by slug; raises `UnknownCodeError`."""
        found = self.departments.get(slug)
        if found is None:
            raise UnknownCodeError(f"department {slug!r} is not one of {', '.join(self.departments)}")
        return found

    def lead(self, topic: str, on: date) -> Department:
        """Department that leads `topic` on a day (the successor after a merger)."""
        department = self.department(self.topic(topic).lead_on(on))
        while department.merged_into and department.merged_into.from_ <= on:
            department = self.department(department.merged_into.department)
        return department

    def lead_unit(self, topic: str, jurisdiction: str, on: date) -> str:
        """Unit code of the lead department in a county: `379911.education_bureau`."""
        return f"{jurisdiction}.{self.lead(topic, on).slug}"

    # --- units

    def knows(self, code: str) -> bool:
        """Whether it is a listed unit, or a county's department that the routing table names though no county lists it."""
        place, _, department = code.partition(".")
        return code in self.units or (
            department in self.departments and len(place) == 6 and place.isdecimal() and place.isascii()
        )

    def unit(self, code: str) -> Unit:
        """Unit of the file; raises `UnknownCodeError` for one that is not listed."""
        found = self.units.get(code)
        if found is None:
            raise UnknownCodeError(f"unit {code!r} is not in the directory")
        return found

    def parent(self, code: str) -> str | None:
        """Code of the organ that supervises the unit; derived from the code where the unit is not listed."""
        listed = self.units.get(code)
        if listed is not None:
            return listed.parent
        place, dot, _ = code.partition(".")
        if dot:
            return place
        return {12: place[:9], 9: place[:6]}.get(len(place))

    def ancestors(self, code: str) -> tuple[str, ...]:
        """Codes above the unit, nearest first."""
        chain: list[str] = []
        above = self.parent(code)
        while above is not None:
            chain.append(above)
            above = self.parent(above)
        return tuple(chain)

    def children(self, code: str) -> tuple[str, ...]:
        """Codes of the listed units directly under one."""
        return self._children.get(code, ())

    def subtree(self, code: str) -> frozenset[str]:
        """The unit and every listed unit under it."""
        found, stack = set[str](), [code]
        while stack:
            unit = stack.pop()
            found.add(unit)
            stack.extend(self.children(unit))
        return frozenset(found)

    def covers(self, above: str, code: str) -> bool:
        """Whether `code` is `above` or stands under it, listed or not: the test for scope and recusal."""
        return code == above or above in self.ancestors(code)

    def county_of(self, code: str) -> str | None:
        """County whose place the unit serves, None above the county."""
        listed = self.units.get(code)
        digits = (listed.local if listed and listed.local else code).partition(".")[0]
        return digits[:6] if len(digits) >= 6 and not digits[:6].endswith("00") else None

    def level(self, code: str) -> str:
        """Level slug of a unit."""
        listed = self.units.get(code)
        if listed is not None:
            return listed.level
        digits = code.partition(".")[0]
        if len(digits) == 6:
            return "province" if digits.endswith("0000") else "prefecture" if digits.endswith("00") else "county"
        return {12: "village", 9: "town", 4: "prefecture", 2: "province"}.get(len(digits), "county")

    def name(self, code: str, lang: Lang = "zh", on: date | None = None) -> str:
        """Name to show; the department's name of that day, or the code itself where nothing is known."""
        listed = self.units.get(code)
        if listed is not None and listed.zh is not None:
            return (listed.en or listed.zh) if lang == "en" else listed.zh
        department = self.departments.get(code.partition(".")[2])
        return department.name_on(on, lang) if department else code

    def counties(self) -> tuple[str, ...]:
        """Codes of the listed counties."""
        return tuple(row.code for row in self.units.values() if row.level == "county" and row.department is None)

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        below: dict[str, list[str]] = {}
        for unit in self.units.values():
            if unit.parent is not None:
                below.setdefault(unit.parent, []).append(unit.code)
        return {code: tuple(codes) for code, codes in below.items()}


def load_directory(folder: Path) -> Directory:
    """Read and check both files of a folder; raises `ConfigError` naming file and line."""
    return Directory(*read_directory_files(folder))


@lru_cache(maxsize=1)
def directory() -> Directory:
    """The directory in force: the folder named by `FENGQIAO_DIRECTORY`, else the packaged example."""
    return load_directory(directory_folder())


def directory_folder() -> Path:
    """Folder of the directory files."""
    named = os.environ.get("FENGQIAO_DIRECTORY")
    return Path(named) if named else Path(str(resources.files("deploy"))) / "directory"


__all__ = [
    "Category",
    "Code",
    "ConfigError",
    "Department",
    "Directory",
    "Lang",
    "Named",
    "Quota",
    "Topic",
    "Unit",
    "UnknownCodeError",
    "directory",
    "directory_folder",
    "load_directory",
]
