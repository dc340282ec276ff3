"""Cross-validated figures of the category classifier, and their tables."""

import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text
from sklearn.metrics import f1_score, precision_recall_fscore_support
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from shared.classifier import CALIBRATION_FOLDS, PERSON_BELOW, TrainingError, held_out_models, title_of
from shared.pretrained import Pretrained

DEALS = ("by_row", "by_group")
LONG_TITLE = 10
OPENING = 40
Split = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


@dataclass(frozen=True)
class Doubt:
    """A row whose label models that had not seen it contradict, with at least the confidence that needs no person."""

    row: int
    answer: str
    confidence: float


def measure(
    texts: Sequence[str],
    labels: Sequence[str],
    folds: int,
    unlabelled: Sequence[str],
    seed: int,
    step: Callable[[float], None],
    *,
    deals: Sequence[str] = DEALS,
    pretrained: Pretrained | None = None,
) -> tuple[dict[str, Any], list[Doubt]]:
    """Macro-F1 over pooled held-out answers, dealt by row and by group of like texts (or one of `DEALS`).

    Beside it the rows whose label is contradicted in each of the deals, the most certain first. `step` hears how many of
    the `folds` models of each deal are trained, a started one in parts. A deal that these texts do not allow is under
    `left_out` with its reason; raises `TrainingError` where none is left.
    """
    names, truth = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    groups = like_texts(texts)
    started = time.perf_counter()
    splits: dict[str, Split] = {}
    left_out: dict[str, str] = {}
    for deal in deals:
        try:
            splits[deal] = _split(deal, folds, seed, names, truth, groups)
        except TrainingError as error:
            left_out[deal] = str(error)
    if not splits:
        raise TrainingError(next(iter(left_out.values())))
    figures: dict[str, Any] = {
        "texts": len(texts),
        "labels": [str(name) for name in names],
        "folds": folds,
        "seed": seed,
        "unlabelled": len(unlabelled),
        "groups": len(np.unique(groups)),
        "person_below": PERSON_BELOW,
        "encoder_sha256": pretrained.sha256 if pretrained else None,
        "left_out": left_out,
    }
    trained = 0
    contradicted: list[dict[int, Doubt]] = []

    def tell(part: str, done: float) -> None:
        if part == "encoder":  # the others take seconds
            step(trained + done)

    for deal, split in splits.items():
        scores = np.zeros((len(truth), len(names)), dtype=np.float32)
        fold_of = np.zeros(len(truth), dtype=np.int64)
        confidence = np.zeros(len(truth))
        models = held_out_models(texts, labels, iter(split), unlabelled, pretrained, tell)
        for number, (unseen, answers, sureness) in enumerate(models):
            scores[unseen], confidence[unseen], fold_of[unseen] = answers, sureness, number
            trained += 1
            step(trained)
        answers = scores.argmax(axis=1)
        figures[deal] = _figures(truth, answers, confidence, fold_of)
        wrong = np.flatnonzero((answers != truth) & (confidence >= PERSON_BELOW))
        contradicted.append(
            {int(row): Doubt(int(row), str(names[answers[row]]), round(float(confidence[row]), 4)) for row in wrong}
        )
    doubts = _in_all(contradicted)
    figures["doubtful_labels"] = len(doubts)
    figures["seconds"] = round(time.perf_counter() - started, 1)
    return figures, doubts


def _split(
    deal: str,
    folds: int,
    seed: int,
    names: npt.NDArray[np.str_],
    truth: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
) -> Split:
    """Known and unseen rows of each fold; raises `TrainingError`, before anything is trained, where that cannot be done."""
    count = len(np.unique(groups))
    few = (
        f"the {count} groups of like texts do not fill {folds} folds: take fewer with --folds, "
        "or leave out the deal by group with --deal by_row"
    )
    if deal != "by_row" and count < folds:
        raise TrainingError(few)
    try:
        if deal == "by_row":
            return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(truth, truth))
        split = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(truth, truth, groups))
    except ValueError:
        raise TrainingError(f"no label has a text for each of {folds} folds: take fewer with --folds") from None
    if any(not len(unseen) for _, unseen in split):
        raise TrainingError(few)
    for known, _ in split:
        left = np.bincount(truth[known], minlength=len(names))
        if left.min() < CALIBRATION_FOLDS:
            scarce = int(left.argmin())
            raise TrainingError(
                f"label {str(names[scarce])!r} has too many like texts: without one fold {left[scarce]} of its "
                f"{(truth == scarce).sum()} texts are left to learn from, and {CALIBRATION_FOLDS} are needed; "
                "leave out the deal by group with --deal by_row, or add texts of that label that are not alike"
            )
    return split


