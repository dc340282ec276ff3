"""What a file says is printed as it stands there: no markup, no emoji, and nobody's number; two policies never read alike."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner, Result

from deploy.backtest.figures import Crowd, Difference, Figures
from deploy.classify_report import tables
from deploy.cli import app
from deploy.commands import audit
from deploy.commands import backtest as command
from deploy.commands import classify as classify_command
from services.assessment.offline import Ledger
from shared.audit import Finding, Report

POLICY = Path(__file__).resolve().parents[3] / "deploy" / "policy" / "default.yaml"
START = datetime(2024, 1, 1, 2, tzinfo=UTC)
ODD = ("[/回复]", "[a栋]", "[red]", ":key:", "[x[]", "\\")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "400", "TERM": "dumb"})


def messages(folder: Path, title: str) -> Path:
    words = "一二三四五六七八九"
    lines = [
        {
            "id": n,
            "petitioner": f"P{n}",
            "submitted_at": (START + timedelta(days=n)).isoformat(),
            "title": title,
            "text": f"丽发新城小区旁边搅拌站噪音灰尘污染严重，请求政府部门尽快处理。{word * 5}第{n}位业主反映",
        }
        for n, word in enumerate(words)
    ]
    file = folder / "m.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


def blind(path: Path, name: str = "fengqiao-default") -> Path:
    """A policy under which nothing collective is flagged."""
    text = POLICY.read_text(encoding="utf-8")
    text = re.sub(r"(at_least|petitioners): (\d+)", lambda found: f"{found[1]}: {int(found[2]) * 100}", text)
    text = text.replace("tiers: [{at_least: 100, level: I}]", "tiers: [{at_least: 1, level: I}]")
    text = re.sub(r"^policy: .*$", lambda _: f"policy: {json.dumps(name)}", text, flags=re.MULTILINE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def backtest(folder: Path, title: str, against: Path, policy: Path = POLICY) -> tuple[Result, str]:
    html = folder / "r.html"
    done = run(
        "backtest", messages(folder, title), "--policy", policy, "--against", against,
        "--out", folder / "f.jsonl", "--html", html, "--events", folder / "e.jsonl",
    )  # fmt: skip
    assert done.exception is None, done.output
    assert (folder / "f.jsonl").read_bytes()
    assert (folder / "e.jsonl").read_bytes()
    return done, html.read_text(encoding="utf-8")


@pytest.mark.parametrize("odd", ODD)
def test_a_title_is_printed_as_it_is(tmp_path: Path, odd: str) -> None:
    done, html = backtest(tmp_path, f"丽发新城小区搅拌站噪音污染{odd}", blind(tmp_path / "b.yaml"))
    assert f"搅拌站噪音污染{odd}" in done.stderr
    assert f"搅拌站噪音污染{odd}" in html


def figures(policy: str, *leads: float) -> Figures:
    crowds = tuple(
        Crowd("m", "t", 5, 5, START, START + timedelta(hours=lead), None if lead < 0 else START) for lead in leads
    )
    return Figures(policy, 1, 1, START, START, 0, {}, {}, {}, 0, 0.0, 0, 10, crowds, 0, 1.0, 1.0)


def printed(renderable: object) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


@pytest.mark.parametrize("odd", ODD)
def test_so_is_the_name_of_a_policy(odd: str) -> None:
    assert f"p{odd}@1" in printed(command._table([figures(f"p{odd}@1")]))
    nothing = Difference(0, (), (), 0, 0, 0)
    assert f"only p{odd}@1" in printed(command._difference(nothing, [f"p{odd}@1", "q@1"]))


def test_and_while_it_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def replay(*_: object, tick: Callable[[int], None], **__: object) -> None:
        tick(1)

    class Seen(Progress):
        def stop(self) -> None:
            shown.append(printed(self.get_renderable()))
            super().stop()

    monkeypatch.setattr(command, "replay", replay)
    monkeypatch.setattr(command, "Progress", Seen)
    command._replay(Console(stderr=True), [], POLICY, "p[/x][a]@1", "", None)
    assert "p[/x][a]@1" in shown[0]


@pytest.mark.parametrize(
    ("leads", "told"),
    [((24,), "1 d 0 h"), ((24, 72), "2 d 0 h"), ((240, 24, 48), "2 d 0 h"), ((24, 48, 96, 240, -1), "3 d 0 h")],
)
def test_the_median_of_an_even_number_lies_between_the_middle_two(leads: tuple[float, ...], told: str) -> None:
    assert command._median(figures("p@1", *leads)) == told


def test_there_is_no_median_of_nothing() -> None:
    assert command._median(figures("p@1", -1)) == "–"


def test_nobody_is_named_by_number(tmp_path: Path) -> None:
    title = "丽发新城小区搅拌站噪音污染 张三13800138000 430102199001011234<script>alert(1)</script>"
    done, html = backtest(tmp_path, title, blind(tmp_path / "b.yaml"))
    for text in (done.output, html):
        assert "13800138000" not in text
        assert "430102199001011234" not in text
        assert "[电话] [证件号]" in text
    assert (
        html.count("[电话] [证件号]&lt;script&gt;") == 3
    )  # the matter under each policy, and what only the first flags
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("a.yaml", "b.yaml", ("a.yaml", "b.yaml")),
        ("old/p.yaml", "new/p.yaml", ("old/p.yaml", "new/p.yaml")),
        ("[a].yaml", "[/b].yaml", ("[a].yaml", "b].yaml")),
        ("same.yaml", "same.yaml", ("same.yaml", "same.yaml")),
    ],
)
def test_policies_of_one_name_are_told_apart_by_file(
    tmp_path: Path, first: str, second: str, shown: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (first, second):
        blind(Path(name))
    Path(first).write_bytes(POLICY.read_bytes())
    done, html = backtest(tmp_path, "丽发新城小区搅拌站噪音污染", Path(second), Path(first))
    for file in shown:
        assert f"only fengqiao-default@1 ({file})" in done.stderr
        assert f"仅 only fengqiao-default@1 ({file})" in html
        assert f"<h2>fengqiao-default@1 ({file})</h2>" in html


def test_those_of_two_names_need_no_file(tmp_path: Path) -> None:
    done, html = backtest(tmp_path, "丽发新城小区搅拌站噪音污染", blind(tmp_path / "b.yaml", "other"))
    assert "only other@1" in done.stderr
    assert "b.yaml" not in done.stderr + html


@pytest.mark.parametrize("name", ["[/x].yaml", "[a].yaml", "x:key:.yaml"])
def test_a_wrong_clock_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x: 1\n", encoding="utf-8")
    events = tmp_path / "e.jsonl"
    events.write_text("{}\n")
    done = run("clocks", events, "--as-of", "2026-05-01", "--out", tmp_path / "o", "--rules", tmp_path / name)
    assert done.exit_code == 2
    assert name in done.stderr


@pytest.mark.parametrize("name", ["[/x].jsonl", "[a].jsonl", "x:key:.jsonl"])
def test_the_output_of_clocks_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class One(Ledger):
        def __len__(self) -> int:
            return 1

    monkeypatch.setattr("deploy.commands.clocks.Ledger", One)
    (tmp_path / "e.jsonl").write_text("{}\n")
    done = run("clocks", tmp_path / "e.jsonl", "--as-of", "2026-05-01", "--out", tmp_path / name)
    assert (done.exit_code, done.exception) == (0, None)
    assert f"→ {tmp_path / name}; 1 bad lines" in done.stderr


@pytest.mark.parametrize("name", ["[/x]", "[a]", ":key:"])
def test_the_outputs_of_classify_are_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / "l.jsonl"
    rows = [
        {"key": n, "text": f"{word}问题请求处理{n}", "label": f"{word}{name}"}
        for n, word in enumerate(["工资", "噪音"] * 12)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model, answers, told = tmp_path / f"{name}.npz", tmp_path / f"{name}.jsonl", tmp_path / "j.json"
    done = run("classify", "train", file, "--out", model)
    assert (done.exit_code, done.exception) == (0, None)
    assert f"{model}: 24 texts" in done.output
    done = run("classify", "predict", file, "--model", model, "--out", answers)
    assert (done.exit_code, done.exception) == (0, None)
    assert f"{answers}: 24 texts" in done.output
    done = run("classify", "evaluate", file, "--folds", "2", "--deal", "by_row", "--json", told)
    assert (done.exit_code, done.exception) == (0, None)
    assert f"工资{name}" in done.output
    assert told.exists()


@pytest.mark.parametrize("odd", ODD)
def test_a_label_is_printed_as_it_is_on_any_console(odd: str) -> None:
    deal = dict.fromkeys(
        (
            "macro_f1", "macro_f1_fold_mean", "macro_f1_fold_sd", "accuracy", "without_person",
            "accuracy_without_person", "accuracy_with_person",
        ),
        0.5,
    )  # fmt: skip
    told = {
        "by_row": {**deal, "per_label": [[0.5, 0.5, 0.5, 2]]}, "groups": 1, "encoder_sha256": None, "folds": 2,
        "texts": 2, "seconds": 1, "person_below": 0.5, "doubtful_labels": 0, "labels": [f"x{odd}y"],
    }  # fmt: skip
    assert f"x{odd}y" in printed(tables(told)[1])


def test_files_are_written_before_anything_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no terminal")

    monkeypatch.setattr(command, "_table", broken)
    done = run(
        "backtest", messages(tmp_path, "丽发新城小区搅拌站噪音污染"), "--policy", POLICY,
        "--out", tmp_path / "f.jsonl", "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert str(done.exception) == "no terminal"
    assert (tmp_path / "r.html").exists()


def test_so_are_those_of_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no terminal")

    monkeypatch.setattr("deploy.classify_report.tables", broken)
    monkeypatch.setattr("deploy.classify_report.measure", lambda *_, **__: ({"left_out": {}}, []))
    file, told, doubtful = tmp_path / "l.jsonl", tmp_path / "j.json", tmp_path / "d.jsonl"
    file.write_text(json.dumps({"key": 1, "text": "x", "label": "y"}) + "\n")
    done = CliRunner().invoke(
        classify_command.app, ["evaluate", str(file), "--json", str(told), "--doubtful", str(doubtful)]
    )
    assert str(done.exception) == "no terminal"
    assert told.exists()
    assert doubtful.exists()


@pytest.mark.parametrize("odd", ODD)
def test_the_chain_of_a_finding_is_printed_as_it_is(odd: str) -> None:
    console = Console(width=300)
    report = Report(1, 1, (Finding(f"c{odd}", 3, f"edited{odd}"),))
    with console.capture() as captured:
        audit._tell(console, "intake", report)
    assert f"intake c{odd}/3: edited{odd}" in captured.get()
