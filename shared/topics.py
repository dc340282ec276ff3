"""Propose a topic and its lead department for a petition: a rule lexicon, and a trained classifier where there is one.

A proposal is advice. It says why, and `needs_person` where a person has to decide: low confidence, or a topic that the
routing table marks as diverted, sensitive or in need of a recusal check. Nothing here looks at who the petitioner is.
"""

import unicodedata
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shared.directory import Directory, Lang, Topic, UnknownCodeError, directory, directory_folder
from shared.yamlfile import read_yaml

STRONG, WEAK, AGAINST = 3.0, 1.0, -2.0
SHOWN_WORDS = 6
LATEST = date.max


class TopicWords(BaseModel):
    """Words of one topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strong: tuple[str, ...] = Field(min_length=1)
    words: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


class Lexicon(BaseModel):
    """`lexicon.yaml`: words by topic and how points become a confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    title_factor: float = Field(ge=1)
    doubt: float = Field(gt=0)
    person_below: float = Field(ge=0, le=1)
    topics: dict[str, TopicWords]


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one text."""

    label: str
    confidence: float
    needs_person: bool
    runner_up: str | None = None


class Classifier(Protocol):
    """A trained classifier; labels are topics, their Chinese names, or level-1 categories."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text."""
        ...


@dataclass(frozen=True)
class Reason:
    """Why a topic was proposed, or why a person has to look."""

    code: Literal["words", "model", "low_confidence", "no_words", "diverted", "sensitive", "recusal", "unknown_label"]
    zh: str
    en: str

    def text(self, lang: Lang = "zh") -> str:
        """The reason in `lang`."""
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True)
class Proposal:
    """Proposed topic (slug) and lead department (slug); `confidence` 0–1; `alternatives` are the next best topics."""

    topic: str | None
    department: str | None
    confidence: float
    reasons: tuple[Reason, ...]
    needs_person: bool
    alternatives: tuple[tuple[str, float], ...] = ()
    source: Literal["lexicon", "model"] = "lexicon"

    def note(self, lang: Lang = "zh") -> str:
        """One line for the screen."""
        why = ("；" if lang == "zh" else "; ").join(reason.text(lang) for reason in self.reasons)
        if self.needs_person:
            return f"需要人工判断：{why}" if lang == "zh" else f"A person has to decide: {why}"
        return f"建议：{why}" if lang == "zh" else f"Suggested: {why}"


def load_lexicon(folder: Path, known: Directory) -> Lexicon:
    """Read `lexicon.yaml`; raises `ConfigError` with the line of a topic the routing table lacks or a word given twice."""
    return read_lexicon(folder / "lexicon.yaml", known.topics)


