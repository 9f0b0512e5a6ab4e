"""The vault opens after the last stage of sign-in, and not before."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import OpenVault, User
from accounts.services import vaults
from accounts.sign_in.pending_vault import PENDING
from accounts.tasks import sweep
from accounts.vault_session import COOKIE
from tests.accounts.conftest import add_second_factor, mailed_code, sign_in, totp_code
from tests.people import PASSWORD, make_person
from tests.sessions import session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

CODE_PAGE = "/accounts/2fa/authenticate/"


def vault_is_open(client: Client) -> bool:
    """Return whether this browser's vault is open: the page that needs it does not ask."""
    return client.get("/vault/").status_code == 302


def type_password(user: User, password: str = PASSWORD) -> Client:
    """A browser in which the first stage of sign-in is done."""
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": password})
    return client


def nothing_is_open(client: Client, user: User) -> bool:
    """Neither a cookie nor a row nor a stored byte opens a vault."""
    keys = vaults.open_with_password(user, PASSWORD).accounts[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_data FROM django_session")
        stored = repr(cursor.fetchall())
    assert keys.signing_key is not None
    assert keys.signing_key.hex() not in stored
    return COOKIE not in client.cookies and not OpenVault.objects.exists()


def test_the_vault_opens_after_the_code_and_not_at_the_password() -> None:
    user = make_person()
    secret = add_second_factor(user)
    assert secret not in str(Authenticator.objects.get(user=user).data)
    client = type_password(user)
    assert nothing_is_open(client, user)
    assert client.get("/profile/")["Location"].startswith("/accounts/login/")
    assert client.post(CODE_PAGE, {"code": "000000"}).status_code == 200
    assert nothing_is_open(client, user)
    assert client.post(CODE_PAGE, {"code": totp_code(secret)}).status_code == 302
    assert vault_is_open(client)
    assert PENDING not in session_of(client)


def test_the_vault_opens_after_the_mailed_code_of_an_unverified_address() -> None:
    user = make_person()
    EmailAddress.objects.filter(user=user).update(verified=False)
    client = type_password(user)
    assert nothing_is_open(client, user)
    assert client.post("/accounts/confirm-email/", {"code": mailed_code()}).status_code == 302
    assert vault_is_open(client)


def test_a_sign_in_that_is_given_up_leaves_nothing() -> None:
    user = make_person()
    add_second_factor(user)
    client = type_password(user)
    left = Session.objects.get().expire_date - timezone.now()
    assert left < timedelta(minutes=16)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    sweep()
    assert not Session.objects.exists()
    assert client.get(CODE_PAGE)["Location"].startswith("/accounts/login/")


def test_a_session_that_has_signed_in_lasts_as_before() -> None:
    user = make_person()
    secret = add_second_factor(user)
    client = type_password(user)
    client.post(CODE_PAGE, {"code": totp_code(secret)})
    for browser in (client, sign_in(make_person("Bob Hill"))):
        assert session_of(browser)["_session_expiry"] == 0


def test_keys_that_wait_open_nothing_after_a_change_of_password() -> None:
    user = make_person()
    secret = add_second_factor(user)
    client = type_password(user)
    vaults.change_password(user, old=PASSWORD, new="another battery staple")
    client.post(CODE_PAGE, {"code": totp_code(secret)})
    assert not OpenVault.objects.exists()
    assert COOKIE not in client.cookies


def test_keys_that_wait_open_no_other_persons_vault() -> None:
    ada, bob = make_person(), make_person("Bob Hill")
    add_second_factor(ada)
    client = type_password(ada)
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": bob.email, "password": PASSWORD})
    assert bob.name in client.get("/profile/").content.decode()
    assert [row.user for row in OpenVault.objects.all()] == [bob]
    assert PENDING not in session_of(client)
