"""Fixtures that tests of people and keys share: mails, and browsers."""

import re
import time

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tests.mails import newest_mail
from tests.page_client import PageClient
from tests.people import PASSWORD


@pytest.fixture(autouse=True)
def _fresh_limits(request: pytest.FixtureRequest) -> None:
    """allauth counts attempts in the cache. Every test starts from none."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        cache.clear()


def mailed_code() -> str:
    """The code in the newest mail."""
    body = str(newest_mail().body)
    found = re.search(r"^\s*([A-Z0-9]{3,}-?[A-Z0-9]{3,})\s*$", body, re.MULTILINE)
    assert found, body
    return found[1]


def mailed_link() -> str:
    """The path of the link in the newest mail."""
    body = str(newest_mail().body)
    found = re.search(r"https?://[^/\s]+(/\S+)", body)
    assert found, body
    return found[1]


def sign_in(user: User, password: str = PASSWORD) -> Client:
    """A browser in which the user has signed in by the page."""
    client = PageClient()
    answer = client.post("/accounts/login/", {"login": user.email, "password": password})
    assert answer.status_code == 302, answer.content.decode()
    return client


def add_second_factor(user: User) -> str:
    """Give the user an authenticator app. Return its secret."""
    secret: str = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    return secret


def totp_code(secret: str, step: int = 0) -> str:
    """The code that an authenticator app shows, this many steps of 30 seconds from now."""
    counter = int(time.time()) // 30 + step
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))
