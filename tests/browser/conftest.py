"""Headless Chromium, and the whole portal with its demo as `make run` starts it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.requirements import require_tool
from tests.run.portal import Portal, run_portal

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOW = "apt-get install chromium"
WAIT = 20_000  # milliseconds that anything on a page may take


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the session; each test opens windows of its own, which share nothing."""
    found = shutil.which("chromium")
    binary = require_tool("Chromium", Path(found) if found else None, HOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo_portal(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal with the demo's people and records: web, worker, beat and chain, in a folder of its own.

    It asks for the browser first, so that a machine without one skips before anything is started.
    """
    assert chromium.is_connected()
    with run_portal(tmp_path_factory.mktemp("portal"), demo=True) as portal:
        yield portal


Window = Callable[..., Page]


@pytest.fixture
def window(chromium: Browser, demo_portal: Portal) -> Iterator[Window]:
    """Makes a window (another person's browser) on the portal, of a given width in CSS pixels."""
    opened: list[BrowserContext] = []

    def open_window(width: int = 1280) -> Page:
        context = chromium.new_context(base_url=demo_portal.url, viewport={"width": width, "height": 900})
        context.set_default_timeout(WAIT)
        opened.append(context)
        return context.new_page()

    yield open_window
    for context in opened:
        context.close()


def sign_in(page: Page, email: str, password: str) -> None:
    """Through the sign-in page, until the home page of the account that acts."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
