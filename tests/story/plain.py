"""People without a screen: the portal's pages and its API by bare HTTP."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode

from tests.story.portal import BORN, PASSWORD, Mailbox, wait_for

SECONDS = 120.0
INPUT = re.compile(r"<input[^>]*>")


@dataclass(frozen=True)
class Answer:
    """What came back, after redirects."""

    status: int
    url: str
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """The body as text, HTML's entities resolved."""
        return unescape(self.body.decode(errors="replace"))

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request. Refusals are answers, too."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with opener.open(request, timeout=SECONDS) as found:
            return Answer(found.status, found.url, found.read(), dict(found.headers))
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.url, refused.read(), dict(refused.headers))


class Api:
    """A token's client."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = f"{url}/api/v1/", {"Authorization": f"Bearer {token}"}
        self._opener = urllib.request.build_opener()
        self.address: str = self.get("me").json()["address"]

    def get(self, path: str) -> Answer:
        """GET."""
        return ask(self._opener, "GET", self._url + path, headers=self._headers)

    def send(self, method: str, path: str, **body: Any) -> Answer:
        """Send JSON."""
        headers = self._headers | {"Content-Type": "application/json"}
        return ask(self._opener, method, self._url + path, json.dumps(body).encode(), headers)

    def put(self, path: str, content: bytes) -> Answer:
        """Send a raw body."""
        headers = self._headers | {"Content-Type": "application/octet-stream"}
        return ask(self._opener, "PUT", self._url + path, content, headers)

    def upload(self, content: bytes, **description: Any) -> str:
        """Describe and send a file. Return the record's id."""
        described = self.send("POST", "uploads", size=len(content), **description)
        assert described.status == 201, f"{described.status}: {described.text}"
        sent = self.put(f"uploads/{described.json()['id']}/content", content)
        assert sent.status == 201, f"{sent.status}: {sent.text}"
        record: str = sent.json()["id"]
        return record

    def wait_for_state(self, path: str, state: str) -> Any:
        """Ask until what is there is in this state. What it is."""

        def there() -> Any:
            found = self.get(path).json()
            return found if found.get("state") == state else None

        return wait_for(there, f"{path} to be {state}")


class PlainVisitor:
    """A person with a browser that shows nothing."""

    def __init__(self, url: str, mailbox: Mailbox, name: str, email: str) -> None:
        self.name, self.email = name, email
        self.cookies = CookieJar()
        self.phrase = ""
        self._url, self._mailbox = url, mailbox
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def go(self, path: str) -> Answer:
        """Open a page. Where it has a button for what waits for the person's keys, press it."""
        page = ask(self._opener, "GET", self._url + path)
        if not re.search(r'data-key-tasks="[1-9]', page.text):
            return page
        return self.post_blind("/key-tasks/", **self._hidden(page) | {"next": path})

    def post(self, path: str, page: str = "", **fields: Any) -> Answer:
        """Fill in the form of a page (by default at the same path) and send it to a path."""
        return self.post_blind(path, **self.fill_in(page or path, **fields))

    def fill_in(self, page: str, **fields: Any) -> dict[str, Any]:
        """Return what a page's forms would send: their hidden fields, and these."""
        return self._hidden(self.go(page)) | fields

    def post_blind(self, path: str, **fields: Any) -> Answer:
        """Send a form without having looked at its page."""
        token = next((cookie.value for cookie in self.cookies if cookie.name == "csrftoken"), "")
        fields.setdefault("csrfmiddlewaretoken", token)
        body = urlencode(fields, doseq=True).encode()
        return ask(self._opener, "POST", self._url + path, body, {"Referer": self._url + path})

    def sign_in(self) -> Answer:
        """E-mail and password."""
        return self.post("/accounts/login/", login=self.email, password=PASSWORD)

    def enter_code(self) -> None:
        """The mailed code."""
        done = self.post("/accounts/confirm-email/", code=self._mailbox.take_code(self.email))
        assert f"You have confirmed {self.email}" in done.text, done.text

    def register(self, following: str = "/") -> None:
        """Sign up, type the code, see the recovery phrase, type three of its words."""
        person = {"name": self.name, "date_of_birth": BORN, "email": self.email}
        passwords = {"password1": PASSWORD, "password2": PASSWORD}
        self.post(f"/accounts/signup/?{urlencode({'next': following})}", **person, **passwords)
        self.enter_code()
        shown = self.post("/phrase/", password=PASSWORD)
        words = re.findall(r'<strong class="code fs-6">(\w+)</strong>', shown.text)
        assert len(words) == 24, shown.text
        self.phrase = " ".join(words)
        places = re.findall(r'name="(word_(\d+))"', self.go("/phrase/check/").text)
        self.post("/phrase/check/", **{name: words[int(place) - 1] for name, place in places})

    def accept(self, invitation: str) -> Answer:
        """Register from an institution's mailed link, and accept it."""
        self.register(invitation)
        return self.post(invitation)

    def make_token(self, *, days: int = 1) -> Api:
        """A client with a token for whatever account acts now."""
        return Api(self._url, self.make_token_secret(days=days))

    def make_token_secret(self, *, days: int = 1) -> str:
        """The secret of a new token for whatever account acts now."""
        made = self.post("/tokens/", name="story", scope="act", days=days, password=PASSWORD)
        found = re.search(r'id="token-secret">([^<]+)<', made.text)
        assert found, made.text
        return found[1]

    def _hidden(self, page: Answer) -> dict[str, str]:
        """The hidden fields that the page's forms carry."""
        found = {}
        for tag in INPUT.findall(page.body.decode()):
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            if 'type="hidden"' in tag and name and value:
                found[unescape(name[1])] = unescape(value[1])
        return found
