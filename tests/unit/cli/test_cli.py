"""The command line loads what is called, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import COMMANDS, app, load


def test_the_overview_names_every_command_without_loading_one() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom deploy.cli import app\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        "print([m for m in sys.modules if m.startswith('deploy.commands.') or m in ('numba', 'motor', 'sklearn')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_loads_and_has_help(name: str) -> None:
    assert load(name).name
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output


def test_an_unknown_command_is_named() -> None:
    result = CliRunner().invoke(app, ["petition"])
    assert result.exit_code == 2
    assert "petition" in result.output


def test_what_a_person_can_mend_is_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from deploy.cli import main; main()",
            "secrets",
            "deliver",
            str(tmp_path / "s"),
            str(taken),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("fengqiao: ") and str(taken) in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("below", ["", "deeper/secrets"])
def test_secrets_in_place_of_a_file_are_refused(tmp_path: Path, below: str) -> None:
    taken = tmp_path / "file"
    taken.touch()
    result = CliRunner().invoke(app, ["secrets", "init", str(taken / below)])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [f"{taken} is a file; name a directory, which is made where it is missing"]
