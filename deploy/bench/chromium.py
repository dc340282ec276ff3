"""Find the Chromium that shows the console to a benchmark and to the browser tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


_NO_PLAYWRIGHT: Final = "Playwright is not installed; it comes with the development packages: make install"


class BrowserMissingError(RuntimeError):
    """There is nothing to show a page with; the message says what to do."""


def find() -> str | None:
    """Path of a Chromium on this machine, or None. `FENGQIAO_CHROMIUM` names one; raises `BrowserMissingError`."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise BrowserMissingError(_NO_PLAYWRIGHT) from None
    named = os.environ.get("FENGQIAO_CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def required() -> str:
    """Path of a Chromium. Raises `BrowserMissingError` where it or Playwright is missing."""
    path = find()
    if path is None:
        raise BrowserMissingError("there is no Chromium: make browser installs one, or FENGQIAO_CHROMIUM names one")
    return path
