"""Somebody at a browser: what every person of the story does on the pages."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Response, expect

from tests.story.portal import BORN, PASSWORD, SECONDS, Mailbox

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
WAIT = SECONDS * 1000  # milliseconds
DESK, PHONE = (1280, 900), (390, 844)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

expect.set_options(timeout=WAIT)


class Visitor:
    """A person with a browser of their own."""

    def __init__(self, browser: Browser, url: str, mailbox: Mailbox, name: str, email: str) -> None:
        self.name, self.email, self.address = name, email, ""
        self._mailbox = mailbox
        self._context = browser.new_context(
            base_url=url, viewport={"width": DESK[0], "height": DESK[1]}, accept_downloads=True
        )
        self._context.set_default_timeout(WAIT)
        self.page: Page = self._context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))

    def close(self) -> None:
        """Close the browser."""
        self._context.close()

    # --- Looking ------------------------------------------------------------------------------------

    @property
    def main(self) -> Locator:
        """The page without its header and footer."""
        return self.page.locator("main")

    def go(self, path: str) -> Response:
        """Open a page. Its answer."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        """The page says each of these."""
        for text in texts:
            expect(self.main.get_by_text(text).first).to_be_visible()

    def sees_confirmed(self) -> None:
        """The record's own state, without a reload."""
        expect(self.region("About").get_by_text("Confirmed", exact=True)).to_be_visible()

    def sees_no(self, *texts: str) -> None:
        """The page says none of these."""
        for text in texts:
            expect(self.main.get_by_text(text)).to_have_count(0)

    def region(self, name: str) -> Locator:
        """A section of the page, by its heading."""
        return self.main.get_by_role("region", name=name)

    def card(self, text: str) -> Locator:
        """An article of the page that says this."""
        return self.main.get_by_role("article").filter(has_text=text)

    def reloads_until(self, locator: Locator) -> None:
        """Reload the page until this stands on it, once the chain has confirmed it."""
        for _ in range(int(SECONDS)):
            if locator.count():
                break
            self.page.wait_for_timeout(1000)
            self.page.reload()
        expect(locator.first).to_be_visible()

    def shoot(self, name: str) -> None:
        """Keep a picture of the page as it looks on a desk and on a phone; nothing sticks out of either."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        for width, height, kind in ((*PHONE, "phone"), (*DESK, "desk")):
            self.page.set_viewport_size({"width": width, "height": height})
            assert self.page.evaluate(OVERFLOW) <= 0, f"{name} is wider than the {kind}"
            self.page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=True)

    # --- Doing --------------------------------------------------------------------------------------

    def click(self, name: str, *, twice: bool = False) -> None:
        """Press a button of the page. `twice`: as an impatient person does."""
        button = self.main.get_by_role("button", name=name, exact=False).first
        if twice:
            button.dblclick()
        else:
            button.click()
        self.page.wait_for_load_state()

    def follow(self, name: str) -> None:
        """Follow a link of the page."""
        self.main.get_by_role("link", name=name).first.click()
        self.page.wait_for_load_state()

    def fill(self, **fields: str) -> None:
        """Type into fields, named as the form names them."""
        for name, value in fields.items():
            field = self.main.locator(f'[name="{name}"]').first
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    def choose(self, **answers: str) -> None:
        """Tick boxes and radio buttons, named as the form names them, by value."""
        for name, value in answers.items():
            self.main.locator(f'[name="{name}"][value="{value}"]').check()

    def register(self, path: str = "/accounts/signup/", *, phrase_later: bool = False) -> None:
        """Sign up, type the mailed code, and see (and check) the recovery phrase."""
        self.go(path)
        if "/signup/" not in path:
            self.follow("Register")
        self.fill(name=self.name, date_of_birth=BORN, email=self.email)
        self.fill(password1=PASSWORD, password2=PASSWORD)
        self.click("Register", twice=True)
        self.fill(code=self._mailbox.take_code(self.email))
        self.click("Confirm")
        self.sees("Your recovery phrase")
        self.fill(password=PASSWORD)
        self.click("Show the phrase", twice=True)
        shown = self.main.locator("#phrase strong")
        expect(shown).to_have_count(24)
        words = shown.all_inner_texts()
        if phrase_later:
            self.follow("Later")
        else:
            self._check_phrase(words)

    def _check_phrase(self, words: list[str]) -> None:
        self.follow("I have written them down")
        asked = self.main.locator('input[name^="word_"]')
        assert asked.count() == 3
        asked.first.fill("zebra")
        names = [field.get_attribute("name") or "" for field in asked.all()]
        for name in names[1:]:
            self.fill(**{name: words[int(name.removeprefix("word_")) - 1]})
        self.click("Check")
        self.sees(re.compile(r"That\s+is\s+not\s+word"))
        for name in names:
            self.fill(**{name: words[int(name.removeprefix("word_")) - 1]})
        self.click("Check")
        self.sees("Your recovery phrase is confirmed.")

    def sign_in(self, path: str = "/accounts/login/") -> None:
        """Sign in with e-mail and password."""
        self.go(path)
        self.fill(login=self.email, password=PASSWORD)
        self.click("Sign in", twice=True)

    def act_as(self, role: str) -> None:
        """The switch in the menu."""
        self.page.locator("header").get_by_role("button", name=self.name).click()
        self.page.get_by_role("button", name=f"Act as {role}").click()
        self.page.wait_for_load_state()

    def learn_address(self) -> None:
        """From the profile page, once the sharing key is published."""
        self.go("/profile/")
        self.reloads_until(self.main.locator("dt", has_text="Key fingerprint").locator("+ dd .code"))
        self.address = self.main.locator("#own-address").inner_text()

    def upload(self, path: str, file: Path, **fields: str) -> None:
        """Choose a file, describe it, send it with two clicks. Ends on the record's page."""
        self.go(path)
        self.page.locator("#file").set_input_files(file)
        if "nonce" in fields:
            self.main.get_by_text("Your own randomness").click()
        self.fill(**fields)
        self.click("Encrypt and save", twice=True)
        self.page.wait_for_url(re.compile(r"/records/0x[0-9a-f]{64}/$"))

    def open_file(self, link: Locator) -> tuple[str, bytes]:
        """Follow a link to a file. Return its name and its bytes."""
        with self.page.expect_download() as download:
            link.click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()
