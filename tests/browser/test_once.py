"""A form pressed in a hurry goes out once, on the pages and in the administration."""

import re

import pytest
from playwright.sync_api import Browser, Route

from tests.run.portal import ROOT

pytestmark = pytest.mark.browser

SCRIPT = (ROOT / "medrec/static_src/medrec/once.js").read_text()
ADDRESS = "http://portal.example/form/"
BUTTONS = ('<input type="submit" name="save" id="save">', '<button name="save" id="save">Save</button>')


@pytest.mark.parametrize("button", BUTTONS)
def test_a_form_is_sent_once_however_often_it_is_pressed(chromium: Browser, button: str) -> None:
    page = chromium.new_page()
    page_text = f'<form method="post">{button}</form><script>{SCRIPT}</script>'
    sent: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.post_data or "")
            route.fulfill(status=204)  # so that the page stays, as while it waits for a slow server
        else:
            route.fulfill(content_type="text/html", body=page_text)

    page.route(re.compile(".*"), answer)
    page.goto(ADDRESS)
    page.evaluate("document.querySelector('#save').click()")
    page.wait_for_function("document.querySelector('#save').disabled")
    page.evaluate("document.querySelector('form').requestSubmit()")
    page.wait_for_timeout(300)
    assert len(sent) == 1
    assert sent[0].startswith("save=")
    page.close()


@pytest.mark.parametrize("template", ["base.html", "admin/base_site.html"])
def test_every_page_has_the_script(template: str) -> None:
    assert "medrec/once.js" in (ROOT / "templates" / template).read_text()
