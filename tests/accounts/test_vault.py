"""The vault: who opens it, when it closes, and that nobody keeps its key."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.crypto.phrase import new_entropy, phrase_of
from accounts.errors import VaultStale, WrongSecret
from accounts.models import OpenVault, User, Vault
from accounts.services import vaults
from accounts.tasks import sweep
from accounts.vault_session import COOKIE, take_cookie
from tests.accounts.conftest import mailed_link, sign_in
from tests.mails import outbox
from tests.page_client import PageClient
from tests.people import PASSWORD, make_person
from tests.sessions import kept_in_sessions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

NEW_PASSWORD = "another battery staple"


def is_open(client: Client) -> bool:
    """Return whether this browser's vault is open: the page that needs it does not ask."""
    return client.get("/vault/").status_code == 302


def phrase_of_user(user: User, password: str = PASSWORD) -> str:
    """The user's 24 words."""
    return phrase_of(vaults.open_entropy(user, password))


def test_signing_in_opens_the_vault_and_changes_the_session_key() -> None:
    user, client = make_person(), PageClient()
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert is_open(client)
    first = client.session.session_key
    client.post("/vault/", {"password": PASSWORD})
    client.cookies.pop(COOKIE)
    client.post("/vault/", {"password": PASSWORD})
    assert client.session.session_key != first


def test_a_wrong_password_opens_nothing() -> None:
    user, client = make_person(), PageClient()
    answer = client.post("/accounts/login/", {"login": user.email, "password": "wrong battery staple"})
    assert answer.status_code == 200
    assert COOKIE not in client.cookies
    assert not OpenVault.objects.exists()
    with pytest.raises(WrongSecret):
        vaults.open_entropy(user, "wrong battery staple")


def test_the_cookie_without_the_session_and_the_session_without_the_cookie_open_nothing() -> None:
    ada, bob = sign_in(make_person()), sign_in(make_person("Bob Hill"))
    stolen = ada.cookies[COOKIE].value
    bob.cookies[COOKIE] = stolen
    assert not is_open(bob)
    del ada.cookies[COOKIE]
    assert not is_open(ada)
    ada.cookies[COOKIE] = "!! not base64 !!"
    assert not is_open(ada)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [("seen_at", settings.VAULT_IDLE_SECONDS), ("opened_at", settings.VAULT_MAX_SECONDS)],
)
def test_the_vault_closes_after_its_time_and_the_sweep_forgets_it(field: str, seconds: int) -> None:
    client = sign_in(make_person())
    OpenVault.objects.update(**{field: timezone.now() - timedelta(seconds=seconds - 5)})
    assert is_open(client)
    OpenVault.objects.update(**{field: timezone.now() - timedelta(seconds=seconds + 1)})
    assert not is_open(client)
    page = client.post("/profile/patient-account/", headers={"referer": "http://testserver/profile/?a=1"})
    assert page.status_code == 403
    assert page.context["next"] == "/profile/?a=1"
    sweep()
    assert not OpenVault.objects.exists()


def test_a_closed_vault_answers_htmx_and_scripts_in_their_own_way() -> None:
    client = sign_in(make_person())
    OpenVault.objects.all().delete()
    htmx = client.post("/profile/patient-account/", headers={"hx-request": "true"})
    assert htmx.status_code == 403
    assert htmx.json()["open"].startswith("/vault/?next=")
    page = client.get("/tokens/", headers={"hx-request": "true"})
    assert page.status_code == 200
    assert client.get("/vault/?next=https://evil.example/").context["next"] == "/"


def test_pages_keep_the_vault_open_and_polling_does_not() -> None:
    client = sign_in(make_person())
    old = timezone.now() - timedelta(minutes=20)
    OpenVault.objects.update(seen_at=old)
    client.get("/errands/", headers={"hx-request": "true"})
    assert OpenVault.objects.get().seen_at == old
    client.get("/errands/")
    assert OpenVault.objects.get().seen_at > old


def test_nothing_after_the_first_middleware_sees_the_cookie() -> None:
    environ: dict[str, object] = {"HTTP_COOKIE": f'a=1; {COOKIE}="QUJD"; b=2; {COOKIE}=REVG'}
    assert take_cookie(environ) == "REVG"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


def test_no_stored_session_holds_the_cookie_whatever_page_was_posted_to() -> None:
    user = make_person()
    client = sign_in(user)
    posts = {
        "/accounts/reauthenticate/": {"password": "wrong battery staple"},
        "/accounts/2fa/totp/activate/": {"code": "123456"},
        "/accounts/2fa/recovery-codes/generate/": {},
        "/accounts/email/": {"action_add": "", "email": "new@example.org"},
        "/accounts/password/change/": {"oldpassword": "x", "password1": "y", "password2": "z"},
        "/accounts/password/reset/": {"email": user.email},
        "/accounts/signup/": {"email": "someone@example.org"},
        "/accounts/login/": {"login": user.email, "password": "wrong battery staple"},
    }
    session = client.session
    session["account_authentication_methods"] = []
    session.save()
    suspended = False
    for path, data in posts.items():
        secret = client.cookies[COOKIE].value
        client.post(path, data)
        held = kept_in_sessions(client)
        suspended = suspended or "account_reauthentication_state" in held
        assert secret not in held, path
        assert COOKIE not in held, path
    assert suspended, "no page suspended a POST: this test proves nothing"


