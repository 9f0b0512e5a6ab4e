"""Registration by the pages: form, code, phrase."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.crypto.phrase import entropy_of
from accounts.models import Account, OpenVault, User, Vault
from accounts.services import vaults
from accounts.vault_session import COOKIE
from chain.models import Act
from tests.accounts.conftest import mailed_code
from tests.mails import newest_mail
from tests.page_client import PageClient
from tests.people import PASSWORD, make_person

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Ada Moss",
    "date_of_birth": "1980-05-17",
    "email": "Ada@Example.org",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def sign_up(client: Client, **changes: str) -> Any:
    """Post the registration form."""
    return client.post("/accounts/signup/", {**FORM, **changes})


def confirm_code(client: Client) -> None:
    """Enter the mailed code."""
    answer = client.post("/accounts/confirm-email/", {"code": mailed_code()})
    assert answer.status_code == 302, answer.content.decode()


@pytest.mark.usefixtures("chain")
def test_a_patient_registers_verifies_and_is_shown_the_phrase_once() -> None:
    client = PageClient()
    sign_up(client)
    user = User.objects.get(email="ada@example.org")
    assert user.accounts.get().kind == Account.Kind.PATIENT
    assert COOKIE not in client.cookies
    assert not Act.objects.exists()

    confirm_code(client)
    assert client.get("/profile/")["Location"] == "/phrase/?next=%2Fprofile%2F"
    page = client.post("/phrase/", {"password": PASSWORD, "next": "/profile/"})
    words = re.findall(r'<strong class="code fs-6">(\w+)</strong>', page.content.decode())
    entropy = entropy_of(" ".join(words))
    assert entropy == vaults.open_entropy(user, PASSWORD)
    assert client.cookies[COOKIE]["httponly"]
    assert client.cookies[COOKIE]["samesite"] == "Lax"

    act = Act.objects.get(kind="PublishKey")
    assert act.author == user.accounts.get().address

    check = client.get("/phrase/check/")
    places = [int(place) for place in re.findall(r'name="word_(\d+)"', check.content.decode())]
    assert len(places) == 3
    wrong = client.post("/phrase/check/", {f"word_{place}": "zebra" for place in places})
    assert wrong.status_code == 400
    assert Vault.objects.get(user=user).phrase_confirmed_at is None
    right = client.post(
        "/phrase/check/", {f"word_{place}": words[place - 1] for place in places} | {"next": "/profile/"}
    )
    assert right["Location"] == "/profile/"
    assert Vault.objects.get(user=user).phrase_confirmed_at is not None
    again = client.post("/phrase/", {"password": PASSWORD})
    assert words[0] not in re.findall(r"<strong[^>]*>(\w+)", again.content.decode())


@pytest.mark.usefixtures("chain")
def test_the_phrase_can_wait_and_the_page_comes_back_until_it_was_shown() -> None:
    client = PageClient()
    sign_up(client)
    confirm_code(client)
    assert client.get("/tokens/")["Location"].startswith("/phrase/")
    client.post("/phrase/", {"password": PASSWORD})
    assert client.get("/tokens/").status_code == 200


def test_nothing_is_published_before_the_email_is_verified() -> None:
    sign_up(PageClient())
    user = User.objects.get(email="ada@example.org")
    assert not user.email_verified
    bundle = vaults.open_with_password(user, PASSWORD)
    from accounts.services import errands, signup

    for actor in signup.actors_of(user, bundle):
        errands.run_errands(actor)
    assert not Act.objects.exists()


@pytest.mark.usefixtures("chain")
def test_a_known_email_looks_like_a_new_one() -> None:
    known = make_person()
    first, second = PageClient(), PageClient()
    new = sign_up(first)
    old = sign_up(second, email=known.email.upper())
    assert (new.status_code, new["Location"]) == (old.status_code, old["Location"])
    assert sorted(first.cookies) == sorted(second.cookies)
    assert "already" in str(newest_mail().body)
    assert User.objects.filter(email__iexact=known.email).count() == 1
    assert first.get(new["Location"]).status_code == second.get(old["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("password1", "short1", "at least 12"),
        ("password1", "password1234", "too common"),
        ("date_of_birth", (timezone.localdate() + timedelta(days=1)).isoformat(), "in the past"),
        ("date_of_birth", "1850-01-01", "at most 130"),
        ("date_of_birth", "5/6/1980", "5 June or 6 May"),
        ("name", "   ", "required"),
        ("email", "not an address", "valid email"),
    ],
)
def test_bad_input_is_refused_with_a_reason(field: str, value: str, says: str) -> None:
    changes = {field: value} | ({"password2": value} if field == "password1" else {})
    answer = sign_up(PageClient(), **changes)
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert not User.objects.exists()


def test_a_code_entered_in_another_browser_leaves_the_vault_to_the_sign_in() -> None:
    client = PageClient()
    sign_up(client)
    code = mailed_code()
    assert client.post("/accounts/confirm-email/", {"code": "WRONG1"}).status_code == 200
    client.post("/accounts/confirm-email/", {"code": code})
    assert not OpenVault.objects.exists()
    other = PageClient()
    other.post("/accounts/login/", {"login": FORM["email"], "password": PASSWORD})
    assert COOKIE in other.cookies
    assert OpenVault.objects.count() == 1
