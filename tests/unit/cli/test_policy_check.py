"""`fengqiao policy check` reads every kind of file that steers the system, as the services would."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from tests.support.petitions import POLICY

DEPLOY = POLICY.parent
OF = {
    "default.yaml": POLICY,
    "escalation.yaml": POLICY,
    "plans.yaml": POLICY,
    "national-2022.yaml": POLICY / "clocks",
    "shandong-2016.yaml": POLICY / "clocks",
    "routing.yaml": DEPLOY / "directory",
    "units.yaml": DEPLOY / "directory",
    "lexicon.yaml": DEPLOY / "directory",
    "topics.yaml": DEPLOY / "kafka",
}


def check(*paths: Path):
    return CliRunner().invoke(app, ["policy", "check", *(str(path) for path in paths)])


def test_all_that_is_packaged_is_right_and_is_told_by_kind():
    result = check(POLICY, DEPLOY / "directory", DEPLOY / "kafka")
    assert (result.exit_code, result.stderr) == (0, "")
    told = {line.split(": ")[0].rpartition("/")[2]: line.split(": ")[1] for line in result.stdout.splitlines()}
    kinds = {"rules", "escalation", "plans", "clocks", "routing", "units", "lexicon", "topics"}
    assert {kind.split()[0] for kind in told.values()} == kinds
    assert set(told) >= set(OF)
    assert "fengqiao-default@1, in force from 2022-05-01" in result.stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("default.yaml", "max_representatives: 5", "max_representatives: 6", "must be from 5 to 5"),
        ("escalation.yaml", "call: [command_center]", "call: [nobody]", "there is no receiver 'nobody'"),
        ("plans.yaml", "kind: accident", "kind: mishap", "kind"),
        ("national-2022.yaml", "HANDLE_EXT: {days: 30", "HANDLE_EXT: {days: 31", "may not exceed 30 days"),
        ("shandong-2016.yaml", "days: 30", "days: 31", "may only shorten"),
        ("routing.yaml", "lead: health_bureau", "lead: wealth_bureau", "is not a department"),
        ("units.yaml", 'parent: "370000"', 'parent: "380000"', "is not listed above"),
        ("lexicon.yaml", "  work_safety:\n", "  weather:\n", "is not a topic"),
        ("topics.yaml", "partitions: 6", "partitions: 0", "greater than or equal to 1"),
    ],
)
def test_an_error_names_file_and_line_whatever_the_file_is_called(tmp_path, name, old, new, says):
    text = (OF[name] / name).read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / f"candidate-{name}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    result = check(file)
    assert (result.exit_code, result.stdout) == (2, "")
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"{file}:")
    assert abs(int(first.removeprefix(f"{file}:").split(":")[0]) - line) <= 5  # a chain's error stands at the chain
    assert says in first


def test_each_wrong_file_of_a_folder_is_told_and_the_others_are_right(tmp_path):
    folder = shutil.copytree(POLICY, tmp_path / "policy")
    (folder / "plans.yaml").write_text("plans: [", encoding="utf-8")
    (folder / "clocks" / "shandong-2016.yaml").write_text("", encoding="utf-8")
    (folder / "other.yaml").write_text("weather: fine\n", encoding="utf-8")
    (folder / "more.yml").write_text("weather: fine\n", encoding="utf-8")
    result = check(folder)
    assert result.exit_code == 2
    wrong = {line.split(":")[0].rpartition("/")[2] for line in result.stderr.splitlines()[:-1]}
    assert wrong == {"plans.yaml", "shandong-2016.yaml", "other.yaml", "more.yml"}
    assert result.stderr.splitlines()[-1] == "errors: 4; files that are right: 4"
    assert "default.yaml: rules" in result.stdout


def test_files_of_one_folder_are_checked_beside_one_another(tmp_path):
    folder = shutil.copytree(POLICY, tmp_path / "policy")
    shutil.copy(folder / "default.yaml", folder / "second.yaml")
    base = (folder / "clocks" / "national-2022.yaml").read_text(encoding="utf-8")
    (folder / "clocks" / "other.yaml").write_text(base.replace("national-2022", "other", 1), encoding="utf-8")
    result = check(folder)
    assert result.exit_code == 2
    assert "second.yaml:1: fengqiao-default@1 is also that of default.yaml" in result.stderr
    assert "is in force at the same time as 'other'" in result.stderr
    assert check(POLICY / "default.yaml", folder / "second.yaml").exit_code == 0


def test_a_folder_without_policies_is_no_success(tmp_path):
    assert check(tmp_path).exit_code == 2
    assert check(tmp_path / "none.yaml").exit_code == 2
