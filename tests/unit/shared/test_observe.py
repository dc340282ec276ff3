"""What a service writes: one JSON line a record, in one write, and nobody's number in a line of words."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import orjson
import pytest
import structlog

from shared.observe import HANDLED, configure_logging, log_each


class Out(io.BytesIO):
    """Counts the flushes."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(monkeypatch: pytest.MonkeyPatch, level: str) -> Out:
    out = Out()
    with monkeypatch.context() as patch:  # in the test itself: pytest sets its own stdout before each phase
        patch.setattr(sys, "stdout", SimpleNamespace(buffer=out, write=print, flush=lambda: None))
        configure_logging("screening", level)
    return out


def lines(out: Out) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_records_of_a_batch_are_lines_of_their_own_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    out = configured(monkeypatch, "INFO")
    log = structlog.get_logger("x")
    log_each(log, HANDLED, [{"offset": 1}, {"offset": 2}], topic="petition.events.v1", batch=2)
    log.info("after", text="13812345678")
    first, second, after = lines(out)
    assert (first["offset"], second["offset"]) == (1, 2)
    for line in (first, second):
        assert (line["event"], line["service"], line["level"], line["batch"]) == (HANDLED, "screening", "info", 2)
        assert line["topic"] == "petition.events.v1"
        assert "timestamp" in line
    assert after["text"] == "[phone]"
    assert out.flushed == 2


def test_nothing_is_written_for_no_record_or_above_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = configured(monkeypatch, "INFO")
    log_each(structlog.get_logger("x"), HANDLED, [], batch=0)
    little = configured(monkeypatch, "WARNING")
    log_each(structlog.get_logger("y"), HANDLED, [{"offset": 1}], batch=1)
    assert lines(everything) == lines(little) == []