def test_signing_out_closes_the_vault() -> None:
    client = sign_in(make_person())
    client.post("/accounts/logout/")
    assert not OpenVault.objects.exists()
    assert client.cookies[COOKIE].value == ""


def test_changing_the_password_seals_anew_and_ends_other_sessions() -> None:
    user = make_person()
    here, there = sign_in(user), sign_in(user)
    entropy = vaults.open_entropy(user, PASSWORD)
    answer = here.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert answer.status_code == 302
    user.refresh_from_db()
    assert vaults.open_entropy(user, NEW_PASSWORD) == entropy
    with pytest.raises(WrongSecret):
        vaults.open_entropy(user, PASSWORD)
    assert is_open(here)
    assert there.get("/profile/")["Location"].startswith("/accounts/login/")
    assert OpenVault.objects.count() == 1


def reset(user: User, **fields: str) -> Any:
    """Ask for a reset, follow the mailed link and post the form."""
    client = PageClient()
    client.post("/accounts/password/reset/", {"email": user.email})
    page = client.get(mailed_link(), follow=True)
    path = page.redirect_chain[-1][0]
    return client.post(path, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, **fields})


def test_a_reset_with_the_phrase_opens_the_vault_under_the_new_password() -> None:
    user = make_person()
    entropy = vaults.open_entropy(user, PASSWORD)
    assert reset(user, phrase=phrase_of(entropy).upper()).status_code == 302
    user.refresh_from_db()
    assert vaults.open_entropy(user, NEW_PASSWORD) == entropy


def test_a_reset_without_the_phrase_leaves_the_vault_closed_until_the_phrase_comes() -> None:
    user = make_person()
    phrase = phrase_of_user(user)
    held = sign_in(user)
    assert "Enter your recovery phrase, or tick" in reset(user).content.decode()
    assert reset(user, without_phrase="on").status_code == 302
    assert held.get("/profile/")["Location"].startswith("/accounts/login/")
    user.refresh_from_db()
    with pytest.raises(VaultStale):
        vaults.open_entropy(user, NEW_PASSWORD)

    client = sign_in(user, NEW_PASSWORD)
    assert not is_open(client)
    by_password = client.post("/vault/", {"password": NEW_PASSWORD})
    assert by_password.status_code == 400
    wrong = client.post("/vault/", {"phrase": phrase, "current_password": PASSWORD})
    assert "not your password" in wrong.content.decode()
    assert not is_open(client)
    assert client.post("/vault/", {"phrase": phrase, "current_password": NEW_PASSWORD}).status_code == 302
    assert is_open(client)
    assert not Vault.objects.get(user=user).stale
    assert phrase_of_user(user, NEW_PASSWORD) == phrase


def test_a_bad_phrase_is_named_and_changes_nothing() -> None:
    user = make_person()
    words = phrase_of_user(user).split()
    before = Vault.objects.get(user=user).sealed
    swapped = [words[-1], *words[1:-1], words[0]]
    cases = {
        " ".join(words[:-1]): "24 words are needed, 23 given",
        " ".join([*words[:6], "xyzzy", *words[7:]]): "Word 7",
        " ".join(swapped): "do not belong together",
        phrase_of(new_entropy()): "not the one of this account",
    }
    for phrase, says in cases.items():
        answer = reset(user, phrase=phrase)
        assert answer.status_code == 200
        assert says in answer.content.decode(), phrase
    user.refresh_from_db()
    assert Vault.objects.get(user=user).sealed == before
    assert user.check_password(PASSWORD)


def test_the_closed_vault_page_counts_failures() -> None:
    user = make_person()
    client = sign_in(user)
    OpenVault.objects.all().delete()
    answers = [client.post("/vault/", {"password": "wrong battery staple"}) for _ in range(12)]
    assert "Too many failed" in answers[-1].content.decode()
    assert "Too many failed" in client.post("/vault/", {"password": PASSWORD}).content.decode()


def test_an_administrator_has_no_vault_and_needs_none() -> None:
    from accounts.services.signup import create_administrator

    admin = create_administrator(email="root@example.org", name="Root", password=PASSWORD)
    client = sign_in(admin)
    assert client.get("/profile/").status_code == 200
    assert client.get("/errands/").status_code == 403
    assert outbox() == []
    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    admin.refresh_from_db()
    assert admin.check_password(NEW_PASSWORD)


def test_a_password_set_by_an_operator_leaves_the_vault_to_the_phrase() -> None:
    user = make_person()
    phrase = phrase_of_user(user)
    user.set_password(NEW_PASSWORD)
    user.save()
    with pytest.raises(VaultStale):
        vaults.open_entropy(user, NEW_PASSWORD)
    vaults.open_with_phrase(user, phrase, NEW_PASSWORD)
    assert phrase_of_user(user, NEW_PASSWORD) == phrase
