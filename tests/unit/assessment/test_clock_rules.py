"""The rule files: what is accepted, what is refused, and that no file can express a pause."""

from datetime import date
from pathlib import Path

import pytest

from services.assessment.domain.rules import ROUTES
from services.assessment.policy import ClockFile, InstrumentFile, load_rules
from shared.directory import directory
from shared.yamlfile import ConfigError

NATIONAL = """
id: base
from: 2022-05-01
instrument: {zh: 条例, en: Regulations}
clocks:
  REG_TRANSFER: {days: 15, article: "22"}
  HANDLE: {days: 60, article: "34"}
"""
OVERLAY = """
id: over
from: 2023-01-01
applies_to: ["33"]
instrument: {zh: 省条例, en: Provincial Regulations}
cite: {zh: 省条例, en: Provincial}
clocks:
  REG_TRANSFER: {working_days: 5, article: "20"}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_an_overlay_replaces_its_clocks_from_its_day_in_its_places(tmp_path: Path) -> None:
    book = load_rules(folder(tmp_path, a=NATIONAL, b=OVERLAY))
    rules = book.on(date(2023, 1, 1), "330102")
    assert rules is not None
    assert (rules.clocks["REG_TRANSFER"].days, rules.clocks["REG_TRANSFER"].working) == (5, True)
    assert rules.clocks["HANDLE"].days == 60
    for day, place in ((date(2022, 12, 31), "330102"), (date(2023, 1, 1), "370911")):
        elsewhere = book.on(day, place)
        assert elsewhere is not None
        assert elsewhere.clocks["REG_TRANSFER"].days == 15
    assert book.on(date(2022, 4, 30), "330102") is None


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("b", "{working_days: 5", "{days: 20", "may only shorten"),
        ("b", "{working_days: 5", "{working_days: 11", "may only shorten"),
        ("b", "id: over", "id: base", "used by two files"),
        ("b", "from: 2023-01-01", "from: 2023-01-01\nuntil: 2023-01-01", "after from"),
        ("a", "clocks:", "handle_routes: [petition_procedures]\nclocks:", "is not one of judicial, arbitration"),
        ("b", "clocks:", "handle_routes: [arbitration]\nclocks:", "has clocks only"),
        ("a", "HANDLE: {days: 60", "HANDLE_EXT: {days: 31", "may not exceed 30"),
        ("a", "HANDLE: {days: 60", "HANDEL: {days: 60", "is not one of"),
        ("a", "{days: 60", "{days: 60, working_days: 3", "either days or working_days"),
        ("a", "{days: 60", "{days: 0", "greater than or equal to 1"),
        ("a", "{days: 60", "{days: 60, pause_after_abnormal_petitioning: 10", "Extra inputs"),
        ("a", "clocks:", "postpone_work_cycles: 1\nclocks:", "Extra inputs"),
    ],
)
def test_what_is_refused_names_the_line(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    files = {"a": NATIONAL, "b": OVERLAY}
    assert old in files[name]
    files[name] = files[name].replace(old, new)
    with pytest.raises(ConfigError, match=said) as caught:
        load_rules(folder(tmp_path, **files))
    assert caught.value.line >= 1


def test_the_routes_of_article_31_are_those_of_the_directory() -> None:
    assert set(ROUTES) == set(directory().codes["route"])


def test_two_national_files_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at the same time"):
        load_rules(folder(tmp_path, a=NATIONAL, b=NATIONAL.replace("id: base", "id: other")))


def test_overlays_alone_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no"):
        load_rules(tmp_path)
    with pytest.raises(ConfigError, match="national file"):
        load_rules(folder(tmp_path, b=OVERLAY))


def test_no_key_could_stop_a_clock() -> None:
    words = ("pause", "suspend", "postpone", "hold", "stop", "sanction", "conduct", "freeze", "delay")
    names = [*ClockFile.model_fields, *InstrumentFile.model_fields]
    assert not [n for n in names for w in words if w in n]
    assert InstrumentFile.model_config["extra"] == ClockFile.model_config["extra"] == "forbid"


def test_the_packaged_files_cover_every_day_since_2005() -> None:
    book = load_rules()
    for day in (date(2005, 5, 1), date(2022, 4, 30), date(2022, 5, 1), date(2030, 1, 1)):
        rules = book.on(day, "379911")
        assert rules is not None
        assert {"REG_TRANSFER", "NOTIFY_DIRECT", "NOTIFY_TRANSFERRED", "HANDLE", "HANDLE_EXT"} <= set(rules.clocks)
