"""A portal behind https: its cookies and headers. test_over_https.py runs this with such settings."""

from http.cookies import Morsel
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import OpenVault
from accounts.services import tokens
from tests.people import PASSWORD, make_patient, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

HSTS = "max-age=31536000; includeSubDomains"


def browser(**options: Any) -> Client:
    """One that comes by https, and keeps cookies as browsers do."""
    return Client(headers={"x-forwarded-proto": "https"}, **options)


def test_every_cookie_is_bound_to_this_host() -> None:
    assert settings.HTTPS
    user, client = make_person(), browser()
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert client.get("/vault/").status_code == 302
    assert OpenVault.objects.count() == 1
    cookies: dict[str, Morsel[str]] = dict(client.cookies)
    assert set(cookies) == {
        "__Host-sessionid",
        "__Host-csrftoken",
        "__Host-medrec_vault",
        "__Host-medrec_browser",
    }
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    client.post("/accounts/logout/")
    assert client.cookies["__Host-medrec_vault"]["secure"]
    assert client.cookies["__Host-medrec_vault"].value == ""
    assert not OpenVault.objects.exists()


def test_subdomains_are_included_and_pages_are_redirected() -> None:
    for path in ("/", "/accounts/login/", "/healthz", "/static/medrec/none.css", "/nothing-here/"):
        assert browser().get(path)["Strict-Transport-Security"] == HSTS, path
    assert Client().get("/accounts/login/").status_code == 301


def test_the_api_is_refused_and_not_redirected_without_https() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    headers = {"authorization": f"Bearer {secret}"}
    assert browser().get("/api/v1/me", headers=headers).status_code == 200
    plain = Client().get("/api/v1/me", headers=headers)
    assert plain.status_code == 403
    assert "https" in plain.json()["error"]
    assert "nosniff" in plain["X-Content-Type-Options"]
