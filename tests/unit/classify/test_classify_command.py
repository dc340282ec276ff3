import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy import classify_report
from deploy.commands.classify import app
from tests.unit.classify.samples import LABELS, TEXTS


def run(*arguments: str | Path):
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300", "TERM": "dumb"})


def write(path: Path, rows) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rows = zip(TEXTS, LABELS, strict=True)
    return write(
        tmp_path / "l.jsonl", [{"key": n, "text": text, "label": label} for n, (text, label) in enumerate(rows)]
    )


@pytest.fixture
def model(tmp_path: Path, labelled: Path) -> Path:
    assert run("train", labelled, "--out", tmp_path / "m.npz").exit_code == 0
    return tmp_path / "m.npz"


def test_predict_writes_key_and_label_a_line(tmp_path: Path, model: Path):
    file = write(tmp_path / "p.jsonl", [{"key": "a", "text": "公司拖欠工资"}, {"key": "b", "text": "你好"}])
    result = run("predict", file, "--model", model, "--out", tmp_path / "o.jsonl")
    assert result.exit_code == 0
    first, second = map(json.loads, (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines())
    assert (first["key"], first["label"]) == ("a", "劳动")
    assert (second["key"], second["needs_person"]) == ("b", True)
    assert set(first) == {"key", "label", "confidence", "needs_person", "runner_up"}
    assert "需要人工判断" in result.stdout


def test_bad_rows_are_told_by_number_and_reason_and_the_others_go_on(tmp_path: Path, model: Path):
    secret = "张三的秘密"
    rows = [
        {"key": "ok", "text": "学校招生不公平"},
        "{" + secret,
        [secret],
        {"text": secret},
        {"key": True, "text": secret},
        {"key": "e", "text": " "},
        {"key": "n", "text": 5},
        {"key": "ok", "text": secret},
        {"key": "long", "text": secret * 20_000},
        "[" * 5_000,
        "",
        {"key": "last", "text": "工厂排放废气"},
    ]
    file = write(tmp_path / "p.jsonl", rows)
    result = run("predict", file, "--model", model, "--out", tmp_path / "o.jsonl")
    assert result.exit_code == 0
    keys = [json.loads(line)["key"] for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert keys == ["ok", "last"]
    for number, reason in [
        (2, "is not JSON"),
        (3, "is not an object"),
        (4, "key is missing"),
        (5, "key is missing"),
        (6, "text is missing"),
        (7, "text is missing"),
        (8, "key was used"),
        (9, "text is longer than"),
        (10, "is not JSON"),
    ]:
        assert f"row {number}: {reason}" in result.stderr
    assert "9 rows left out, 2 used" in result.stderr
    assert secret not in result.output


def test_rows_that_are_not_utf8_or_have_no_label_do_not_stop_training(tmp_path: Path, labelled: Path):
    with labelled.open("ab") as file:
        file.write(b'{"key": "x", "text": "\xff", "label": "a"}\n{"key": "y", "text": "z"}\n')
    result = run("train", labelled, "--out", tmp_path / "m.npz")
    assert result.exit_code == 0
    assert "row 25: is not JSON in UTF-8" in result.stderr
    assert "row 26: label is missing" in result.stderr


@pytest.mark.parametrize("field", ["key", "text", "label"])
def test_half_a_character_is_a_bad_row(tmp_path: Path, labelled: Path, model: Path, field: str):
    row = {"key": "x", "text": "公司拖欠工资", "label": "劳动"}
    with labelled.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row | {field: row[field] + "\ud83d"}) + "\n")
    target = tmp_path / "o"
    for words in (("train", labelled), ("predict", labelled, "--model", model)):
        result = run(*words, "--out", target)
        assert result.exit_code == 0
        assert "row 25: holds half a character" in result.stderr
    assert len(target.read_text(encoding="utf-8").splitlines()) == 24


