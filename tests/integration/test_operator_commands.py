"""`fengqiao progress` and `dlq` beside a cluster that is not as they are told: a line at once, never a traceback after a minute."""

import asyncio
import time
from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploy.cli import app
from tests.support.spine import Spine
from tests.support.stack import fresh

pytestmark = pytest.mark.stack
SOON_S = 8.0
Call = Callable[..., Result]


@pytest.fixture
def call(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> Call:
    for name, value in spine.environment("cli").items():
        monkeypatch.setenv(name, value)

    def invoke(*words: str) -> Result:
        started = time.monotonic()
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "80"})
        assert time.monotonic() - started < SOON_S
        return result

    return invoke


def setting(service: str, topic: str, partition: int = 0, to: str = "earliest") -> list[str]:
    where = ["--service", service, "--topic", topic, "--partition", str(partition)]
    return ["progress", "set", *where, "--to", to]


async def test_a_decision_about_a_partition_that_nobody_claimed_is_shown(spine: Spine, call: Call) -> None:
    done = await asyncio.to_thread(call, *setting("screening", spine.petitions, 5))
    assert (done.exit_code, done.output) == (
        0,
        f"{spine.petitions}[5] of screening goes on at 0; restart the service\n",
    )
    shown = await asyncio.to_thread(call, "progress", "show")
    assert shown.exit_code == 0, repr(shown.exception)
    assert shown.output.splitlines()[1].split() == ["screening", spine.petitions, "5", "0", "1", "–"]


async def test_what_cannot_be_set_is_refused_at_once(spine: Spine, call: Call) -> None:
    for words, said in (
        (
            setting("alerts", spine.petitions),
            f"alerts does not read {spine.petitions}; "
            f"it reads {spine.prefix}screening.flags.v1, {spine.prefix}assessment.findings.v1\n",
        ),
        (
            setting("screening", f"{spine.prefix}petition.event.v1"),
            f"screening does not read {spine.prefix}petition.event.v1; it reads {spine.petitions}, "
            f"{spine.prefix}alerts.warnings.v1, {spine.prefix}assessment.findings.v1\n",
        ),
        (setting("screening", spine.petitions, 99), f"{spine.petitions} has no partition 99; it has 0 to 5\n"),
    ):
        result = await asyncio.to_thread(call, *words)
        assert (result.exit_code, result.stderr) == (2, said), repr(result.exception)
    for to in ("7", "²", "yesterday"):
        result = await asyncio.to_thread(call, *setting("screening", spine.petitions, to=to))
        assert result.exit_code == 2, repr(result.exception)
        assert "earliest (0), latest (0)" in " ".join(result.stderr.split())


async def test_topics_that_are_not_there_yet_are_named(
    spine: Spine, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"{fresh('bare')}."
    monkeypatch.setenv("FENGQIAO_PREFIX", prefix)
    for words in (["dlq", "list"], ["dlq", "replay", "--send"], setting("alerts", f"{prefix}screening.flags.v1")):
        result = await asyncio.to_thread(call, *words)
        assert result.exit_code == 2, repr(result.exception)
        assert result.stderr.startswith(f"this Kafka has no topic {prefix}")
        assert "`fengqiao topics apply` makes all" in result.stderr
