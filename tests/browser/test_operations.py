"""The admin's operations page as an administrator uses it, on a phone and on a desk."""

import re
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from records.demo.cast import ADMINISTRATOR, PASSWORD
from tests.browser.conftest import WAIT, Window, sign_in
from tests.browser.test_pages import DESK, OVERFLOW, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGE = "/admin/chain/operations/"


@pytest.fixture
def complaints() -> list[str]:
    """Collect the browser's complaints."""
    return []


@pytest.fixture(params=[PHONE, DESK])
def page(request: pytest.FixtureRequest, window: Window, complaints: list[str]) -> Page:
    """The operations page, by its link in the admin's index."""
    opened = window(request.param)
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    sign_in(opened, ADMINISTRATOR.email, PASSWORD)
    opened.get_by_role("link", name="Operations", exact=True).click()
    opened.wait_for_url(f"**{PAGE}")
    return opened


def test_it_measures_again_by_itself_and_fits(page: Page, complaints: list[str]) -> None:
    when = page.locator(".op-when")
    first = when.inner_text()
    assert "Measured at" in first
    assert page.evaluate(OVERFLOW) == 0
    expect(when).not_to_have_text(first, timeout=WAIT)
    checks = page.request.get(urljoin(page.url, "/readyz")).json()["checks"]
    assert len(checks) > 7
    expect(page.locator(".op-health .op-ok")).to_have_count(len(checks), timeout=WAIT)
    assert complaints == []


def test_a_key_is_paused_and_resumed_after_reading_what_that_means(page: Page, complaints: list[str]) -> None:
    page.get_by_role("link", name=re.compile("^Pause")).click()
    expect(page.get_by_text("nothing is lost")).to_be_visible()  # the click does not wait for the next page
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("button", name="Pause sending").click()
    expect(page.get_by_text("paused by an operator")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Resume")).click()
    page.get_by_role("button", name="Resume sending").click()
    expect(page.locator(".op-sender .op-badge")).to_have_text("sending", timeout=WAIT)
    assert complaints == []


def test_a_page_whose_portal_is_away_says_that_it_is_old(page: Page) -> None:
    stale = page.get_by_text("what stands here is old")
    expect(stale).to_be_hidden()
    page.route(f"**{PAGE}", lambda route: route.abort())
    expect(stale).to_be_visible(timeout=WAIT)
    page.unroute(f"**{PAGE}")
    expect(stale).to_be_hidden(timeout=WAIT)