def _in_all(deals: list[dict[int, Doubt]]) -> list[Doubt]:
    """Doubts that every deal has with the same answer, each with its lowest confidence; the most certain first."""
    first, *others = deals
    doubts = []
    for row, doubt in first.items():
        again = [other[row] for other in others if row in other and other[row].answer == doubt.answer]
        if len(again) == len(others):
            doubts.append(min([doubt, *again], key=lambda one: one.confidence))
    return sorted(doubts, key=lambda doubt: (-doubt.confidence, doubt.row))


def like_texts(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Group number of each text: texts share one that are equal, begin alike or have the same long title."""
    group = np.arange(len(texts))
    first: dict[tuple[str, str], int] = {}

    def root(row: int) -> int:
        while group[row] != row:
            row = int(group[row])
        return row

    for row, text in enumerate(texts):
        plain = "".join(char for char in unicodedata.normalize("NFKC", text).lower() if char.isalnum())
        title = "".join(char for char in title_of(text) if char.isalnum())
        marks = [("text", plain), ("opening", plain[:OPENING])]
        if len(title) >= LONG_TITLE:
            marks.append(("title", title))
        for mark in marks:
            group[root(row)] = root(first.setdefault(mark, row))
    return np.array([root(row) for row in range(len(texts))], dtype=np.int64)


def _figures(
    truth: npt.NDArray[np.int64],
    answers: npt.NDArray[np.intp],
    confidence: npt.NDArray[np.float64],
    fold_of: npt.NDArray[np.int64],
) -> dict[str, Any]:
    precision, recall, f1, support = precision_recall_fscore_support(truth, answers, zero_division=0)
    folds = range(int(fold_of.max()) + 1)
    each = [f1_score(truth[fold_of == fold], answers[fold_of == fold], average="macro") for fold in folds]
    sure = confidence >= PERSON_BELOW
    return {
        "macro_f1": round(float(f1_score(truth, answers, average="macro")), 4),
        "macro_f1_fold_mean": round(float(np.mean(each)), 4),
        "macro_f1_fold_sd": round(float(np.std(each)), 4),
        "accuracy": round(float((answers == truth).mean()), 4),
        "without_person": round(float(sure.mean()), 4),
        "accuracy_without_person": round(float((answers == truth)[sure].mean()), 4) if sure.any() else None,
        "accuracy_with_person": round(float((answers == truth)[~sure].mean()), 4) if (~sure).any() else None,
        "per_label": [
            [round(float(value), 4) for value in (precision[row], recall[row], f1[row])] + [int(support[row])]
            for row in range(len(support))
        ],
    }


def tables(figures: dict[str, Any]) -> list[Table]:
    """Summary and per-label tables."""
    deals = {deal: figures[deal] for deal in DEALS if deal in figures}
    titles = {"by_row": "dealt by row", "by_group": f"like texts together ({figures['groups']} groups)"}
    voices = "linear and encoder" if figures["encoder_sha256"] else "linear"
    summary = Table(
        title=f"{figures['folds']}-fold cross-validation, {figures['texts']} texts, {voices}, {figures['seconds']} s"
    )
    summary.add_column("")
    for deal in deals:
        summary.add_column(titles[deal], justify="right")
    for title, field in (
        ("macro-F1, pooled", "macro_f1"),
        ("macro-F1, mean of folds", "macro_f1_fold_mean"),
        ("  standard deviation", "macro_f1_fold_sd"),
        ("accuracy", "accuracy"),
        (f"share with confidence ≥ {figures['person_below']}", "without_person"),
        ("  accuracy of these", "accuracy_without_person"),
        ("  accuracy of those for a person", "accuracy_with_person"),
    ):
        summary.add_row(title, *[str(deal[field]) for deal in deals.values()])
    summary.caption = (
        f"{figures['doubtful_labels']} labels are contradicted with confidence: --doubtful FILE lists them"
    )
    first = next(iter(deals))
    labels = Table(title=f"by label, {titles[first]}")
    for column in ("label", "precision", "recall", "F1", "texts"):
        labels.add_column(column, justify="left" if column == "label" else "right")
    for name, values in zip(figures["labels"], deals[first]["per_label"], strict=True):
        labels.add_row(Text(name), *[str(value) for value in values])
    return [summary, labels]
