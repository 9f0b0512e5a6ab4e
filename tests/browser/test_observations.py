"""From a row of the form to a point of the chart; and a search that stands in no address."""

import re

import pytest
from playwright.sync_api import expect

from records.demo.cast import ASHA, BLOOD_COUNTS, BLOOD_REPORT, CHIARA, PASSWORD
from tests.browser.conftest import Window, sign_in
from tests.browser.test_pages import OVERFLOW, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_what_is_entered_becomes_a_chart(window: Window) -> None:
    page = window(PHONE)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/observations/new/")
    rows = page.locator("fieldset")
    for number, (value, when) in enumerate((("61.5", "2026-01"), ("60.90", "2026-02-03"), ("60", ""))):
        if number == rows.count():
            page.get_by_role("button", name="Add a row").click()
            expect(rows).to_have_count(number + 1)
        row = rows.nth(number)
        row.get_by_label("Measurement").select_option(label="Body weight")
        row.get_by_label("Value").fill(value)
        row.get_by_label("Unit").fill("kg")
        row.get_by_label("Other date").fill(when)
    expect(rows.first.get_by_label("Value")).to_have_value("61.5")  # adding a row lost nothing
    expect(page.get_by_label("What was measured").first).to_be_hidden()
    rows.last.get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(2)
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("button", name="Encrypt and save").click()
    page.wait_for_url(re.compile("/records/0x"))
    expect(page.get_by_role("cell", name="60.90")).to_be_visible()
    page.goto("/records/observations/")
    point = page.locator(".chart .point").last
    tip = point.locator(".tip")
    expect(tip).to_be_hidden()
    point.focus()
    expect(tip).to_be_visible()
    expect(tip).to_have_text("60.90 kg, 3 Feb 2026")
    assert page.evaluate(OVERFLOW) == 0
    assert complaints == []


def test_a_search_narrows_while_typing_and_stands_in_no_address(window: Window) -> None:
    page = window()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, ASHA.email, PASSWORD)
    page.goto("/records/")
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("COUNTS")
    titles = page.locator("#found a.title")
    expect(titles).to_have_text([BLOOD_COUNTS.title])
    page.get_by_text("Kind, period, author").click()
    search.fill("blood")
    page.get_by_label("Kind").select_option("11502-2")
    expect(titles).to_have_text([BLOOD_REPORT.title])
    search.fill("nothing like this")
    expect(page.get_by_text("Nothing found for")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("link", name=BLOOD_COUNTS.title)).to_be_visible()
    assert not any(word in url.lower() for url in asked for word in ("blood", "nothing", "11502"))


def test_a_file_that_is_no_text_of_fhir_is_not_taken_for_one(window: Window) -> None:
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/observations/import/")
    text = page.get_by_label("FHIR bundle (JSON)")
    good, bad = '{"note": "Größe"}'.encode(), '{"note": "Größe"}'.encode("latin-1")
    page.get_by_label("File").set_input_files({"name": "a.json", "mimeType": "", "buffer": good})
    expect(text).to_have_value('{"note": "Größe"}')
    page.get_by_label("File").set_input_files({"name": "b.json", "mimeType": "", "buffer": bad})
    expect(page.get_by_text("This file is not UTF-8 text")).to_be_visible()
    expect(text).to_have_value("")
