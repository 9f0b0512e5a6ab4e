"""A page has key tasks done once it is there, says so, and asks again while some are due."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.run.portal import ROOT

pytestmark = pytest.mark.browser

SCRIPTS = [ROOT / "medrec/static_src/medrec" / name for name in ("portal.js", "key-tasks.js")]
ADDRESS = "http://portal.example/"
Opens = Callable[..., Page]


@pytest.fixture
def opens(chromium: Browser) -> Iterator[Opens]:
    """Open a page with the form; it notes each request and gives these answers one after the other."""
    pages: list[Page] = []

    def open_page(sent: list[Route], *answers: tuple[int, str], due: int = 3, hidden: bool = False) -> Page:
        page, rest = chromium.new_page(), list(answers)
        pages.append(page)
        form = f"""<div id="content"></div>
            <form data-key-tasks="{due}" method="post" action="/key-tasks/" {"hidden" * hidden}
                  data-running="Finishing 3 things that needed you ..." data-finished="Finished.">
            <input type="hidden" name="csrfmiddlewaretoken" value="token">
            <input type="hidden" name="page_binding" value="binding">
            <span role="status">Something.</span></form>"""
        scripts = "".join(f"<script>{script.read_text()}</script>" for script in SCRIPTS)

        def answer(route: Route) -> None:
            if route.request.method == "POST":
                sent.append(route)
                status, body = rest.pop(0)
                route.fulfill(status=status, content_type="application/json", body=body)
            else:
                route.fulfill(content_type="text/html", body=f"<!doctype html>{form}{scripts}")

        page.clock.install()
        page.route(re.compile(".*"), answer)
        page.goto(ADDRESS)
        return page

    yield open_page
    for page in pages:
        page.close()


def counts(done: int, due: int) -> tuple[int, str]:
    """What the portal answers."""
    return 200, json.dumps({"done": done, "due": due})


def test_the_page_asks_again_until_nothing_is_due_and_says_what_it_does(opens: Opens) -> None:
    sent: list[Route] = []
    page = opens(sent, counts(50, 1), counts(1, 0))
    line = page.get_by_role("status")
    expect(line).to_have_text("Finishing 3 things that needed you ...")
    page.clock.run_for(6_000)
    expect(line).to_have_text("Finished.")
    headers = sent[0].request.headers
    assert (headers["x-csrftoken"], headers["x-page-binding"]) == ("token", "binding")
    assert len(sent) == 2


@pytest.mark.parametrize("answer", [counts(0, 0), (403, "{}"), (500, "not JSON")])
def test_where_nothing_came_of_it_the_line_goes(opens: Opens, answer: tuple[int, str]) -> None:
    sent: list[Route] = []
    page = opens(sent, answer)
    expect(page.locator("form")).to_be_hidden()
    page.clock.run_for(60_000)
    assert len(sent) == 1


def test_what_was_tried_before_is_tried_without_a_word(opens: Opens) -> None:
    sent: list[Route] = []
    page = opens(sent, counts(1, 0), hidden=True)
    page.wait_for_function("document.querySelector('[role=status]').textContent === 'Finished.'")
    expect(page.locator("form")).to_be_hidden()
    assert len(sent) == 1


def test_what_arises_while_the_page_waits_for_something_is_done_at_its_pace(opens: Opens) -> None:
    sent: list[Route] = []
    page = opens(sent, counts(1, 0), counts(0, 0), due=0, hidden=True)
    page.clock.run_for(60_000)
    assert sent == []
    settle = "document.dispatchEvent(new Event('htmx:afterSettle'))"
    for wanted in (1, 1, 2):
        page.evaluate(settle)
        page.wait_for_function("document.querySelector('[role=status]').textContent === 'Finished.'")
        assert len(sent) == wanted
        page.clock.run_for(3_000)
