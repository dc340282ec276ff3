"""`fengqiao demo` as a user sees it: a warning in the terminal, the same in the browser, and nothing left after Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.spine import ROOT
from tests.support.system import browsing, until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

WARNING = re.compile(
    r"新预警\s+(?P<level>Ⅰ|Ⅱ|Ⅲ|Ⅳ) \S+\s+集体访苗头 collective_risk\s+《(?P<title>[^》]+)》\s+(?P<people>\d+) 人"
)
SCREENSHOT = ROOT / "docs" / "screenshots" / "demo-console.png"


def left_behind(state: Path) -> list[str]:
    """Processes that this run started and that are still there: the folder is in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join([*process.cmdline(), *process.environ().values()])
            if str(state) in told and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except psutil.Error:
            continue
    return found


@dataclass
class Demo:
    """The command, running."""

    state: Path
    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def ready(self) -> dict:
        return json.loads((self.state / "ready.json").read_text(encoding="utf-8"))


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    state, output = tmp_path / "state", tmp_path / "output.txt"
    command = [Path(sys.executable).with_name("fengqiao"), "demo", "--seed", "7", "--days", "60", "--seconds", "30"]
    command.append("--on-these-servers")  # those that `make test` was told to take, where it was told
    environment = {**os.environ, "COLUMNS": "220", "PYTHONIOENCODING": "utf-8"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--state", str(state)],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    yield Demo(state, process, output)
    if process.poll() is None:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def test_a_warning_is_in_the_terminal_and_in_the_browser_and_ctrl_c_ends_it_all(demo: Demo) -> None:
    await until(lambda: WARNING.search(demo.said()) or demo.process.poll() is not None, seconds=180, what="a warning")
    line = WARNING.search(demo.said())
    assert line is not None, demo.said()[-3000:]
    assert int(line["people"]) >= 5
    assert "30天内" in demo.said() or "为什么" in demo.said()

    async with browsing() as page:
        await page.goto(demo.ready()["alerts"])
        rows = page.locator(".fq-row")
        await rows.first.wait_for(timeout=30_000)

        async def same() -> bool:
            """A matter may be called otherwise by its next petition; among all that were told some are not."""
            told = {found["title"] for found in WARNING.finditer(demo.said())}
            shown = await rows.all_inner_texts()
            return any("集体" in row and title in row for row in shown for title in told)

        await until(same, seconds=30, what="a warning of the terminal on the screen")
        if os.environ.get("FENGQIAO_SCREENSHOTS") == "1":
            SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=SCREENSHOT)

    assert left_behind(demo.state)
    demo.process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(demo.process.wait, 10) == 0, demo.said()[-2000:]
    assert left_behind(demo.state) == []
    assert not (demo.state / "ready.json").exists()
    assert "Traceback" not in demo.said()
