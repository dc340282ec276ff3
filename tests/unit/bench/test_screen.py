"""What the screen benchmark files, how it reads the times, and what it says without a browser."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from deploy.bench import chromium, screen
from deploy.cli import app


def test_each_visit_of_a_matter_is_larger_by_what_screening_tells() -> None:
    filed = screen.drafts(1000, "run", random.Random(3))
    assert len({one.key for _, one in filed}) == 1000
    sizes: dict[int, list[int]] = defaultdict(list)
    for matter, one in filed:
        sizes[matter].append(one.body["headcount"])
    assert len(sizes) == screen.MATTERS
    for people in sizes.values():
        for before, after in pairwise(people):
            assert after >= before + max(2, before // 4)


def test_a_petition_is_shown_when_its_version_or_a_later_one_is_painted() -> None:
    run = screen.Run(
        sent={"a": 10.0, "b": 11.0, "c": 12.0, "d": 13.0},
        told={"a": ("w1", 1, 10.2), "b": ("w1", 2, 11.3), "c": ("w2", 1, 12.1)},
        painted={"w1": [(1, 10.5), (3, 11.9)]},
    )
    found = screen.figures(run)
    assert (found["not_on_stream"], found["not_on_screen"]) == (1, 2)
    assert found["screen"]["max_s"] == pytest.approx(0.9)
    assert found["stream"]["max_s"] == pytest.approx(0.3)
    assert found["stream_to_screen"]["max_s"] == pytest.approx(0.6)


def test_nothing_measured_is_no_good_figure() -> None:
    assert screen.spread([])["p99_s"] == float("inf")


def test_without_a_chromium_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENGQIAO_CHROMIUM", "/nowhere/chromium")
    answer = CliRunner().invoke(app, ["bench", "screen"])
    assert answer.exit_code == 2
    assert "make browser" in answer.output


def test_without_playwright_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(chromium.BrowserMissingError, match="make install"):
        chromium.required()
    assert CliRunner().invoke(app, ["bench", "screen"]).exit_code == 2
