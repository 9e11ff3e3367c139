"""One browser for all tests of a process: Playwright can only be begun once in it."""

import os
import shutil

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

#: The one that ./dev found; else the lightest that there is.
CHROMIUM = (
    os.environ.get("CHROMIUM")
    or os.environ.get("DEV_BROWSER")
    or shutil.which("chromium-headless-shell")
    or shutil.which("chromium")
    or shutil.which("google-chrome")
)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_begun: list[tuple[Playwright, Browser]] = []


def chromium() -> Browser:
    """Chromium without a window; begun at the first call, ended with the process' tests.

    Skips the test where there is no browser.
    """
    if CHROMIUM is None or os.environ.get("DEV_BROWSER") == "none":
        pytest.skip("no chromium on this machine")
    if not _begun:
        playwright = sync_playwright().start()
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        _begun.append((playwright, launched))
    return _begun[0][1]


def end() -> None:
    """End it, if it was begun."""
    while _begun:
        playwright, launched = _begun.pop()
        launched.close()
        playwright.stop()
