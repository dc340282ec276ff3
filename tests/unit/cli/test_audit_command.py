"""`fengqiao audit`: an anchor that is not there is never taken for one that holds, and a good one is never lost."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.commands import audit
from tests.unit.shared.test_audit_verify import CHAIN, Log

ALL = set(audit.SERVICES)


class Database(Log):
    """A service's database, which is closed after use."""

    async def close(self) -> None:
        """Nothing to do."""

    def cut(self, rows: int) -> None:
        """What somebody does who wants the newest rows gone: the head goes back with them."""
        del self.rows[-rows:]
        self.heads[CHAIN] = (self.rows[-1]["n"], self.rows[-1]["hash"])


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Database]:
    found = {service: Database(6) for service in audit.SERVICES}
    monkeypatch.setattr(audit, "_mongo", lambda _, service: found[service])
    monkeypatch.setenv("FENGQIAO_ENV", "demo")
    monkeypatch.setenv("FENGQIAO_SECRETS", str(tmp_path / "secrets"))
    return found


@pytest.fixture
def folder(tmp_path: Path, logs: dict[str, Database]) -> Path:
    assert run("anchor", tmp_path / "anchors").exit_code == 0
    return tmp_path / "anchors"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(audit.app, [*map(str, arguments)], env={"COLUMNS": "400", "TERM": "dumb"})


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_log_that_continues_its_anchors_is_ok(folder: Path) -> None:
    assert set(contents(folder)) == {f"{service}.anchor.json" for service in ALL}
    assert run("verify", "--anchors", folder).exit_code == 0


def test_rows_cut_off_show_against_the_anchor(folder: Path, logs: dict[str, Database]) -> None:
    logs["alerts"].cut(2)
    assert run("verify").exit_code == 0
    result = run("verify", "--anchors", folder)
    assert (result.exit_code, "truncated: the anchored row is gone" in result.stdout) == (1, True)


@pytest.mark.parametrize("wrong", ["typo", "anchors/alerts.anchor.json", "empty"])
def test_a_wrong_path_is_not_ok(tmp_path: Path, folder: Path, logs: dict[str, Database], wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    logs["alerts"].cut(2)
    result = run("verify", "--anchors", tmp_path / wrong)
    assert result.exit_code == 2, result.output
    assert "ok" not in result.stdout


def test_the_services_without_an_anchor_are_named(folder: Path) -> None:
    (folder / "intake.anchor.json").unlink()
    result = run("verify", "--anchors", folder)
    assert result.exit_code == 2
    assert "holds no anchor of intake: name the folder" in result.stderr
    assert run("verify", "--anchors", folder, "--service", "alerts").exit_code == 0


def test_a_good_anchor_is_not_replaced_by_one_of_a_log_that_was_cut(folder: Path, logs: dict[str, Database]) -> None:
    before = contents(folder)
    logs["alerts"].cut(2)
    result = run("anchor", folder)
    assert result.exit_code == 1
    assert "alerts 2026-03-01/00/6: truncated: the anchored row is gone" in result.stderr
    assert f"{folder / 'alerts.anchor.json'} stays as it is" in result.stderr
    after = contents(folder)
    assert {name for name in before if before[name] == after[name]} == {"alerts.anchor.json"}
    (folder / "alerts.anchor.json").rename(folder.parent / "evidence")
    assert run("anchor", folder).exit_code == 0


def test_a_log_that_went_on_gets_a_new_anchor(folder: Path, logs: dict[str, Database]) -> None:
    before = contents(folder)
    longer = Database(9)
    logs["alerts"].rows, logs["alerts"].heads = longer.rows, longer.heads
    assert run("anchor", folder, "--service", "alerts").exit_code == 0
    after = contents(folder)
    assert {name for name in before if before[name] != after[name]} == {"alerts.anchor.json"}
    assert '"2026-03-01/00": [9,' in after["alerts.anchor.json"]


@pytest.mark.parametrize("content", ["{}", "half of an anch"])
@pytest.mark.parametrize("command", [("verify", "--anchors"), ("anchor",)])
def test_a_damaged_anchor_is_refused_and_stays(folder: Path, content: str, command: tuple[str, ...]) -> None:
    (folder / "alerts.anchor.json").write_text(content)
    before = contents(folder)
    result = run(*command, folder)
    assert (result.exit_code, "is not an audit anchor" in result.stderr) == (2, True)
    assert contents(folder) == before


@pytest.mark.parametrize("command", [("verify", "--anchors"), ("anchor",)])
def test_an_anchor_of_another_key_is_refused_and_stays(tmp_path: Path, folder: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "secrets" / "service.key").write_text("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=")
    before = contents(folder)
    result = run(*command, folder)
    assert (result.exit_code, "is not signed by this installation's service key" in result.stderr) == (2, True)
    assert contents(folder) == before
