"""Checks the files that steer the system, as the services read them. Which kind a file is shows in its keys, not in its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pydantic import RootModel

from deploy.kafka.topics import TopicsFile, read_declaration
from services.alerts.policy import EscalationFile, PlansFile, load_escalations, load_plans
from services.assessment.policy import InstrumentFile, check_instrument, packaged, read_instrument
from services.screening.domain.policy import Policy
from services.screening.policyfile import read_policy, together
from shared.directory import directory_folder
from shared.directory_file import RoutingFile, UnitsFile, read_routing, read_units
from shared.topics import Lexicon, read_lexicon
from shared.yamlfile import ConfigError, YamlDocument, read_yaml

_COMMON: Final = {"version", "id", "from"}


class _Top(RootModel[dict[str, Any]]):
    pass


@dataclass(frozen=True)
class Checked:
    """A file that is right: its kind, and what it says in a line."""

    file: Path
    kind: str
    says: str


@dataclass(frozen=True)
class Found:
    """What came of all files. `wrong`: an error a line, each naming file and line."""

    right: tuple[Checked, ...]
    wrong: tuple[str, ...]


def check(paths: Iterable[Path]) -> Found:
    """Check files, and every *.yaml in and below the folders; the files of one folder also beside one another."""
    files, wrong = _files(paths)
    right: dict[Path, Checked] = {}
    of_kind: dict[str, list[Path]] = {}
    for file in files:
        try:
            kind = kind_of(file)
            of_kind.setdefault(kind, []).append(file)
            right[file] = Checked(file, kind, _KINDS[kind].read(file))
        except ConfigError as error:
            wrong.append(str(error))
    for file, clash in (*_rules_beside(of_kind, right), *_clocks_beside(of_kind, right)):
        right.pop(file, None)
        wrong.append(str(clash))
    return Found(tuple(right.values()), tuple(dict.fromkeys(wrong)))


def kind_of(file: Path) -> str:
    """The kind with most of the file's top keys; raises `ConfigError` where none has one or two have as many."""
    keys = read_yaml(file, _Top).value.root.keys() - _COMMON
    shared = sorted(((len(keys & kind.keys), name) for name, kind in _KINDS.items()), reverse=True)
    (most, name), (next_most, _) = shared[:2]
    if most == next_most:
        raise ConfigError(str(file), 1, f"by its top keys it is none of: {', '.join(_KINDS)}")
    return name


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    files: dict[Path, None] = {}
    wrong = []
    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        below = sorted(path.rglob("*.yaml"))
        files |= dict.fromkeys(below)
        wrong += [
            f"{odd}:1: is not read by a service: its name has to end in .yaml" for odd in sorted(path.rglob("*.yml"))
        ]
        if not below:
            wrong.append(f"{path}:1: holds no *.yaml")
    return list(files), wrong


# -- one file by itself ------------------------------------------------------------------------------------------------


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rules(file: Path) -> str:
    policy = read_policy(file)
    rules = [getattr(policy.rules, name) for name in policy.rules.__slots__]
    on, periods = sum(rule.enabled for rule in rules), _count(len(policy.sensitive_periods), "sensitive period")
    return f"{policy.name}, in force from {policy.effective_from}, {on} of {len(rules)} rules on, {periods}"


def _escalation(file: Path) -> str:
    found = load_escalations(file)
    chains, receivers = _count(len(found.policies.policies), "chain"), _count(len(found.receivers), "receiver")
    return f"version {found.policies.version}, {chains}, {receivers}"


def _plans(file: Path) -> str:
    return _count(len(load_plans(file).plans), "plan")


def _clocks(file: Path) -> str:
    own = read_instrument(file).value
    until = f" until {own.until}" if own.until else ""
    return f"{own.id}, in force from {own.from_}{until}, {_count(len(own.clocks), 'clock')}"


def _routing(file: Path) -> str:
    found = read_routing(file)
    return (
        f"version {found.version}, {_count(len(found.topics), 'topic')}, {_count(len(found.departments), 'department')}"
    )


def _units(file: Path) -> str:
    found = read_units(file, read_routing(_routing_beside(file)))
    return f"version {found.version}, {_count(len(found.units), 'unit')}"


def _lexicon(file: Path) -> str:
    routing = read_routing(_routing_beside(file))
    found = read_lexicon(file, {topic.slug for topic in routing.topics})
    return f"version {found.version}, words of {_count(len(found.topics), 'topic')}"


def _routing_beside(file: Path) -> Path:
    own = file.with_name("routing.yaml")
    return own if own.exists() else directory_folder() / "routing.yaml"


def _topics(file: Path) -> str:
    return _count(len(read_declaration(file).topics), "topic")


# -- files of one folder beside one another ---------------------------------------------------------------------------


def _by_folder(files: Iterable[Path], right: Mapping[Path, Checked]) -> Iterator[list[Path]]:
    """Folders whose files are right so far; where one is not, the rest cannot be judged."""
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent.resolve(), []).append(file)
    return (several for several in folders.values() if all(file in right for file in several))


def _rules_beside(
    of_kind: Mapping[str, list[Path]], right: Mapping[Path, Checked]
) -> Iterator[tuple[Path, ConfigError]]:
    for files in _by_folder(of_kind.get(RULES, ()), right):
        try:
            together([(file, read_policy(file)) for file in files])
        except ConfigError as error:
            yield Path(error.source), error


def _clocks_beside(
    of_kind: Mapping[str, list[Path]], right: Mapping[Path, Checked]
) -> Iterator[tuple[Path, ConfigError]]:
    for files in _by_folder(of_kind.get(CLOCKS, ()), right):
        documents = [read_instrument(file) for file in files]
        all_of_them = [*documents, *_national(documents, files[0].parent)]
        for file, document in zip(files, documents, strict=True):
            try:
                check_instrument(document, all_of_them)
            except ConfigError as error:
                yield file, error


def _national(documents: list[YamlDocument[InstrumentFile]], folder: Path) -> list[YamlDocument[InstrumentFile]]:
    """What overlays that came alone are laid over: the national files beside them, else the packaged ones."""
    if any(not document.value.applies_to for document in documents):
        return []
    for place in (folder, packaged()):
        others = [read_instrument(file) for file in sorted(place.glob("*.yaml")) if kind_of(file) == CLOCKS]
        if found := [document for document in others if not document.value.applies_to]:
            return found
    return []


@dataclass(frozen=True)
class _Kind:
    keys: frozenset[str]
    read: Callable[[Path], str]


RULES: Final = "rules 预警规则"
CLOCKS: Final = "clocks 期限规则"
_KINDS: Final[Mapping[str, _Kind]] = {
    name: _Kind(frozenset(keys) - _COMMON, read)
    for name, keys, read in (
        (RULES, [field.name for field in fields(Policy)], _rules),
        ("escalation 升级策略", EscalationFile.model_fields, _escalation),
        ("plans 应急预案", PlansFile.model_fields, _plans),
        (CLOCKS, InstrumentFile.model_fields, _clocks),
        ("routing 职责分工", RoutingFile.model_fields, _routing),
        ("units 机构", UnitsFile.model_fields, _units),
        ("lexicon 主题词表", Lexicon.model_fields, _lexicon),
        ("topics 消息主题", TopicsFile.model_fields, _topics),
    )
}
