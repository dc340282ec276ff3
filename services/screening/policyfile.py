"""Reads policy files; an error names the file and the line. A directory holds every version, and is read again when it changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import RootModel

from services.screening.domain.policy import VISITS, Policies, Policy
from shared.yamlfile import ConfigError, YamlDocument, parse_yaml

LAWFUL: Final = (
    "a sensitive period may shorten internal targets (internal_target_factor) and raise staffing (staffing_factor); "
    "it cannot add a flag on a lawful act"
)
_PERIOD: Final = {"name", "first_day", "last_day", "internal_target_factor", "staffing_factor"}
_LIMITS: Final[dict[tuple[str, ...], tuple[float, float]]] = {
    ("version",): (1, 1_000_000),
    ("reply_days",): (1, 60),
    ("linking", "window_days"): (1, 730),
    ("linking", "lateness_minutes"): (0, 1440),
    ("linking", "keep_days"): (30, 1460),
    ("linking", "threshold"): (0.01, 1),
    ("linking", "merge"): (0.01, 1),
    ("linking", "beside"): (0.01, 1),
    ("linking", "beside_names"): (0.01, 1),
    ("rules", "collective_visit", "min_persons"): (2, 1000),
    ("rules", "collective_risk", "petitioners"): (2, 1000),
    ("rules", "collective_risk", "days"): (1, 365),
    ("rules", "collective_risk", "clear_below"): (1, 1000),
    ("rules", "collective_risk", "min_score"): (0, 1),
    ("rules", "collective_surge", "petitioners"): (2, 1000),
    ("rules", "collective_surge", "days"): (1, 90),
    ("rules", "collective_surge", "baseline_days"): (14, 365),
    ("rules", "collective_surge", "false_alarm"): (1e-12, 0.05),
    ("rules", "collective_surge", "prior"): (0.01, 100),
    ("rules", "over_representatives", "max_representatives"): (5, 5),
    ("rules", "cross_level_visit", "levels_above"): (1, 5),
    ("rules", "cross_level_risk", "grounds"): (1, 3),
    ("rules", "unanswered_repeat", "repeats"): (1, 100),
}
"""Smallest and largest value of each number. Two are the law's own: five representatives and one level above (Art. 20)."""


class _File(RootModel[Policy]):
    pass


class _Raw(RootModel[dict[str, Any]]):
    pass


def read_policy(path: Path) -> Policy:
    """One policy file. Raises `ConfigError` with file, line and what to change."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), 1, f"cannot be read: {error}") from error
    return parse_policy(text, source=str(path))


def parse_policy(text: str, *, source: str = "<text>") -> Policy:
    """A policy from YAML text."""
    raw = parse_yaml(text, _Raw, source=source)
    _refuse_unlawful_periods(raw)
    document = parse_yaml(text, _File, source=source)
    policy = document.value.root
    _check_numbers(document, policy)
    _check_rules(document, policy)
    _check_periods(document, policy)
    return policy


def read_policies(path: Path) -> Policies:
    """Every screening policy of a directory, or one file. Two versions of the same day or number are an error.

    A file of the directory that has neither `policy` nor `rules` at its top is another service's and left alone.
    """
    files = [file for file in sorted(path.glob("*.yaml")) if _is_ours(file)] if path.is_dir() else [path]
    if not files:
        raise ConfigError(str(path), 1, "holds no screening policy (*.yaml with `policy` and `rules`)")
    return together([(file, read_policy(file)) for file in files])


def together(read: Iterable[tuple[Path, Policy]]) -> Policies:
    """The versions of one directory. Raises `ConfigError` where two have the same day or number."""
    seen: dict[object, str] = {}
    policies = []
    for file, policy in read:
        for what in (policy.name, policy.effective_from):
            if what in seen:
                raise ConfigError(str(file), 1, f"{what} is also that of {seen[what]}")
            seen[what] = file.name
        policies.append(policy)
    return Policies(policies)


def _is_ours(file: Path) -> bool:
    try:
        raw = parse_yaml(file.read_text(encoding="utf-8"), _Raw, source=str(file)).value.root
    except (ConfigError, OSError, UnicodeDecodeError):
        return True  # whatever is wrong with it is said when it is read
    return "policy" in raw or "rules" in raw


class PolicyWatch:
    """Policies of a path, read again when a file of it changes; a file with an error leaves the last good ones in force."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.policies = read_policies(path)
        self.error: str | None = None
        self._stamp = self._look()

    def poll(self) -> Policies | None:
        """The new policies if something changed and all is well; None otherwise. `error` says what is wrong."""
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            self.policies = read_policies(self.path)
        except ConfigError as error:
            self.error = str(error)
            return None
        self.error = None
        return self.policies

    def _look(self) -> tuple[tuple[str, int, int], ...]:
        files = sorted(self.path.glob("*.yaml")) if self.path.is_dir() else [self.path]
        found = []
        for file in files:
            try:
                stat = file.stat()
            except OSError:
                continue
            found.append((file.name, stat.st_mtime_ns, stat.st_size))
        return tuple(found)