def test_what_is_read_is_not_written_over(tmp_path: Path, labelled: Path, model: Path):
    before, trained = labelled.read_bytes(), model.read_bytes()
    twice = ("--json", tmp_path / "x", "--doubtful", tmp_path / "x")
    for words, said in (
        (("train", labelled, "--out", labelled), "is an input"),
        (("predict", labelled, "--model", model, "--out", labelled), "is an input"),
        (("predict", labelled, "--model", model, "--out", model), "is an input"),
        (("evaluate", labelled, "--json", labelled), "is an input"),
        (("evaluate", labelled, *twice), "--json too"),
    ):
        result = run(*words)
        assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert (labelled.read_bytes(), model.read_bytes()) == (before, trained)


def test_a_link_to_the_model_stays_one(tmp_path: Path, labelled: Path, model: Path):
    link = tmp_path / "current.npz"
    link.symlink_to(model)
    model.write_bytes(b"old")
    assert run("train", labelled, "--out", link).exit_code == 0
    assert (link.is_symlink(), model.read_bytes()[:2]) == (True, b"PK")


def test_a_model_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, labelled: Path):
    bad = tmp_path / "m.npz"
    bad.write_bytes(b"\x80\x04.")
    result = run("predict", labelled, "--model", bad, "--out", tmp_path / "o.jsonl")
    assert (result.exit_code, (tmp_path / "o.jsonl").exists()) == (2, False)
    assert "is not a classifier file" in result.stderr


@pytest.mark.parametrize("rows", [[], ["nonsense"], [{"key": 1, "text": "t", "label": "only"}] * 2])
def test_a_file_that_cannot_train_ends_with_2_and_a_reason(tmp_path: Path, rows):
    result = run("train", write(tmp_path / "l.jsonl", rows), "--out", tmp_path / "m.npz")
    assert result.exit_code == 2
    assert result.stderr.strip()
    assert "Traceback" not in result.output
    assert not (tmp_path / "m.npz").exists()


def test_a_missing_file_ends_with_2(tmp_path: Path):
    result = run("train", tmp_path / "none.jsonl", "--out", tmp_path / "m.npz")
    assert (result.exit_code, "no such file" in result.stderr) == (2, True)


