"""No overlay lengthens a national period, on no day; an extension adds its days to whatever was counted."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.assessment.domain.life import life_of
from services.assessment.domain.obligations import obligations
from services.assessment.domain.rules import Rulebook
from services.assessment.policy import load_rules, packaged
from shared.yamlfile import ConfigError
from tests.support.lifecycle import BOOK, Story

HERE, THERE = "330102", "110101"
YEAR = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def over(folder: Path, clocks: str, *, id: str = "over", place: str = "33", more: str = "") -> Rulebook:
    """The packaged rules with one more overlay."""
    if not any(folder.iterdir()):
        for file in packaged().glob("*.yaml"):
            (folder / file.name).write_bytes(file.read_bytes())
    text = (
        f"id: {id}\nfrom: 2023-01-01\napplies_to: ['{place}']\ninstrument: {{zh: 省, en: P}}\n"
        f"cite: {{zh: 省条例, en: Provincial}}\n{more}clocks:\n  {clocks}\n"
    )
    (folder / f"{id}.yaml").write_text(text, encoding="utf-8")
    return load_rules(folder)


def due(book: Rulebook, code: str, day: date, place: str) -> date:
    rules = book.on(day, place)
    assert rules is not None
    return book.deadline(day, rules.clocks[code]).due


@pytest.mark.parametrize(
    "clocks",
    [
        'REG_TRANSFER: {working_days: 10, article: "20"}',
        'REG_TRANSFER: {days: 15, article: "20", roll_over: true}',
        'REG_TRANSFER: {days: 14, article: "20", roll_over: true}',
        'HANDLE: {working_days: 42, article: "20"}',
        'HANDLE: {days: 60, article: "20", roll_over: true}',
    ],
)
def test_on_no_day_is_it_due_later_than_nationally(tmp_path: Path, clocks: str) -> None:
    book, code = over(tmp_path, clocks), clocks.split(":", maxsplit=1)[0]
    own = [due(book, code, day, HERE) for day in YEAR]
    national = [due(BOOK, code, day, THERE) for day in YEAR]
    assert all(here <= there for here, there in zip(own, national, strict=True))


def test_the_clock_that_holds_is_the_one_that_is_printed(tmp_path: Path) -> None:
    book = over(tmp_path, 'REG_TRANSFER: {working_days: 10, article: "20"}')
    said = {}
    for received in ("2026-03-02", "2026-02-03"):
        story = Story(county=HERE)
        story.filed(received)
        (owed,) = obligations(life_of("P1", HERE, story.steps()), book)
        said[received] = (owed.due, owed.basis, owed.derivation.en)
    assert said["2026-03-02"][:2] == (date(2026, 3, 16), "省 Art. 20")
    assert said["2026-02-03"] == (
        date(2026, 2, 18),  # ten working days over the Spring Festival: 02-24
        "《信访工作条例》(2022) Art. 22",
        "received 02-03 + 15 d (Art. 22) → 02-18",
    )


def test_a_city_lengthens_no_period_of_its_province(tmp_path: Path) -> None:
    over(tmp_path, 'REG_TRANSFER: {days: 5, article: "20"}')
    book = over(tmp_path, 'REG_TRANSFER: {days: 7, article: "8"}', id="city", place="3301")
    assert due(book, "REG_TRANSFER", date(2026, 3, 2), HERE) == date(2026, 3, 7)


@pytest.mark.parametrize(
    ("handle", "days", "handled", "extended"),
    [
        ("working_days: 30", 30, date(2026, 4, 14), date(2026, 5, 14)),
        ("working_days: 30", 7, date(2026, 4, 14), date(2026, 4, 21)),
        ("days: 58, roll_over: true", 30, date(2026, 4, 29), date(2026, 5, 29)),
        ("days: 55, roll_over: true", 30, date(2026, 4, 27), date(2026, 5, 27)),  # 04-26 is a Sunday
    ],
)
def test_an_extension_adds_its_days(tmp_path: Path, handle: str, days: int, handled: date, extended: date) -> None:
    book = over(tmp_path, f'HANDLE: {{{handle}, article: "20"}}')
    story = Story(county=HERE)
    story.filed("2026-03-01")
    story("accepted", "2026-03-02")
    story("extended", "2026-04-01", days=days)
    found = {o.code: o for o in obligations(life_of("P1", HERE, story.steps()), book)}
    assert (found["HANDLE"].due, found["HANDLE_EXT"].due) == (handled, extended)
    assert f" + {days} d extension" in found["HANDLE_EXT"].derivation.en


@pytest.mark.parametrize(
    ("clocks", "more", "said"),
    [
        ('HANDLE_EXT: {working_days: 10, article: "20"}', "", "days alone"),
        ('HANDLE_EXT: {days: 10, article: "20", roll_over: true}', "", "days alone"),
        ('HANDLE: {days: 30, article: "20"}', "own_notice: [{units: [a_b], topics: [abc]}]\n", "has clocks only"),
        ('HANDLE: {days: 30, article: "20"}', "own_notice: [{units: [a_b]}]\n", "never by the unit alone"),
        ('HANDLE: {days: 30, article: "20"}', "own_notice: [a_b]\n", "own_notice"),
        (
            'HANDLE: {days: 30, article: "20"}',
            "own_notice: [{units: [a_b], routes: [court]}]\n",
            "'court' is not one of judicial",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, clocks: str, more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        over(tmp_path, clocks, more=more)


def test_no_overlay_allows_an_extension_that_the_nation_does_not_know(tmp_path: Path) -> None:
    base = 'id: base\nfrom: 2022-05-01\ninstrument: {zh: 条例, en: R}\nclocks:\n  HANDLE: {days: 60, article: "34"}\n'
    (tmp_path / "base.yaml").write_text(base, encoding="utf-8")
    with pytest.raises(ConfigError, match="may only shorten"):
        over(tmp_path, 'HANDLE_EXT: {days: 10, article: "20"}')
