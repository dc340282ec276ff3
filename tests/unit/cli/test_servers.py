"""A shell made for `fengqiao dlq` does not send the made-up petitions of `demo` and `bench` into the live services."""

from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.commands import demo
from deploy.local.choose import without_password
from deploy.local.errors import LocalStackError

WRITING = ["consumer", "pipeline", "screen", "chaos", "stream"]
COMMANDS = [["demo"], *(["bench", name] for name in WRITING)]
LIVE = {"FENGQIAO_KAFKA": "live:9092", "FENGQIAO_MONGO": "mongodb://me:geheim@live:27017/?replicaSet=rs0"}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was started, instead of starting it."""
    for name in LIVE:
        monkeypatch.delenv(name, raising=False)
    found: list[str] = []

    def stand_in(name: str) -> Any:
        def start(*_words: object) -> bool:
            found.append(name)
            return True

        return start

    for name in WRITING:
        monkeypatch.setattr(f"deploy.bench.{name}.bench", stand_in(name))

    def supervisor(*_words: object, **_options: object) -> None:
        found.append("demo")
        raise LocalStackError("far enough")

    monkeypatch.setattr(demo, "Supervisor", supervisor)
    monkeypatch.setattr(demo, "stopped_by_signals", lambda _: SimpleNamespace())
    return found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("named", [["FENGQIAO_KAFKA"], ["FENGQIAO_MONGO"], list(LIVE)], ids="+".join)
def test_named_servers_are_refused_until_they_are_meant(started, words, named, monkeypatch) -> None:
    for name in named:
        monkeypatch.setenv(name, LIVE[name])
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, started) == (2, []), result.output
    assert all(f"{name} is set: " in result.stderr for name in named)
    assert f"env {' '.join(f'-u {name}' for name in named)} fengqiao {' '.join(words)} …" in result.stderr
    assert "--on-these-servers" in result.stderr
    assert "geheim" not in result.output


@pytest.mark.parametrize("name", WRITING)
def test_a_benchmark_says_where_it_writes(started, name, monkeypatch) -> None:
    result = CliRunner().invoke(app, ["bench", name])
    assert (result.exit_code, started) == (0, [name])
    assert result.stderr.splitlines() == ["Kafka    its own, started here", "MongoDB  its own, started here"]
    monkeypatch.setenv("FENGQIAO_MONGO", LIVE["FENGQIAO_MONGO"])
    result = CliRunner().invoke(app, ["bench", name, "--on-these-servers"])
    assert (result.exit_code, started) == (0, [name, name])
    assert result.stderr.splitlines() == [
        "Kafka    its own, started here",
        "MongoDB  mongodb://live:27017, which FENGQIAO_MONGO names",
    ]


def test_a_demo_on_named_servers_is_possible(started, monkeypatch) -> None:
    monkeypatch.setenv("FENGQIAO_KAFKA", LIVE["FENGQIAO_KAFKA"])
    CliRunner().invoke(app, ["demo", "--on-these-servers"])
    assert started == ["demo"]


def test_benchmarks_without_servers_do_not_mind(monkeypatch) -> None:
    done: list[tuple[object, ...]] = []
    monkeypatch.setenv("FENGQIAO_KAFKA", LIVE["FENGQIAO_KAFKA"])
    monkeypatch.setattr("deploy.bench.linking.bench", lambda *words: done.append(words))
    assert CliRunner().invoke(app, ["bench", "linking"]).exit_code == 0
    assert done


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mongodb://127.0.0.1:1/?replicaSet=rs0", "mongodb://127.0.0.1:1/?replicaSet=rs0"),
        ("mongodb://me:geheim@a:1,[::1]:2/db?replicaSet=rs0", "mongodb://a:1,[::1]:2"),
        ("mongodb+srv://me:geheim@cluster.example", "mongodb+srv://cluster.example"),
        ("mongodb://a:1/?tlsCertificateKeyFilePassword=geheim", "mongodb://a:1"),
        ("mongodb://me:ge@heim?/@a:1", "(an address with a password)"),
        ("broker-1:9092,broker-2:9092", "broker-1:9092,broker-2:9092"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown) -> None:
    assert without_password(address) == shown
