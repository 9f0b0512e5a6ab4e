"""Text of the pages, selected in a real browser and pasted back into the pages' own fields."""

import subprocess
import sys

import pytest
from playwright.sync_api import Locator, Page, expect

from records.demo.cast import AMARA, BEN, CHIARA, PASSWORD
from tests.browser.conftest import Window, sign_in
from tests.run.portal import ROOT, Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOT_WRITTEN_DOWN = f"""
import django
django.setup()
from accounts.models import Vault
Vault.objects.filter(user__email="{BEN.email}").update(phrase_confirmed_at=None)
"""


def selected(part: Locator) -> str:
    """Return the text that a copy would put on the clipboard."""
    return str(
        part.evaluate("part => { getSelection().selectAllChildren(part); return getSelection().toString(); }")
    )


def measure(page: Page, value: str, when: str) -> None:
    page.goto("/records/observations/new/")
    row = page.locator("fieldset").first
    row.get_by_label("Measurement").select_option(label="Body weight")
    row.get_by_label("Value").fill(value)
    row.get_by_label("Other date").fill(when)
    page.get_by_role("button", name="Encrypt and save").last.click()
    page.locator("#measured").wait_for()


def test_the_phrase_as_the_page_shows_it_opens_the_vault(window: Window, demo_portal: Portal) -> None:
    environment = demo_portal.environment | {"DJANGO_SETTINGS_MODULE": "medrec.settings"}
    subprocess.run([sys.executable, "-c", NOT_WRITTEN_DOWN], cwd=ROOT, env=environment, check=True)
    page = window()
    sign_in(page, BEN.email, PASSWORD)
    page.goto("/phrase/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Show the phrase").click()
    copied = selected(page.locator("#phrase"))
    assert "1 " in copied  # the numbers are part of it
    page.context.clear_cookies(name="medrec_vault")
    page.goto("/vault/")
    page.get_by_text("Open with the recovery phrase").click()
    page.get_by_label("Recovery phrase").fill(copied)
    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_role("button", name="Open with the phrase").click()
    page.wait_for_url("**/")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Your vault is closed")


def test_an_address_as_a_page_shows_it_is_taken(window: Window) -> None:
    page = window(width=320)
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/profile/")
    address = selected(page.locator("#own-address"))
    doctor = window()
    sign_in(doctor, AMARA.email, PASSWORD)
    doctor.goto("/records/leave/")
    doctor.get_by_label("Patient").fill(f" <{address}>. ")
    doctor.locator("main form").first.evaluate("form => form.requestSubmit()")
    doctor.wait_for_url("**/records/upload/?patient=0x*")
    shown = selected(doctor.locator(".lead .address"))
    doctor.goto("/records/leave/")
    doctor.get_by_label("Patient").fill(shown)
    doctor.locator("main form").first.evaluate("form => form.requestSubmit()")
    doctor.wait_for_url("**/records/upload/?patient=0x*")


def test_amounts_and_dates_of_a_table_can_be_entered_again(window: Window) -> None:
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    for typed, amount in (("2026-03-09 08:30", "61.50 kg"), ("2026-02-03", "60.9 kg"), ("2026-01", "60 kg")):
        measure(page, amount, typed)
        cells = page.locator(".measured tbody tr").first.locator("td")
        number, unit, when = (selected(cells.nth(at)).strip() for at in range(3))
        assert f"{number} {unit}" == amount
        measure(page, f"{number}\t{unit}", when)
        again = page.locator(".measured tbody tr").first.locator("td")
        assert [selected(again.nth(at)).strip() for at in range(3)] == [number, unit, when]
