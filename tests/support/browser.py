"""Chromium for tests, through Playwright, with the machine's own browser.

    @pytest.mark.browser
    def test_card(pages):
        page = pages(390)      # a phone; pages(1440): a desk; in a browser context of its own
        page.goto(url)
        shot(page, "card")     # tests/.shots/card-390.png

A script error in a page fails its test. Playwright's own event loop holds the test's thread: a
browser test must not call asyncio.run itself (its server runs in another process or thread);
other tests may.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType, Error, Page, Playwright, sync_playwright

from tests.support.want import unavailable

WIDTHS = {390: 844, 1440: 900}
"""The widths that pages are looked at, in CSS pixels, each with its height: a phone and a desk."""

SHOTS = Path(__file__).resolve().parents[1] / ".shots"

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
]

OpenPage = Callable[..., Page]


def find_chromium() -> str | None:
    """The first browser that really runs: Ubuntu's package is a stub that asks for a snap."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if (
            path
            and subprocess.run([path, "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return path
    return None


def shot(page: Page, name: str) -> Path:
    """A picture of the whole page in tests/.shots, named after the page's width too."""
    SHOTS.mkdir(exist_ok=True)
    width = (page.viewport_size or {"width": 0})["width"]
    path = SHOTS / f"{'-'.join(re.findall('[A-Za-z0-9_.]+', name))}-{width}.png"
    try:
        page.screenshot(path=path, full_page=True)
    except Error:  # now and then Chromium is too busy to take one
        page.screenshot(path=path, full_page=True)
    return path


@contextmanager
def another(browser: Browser, *flags: str) -> Iterator[Browser]:
    """A Chromium beside the session's, started with flags of its own."""
    other = _launch(browser.browser_type, *flags)
    try:
        yield other
    finally:
        other.close()


def _launch(kind: BrowserType, *flags: str) -> Browser:
    chromium = find_chromium()
    if chromium is None:
        unavailable("no Chromium: neither on this machine nor by apt-get")
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []
    return kind.launch(executable_path=chromium, args=[*_FLAGS, *rights, *flags])


@pytest.fixture(scope="session")
def _playwright() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    driver: Playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    try:
        browser = _launch(driver.chromium)
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)
        browser.close()
    finally:
        asyncio._set_running_loop(loop)
        driver.stop()
        asyncio._set_running_loop(None)


@pytest.fixture
def browser(_playwright: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The session's one browser; its loop counts as this thread's only while a test has it."""
    running, loop = _playwright
    asyncio._set_running_loop(loop)
    yield running
    asyncio._set_running_loop(None)


@pytest.fixture
def pages(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages, each with cookies of its own: `pages(width=390, **options for new_context)`."""
    errors: list[str] = []
    contexts = []

    def open_page(width: int = 390, **options: Any) -> Page:
        viewport = {"width": width, "height": WIDTHS.get(width, 900)}
        context = browser.new_context(viewport=viewport, has_touch=width < 800, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, "\n".join(["errors in the page's script:", *errors])