def read_lexicon(path: Path, topics: Container[str]) -> Lexicon:
    """A lexicon file for the topics of a routing table; raises as `load_lexicon` does."""
    document = read_yaml(path, Lexicon)
    for slug, row in document.value.topics.items():
        if slug not in topics:
            raise document.error(f"{slug!r} is not a topic of routing.yaml", "topics", slug)
        every = [*row.strong, *row.words, *row.against]
        twice = next((word for word in every if every.count(word) > 1), None)
        if twice is not None or "" in every:
            raise document.error(f"{twice or 'an empty word'!r} is given twice or empty", "topics", slug)
    return document.value


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon in force, beside the directory in force."""
    return load_lexicon(directory_folder(), directory())


def propose(
    title: str,
    text: str,
    *,
    on: date = LATEST,
    known: Directory | None = None,
    words: Lexicon | None = None,
    within: Sequence[str] | None = None,
) -> Proposal:
    """Topic by the lexicon; `within` restricts the choice, `on` is the day whose departments hold (default: the latest)."""
    known, words = known or directory(), words or lexicon()
    ranked = _rank(title, text, words, within)
    if not ranked:
        none = Reason("no_words", "没有出现可以判断主题的词语", "no word of the text points to a topic")
        return Proposal(None, None, 0.0, (none,), needs_person=True)
    (slug, points, found), *rest = ranked
    against = rest[0][1] if rest else 0.0
    confidence = points / (points + against + words.doubt)
    reasons = [_found(known.topic(slug), found)]
    if confidence < words.person_below:
        reasons.append(_low(confidence))
    reasons += _guards(known.topic(slug))
    total = sum(row[1] for row in ranked) + words.doubt
    return Proposal(
        topic=slug,
        department=known.lead(slug, on).slug,
        confidence=round(confidence, 4),
        reasons=tuple(reasons),
        needs_person=len(reasons) > 1,
        alternatives=tuple((other, round(score / total, 4)) for other, score, _ in rest[:3]),
    )


def suggest(
    title: str,
    text: str,
    model: Classifier | None = None,
    *,
    on: date = LATEST,
    known: Directory | None = None,
    words: Lexicon | None = None,
) -> Proposal:
    """What intake shows: the classifier's answer where there is one, the lexicon's otherwise."""
    known, words = known or directory(), words or lexicon()
    if model is None:
        return propose(title, text, on=on, known=known, words=words)
    answer = model.predict([f"{title} {text}".strip()])[0]
    category = known.categories.get(answer.label)
    said = Reason(
        "model",
        f"分类模型判断为“{answer.label}”（把握 {answer.confidence:.0%}）",
        f"the classifier says {answer.label} ({answer.confidence:.0%})",
    )
    if category is not None:
        return _narrow(propose(title, text, on=on, known=known, words=words, within=category.topics), answer, said)
    try:
        topic = known.topic(answer.label)
    except UnknownCodeError:
        fallback = propose(title, text, on=on, known=known, words=words)
        unknown = Reason("unknown_label", f"{said.zh}，不在主题表中", f"{said.en}, which is not in the topic table")
        return replace(fallback, reasons=(unknown, *fallback.reasons), needs_person=True)
    reasons = [said, *([_low(answer.confidence)] if answer.needs_person else []), *_guards(topic)]
    return Proposal(
        topic=topic.slug,
        department=known.lead(topic.slug, on).slug,
        confidence=answer.confidence,
        reasons=tuple(reasons),
        needs_person=len(reasons) > 1,
        source="model",
    )


def _narrow(within: Proposal, answer: Prediction, said: Reason) -> Proposal:
    low = (_low(answer.confidence),) if answer.needs_person else ()
    return replace(
        within,
        confidence=min(within.confidence, answer.confidence),
        reasons=(said, *low, *within.reasons),
        needs_person=within.needs_person or answer.needs_person,
        source="model",
    )


def _rank(
    title: str, text: str, words: Lexicon, within: Sequence[str] | None
) -> list[tuple[str, float, tuple[str, ...]]]:
    head, body = unicodedata.normalize("NFKC", title), unicodedata.normalize("NFKC", text)
    rows: Mapping[str, TopicWords] = words.topics
    chars = frozenset(head) | frozenset(body)
    ranked: list[tuple[str, float, tuple[str, ...]]] = []
    for slug, row in rows.items():
        if within is not None and slug not in within:
            continue
        points, found = 0.0, []
        for group, weight in ((row.strong, STRONG), (row.words, WEAK), (row.against, AGAINST)):
            for word in group:
                if not chars.issuperset(word):  # most words end here: a look-up instead of a search
                    continue
                times = words.title_factor if word in head else 1.0 if word in body else 0.0
                points += weight * times
                if times and weight > 0:
                    found.append(word)
        if points > 0:
            ranked.append((slug, points, tuple(found)))
    return sorted(ranked, key=lambda row: (-row[1], row[0]))


def _found(topic: Topic, found: tuple[str, ...]) -> Reason:
    shown = "、".join(found[:SHOWN_WORDS])
    return Reason("words", f"出现“{shown}”，属“{topic.zh}”", f"{shown} points to {topic.en}")


def _low(confidence: float) -> Reason:
    return Reason("low_confidence", f"把握只有 {confidence:.0%}", f"confidence is only {confidence:.0%}")


def _guards(topic: Topic) -> list[Reason]:
    guards: list[Reason] = []
    if topic.divert:
        guards.append(
            Reason("diverted", "应依法分类导入其他法定途径", "the matter belongs to another statutory procedure")
        )
    if topic.sensitive:
        guards.append(Reason("sensitive", "属敏感主题，先由人阅读", "a sensitive topic is read by a person first"))
    if topic.recusal_check:
        guards.append(
            Reason(
                "recusal", "须先核对是否涉及承办单位自身", "check first whether it is about the handling unit itself"
            )
        )
    return guards
