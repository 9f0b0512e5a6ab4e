"""The upload page's own script, where the page alone would not do."""

from pathlib import Path

import pytest

from records.demo.cast import CHIARA, PASSWORD
from tests.browser.conftest import Window, sign_in
from tests.browser.test_pages import OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLOSED = "Your vault is closed. Open it and try again."


def test_a_vault_that_closes_while_sending_is_opened_at_the_next_try(window: Window, tmp_path: Path) -> None:
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/upload/")
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7 vaccination")
    page.set_input_files("#file", report)
    page.get_by_label("Kind").select_option("11502-2")
    page.route("**/bytes/", lambda route: route.fulfill(status=403, body=CLOSED, content_type="text/plain"))
    page.get_by_role("button", name="Encrypt and save").click()
    page.get_by_text(CLOSED).wait_for()
    page.context.clear_cookies(name="medrec_vault")
    page.get_by_role("button", name="Encrypt and save").click()
    page.get_by_text("Your vault has closed.").wait_for()  # the file stays chosen here
    way = page.get_by_role("link", name="Open it in another tab").get_attribute("href")
    assert way == "/vault/?next=%2Frecords%2Fupload%2F"
    assert page.locator("#files li").count() == 1


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("blood_report-2.pdf", "blood report 2"),
        ("Scan 01.02", "Scan 01.02"),
        ("Letter of Dr. Meier", "Letter of Dr. Meier"),
        ("\U0001f489" * 60 + ".pdf", "\U0001f489" * 60),
        ("a" * 240 + ".pdf", "a" * 200),
    ],
)
def test_a_file_gives_its_record_a_title_that_is_taken(window: Window, name: str, title: str) -> None:
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/upload/")
    page.set_input_files("#file", {"name": name, "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    assert page.locator("form input[name=title]").input_value() == title


def test_a_title_without_a_space_stays_on_a_phone(window: Window) -> None:
    page = window(width=390)
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/upload/")
    name = f"{'W' * 240}.pdf"
    page.set_input_files("#file", {"name": name, "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    page.get_by_label("Kind").select_option("11502-2")
    page.get_by_role("button", name="Encrypt and save").click()
    page.get_by_role("heading", name="About").wait_for()
    looked = page.get_by_role("link", name="Look at it").get_attribute("href")
    for path in (page.url, looked, "/", "/records/", "/history/"):
        page.goto(str(path))
        assert page.evaluate(OVERFLOW) == 0, path
