"""The ready file belongs to the run that holds the state: nobody else removes it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.local import choose
from deploy.local.errors import LocalStackError
from deploy.local.state import held
from deploy.local.supervise import Supervisor


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "ready.json"
    file.write_text('{"kafka": "of another run"}')
    return file


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_run_leaves_the_ready_file_of_the_first_alone(ready: Path, command: str, monkeypatch) -> None:
    for name in ("FENGQIAO_KAFKA", "FENGQIAO_MONGO"):
        monkeypatch.delenv(name, raising=False)
    with held(ready.parent):
        words = [command, "--state", str(ready.parent), "--ready-file", str(ready)]
        result = CliRunner().invoke(app, words, env={"COLUMNS": "300"})
    assert result.exit_code == 1
    assert "is in use by process" in result.output
    assert ready.exists()


def test_a_run_that_holds_the_state_removes_what_a_killed_one_left(ready: Path, monkeypatch) -> None:
    there: list[bool] = []

    def start(_request: object) -> None:
        there.append(ready.exists())
        raise LocalStackError("no broker today")

    monkeypatch.setattr(choose, "kafka", start)
    monkeypatch.setattr(choose, "mongo", start)
    supervisor = Supervisor(ready.parent, ready_file=ready, quiet=True)
    with pytest.raises(LocalStackError, match="no broker today"), supervisor:
        pass
    assert set(there) == {False}
    ready.write_text("of the next run")
    supervisor.stop()
    assert ready.exists()
