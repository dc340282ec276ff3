"""From an event to a step: times that no clock can count from are refused, of every step."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from services.assessment.steps import UnusableError, step_of
from shared.events import encode
from tests.support.lifecycle import Story

FAR = ["0001-01-01T00:00:00+08:00", "9999-12-20T00:00:00Z", "9999-12-31T23:59:59-08:00"]


@pytest.mark.parametrize("moment", FAR)
@pytest.mark.parametrize("kind", ["assigned", "accepted", "replied", "reopened", "closed", "met"])
def test_a_time_out_of_range_is_refused(kind: str, moment: str) -> None:
    event = Story()(kind, "2026-03-02")
    data: Any = event.data.model_copy(update={"at": datetime.fromisoformat(moment)})
    with pytest.raises(UnusableError) as caught:
        step_of(event.model_copy(update={"data": data}))
    assert caught.value.reason == "time-out-of-range"


def test_a_time_is_kept_as_it_is_stored() -> None:
    event = Story()("assigned", "2026-03-02 09:00:00.123456")
    assert step_of(event)[2].at == datetime(2026, 3, 2, 1, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("moment", FAR)
def test_the_command_numbers_the_line_and_goes_on(tmp_path: Path, moment: str) -> None:
    story = Story()
    lines = [encode(story.filed("2026-03-01")), encode(story("accepted", "2026-03-02"))]
    raw = orjson.loads(lines[1])
    raw["data"]["at"] = moment
    source, out = tmp_path / "events.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join([lines[0], orjson.dumps(raw)]))
    result = CliRunner().invoke(app, ["clocks", str(source), "--as-of", "2026-05-01", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "line 2: time-out-of-range" in result.output
    assert out.read_text(encoding="utf-8").count("\n") == 1
