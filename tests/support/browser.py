"""The console in a real Chromium: one service on the real stack for the run, one browser a module, one page a test."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from deploy.bench.chromium import ARGUMENTS
from deploy.local.stack import Stack
from shared.access import DEMO_COOKIE, Access, Principal
from shared.clock import SystemClock
from shared.directory import directory
from shared.events import Event
from shared.keys import load_key
from shared.tokens import SharedKey, TokenReader
from tests.support import chromium
from tests.support.alerts import AT, Alerts, flag
from tests.support.spine import ROOT, until

SCREENSHOTS = ROOT / "docs" / "screenshots"
WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


def in_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine beside Playwright, whose own loop occupies this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def flag_of(title: str, matter: str | None = None, *, run: str = "", **more: Any) -> Event:
    """A flag with a title of the test's own, on a matter of its own."""
    event = flag(matter or f"m-{uuid.uuid4().hex[:8]}", run=run, **more)
    return event.model_copy(update={"data": event.data.model_copy(update={"title": title})})


@dataclass
class Desk:
    """The service under test, and what a test does to it from outside."""

    alerts: Alerts
    shots: Path | None
    counties: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.alerts.url()

    def send(self, *events: Event) -> None:
        in_thread(self.alerts.flags_in(*events))

    def api(self, who: Principal | str = "duty_officer") -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.alerts.headers(who), timeout=10, trust_env=False)

    def raised(self, title: str, **more: Any) -> str:
        """Have a warning raised; gives its id once it is there."""
        self.send(flag_of(title, run=self.alerts.prefix, **more))
        found: list[str] = []

        async def there() -> bool:
            def ask() -> list[dict[str, Any]]:
                with self.api() as client:
                    return client.get("/v1/warnings", params={"q": title}).json()["warnings"]

            found[:] = [row["warning_id"] for row in await asyncio.to_thread(ask)]
            return bool(found)

        in_thread(until(there, seconds=20, what=f"the warning {title}"))
        return found[0]

    def detail(self, id: str) -> dict[str, Any]:
        with self.api() as client:
            return client.get(f"/v1/warnings/{id}").json()

    def start_intake(self) -> httpx.Client:
        """An intake beside it, with the same keys; gives a client of it."""
        log = (self.alerts.folder / "intake-0.log").open("ab")
        environment = self.alerts.environment(
            "intake-0", FENGQIAO_ENV="demo", FENGQIAO_SECRETS=str(self.alerts.folder / "secrets")
        )
        command = [sys.executable, "-m", "services.intake"]
        self.alerts.processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        in_thread(self.alerts.healthy("intake-0"))
        return httpx.Client(base_url=self.alerts.url("intake-0"), timeout=10, trust_env=False)

    def session(self, who: Principal) -> str:
        """The value of a session cookie of an account that the demo's own provider does not have."""
        secrets, clock = self.alerts.folder / "secrets", SystemClock()
        key = load_key(secrets, "session", create=True)
        reader = TokenReader(SharedKey(key), "none", "none", clock)
        return Access(reader=reader, session_key=key, clock=clock, units=directory(), demo=True).session_of(who)


@pytest.fixture(scope="session")
def desk(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The alerts service; every test uses titles and matters of its own in it."""
    if chromium.find() is None:
        pytest.skip("there is no Chromium on this machine")
    alerts = Alerts(stack, tmp_path_factory.mktemp("console"))
    in_thread(alerts.topics())
    alerts.environment("intake-0")
    alerts.start(FENGQIAO_INTAKE_URL=alerts.url("intake-0"))
    in_thread(alerts.healthy())
    shots = SCREENSHOTS if os.environ.get("FENGQIAO_SCREENSHOTS") == "1" else None
    yield Desk(alerts, shots)
    alerts.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, desk: Desk) -> Iterator[Callable[..., Page]]:
    """`visit("/units", role="leader")`: a page of a browser of its own, signed in as somebody; fails on script errors."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(
        path: str = "/", *, role: str | None = None, who: Principal | None = None, width: int = 1366, height: int = 768,
        base: str | None = None,
    ) -> Page:  # fmt: skip
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="zh-CN", base_url=base or desk.url
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if who is not None:
            context.add_cookies([{"name": DEMO_COOKIE, "value": desk.session(who), "url": base or desk.url}])
        if role is not None:
            page.goto(f"/auth/demo?role={role}&next=/plans")
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def shot(desk: Desk, page: Page, name: str) -> None:
    """Keep a picture of a page for the docs, where one is asked for."""
    if desk.shots is None:
        return
    desk.shots.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 700)
    page.wait_for_timeout(600)  # charts draw after their data came
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.quantize(256, dither=Image.Dither.NONE).save(
        desk.shots / f"{name}.png", optimize=True
    )  # a third of the size


def row_of(page: Page, id: str) -> Locator:
    """The line of a warning in the live list."""
    return page.locator(f'.fq-row[data-id="{id}"]')


def live(page: Page) -> Page:
    """The page once its line says that news arrives."""
    expect(page.locator(".fq-pulse")).to_have_attribute("data-state", "live")
    return page


__all__ = ["AT", "Desk", "browser", "desk", "flag_of", "in_thread", "live", "row_of", "shot", "visit"]