def _refuse_unlawful_periods(document: YamlDocument[_Raw]) -> None:
    periods = document.value.root.get("sensitive_periods") or []
    for number, period in enumerate(periods if isinstance(periods, list) else []):
        for key in period if isinstance(period, dict) else ():
            if key not in _PERIOD:
                raise document.error(f"{key}: {LAWFUL}", "sensitive_periods", number, str(key))


def _check_numbers(document: YamlDocument[_File], policy: Policy) -> None:
    for path, (low, high) in _LIMITS.items():
        value: Any = policy
        for part in path:
            value = getattr(value, part)
        if value is not None and not low <= value <= high:
            raise document.error(f"{'.'.join(path)}: must be from {low:g} to {high:g}, is {value:g}", *path)
    for level, minutes in policy.targets_minutes.items():
        if not 1 <= minutes <= 14 * 1440:
            raise document.error(f"targets_minutes.{level}: must be from 1 to 20160", "targets_minutes", level)


def _check_rules(document: YamlDocument[_File], policy: Policy) -> None:
    rules = policy.rules
    for name in rules.__slots__:
        rule = getattr(rules, name)
        if not rule.id or not rule.basis or rule.version < 1:
            raise document.error(f"rules.{name}: needs an id, a version from 1 on and a basis", "rules", name)
        if not 1 <= rule.expires_days <= 365:
            raise document.error(f"rules.{name}.expires_days: must be from 1 to 365", "rules", name, "expires_days")
        starts = [tier.at_least for tier in rule.tiers]
        if not starts or starts != sorted(set(starts)):
            raise document.error(f"rules.{name}.tiers: needs rising values of at_least", "rules", name, "tiers")
    if {tier.level for tier in rules.life_safety.tiers} != {"I"} or not rules.life_safety.enabled:
        raise document.error("rules.life_safety: is always on and of level I", "rules", "life_safety")
    if not set(rules.cross_level_visit.channels) <= VISITS:
        message = f"rules.cross_level_visit.channels: only visits ({', '.join(sorted(VISITS))}) can be cross-level (Art. 17, 20)"
        raise document.error(message, "rules", "cross_level_visit", "channels")
    if rules.collective_risk.clear_below > rules.collective_risk.petitioners:
        message = "rules.collective_risk.clear_below: cannot be above petitioners"
        raise document.error(message, "rules", "collective_risk", "clear_below")
    if policy.linking.keep_days < 2 * policy.linking.window_days:
        raise document.error("linking.keep_days: has to be two windows or more", "linking", "keep_days")


def _check_periods(document: YamlDocument[_File], policy: Policy) -> None:
    for number, period in enumerate(policy.sensitive_periods):
        where = ("sensitive_periods", number)
        if not period.first_day <= period.last_day or (period.last_day - period.first_day).days > 92:
            raise document.error(
                "a sensitive period ends after it begins and lasts at most 92 days", *where, "last_day"
            )
        if not 0.1 <= period.internal_target_factor <= 1:
            message = f"internal_target_factor: must be from 0.1 to 1, targets are only ever shortened. {LAWFUL}"
            raise document.error(message, *where, "internal_target_factor")
        if not 1 <= period.staffing_factor <= 10:
            message = f"staffing_factor: must be from 1 to 10, staffing is only ever raised. {LAWFUL}"
            raise document.error(message, *where, "staffing_factor")
