"""The whole portal with its demo as `make run` starts it, and windows on it."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from records.media_types import DEFAULT_TYPES
from tests.run.portal import Portal, run_portal

WAIT = 60_000  # milliseconds that anything on a page may take
expect.set_options(timeout=WAIT)


@pytest.fixture(scope="session")
def demo_portal(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal with the demo's people and records: web, worker, beat and chain, in a folder of its own.

    It asks for the browser first, so that a machine without one skips before anything is started.
    """
    assert chromium.is_connected()
    # Web pages and drawings are taken, too, so that looking at hostile ones can be tried.
    settings = {"UPLOAD_TYPES": ",".join([*DEFAULT_TYPES, "text/html", "image/svg+xml"])}
    with run_portal(tmp_path_factory.mktemp("portal"), demo=True, settings=settings) as portal:
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
    page.wait_for_url(re.compile(r"/(second-factor/\?.*)?$"))
    if "/second-factor/" in page.url:  # administrators are asked, and may skip it on their own machine
        page.get_by_role("link", name="Skip for now").click()
    page.wait_for_url("**/")
