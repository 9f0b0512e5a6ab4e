"""A doctor who is a patient, too, with two tabs: what one tab showed is not done for the other's account."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from records.demo.cast import PASSWORD, TOMAS
from tests.browser.conftest import Window, sign_in
from tests.browser.test_pages import OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REFUSED = "Nothing can be sent to this address yet."  # the answer to a doctor about an address without a key


@pytest.fixture
def tabs(window: Window) -> Iterator[tuple[Page, Page]]:
    """Two tabs of Tomas, who has a patient account of his own. Both act as a doctor."""
    page = window(width=320)
    sign_in(page, TOMAS.email, PASSWORD)
    page.goto("/profile/")
    opening = page.get_by_role("button", name="Open a patient account")
    if opening.count():
        opening.click()
        page.wait_for_load_state()
    act_as(page, "doctor")
    other = page.context.new_page()
    other.goto("/")
    yield page, other
    act_as(other, "doctor")


def act_as(page: Page, role: str) -> None:
    page.goto("/")
    page.get_by_role("button", name=TOMAS.name).click()
    button = page.get_by_role("button", name=f"Act as {role}")
    if button.count():
        button.click()
    page.wait_for_load_state()


def open_form(page: Page, path: str) -> None:
    """A form for a patient who has nothing to do with the doctor: it goes into the inbox."""
    page.goto("/profile/")
    page.goto(f"{path}?patient=0x52908400098527886E0F7030069857D2E4169EE7")
    assert page.locator("form").count()


def test_an_upload_waits_for_the_account_of_its_page(tabs: tuple[Page, Page], tmp_path: Path) -> None:
    page, other = tabs
    open_form(page, "/records/upload/")
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF-1.7 a letter")
    page.set_input_files("#file", letter)
    page.get_by_label("Kind").select_option("11502-2")
    act_as(other, "patient")
    page.get_by_role("button", name="Encrypt and save").click()
    said = page.get_by_text("You have since switched to your own patient account")
    expect(said).to_be_visible()
    expect(page.locator("form input[name=title]")).to_have_value("letter")
    expect(page.locator("#files li")).to_have_count(1)
    assert page.evaluate(OVERFLOW) == 0
    other.goto("/records/")
    expect(other.get_by_text("letter")).to_have_count(0)
    page.get_by_role("button", name="Switch back").click()
    expect(page.get_by_text("You have switched back")).to_be_visible()
    page.get_by_role("button", name="Encrypt and save").click()
    expect(page.get_by_text(REFUSED)).to_be_visible()


def test_measurements_wait_for_the_account_of_their_page(tabs: tuple[Page, Page]) -> None:
    page, other = tabs
    open_form(page, "/records/observations/new/")
    page.get_by_label("Title").fill("Weight of Ben")
    row = page.locator("fieldset").first
    row.get_by_label("Measurement").select_option(label="Body weight")
    row.get_by_label("Value").fill("88.8")
    row.get_by_label("Unit").fill("kg")
    act_as(other, "patient")
    page.get_by_role("button", name="Add a row").click()  # a script: the words stand above the form
    expect(page.locator("#page-refusal")).to_contain_text("You have since switched")
    expect(row.get_by_label("Value")).to_have_value("88.8")
    page.get_by_role("button", name="Encrypt and save").last.click()
    expect(page.get_by_role("heading", name="For whom is this?")).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("button", name=re.compile("Switch to your doctor account")).click()
    expect(page.get_by_text(REFUSED)).to_be_visible()
    other.goto("/records/")
    expect(other.get_by_text("Weight of Ben")).to_have_count(0)


def test_a_vault_that_closes_while_typing_loses_nothing(tabs: tuple[Page, Page]) -> None:
    page, other = tabs
    act_as(other, "patient")
    page.goto("/records/folders/new/")
    page.get_by_label("Name").fill("Knees and hips")
    page.context.clear_cookies(name="medrec_vault")
    page.get_by_role("button", name="Make the folder").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Open with the password").click()
    page.wait_for_url(re.compile(r"/records/folders/\d+/"))
    expect(page.get_by_role("heading", name="Knees and hips")).to_be_visible()
