"""Looking at files: a PDF is read, a DICOM picture is moved through, and hostile files do nothing."""

import re
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import Dialog, Page, Request, expect
from pydicom.data import get_testdata_file

from records.demo.cast import CHIARA, PASSWORD
from tests.browser.conftest import Window, sign_in
from tests.browser.sending import put_file, token
from tests.browser.test_pages import OVERFLOW, PHONE
from tests.records.previews.hostile import deflated_bomb, huge_png, nested
from tests.records.previews.made import with_inner
from tests.run.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPT = "<script>document.title='owned';top.document.title='owned'</script>"
HOSTILE = {
    "page": (f"<html><body>{SCRIPT}<img src=x onerror=\"document.title='owned'\">".encode(), "image/png"),
    "drawing.svg": (f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>".encode(), "image/svg+xml"),
    "both": (b"GIF89a/*" + SCRIPT.encode() + b"*/=1;document.title='owned'", "text/html"),
    "bomb.png": (huge_png(), "image/png"),
    "nested.dcm": (nested(), "application/dicom"),
    "deflated.dcm": (deflated_bomb(), "application/dicom"),
    "cut.dcm": (Path(str(get_testdata_file("MR_truncated.dcm"))).read_bytes()[:3000], "application/dicom"),
}
WORDS = {
    "page": "document.title='owned'",
    "drawing.svg": "document.title='owned'",
    "both": "Save the file to look at it",
    "bomb.png": "too many pixels",
    "nested.dcm": "damaged",
    "deflated.dcm": "Save the file to look at it",
    "cut.dcm": "Save the file to look at it",
}


def report(pages: int, password: str = "") -> bytes:
    """A PDF of several pages, with a script that runs as it opens, and a link to elsewhere."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=16)
    for page in range(1, pages + 1):
        pdf.add_page()
        pdf.cell(0, 10, f"Page number {page}", link="https://elsewhere.example/")
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
        return bytes(pdf.output())
    action = b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\); top.document.title = 'owned') >>"
    return bytes(pdf.output()).replace(b"/Type /Catalog", action + b"\n/Type /Catalog")


@pytest.fixture(scope="module")
def secret(demo_portal: Portal) -> str:
    """Chiara's token."""
    return token(demo_portal)


@pytest.fixture
def happened() -> list[str]:
    """Collect dialogs, errors of the console, and requests to elsewhere: none should happen."""
    return []


@pytest.fixture
def page(window: Window, happened: list[str]) -> Page:
    """Chiara's browser on a phone."""
    opened = window(PHONE)
    sign_in(opened, CHIARA.email, PASSWORD)

    def refuse(dialog: Dialog) -> None:
        happened.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def watch(sent: Request) -> None:
        if "elsewhere" in sent.url:
            happened.append(f"request: {sent.url}")

    opened.on("dialog", refuse)
    opened.on("request", watch)
    opened.on(
        "console", lambda said: happened.append(f"console: {said.text}") if said.type == "error" else None
    )
    return opened


def test_a_pdf_is_read_page_by_page_and_its_script_never_runs(
    page: Page, demo_portal: Portal, secret: str, happened: list[str]
) -> None:
    page.goto(put_file(demo_portal, secret, report(12), "report.pdf", "application/pdf"))
    reader = page.frame_locator("#reader")
    expect(reader.locator(".textLayer").first).to_contain_text("Page number 1")
    expect(reader.locator("#pages")).to_have_text("of 12")
    reader.get_by_label("Page", exact=True).fill("9")
    reader.get_by_label("Page", exact=True).press("Enter")
    expect(reader.locator("[data-page-number='9'] .textLayer")).to_contain_text("Page number 9")
    reader.get_by_label("Find in the document").fill("number 11")
    expect(reader.locator(".highlight.selected")).to_contain_text("number 11")
    assert reader.locator("body").evaluate("self.origin") == "null"
    assert reader.locator("a[href^='https']").count() == 0
    assert page.evaluate(OVERFLOW) == 0
    assert "owned" not in page.title()
    assert happened == []


def test_a_locked_pdf_asks_for_its_password_and_a_broken_one_says_so(
    page: Page, demo_portal: Portal, secret: str
) -> None:
    page.goto(put_file(demo_portal, secret, report(1, "ruby"), "locked.pdf", "application/pdf"))
    reader = page.frame_locator("#reader")
    for word in ("wrong", "ruby"):
        reader.get_by_label("Its password").fill(word)
        reader.get_by_role("button", name="Open").click()
        if word == "wrong":
            expect(reader.get_by_role("alert")).to_have_text("That is not its password.")
    expect(reader.locator(".textLayer")).to_contain_text("Page number 1")
    page.goto(put_file(demo_portal, secret, b"%PDF-1.7\nnothing", "broken.pdf", "application/pdf"))
    expect(reader.get_by_role("status")).to_contain_text("damaged")


def test_the_frames_of_a_dicom_file_and_its_window(page: Page, demo_portal: Portal, secret: str) -> None:
    film = Path(str(get_testdata_file("examples_ybr_color.dcm"))).read_bytes()
    page.goto(put_file(demo_portal, secret, film, "film.dcm", "application/dicom"))
    with page.expect_response("**/frames/29/") as answer:
        page.get_by_label("Frame").press("End")
    assert answer.value.headers["content-type"] == "image/png"
    expect(page.locator("[data-picture]")).to_have_attribute("src", answer.value.url)
    expect(page.locator("output[for=frame]")).to_have_text("30 of 30")
    slice_ = Path(str(get_testdata_file("examples_overlay.dcm"))).read_bytes()
    page.goto(put_file(demo_portal, secret, slice_, "slice.dcm", "application/dicom"))
    page.get_by_label("Window", exact=True).select_option("WINDOW2")
    expect(page.locator("[data-picture]")).to_have_attribute("src", re.compile(r"centre=200&width=443$"))
    assert page.evaluate(OVERFLOW) == 0


def test_hostile_files_do_nothing_and_the_portal_stays_up(
    page: Page, demo_portal: Portal, secret: str, happened: list[str]
) -> None:
    for name, (body, media_type) in HOSTILE.items():
        path = put_file(demo_portal, secret, body, name, media_type)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, name
        expect(page.locator("main")).to_contain_text(WORDS[name])
        assert "owned" not in page.title(), name
        answer = page.goto(f"{path}file/")
        assert answer is not None
        assert answer.headers.get("content-type", "").startswith(("image/gif", "image/png", "text/html"))
        assert "owned" not in page.title(), name
    assert [what for what in happened if not what.startswith("console")] == []


def test_a_pdf_inside_a_dicom_file_is_read_in_the_same_reader(
    window: Window, demo_portal: Portal, secret: str
) -> None:
    page, inner = window(PHONE), report(3)
    sign_in(page, CHIARA.email, PASSWORD)
    page.goto(put_file(demo_portal, secret, with_inner(inner), "letter.dcm", "application/dicom"))
    reader = page.frame_locator("#reader")
    expect(reader.locator("#pages")).to_contain_text("3")
    expect(reader.locator(".textLayer").first).to_contain_text("Page number 1")
    assert page.evaluate(OVERFLOW) == 0
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the file inside").click()
    assert saved.value.suggested_filename == "Report.pdf"
    assert Path(saved.value.path()).read_bytes() == inner


def test_an_overlay_is_taken_away_and_a_text_is_read_in_another_encoding(
    window: Window, demo_portal: Portal, secret: str
) -> None:
    page = window(PHONE)
    sign_in(page, CHIARA.email, PASSWORD)
    data = Path(str(get_testdata_file("examples_overlay.dcm"))).read_bytes()
    page.goto(put_file(demo_portal, secret, data, "overlay.dcm", "application/dicom"))
    picture = page.locator("[data-picture]")
    expect(page.get_by_text("are an overlay of the file")).to_be_visible()
    page.get_by_label("Overlay").uncheck()
    expect(picture).to_have_attribute("src", re.compile("overlay=0"))
    page.get_by_label("Overlay").check()
    expect(picture).not_to_have_attribute("src", re.compile("overlay=0"))
    words = "Befund: Größe 1,78 m, Übergewicht."
    page.goto(put_file(demo_portal, secret, words.encode("cp437"), "old.txt", "text/plain"))
    expect(page.get_by_text(words)).to_be_visible()
    page.get_by_label("Read it as").select_option("windows-1252")
    page.get_by_role("button", name="Read again").click()
    expect(page.get_by_text(words)).to_have_count(0)
    expect(page.get_by_text("as you chose")).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0
