"""Codes of an authenticator app: for clocks that are half a minute off, each once; and who must have one."""

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.models import User
from accounts.services.signup import create_administrator
from accounts.sign_in.second_factor import use_code
from chain.models import Act
from tests.accounts.conftest import add_second_factor, sign_in, totp_code
from tests.people import PASSWORD, make_institution, make_person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("chain")]

CODE_PAGE = "/accounts/2fa/authenticate/"
ACTIVATE = "/accounts/2fa/totp/activate/"
REMOTE = "https://medrec.example.org"


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of 30 seconds ends while a test runs."""
    now = time.time() // 30 * 30 + 10
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: now)


def type_code(user: User, code: str) -> bool:
    """Return whether a browser signs in with the password and this code."""
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return bool(client.post(CODE_PAGE, {"code": code}).status_code == 302)


@pytest.mark.parametrize(("step", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_steps_before_and_after_are_taken(step: int, taken: bool) -> None:
    user = make_person()
    assert type_code(user, totp_code(add_second_factor(user), step)) == taken


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_each_code_counts_once_even_when_the_cache_has_forgotten_it(step: int) -> None:
    from django.core.cache import cache

    user = make_person()
    secret = add_second_factor(user)
    assert type_code(user, totp_code(secret, step))
    cache.clear()
    assert not type_code(user, totp_code(secret, step))
    other = 0 if step else 1
    assert type_code(user, totp_code(secret, other))


def test_codes_with_spaces_work() -> None:
    user = make_person()
    code = totp_code(add_second_factor(user))
    assert type_code(user, f" {code[:3]} {code[3:]} ")


@pytest.mark.parametrize("step", [-1, 1])
def test_setting_up_takes_them_too_and_uses_the_code_up(step: int) -> None:
    user = make_person()
    client = sign_in(user)
    client.post("/accounts/reauthenticate/?next=/", {"password": PASSWORD})
    client.get(ACTIVATE)
    code = totp_code(client.session["mfa.totp.secret"], step)
    assert client.post(ACTIVATE, {"code": f"{code[:3]} {code[3:]}"}).status_code == 302
    assert not type_code(user, code)


def test_a_refused_code_says_what_to_do() -> None:
    user = make_person()
    add_second_factor(user)
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert "set its clock by itself" in client.post(CODE_PAGE, {"code": "000000"}).content.decode()


def test_of_two_requests_that_read_the_row_before_either_used_the_code_one_passes() -> None:
    user = make_person()
    code = totp_code(add_second_factor(user))
    first, second = Authenticator.objects.get(user=user), Authenticator.objects.get(user=user)
    assert use_code(first, code)
    assert not use_code(second, code)


# --- Who must have one ------------------------------------------------------------------------------


def administrator() -> User:
    """Somebody who administers the portal."""
    return create_administrator(email="root@example.org", name="Root", password=PASSWORD)


def admin_pages(client: Client) -> list[str]:
    """Every address that the admin's index and its lists name."""
    index = client.get("/admin/").content.decode()
    lists = sorted(set(re.findall(r'href="(/admin/[\w/-]+/)"', index)))
    assert len(lists) > 15
    return ["/admin/", "/admin/jsi18n/", "/admin/autocomplete/", *lists]


def test_elsewhere_the_whole_administration_is_closed_without_a_factor(settings: Any) -> None:
    admin = sign_in(administrator())
    pages = admin_pages(admin)
    institution, _ = make_institution()
    settings.PUBLIC_URL = REMOTE
    action = {"action": "admit", "_selected_action": [str(institution.pk)]}
    for path in pages:
        for answer in (admin.get(path), admin.post(path, action)):
            assert answer.status_code == 302, path
            assert answer["Location"].startswith("/second-factor/?next="), path
    assert not Act.objects.of_kind("AdmitInstitution").exists()
    page = admin.get("/second-factor/?next=/admin/").content.decode()
    assert "Set it up" in page
    assert "Skip for now" not in page
    assert admin.post("/second-factor/").status_code == 405

    admin.post("/accounts/reauthenticate/?next=/", {"password": PASSWORD})
    admin.get(ACTIVATE)
    admin.post(ACTIVATE, {"code": totp_code(admin.session["mfa.totp.secret"])})
    assert admin.get("/admin/").status_code == 200


def test_a_session_from_before_the_factor_has_to_show_it(settings: Any) -> None:
    user = administrator()
    before = sign_in(user)
    secret = add_second_factor(user)
    for url in (REMOTE, "http://127.0.0.1:8000"):
        settings.PUBLIC_URL = url
        assert before.get("/admin/")["Location"].startswith("/accounts/2fa/reauthenticate/?next=")
    before.post("/accounts/2fa/reauthenticate/?next=/admin/", {"code": totp_code(secret)})
    assert before.get("/admin/").status_code == 200


def test_on_this_machine_alone_an_administrator_is_asked_and_may_skip() -> None:
    client = Client()
    form = {"login": administrator().email, "password": PASSWORD, "next": "/admin/"}
    asked = client.post("/accounts/login/?next=/admin/", form)
    assert asked["Location"] == "/second-factor/?next=%2Fadmin%2F"
    page = client.get(asked["Location"]).content.decode()
    assert '<a class="btn btn-outline-secondary" href="/admin/">Skip for now</a>' in page
    assert client.get("/admin/").status_code == 200
    evil = client.get("/second-factor/?next=https://evil.example/").content.decode()
    assert "evil.example" not in evil


def test_elsewhere_managers_need_one_for_their_institutions_pages(settings: Any) -> None:
    institution, manager = make_institution()
    client = sign_in(manager.user)
    page = f"/institutions/{institution.pk}/"
    assert client.get(page).status_code == 200
    settings.PUBLIC_URL = REMOTE
    for answer in (client.get(page), client.post(f"{page}invite/"), client.post(f"{page}affiliate/")):
        assert answer["Location"].startswith("/second-factor/?next=")
    assert client.get("/profile/").status_code == 200


def test_patients_are_never_asked(settings: Any) -> None:
    settings.PUBLIC_URL = REMOTE
    client = sign_in(make_person())
    assert client.get("/profile/").status_code == 200
    assert client.get("/admin/", follow=True).status_code == 403
