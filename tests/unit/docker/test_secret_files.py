"""Secrets of the compose stack: made once, kept, and each reader gets its own files only."""

import base64
import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner

from deploy.commands.secrets import app
from deploy.docker import secret_files


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    secret_files.init(path)
    return path


@pytest.fixture
def own_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand the files to ourselves: only root may give them away."""
    monkeypatch.setattr(secret_files, "SERVICE_UID", os.getuid())
    monkeypatch.setattr(secret_files, "MONGO_UID", os.getuid())


def contents(path: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in path.iterdir()}


def test_every_secret_is_made_once_and_kept(source: Path) -> None:
    before = contents(source)
    assert len(set(before.values())) == len(before) == 12
    assert {stat.S_IMODE(file.stat().st_mode) for file in source.iterdir()} == {0o600}
    assert stat.S_IMODE(source.stat().st_mode) == 0o700
    for name in ("identity", "index", "pseudonym", "token", "session", "service"):
        assert len(base64.b64decode(before[f"{name}.key"], validate=True)) == 32
    assert secret_files.init(source) == []
    assert contents(source) == before


def test_a_missing_one_is_made_and_the_operators_own_stays(source: Path) -> None:
    (source / "mongo-alerts.password").write_text("p@ss/word:1\n")
    (source / "token.key").unlink()
    assert secret_files.init(source) == ["token.key"]
    assert (source / "mongo-alerts.password").read_text() == "p@ss/word:1\n"


@pytest.mark.parametrize(
    ("name", "bad"), [("identity.key", "c2hvcnQ="), ("identity.key", "~secret~"), ("mongo-root.password", " \n")]
)
def test_an_unusable_one_is_refused_by_name_and_never_replaced(source: Path, name: str, bad: str) -> None:
    (source / name).write_text(bad)
    with pytest.raises(secret_files.SecretError, match=name) as caught:
        secret_files.init(source)
    assert bad.strip() == "" or bad not in str(caught.value)
    assert (source / name).read_text() == bad


@pytest.mark.usefixtures("own_uid")
def test_each_reader_gets_only_what_it_needs(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    secret_files.deliver(source, out)
    common = {"token.key", "session.key", "service.key", "mongo.uri"}
    assert set(contents(out / "intake")) == common | {"identity.key", "index.key", "pseudonym.key"}
    for service in ("screening", "alerts", "assessment"):
        assert set(contents(out / service)) == common
    assert set(contents(out / "mongo")) == {
        "keyfile",
        *(f"{user}.password" for user in ("root", "intake", "screening", "alerts", "assessment")),
    }
    modes = {stat.S_IMODE(file.stat().st_mode) for reader in out.iterdir() for file in reader.iterdir()}
    assert modes == {0o400}


@pytest.mark.usefixtures("own_uid")
def test_the_channels_keys_are_for_intake_alone(source: Path, tmp_path: Path) -> None:
    (source / "channel_keys.json").write_text("{}")
    secret_files.deliver(source, tmp_path / "out")
    assert [one.parent.name for one in (tmp_path / "out").glob("*/channel_keys.json")] == ["intake"]


@pytest.mark.usefixtures("own_uid")
def test_a_changed_password_arrives_in_the_uri_and_leftovers_go(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    secret_files.deliver(source, out)
    (out / "alerts").chmod(0o700)
    (out / "alerts" / "identity.key").write_text("left over")
    (source / "mongo-alerts.password").write_text("p@ss/word:1\n")
    secret_files.deliver(source, out)
    assert "identity.key" not in contents(out / "alerts")
    uri = urlsplit(contents(out / "alerts")["mongo.uri"].strip())
    assert (uri.username, unquote(uri.password or "")) == ("alerts", "p@ss/word:1")


@pytest.mark.usefixtures("own_uid")
def test_a_stray_file_is_not_looked_at(source: Path, tmp_path: Path) -> None:
    (source / "backup.tar.gz").write_bytes(b"\x1f\x8b\xff")
    secret_files.deliver(source, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*/backup*"))


@pytest.mark.usefixtures("own_uid")
def test_the_mark_of_an_editor_is_no_part_of_a_secret(source: Path, tmp_path: Path) -> None:
    (source / "deactivated.txt").write_text("a1\n", encoding="utf-8-sig")
    (source / "mongo-alerts.password").write_text("p@ss\n", encoding="utf-8-sig")
    secret_files.deliver(source, tmp_path / "out")
    assert contents(tmp_path / "out" / "screening")["deactivated.txt"] == "a1\n"
    assert contents(tmp_path / "out" / "mongo")["alerts.password"] == "p@ss\n"


@pytest.mark.usefixtures("own_uid")
@pytest.mark.parametrize("name", ["deactivated.txt", "mongo-alerts.password"])
def test_a_secret_that_is_no_utf8_is_named_and_nothing_handed_out(source: Path, tmp_path: Path, name: str) -> None:
    (source / name).write_bytes("王某\n".encode("gbk"))
    result = CliRunner().invoke(app, ["deliver", str(source), str(tmp_path / "out")])
    assert (result.exit_code, result.stderr) == (1, f"{source / name} is not UTF-8 text: save it as UTF-8\n")
    assert not (tmp_path / "out").exists()
