"""Chinese sentences have full-width punctuation: every text in the code, and the sentences put together from parts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.assessment.domain.life import life_of
from services.assessment.domain.obligations import obligations
from services.assessment.policy import load_rules
from services.screening.domain.explain import explanation
from services.screening.domain.flags import Finding
from shared.topics import propose
from tests.support.chinese import HALF_WIDTH, half_width
from tests.support.lifecycle import Story
from tests.support.petitions import POLICIES

ROOT = Path(__file__).parents[3]
PATTERNS = {"shared/signals.py", "shared/messages.py", "shared/classifier.py", "services/intake/domain/masking.py"}
"""Regular expressions over what people type, who type both widths."""
SOURCES = [
    path
    for folder in ("services", "shared", "deploy")
    for ending in ("py", "html")
    for path in sorted((ROOT / folder).rglob(f"*.{ending}"))
    if str(path.relative_to(ROOT)) not in PATTERNS
]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of a file that are no docstring."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        yield from enumerate(source.splitlines(), 1)
        return
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "0" for part in node.values]
            yield node.lineno, "".join(map(str, parts))


def test_no_text_in_the_code_has_half_width_punctuation_beside_chinese() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {place}"
        for path in SOURCES
        for line, text in texts(path)
        for place in half_width(text)
    ]
    assert not found, "\n".join(found)


def test_the_search_finds_what_it_looks_for() -> None:
    for wrong in ("甲,乙", "甲:", "60日(第34条)", "1, 阈值", "演练; 二", "甲”,", ")“甲”", "《条例》(2022)", "好!"):
        assert HALF_WIDTH.search(wrong), wrong
    for right in (
        "甲，乙",
        "12:30 收到",
        "（第34条）→ 05-02",
        "say “a” (b)",
        "v1 · 甲",
        "a person (人)",
        "/v1/obligations",
    ):
        assert not HALF_WIDTH.search(right), right


def story(*steps: tuple[str, str], filed: dict[str, Any] | None = None, day: str = "2026-03-01", **more: Any) -> Story:
    told = Story()
    told.filed(day, **(filed or {}))
    for kind, when in steps:
        told(kind, when, **(more if kind == "accepted" else {}))
    return told


ACCEPTED = (("assigned", "2026-03-02"), ("accepted", "2026-03-03"))
STORIES = {  # by what one of its deadlines says
    "不计 03-07": story(*ACCEPTED),
    "未公布": story(("assigned", "2029-09-28"), day="2029-09-28"),
    "顺延": story(*ACCEPTED, ("replied", "2026-04-20"), ("served", "2026-08-27")),
    "不符合第34条": story(*ACCEPTED, ("extended", "2026-03-10"), ("extended", "2026-04-02"), ("replied", "2026-04-20")),
    "未用延期": story(*ACCEPTED, ("extended", "2026-03-10"), ("replied", "2026-03-20")),
    "非申诉求决": story(*ACCEPTED, filed={"purpose": "suggestion"}),
    "第31条": story(*ACCEPTED, route="judicial"),
    "晚于录入": story(*ACCEPTED, notified_at="2030-01-01T00:00:00+08:00"),
    "非信访人": story(("accepted", "2026-03-03"), filed={"channel": "inspection"}),
}


@pytest.mark.parametrize("phrase", STORIES)
def test_derivations_and_reasons_of_deadlines(phrase: str) -> None:
    told = STORIES[phrase]
    now = datetime.fromisoformat("2030-01-01T00:00:00+08:00")
    said = []
    for owed in obligations(life_of(told.petition, told.county, told.steps()), load_rules()):
        why = owed.why_excluded(now)
        said.append(owed.derivation.zh + ("" if why is None else f" · {why.zh}"))
    assert any(phrase in text for text in said), said
    assert [place for text in said for place in half_width(text)] == []


@pytest.mark.parametrize("kind", POLICIES.all[-1].rules.__slots__)
def test_explanations_of_flags(kind: str) -> None:
    rule = getattr(POLICIES.all[-1].rules, kind)
    shown = "collective_risk" if kind == "collective_surge" else kind
    facts = {"collective_surge": "chance days past false_alarm", "cross_level_risk": "overdue contested announced"}
    given = tuple((name, 1.0) for name in facts.get(kind, "accused_handles days").split())
    at = datetime.fromisoformat("2026-03-01T00:00:00+08:00")
    found = Finding(shown, rule, "p@1", "II", 7, 5, at, facts=given, phrases=("self_harm", "harm_to_others"))
    said, _ = explanation(found, 5)
    assert len(said) > 20
    assert half_width(said) == []


def test_proposals_of_topics() -> None:
    texts = [
        ("物业不作为", "小区物业费涨价,业委会没有同意。"),
        ("判决", "申请执行两年,执行局没有结果。"),
        ("天气", "今天天气好。"),
    ]
    notes = [propose(title, text).note("zh") for title, text in texts]
    assert any("；" in note for note in notes)
    assert [place for note in notes for place in half_width(note)] == []
