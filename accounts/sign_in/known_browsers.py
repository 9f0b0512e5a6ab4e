"""Which browsers a person has signed in with before: a signed cookie says so, and nothing is kept here.

Strangers who type wrong passwords for somebody's address must not shut out that person, so a known browser is
counted apart. And a sign-in with a browser that is not known is mailed.
"""

import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.cookies import host_cookie
from accounts.models import User
from accounts.sign_in.events import SecurityEvent, record

COOKIE = host_cookie("medrec_browser")
SALT = "medrec.known-browser"
LASTS = 366 * 24 * 3600
PEOPLE = 5
"""How many people's marks one browser keeps: the newest."""


class KnownBrowser:
    """What a browser's cookie says: a random id, and a mark for each person who has signed in with it.

    A mark ends with the password: who was shut out by a new password comes back as a stranger.
    """

    def __init__(self, cookie: str | None) -> None:
        values = _read(cookie)
        self.id: str = values["id"]
        self._marks: list[str] = values["marks"]
        self._changed = False

    def knows(self, user: User) -> bool:
        """Whether this person has signed in with this browser under the present password."""
        mark = self._mark(user)
        return any(constant_time_compare(mark, kept) for kept in self._marks)

    def remember(self, user: User) -> None:
        """Mark the browser for this person."""
        mark = self._mark(user)
        self._marks = [mark, *(kept for kept in self._marks if kept != mark)][:PEOPLE]
        self._changed = True

    def write_cookie(self, response: HttpResponse) -> None:
        """Give the browser its marks, if this request changed them."""
        if self._changed:
            response.set_cookie(
                COOKIE,
                signing.dumps({"id": self.id, "marks": self._marks}, salt=SALT),
                max_age=LASTS,
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )

    def _mark(self, user: User) -> str:
        return salted_hmac(SALT, f"{self.id}:{user.pk}:{user.get_session_auth_hash()}").hexdigest()


class KnownBrowserMiddleware:
    """Puts `request.known_browser` in place, and writes its cookie at the end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Read the cookie when it is asked for."""
        known = KnownBrowser(request.COOKIES.get(COOKIE))
        request.known_browser = known  # type: ignore[attr-defined]
        response = self.get_response(request)
        known.write_cookie(response)
        return response


def known_browser(request: HttpRequest) -> KnownBrowser:
    """The request's browser; an unknown one outside the middleware."""
    known: KnownBrowser | None = getattr(request, "known_browser", None)
    return known or KnownBrowser(None)


def note_sign_in(request: HttpRequest, user: User, *, first: bool) -> None:
    """Log a sign-in, and mail it where the browser is new; the very first one is the person's own sign-up."""
    browser = known_browser(request)
    new = not first and not browser.knows(user)
    record(SecurityEvent.SIGNED_IN_NEW_BROWSER if new else SecurityEvent.SIGNED_IN, user, request)
    browser.remember(user)


def _read(cookie: str | None) -> dict[str, Any]:
    try:
        values = signing.loads(cookie or "", salt=SALT, max_age=LASTS)
        return {"id": str(values["id"]), "marks": [str(mark) for mark in values["marks"]]}
    except (signing.BadSignature, KeyError, TypeError):
        return {"id": secrets.token_urlsafe(16), "marks": []}
