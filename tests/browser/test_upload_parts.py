"""Big files in the browser: cut lines, pause, a page that was closed, a changed file, several at once."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from records.demo.cast import CHIARA, PASSWORD
from tests.browser.conftest import Window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PART = 8 * 1024**2
BIG = b"%PDF-1.7\n" + os.urandom(2 * PART)
KIND = "11502-2"


def open_upload(window: Window) -> Page:
    """The upload page, of a patient who is signed in."""
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/upload/")
    page.get_by_label("Kind").select_option(KIND)
    return page


def stop_at(page: Page, part: int) -> None:
    """From this part on, the line is dead."""
    page.route(f"**/parts/{part}/", lambda route: route.abort())


def begin(page: Page, path: Path, title: str) -> None:
    """Choose a file and send it."""
    page.set_input_files("#file", path)
    page.locator("#id_title").fill(title)
    page.get_by_role("button", name="Encrypt and save").click()


def test_a_cut_line_is_tried_again_and_a_pause_is_kept(window: Window, tmp_path: Path) -> None:
    page = open_upload(window)
    (tmp_path / "scan.pdf").write_bytes(BIG)
    cut: list[Route] = []

    def once(route: Route) -> None:
        cut.append(route)
        if len(cut) == 1:
            route.abort()
        elif len(cut) == 2:  # what the web server says to a client that is too slow
            route.fulfill(status=408, body="Please send it again.", content_type="text/plain")
        else:
            route.continue_()

    page.route("**/parts/1/", once)
    page.route("**/finish/", lambda route: route.abort())
    begin(page, tmp_path / "scan.pdf", "Cut and paused")
    page.get_by_text("trying again").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused. What was sent is kept.").wait_for()
    page.unroute("**/finish/")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/records/0x*/")
    with page.expect_download() as download:
        page.locator("a[href$='/file/']").first.click()
    assert Path(download.value.path()).read_bytes() == BIG


def test_a_closed_page_is_gone_on_with_and_a_changed_file_is_noticed(window: Window, tmp_path: Path) -> None:
    page = open_upload(window)
    path = tmp_path / "scan.pdf"
    path.write_bytes(BIG)
    stop_at(page, 2)
    begin(page, path, "Left half-way")
    page.get_by_text("trying again").wait_for()
    page.close(run_before_unload=False)
    page = window()
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto("/records/")
    page.get_by_role("link", name="unfinished").click()
    page.get_by_role("link", name="Left half-way").click()
    path.write_bytes(BIG[:-1])
    page.set_input_files("#file", path)
    page.get_by_text("This is another file").wait_for()
    path.write_bytes(b"%PDF-1.6" + BIG[8:])
    page.set_input_files("#file", path)
    page.get_by_text("has changed since the upload began").wait_for()
    path.write_bytes(BIG)
    page.set_input_files("#file", path)
    page.wait_for_url("**/records/0x*/")
    expect(page.get_by_role("heading", name="Left half-way")).to_be_visible()
    page.goto("/records/upload/")
    expect(page.get_by_text("Left half-way")).to_have_count(0)


def test_a_vault_that_closes_is_opened_in_another_tab(window: Window, tmp_path: Path) -> None:
    page = open_upload(window)
    (tmp_path / "scan.pdf").write_bytes(BIG)
    page.route("**/parts/1/", lambda route: route.fulfill(status=403, body="closed"))
    begin(page, tmp_path / "scan.pdf", "Closed between")
    link = page.get_by_role("link", name="Open it in another tab")
    link.wait_for()
    page.unroute("**/parts/1/")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/records/0x*/")


def test_several_files_each_end_clearly(window: Window, tmp_path: Path) -> None:
    page = open_upload(window)
    names = ["first.pdf", "second_page.txt", "third.pdf"]
    for name, data in zip(names, [b"%PDF-1.7 first", b"second", b"MZ" + bytes(200)], strict=True):
        (tmp_path / name).write_bytes(data)
    page.set_input_files("#file", [tmp_path / name for name in names])
    titles = page.locator("[data-title] input")
    expect(titles).to_have_count(3)
    assert [titles.nth(at).input_value() for at in range(3)] == ["first", "second page", "third"]
    titles.nth(0).fill("Several: the first")
    page.get_by_role("button", name="Encrypt and save").click()
    page.get_by_text("2 saved, 1 not").wait_for()
    expect(page.locator("[data-state=saved]")).to_have_count(2)
    expect(page.locator("[data-state=failed]")).to_contain_text("program")
    page.locator("[data-state=failed]").get_by_role("button", name="Remove").click()
    page.get_by_role("link", name="Open").first.click()
    expect(page.get_by_role("heading", name="Several: the first")).to_be_visible()
