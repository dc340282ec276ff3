"""Category classifier: linear, trained on a labelled file, explained by its figures, stored without pickle.

Features of a text, each block of unit length: character 1–3-grams, words, character 1–2-grams of the title, and the mean of
word vectors learned (by truncated SVD) from the training texts and, where given, unlabelled ones. A ridge classifier with
balanced classes reads them. What occurs in one text only never enters the vocabulary, so a model file holds nobody's story.
Fine-tuned encoders may be heard beside it (`shared.encoder`, an extra).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import rjieba
import scipy.sparse as sp
from scipy.special import expit
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize

from shared.topics import Prediction

if TYPE_CHECKING:
    from shared.pretrained import Pretrained

Floats = npt.NDArray[np.float32]
Progress = Callable[[str, float], None]

MIN_TEXTS = 2
VECTOR_SIZE = 500
ALPHA = 0.5
PERSON_BELOW = 0.75
CALIBRATION_FOLDS = 3
ENCODERS, ENCODER_WEIGHT = 2, 0.1
ENCODER_FOLDS = 10  # each encoder is kept from one of them, so that confidence is learned from texts it has not seen
OFFSET_ROUNDS, OFFSET_STEPS, OFFSET_LIMIT, OFFSET_GAIN = 2, 17, 0.2, 1e-4
BLOCK_WEIGHTS = {"characters": 1.0, "words": 1.0, "title": 1.0, "vectors": 0.7}
SEED = 20260101

# Masked places (A市, K8县) and numbers say nothing about the category.
_PLACE = re.compile(r"[a-z]\d*(?:市|区|县|镇|乡|省|州)|西地省")
_DIGITS = re.compile(r"\d+")
_NO_WORD = re.compile(r"\W+")
_END_OF_TITLE = re.compile(r"尊敬的|敬爱的|您好|你好|各位领导|[。?!]")
_TITLE = range(6, 51)


class TrainingError(ValueError):
    """The labelled texts cannot train a classifier."""


def clean(text: str) -> str:
    """Text as the features see it: one width, one case, numbers and masked places gone."""
    text = unicodedata.normalize("NFKC", text).lower()
    return _DIGITS.sub("0", _PLACE.sub(" ", text)).replace("*", "")


def title_of(text: str) -> str:
    """The title a text begins with: up to its own repetition, a space, a greeting or the first full stop."""
    text = unicodedata.normalize("NFKC", text).strip()
    again = text.find(text[:8], 8)
    if again in _TITLE:
        return text[:again]
    space = text.find(" ")
    if space in _TITLE:
        return text[:space]
    end = _END_OF_TITLE.search(text)
    if end is not None and end.start() in _TITLE:
        return text[: end.start()]
    return text[:30]


def words_of(text: str) -> list[str]:
    """Words of a cleaned text, without punctuation."""
    return [word for word in rjieba.cut(text) if not _NO_WORD.fullmatch(word)]


@dataclass(frozen=True)
class Documents:
    """Texts prepared once for all blocks; the encoder reads them as they came."""

    texts: list[str]
    bodies: list[str]
    titles: list[str]
    words: list[list[str]]

    @staticmethod
    def of(texts: Sequence[str]) -> "Documents":
        """Clean, cut the title off and cut into words."""
        bodies = [clean(text) for text in texts]
        titles = [clean(title_of(text)) for text in texts]
        return Documents(list(texts), bodies, titles, [words_of(body) for body in bodies])

    def take(self, rows: npt.NDArray[np.int64]) -> "Documents":
        """The documents of these rows."""
        return Documents(
            [self.texts[row] for row in rows],
            [self.bodies[row] for row in rows],
            [self.titles[row] for row in rows],
            [self.words[row] for row in rows],
        )

    def __len__(self) -> int:
        return len(self.bodies)


def _same(words: list[str]) -> list[str]:
    return words


def vectorizer(block: str, vocabulary: list[str] | None = None) -> TfidfVectorizer:
    """The TF-IDF of a block; with a vocabulary it is ready for its `idf_`."""
    common = {"sublinear_tf": True, "lowercase": False, "dtype": np.float32, "vocabulary": vocabulary}
    if vocabulary is None:
        common["min_df"] = MIN_TEXTS
    if block == "characters":
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), **common)
    if block == "title":
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 2), **common)
    return TfidfVectorizer(analyzer=_same, **common)


def _input(block: str, documents: Documents) -> Sequence[str] | Sequence[list[str]]:
    return {"characters": documents.bodies, "title": documents.titles}.get(block) or documents.words


class Features:
    """Fitted blocks: three vocabularies with their weights, and the word vectors."""

    def __init__(self, vectorizers: dict[str, TfidfVectorizer], vectors: Floats) -> None:
        self.vectorizers, self.vectors = vectorizers, vectors

    @staticmethod
    def fit(labelled: Documents, unlabelled: Documents | None = None) -> "Features":
        """Learn vocabularies from the labelled texts, word vectors from all texts."""
        fitted = {block: vectorizer(block) for block in ("characters", "words", "title")}
        try:
            for block, tfidf in fitted.items():
                tfidf.fit(_input(block, labelled))
        except ValueError as error:
            raise TrainingError("the texts have too little in common to learn from") from error
        matrix = fitted["words"].transform(labelled.words)
        if unlabelled is not None and len(unlabelled):
            matrix = sp.vstack([matrix, fitted["words"].transform(unlabelled.words)])
        size = max(1, min(VECTOR_SIZE, min(matrix.shape) - 1))
        svd = TruncatedSVD(size, n_iter=3, random_state=SEED).fit(matrix)
        vectors = normalize(svd.components_.T * np.sqrt(svd.singular_values_))
        return Features(fitted, vectors.astype(np.float16).astype(np.float32))

    def of(self, documents: Documents) -> sp.csr_matrix:
        """Feature matrix, a row a document."""
        blocks = {block: tfidf.transform(_input(block, documents)) for block, tfidf in self.vectorizers.items()}
        blocks["vectors"] = sp.csr_matrix(normalize(blocks["words"] @ self.vectors))
        total = sum(BLOCK_WEIGHTS.values())
        return sp.hstack([blocks[name] * np.sqrt(weight / total) for name, weight in BLOCK_WEIGHTS.items()]).tocsr()


@dataclass(frozen=True)
class Calibration:
    """Confidence = expit(slope × margin + intercept), margin = best score − next best score."""

    slope: float
    intercept: float

    @staticmethod
    def fit(scores: Floats, truth: npt.NDArray[np.int64]) -> "Calibration":
        """Learn from scores of texts that the scorer had not seen."""
        right = scores.argmax(axis=1) == truth
        if right.all() or not right.any():
            return Calibration(2.0, 0.0)
        model = LogisticRegression(C=1e3).fit(margins(scores)[:, None], right)
        return Calibration(float(model.coef_[0, 0]), float(model.intercept_[0]))

    def confidence(self, scores: Floats) -> npt.NDArray[np.float64]:
        """Chance that the best label of each row is right."""
        return np.asarray(expit(self.slope * margins(scores) + self.intercept), dtype=np.float64)


def margins(scores: Floats) -> npt.NDArray[np.float64]:
    """Best score minus the next best of each row."""
    ordered = np.sort(scores, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float64)


class Encoder(Protocol):
    """The second voice: what the linear classifier and the model file ask of `shared.encoder.TextEncoder`."""

    tokenizer: str

    @property
    def weights(self) -> dict[str, npt.NDArray[np.float16]]:
        """Arrays by name."""

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log-probabilities of texts, a column a label."""