@pytest.mark.parametrize("words", [("train", "--out"), ("predict", "--model", "{m}", "--out"), ("evaluate", "--json")])
def test_a_directory_in_place_of_the_file_ends_with_2_and_says_so(tmp_path: Path, model: Path, words: tuple[str, ...]):
    command, *more = (word.format(m=model) for word in words)
    result = run(command, tmp_path, *more, tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [f"{tmp_path} is a directory; give a file of JSON lines in it"]
    assert not (tmp_path / "out").exists()


def test_a_directory_to_write_to_is_refused_before_the_work(tmp_path: Path, model: Path, labelled: Path):
    for words in (("train", labelled), ("predict", labelled, "--model", model)):
        result = run(*words, "--out", tmp_path)
        assert (result.exit_code, result.stderr.strip()) == (2, f"--out {tmp_path} is a directory; name a file in it")


@pytest.mark.parametrize("option", ["--json", "--doubtful"])
def test_evaluate_refuses_a_directory_to_write_to_before_the_work(tmp_path: Path, labelled: Path, option: str):
    result = run("evaluate", labelled, option, tmp_path)
    assert (result.exit_code, result.stderr.strip()) == (2, f"{option} {tmp_path} is a directory; name a file in it")


def test_a_mistyped_input_leaves_no_folders_and_a_file_in_place_of_one_is_refused(tmp_path: Path, labelled: Path):
    assert run("evaluate", tmp_path / "none.jsonl", "--json", tmp_path / "new" / "f.json").exit_code == 2
    assert not (tmp_path / "new").exists()
    result = run("train", labelled, "--out", labelled / "m.npz")
    assert (result.exit_code, "is a file, not a directory" in result.stderr) == (2, True)


def test_evaluate_lists_labels_that_are_contradicted_without_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(classify_report, "PERSON_BELOW", 0.0)
    labels = ["教育", *LABELS[1:]]  # the first is of 劳动
    rows = [{"key": f"k{n}", "text": text, "label": labels[n]} for n, text in enumerate(TEXTS)]
    target = tmp_path / "second" / "look.jsonl"
    result = run("evaluate", write(tmp_path / "l.jsonl", rows), "--folds", 3, "--doubtful", target)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert {"key": "k0", "label": "教育", "answer": "劳动"}.items() <= lines[0].items()
    assert [line["confidence"] for line in lines] == sorted((line["confidence"] for line in lines), reverse=True)
    assert not [line for line in lines if line["label"] == line["answer"]]
    assert {key for line in lines for key in line} == {"key", "label", "answer", "confidence"}
    assert f"{len(lines)} labels are contradicted" in " ".join(result.stdout.split())


def test_evaluate_prints_both_figures_and_writes_them(tmp_path: Path, labelled: Path):
    unlabelled = write(tmp_path / "u.jsonl", [{"key": n, "text": text} for n, text in enumerate(TEXTS)])
    result = run("evaluate", labelled, "--folds", 3, "--unlabelled", unlabelled, "--json", tmp_path / "f.json")
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert (figures["texts"], figures["unlabelled"], figures["folds"]) == (24, 24, 3)
    for dealt in ("by_row", "by_group"):
        assert str(figures[dealt]["macro_f1"]) in result.stdout


FORM_LETTER = [{"key": f"f{n}", "text": "请恢复二路公交车的末班车,谢谢", "label": "交通"} for n in range(8)]


def mixed(path: Path, rows: list[dict[str, str]]) -> Path:
    usual = [{"key": f"k{n}", "text": text, "label": LABELS[n]} for n, text in enumerate(TEXTS)]
    return write(path, [*usual, *rows])


def test_a_label_of_one_form_letter_leaves_the_deal_by_row_its_figures(tmp_path: Path):
    file, figures, list_ = mixed(tmp_path / "l.jsonl", FORM_LETTER), tmp_path / "f.json", tmp_path / "d.jsonl"
    result = run("evaluate", file, "--folds", 3, "--json", figures, "--doubtful", list_)
    assert result.exit_code == 1, result.output
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert str(found["by_row"]["macro_f1"]) in result.stdout
    assert ("by_group" in found, list_.exists()) == (False, True)
    [said] = [line for line in result.stderr.splitlines() if "left out" in line]
    assert said.startswith("by_group was left out: label '交通' has too many like texts: without one fold 0 of its 8 ")
    assert "--deal by_row" in said
    assert found["left_out"] == {"by_group": said.removeprefix("by_group was left out: ")}


@pytest.mark.parametrize(
    ("rows", "folds", "said"),
    [
        (FORM_LETTER, 3, "label '交通' has too many like texts"),
        ([FORM_LETTER[0] | {"key": "a"}], 9, "no label has a text for each of 9 folds: take fewer with --folds"),
    ],
)
def test_a_deal_that_the_texts_do_not_allow_is_refused_before_the_work(tmp_path: Path, rows, folds: int, said: str):
    file = mixed(tmp_path / "l.jsonl", rows)
    result = run("evaluate", file, "--folds", folds, "--deal", "by_group", "--json", tmp_path / "f.json")
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert not (tmp_path / "f.json").exists()


def test_fewer_groups_than_folds_are_said(tmp_path: Path):
    texts = {"交通": "请恢复二路公交车的末班车,谢谢", "劳动": "公司拖欠工资三个月,老板不发工资"}
    rows = [{"key": f"{name}{n}", "text": text, "label": name} for name, text in texts.items() for n in range(8)]
    result = run("evaluate", write(tmp_path / "l.jsonl", rows), "--folds", 4)
    assert result.exit_code == 1, result.output
    assert "the 2 groups of like texts do not fill 4 folds: take fewer with --folds" in result.stderr
    assert "dealt by row" in result.stdout
