"""Kafka's jars: pinned, fetched once, never trusted unseen."""

import hashlib
import os
import shutil
import sys
import types
from pathlib import Path

import pytest

from deploy.local import jars
from deploy.local.children import Children
from deploy.local.errors import LocalStackError, UnavailableError

CONTENTS = {"org/one/1.0/one-1.0.jar": b"one", "org/deep/two/2.0/two-2.0.jar": b"two"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache and a list of two jars instead of the real ones."""
    listing = tmp_path / "list.sha256"
    listing.write_text("".join(f"{hashlib.sha256(v).hexdigest()}  {k}\n" for k, v in CONTENTS.items()))
    monkeypatch.setattr(jars, "_LIST", listing)
    monkeypatch.setenv("FENGQIAO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def get(tmp_path):
    """Ask for the class path; returns it and the progress that was told."""
    children = Children()

    def ask(progress=None):
        told = []
        return jars.classpath(children, tmp_path / "fetch.log", progress or (lambda *news: told.append(news))), told

    yield ask
    children.close()


def with_jgo(monkeypatch, contents: dict[str, bytes] | None) -> None:
    """Leave only jgo, which gives `contents`; None: there is no jgo either."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    if contents is None:
        monkeypatch.setitem(sys.modules, "jgo.maven", None)
        return

    class Context:
        def __init__(self, repo_cache, **_settings):
            self.root = repo_cache

        def project(self, group, artifact):
            def resolve(version):
                name = f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"
                if name not in contents:
                    raise RuntimeError(f"Artifact {name} not found")
                file = self.root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(contents[name])

            artifact_of = lambda version: types.SimpleNamespace(resolve=lambda: resolve(version))  # noqa: E731
            return types.SimpleNamespace(
                at_version=lambda version: types.SimpleNamespace(artifact=lambda: artifact_of(version))
            )

    fake = types.SimpleNamespace(MavenContext=Context, PythonResolver=object)
    monkeypatch.setitem(sys.modules, "jgo.maven", fake)


def with_maven(monkeypatch, folder: Path, script: str) -> None:
    folder.mkdir()
    program = folder / "mvn"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_real_list_is_whole():
    names = jars.pinned()
    assert len(names) == 46
    assert all(len(digest) == 64 for digest in names.values())
    assert f"org/apache/kafka/kafka_2.13/{jars.KAFKA}/kafka_2.13-{jars.KAFKA}.jar" in names


def test_jgo_fills_the_cache_once(cache, get, monkeypatch):
    with_jgo(monkeypatch, CONTENTS)
    path, told = get()
    assert [Path(p).read_bytes() for p in path.split(os.pathsep)] == list(CONTENTS.values())
    assert told[-1] == (2, 2, "jgo")
    with_jgo(monkeypatch, None)  # nothing to fetch with, and nothing to fetch
    again, told = get()
    assert (again, told) == (path, [])


def test_maven_is_taken_where_it_is(cache, get, tmp_path, monkeypatch):
    lines = [f"mkdir -p $to/{Path(k).parent}; printf {v.decode()} > $to/{k}" for k, v in CONTENTS.items()]
    find_target = "for word; do case $word in -DoutputDirectory=*) to=${word#*=};; esac; done"
    with_maven(monkeypatch, tmp_path / "bin", "\n".join([find_target, *lines]))
    path, _ = get()
    assert [Path(p).read_bytes() for p in path.split(os.pathsep)] == list(CONTENTS.values())
    assert not list(cache.glob("fetch-*"))


def test_a_failing_maven_shows_what_it_said(cache, get, tmp_path, monkeypatch):
    with_maven(monkeypatch, tmp_path / "bin", "echo Unknown host repo.example; exit 1")
    with pytest.raises(UnavailableError, match=r"(?s)Unknown host repo\.example.*FENGQIAO_KAFKA"):
        get()


def test_other_contents_than_pinned_are_refused_and_not_kept(cache, get, monkeypatch):
    with_jgo(monkeypatch, CONTENTS | {"org/one/1.0/one-1.0.jar": b"forged"})
    with pytest.raises(UnavailableError, match=r"(?s)1 of the 2 jars.*one-1\.0\.jar"):
        get()
    assert not list(cache.rglob("*.jar"))


def test_a_damaged_cache_is_filled_again(cache, get, monkeypatch):
    with_jgo(monkeypatch, CONTENTS)
    path, _ = get()
    Path(path.split(os.pathsep)[0]).write_bytes(b"half")
    get()
    assert [Path(p).read_bytes() for p in path.split(os.pathsep)] == list(CONTENTS.values())


def test_a_repository_without_the_jar_is_named(cache, get, monkeypatch):
    with_jgo(monkeypatch, {})
    with pytest.raises(UnavailableError, match="not found"):
        get()


def test_without_maven_and_jgo_the_message_says_what_to_do(cache, get, monkeypatch):
    with_jgo(monkeypatch, None)
    with pytest.raises(UnavailableError, match=r"fengqiao\[local\]"):
        get()


def test_an_exception_of_the_progress_ends_maven(cache, get, tmp_path, monkeypatch):
    with_maven(monkeypatch, tmp_path / "bin", "exec sleep 600")

    def stop(*_):
        raise LocalStackError("the stack is being stopped")

    with pytest.raises(LocalStackError, match="being stopped"):
        get(stop)