class LinearClassifier:
    """A trained classifier; `predict` gives label, confidence and whether a person has to decide."""

    def __init__(
        self,
        labels: Sequence[str],
        features: Features,
        weights: Floats,
        intercepts: Floats,
        calibration: Calibration,
        person_below: float = PERSON_BELOW,
        encoders: Sequence[Encoder] = (),
    ) -> None:
        self.labels, self.features, self.weights = tuple(labels), features, weights
        self.intercepts, self.calibration, self.person_below = intercepts, calibration, person_below
        self.encoders = tuple(encoders)

    def scores(self, documents: Documents) -> Floats:
        """Score of each label (columns) for each document (rows)."""
        scores = np.asarray(self.features.of(documents) @ self.weights + self.intercepts, dtype=np.float32)
        for encoder in self.encoders:
            scores += ENCODER_WEIGHT / len(self.encoders) * encoder.scores(documents.texts)
        return scores

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text; a text without any known word goes to a person."""
        if not texts:
            return []
        documents = Documents.of(texts)
        scores = self.scores(documents)
        order = np.argsort(-scores, axis=1, kind="stable")
        confidence = self.calibration.confidence(scores)
        known = np.asarray(self.features.vectorizers["words"].transform(documents.words).sum(axis=1)).ravel() > 0
        return [
            Prediction(
                label=self.labels[order[row, 0]],
                confidence=round(float(confidence[row] if known[row] else 0.0), 4),
                needs_person=bool(confidence[row] < self.person_below or not known[row]),
                runner_up=self.labels[order[row, 1]],
            )
            for row in range(len(texts))
        ]


def _nothing(step: str, done: float) -> None:
    """Progress that nobody watches."""


def _fit(documents: Documents, truth: npt.NDArray[np.int64], unlabelled: Documents | None) -> LinearClassifier:
    features = Features.fit(documents, unlabelled)
    model = RidgeClassifier(alpha=ALPHA, class_weight="balanced", solver="sparse_cg", tol=1e-4)
    model.fit(features.of(documents), truth)
    weights, intercepts = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(weights) == 1:  # two labels: one column says both
        weights, intercepts = np.vstack([-weights, weights]), np.array([-intercepts[0], intercepts[0]])
    return LinearClassifier(
        [str(index) for index in range(len(weights))],
        features,
        weights.T.astype(np.float32),
        intercepts.astype(np.float32),
        Calibration(2.0, 0.0),
    )


def _encode(labels: Sequence[str], folds: int) -> tuple[list[str], npt.NDArray[np.int64]]:
    names, truth = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        raise TrainingError("at least two labels are needed")
    counts = np.bincount(truth)
    if counts.min() < folds:
        scarce = str(names[counts.argmin()])
        raise TrainingError(f"label {scarce!r} has {counts.min()} texts; at least {folds} are needed")
    return [str(name) for name in names], truth.astype(np.int64)


def train(
    texts: Sequence[str],
    labels: Sequence[str],
    unlabelled: Sequence[str] = (),
    *,
    person_below: float = PERSON_BELOW,
    pretrained: "Pretrained | None" = None,
    progress: Progress = _nothing,
) -> LinearClassifier:
    """Train on labelled texts; confidence is calibrated on texts each inner model had not seen.

    With `pretrained` encoders are fine-tuned too (extra `encoder`; minutes to an hour). Raises `TrainingError` for fewer
    than two labels or a label with fewer than three texts.
    """
    names, truth = _encode(labels, CALIBRATION_FOLDS)
    progress("words", 0.0)
    documents, more = Documents.of(texts), Documents.of(unlabelled) if unlabelled else None
    return _calibrated(documents, truth, names, more, person_below, pretrained, progress)


def _calibrated(
    documents: Documents,
    truth: npt.NDArray[np.int64],
    names: list[str],
    unlabelled: Documents | None,
    person_below: float,
    pretrained: "Pretrained | None",
    progress: Progress,
) -> LinearClassifier:
    scores = np.zeros((len(truth), len(names)), dtype=np.float32)
    folds = StratifiedKFold(CALIBRATION_FOLDS, shuffle=True, random_state=SEED)
    for done, (known, unseen) in enumerate(folds.split(truth, truth)):
        progress("calibration", done / (CALIBRATION_FOLDS + 1))
        scores[unseen] = _fit(documents.take(known), truth[known], unlabelled).scores(documents.take(unseen))
    progress("model", CALIBRATION_FOLDS / (CALIBRATION_FOLDS + 1))
    model, offsets = _fit(documents, truth, unlabelled), _offsets(scores, truth)
    scores += offsets
    encoders: list[Encoder] = []
    if pretrained is not None:
        encoders, rows, voices = _encoders(documents, truth, pretrained, progress)
        scores, truth = scores[rows] + ENCODER_WEIGHT * voices, truth[rows]
    calibration = Calibration.fit(scores, truth)
    progress("model", 1.0)
    return LinearClassifier(
        names, model.features, model.weights, model.intercepts + offsets, calibration, person_below, encoders
    )


def _encoders(
    documents: Documents, truth: npt.NDArray[np.int64], pretrained: "Pretrained", progress: Progress
) -> tuple[list[Encoder], npt.NDArray[np.int64], Floats]:
    """The fine-tuned encoders, the rows that one of them was kept from, and its scores of them."""
    from shared.encoder import TextEncoder

    folds = StratifiedKFold(min(ENCODER_FOLDS, int(np.bincount(truth).min())), shuffle=True, random_state=SEED)
    encoders: list[Encoder] = []
    kept: list[npt.NDArray[np.int64]] = []
    scores: list[Floats] = []
    for known, unseen in islice(folds.split(truth, truth), ENCODERS):
        encoder = TextEncoder.fine_tune(
            pretrained,
            documents.take(known).texts,
            truth[known],
            seed=SEED + len(encoders),
            progress=lambda done: progress("encoder", (len(encoders) + done) / ENCODERS),
        )
        encoders.append(encoder)
        kept.append(unseen)
        scores.append(encoder.scores(documents.take(unseen).texts))
    return encoders, np.concatenate(kept), np.concatenate(scores)


def _offsets(scores: Floats, truth: npt.NDArray[np.int64]) -> Floats:
    """What to add to each label's score for the best macro-F1 on texts the scorer had not seen: coordinate ascent."""
    offsets = np.zeros(scores.shape[1], dtype=np.float32)
    best = f1_score(truth, scores.argmax(axis=1), average="macro")
    for label in [*range(len(offsets))] * OFFSET_ROUNDS:
        for step in np.linspace(-OFFSET_LIMIT, OFFSET_LIMIT, OFFSET_STEPS, dtype=np.float32):
            tried = offsets.copy()
            tried[label] = step
            figure = f1_score(truth, (scores + tried).argmax(axis=1), average="macro")
            if figure > best + OFFSET_GAIN:
                best, offsets = figure, tried
    return offsets


def held_out_models(
    texts: Sequence[str],
    labels: Sequence[str],
    folds: Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]],
    unlabelled: Sequence[str] = (),
    pretrained: "Pretrained | None" = None,
    progress: Progress = _nothing,
) -> Iterator[tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.float64]]]:
    """Rows left out of each fold, their scores and confidences by a model trained on the other rows alone.

    Columns are the labels in sorted order. Everything `train` learns, offsets and calibration too, is learned anew.
    """
    names, truth = _encode(labels, 2 * CALIBRATION_FOLDS)
    documents, more = Documents.of(texts), Documents.of(unlabelled) if unlabelled else None
    for known, unseen in folds:
        model = _calibrated(documents.take(known), truth[known], names, more, PERSON_BELOW, pretrained, progress)
        scores = model.scores(documents.take(unseen))
        yield unseen, scores, model.calibration.confidence(scores)
