"""Every page that a link leads to, with the demo's records, on a phone and on a desk."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from records.demo.cast import AMARA, ASHA, CHIARA, HELEN, PASSWORD
from tests.browser.conftest import Window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE, DESK = 390, 1280
NOT_PAGES = ("/admin/", "/accounts/", "/api/", "/static/")
PAGES_MAX = 60

LINKS = "[...document.links].map(link => link.href)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNLABELLED = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
    .filter(field => !field.labels.length && !field.ariaLabel).map(field => field.name)"""
UNNAMED = """[...document.querySelectorAll('main a[href], button')]
    .filter(part => !part.innerText.trim() && !part.textContent.trim() && !part.ariaLabel)
    .map(part => part.outerHTML)"""


@dataclass
class Walk:
    """A walk from the home page along every link. What was wrong, by path."""

    page: Page
    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def go(self) -> None:
        """Visit each kind of page once per id it names."""
        self.page.on("console", lambda said: self._blame(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self._blame(str(error)))
        waiting = ["/"]
        while waiting and len(self.seen) < PAGES_MAX:
            path = waiting.pop(0)
            if path not in self.seen:
                waiting += self._look(path)

    def _look(self, path: str) -> list[str]:
        self.seen.append(path)
        answer = self.page.goto(path)
        assert answer is not None
        if answer.status != 200:
            self._blame(f"status {answer.status}")
        if self.page.locator("h1").count() != 1:
            self._blame("not exactly one heading of the first level")
        for name, found in (("unlabelled", UNLABELLED), ("unnamed", UNNAMED)):
            if parts := self.page.evaluate(found):
                self._blame(f"{name}: {parts}")
        if (pixels := self.page.evaluate(OVERFLOW)) > 0:
            self._blame(f"{pixels} pixels wider than the window")
        return [path for link in self.page.evaluate(LINKS) if (path := self._path_of(link))]

    def _path_of(self, link: str) -> str:
        """The link's path, when it is a page of this portal."""
        parts, here = urlsplit(link), urlsplit(self.page.url)
        page = parts.netloc == here.netloc and not parts.path.startswith(NOT_PAGES)
        if not page or parts.path.endswith("/file/"):
            return ""
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _blame(self, what: str) -> None:
        self.wrong.append(f"{self.seen[-1]}: {what}")


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("email", [ASHA.email, CHIARA.email, AMARA.email, HELEN.email])
def test_no_page_is_broken_or_wider_than_the_window(window: Window, email: str, width: int) -> None:
    page = window(width)
    sign_in(page, email, PASSWORD)
    walk = Walk(page)
    walk.go()
    assert walk.wrong == []
    assert len(walk.seen) >= 6


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_stranger_sees_the_landing_page_and_is_asked_to_sign_in_elsewhere(
    window: Window, width: int
) -> None:
    page = window(width)
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text() == "Your medical records, in your hands."
    assert page.evaluate(OVERFLOW) == 0
    page.goto("/records/")
    assert urlsplit(page.url).path == "/accounts/login/"
