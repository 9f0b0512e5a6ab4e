"""Wrong passwords by strangers: bounded, and no way to shut somebody out."""

import pytest
from django.test import Client

from accounts.models import Notification, User
from accounts.sign_in.events import SecurityEvent
from accounts.sign_in.known_browsers import COOKIE
from accounts.tasks import tell_sign_in_locked
from tests.accounts.conftest import mailed_link, sign_in
from tests.mails import outbox
from tests.people import PASSWORD, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

LOCKED = "Too many failed login attempts"


def guess(email: str, *, times: int = 1, peer: str = "203.0.113.7", password: str = "wrong one") -> str:
    """Return the answer to a stranger's browser after so many tries."""
    client = Client(REMOTE_ADDR=peer)
    answers = [
        client.post("/accounts/login/", {"login": email, "password": f"{password} {n}"}) for n in range(times)
    ]
    return answers[-1].content.decode()


def sign_in_again(client: Client, user: User, password: str = PASSWORD) -> bool:
    """Return whether the person comes in with this browser."""
    answer = client.post("/accounts/login/", {"login": user.email, "password": password})
    return bool(answer.status_code == 302)


def test_strangers_do_not_shut_out_a_browser_that_signed_in_before() -> None:
    user = make_person()
    client = sign_in(user)
    client.post("/accounts/logout/")
    client.defaults["REMOTE_ADDR"] = "203.0.113.7"  # even from the strangers' own address
    assert LOCKED in guess(user.email, times=6)
    assert not sign_in_again(Client(REMOTE_ADDR="203.0.113.7"), user)
    assert sign_in_again(client, user)


def test_strangers_do_not_shut_out_a_new_browser_at_another_address() -> None:
    user = make_person()
    assert LOCKED in guess(user.email, times=6)
    assert sign_in_again(Client(REMOTE_ADDR="198.51.100.9"), user)


def test_strangers_do_not_keep_a_signed_in_persons_vault_closed() -> None:
    user = make_person()
    client = sign_in(user)
    del client.cookies[COOKIE]
    guess(user.email, times=6, peer="127.0.0.1")
    user.open_vaults.all().delete()
    assert client.post("/vault/", {"password": PASSWORD}).status_code == 302


def test_a_known_browser_is_bounded_too() -> None:
    user = make_person()
    client = sign_in(user)
    client.post("/accounts/logout/")
    for number in range(5):
        assert not sign_in_again(client, user, f"wrong one {number}")
    assert not sign_in_again(client, user)


def test_many_addresses_are_bounded_together() -> None:
    user = make_person()
    for number in range(50):
        assert LOCKED not in guess(user.email, peer=f"203.0.113.{number}")
    assert LOCKED in guess(user.email, peer="198.51.100.9")


def test_a_cookie_knows_one_person_under_one_password() -> None:
    ada, bob = make_person(), make_person("Bob Hill")
    client = sign_in(ada)
    marks = client.cookies[COOKIE].value
    client.post("/accounts/logout/")
    assert LOCKED in guess(bob.email, times=6, peer="127.0.0.1")
    assert not sign_in_again(client, bob)

    ada.set_password("another battery staple")
    ada.save()
    assert LOCKED in guess(ada.email, times=6, peer="127.0.0.1")
    assert not sign_in_again(client, ada, "another battery staple")
    for made_up in ("", "x", marks[:-2], f"{marks}x", marks.replace(":", "")):
        client.cookies[COOKIE] = made_up
        assert not sign_in_again(client, ada, "another battery staple"), made_up


def test_the_cookie_says_nothing_about_whose_browser_it_is() -> None:
    user = make_person()
    cookie = sign_in(user).cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) > 300 * 24 * 3600
    from django.core import signing

    held = repr(signing.loads(cookie.value, salt="medrec.known-browser"))
    for word in (user.email, str(user.pk), user.name):
        assert word not in held


def test_known_and_unknown_addresses_are_answered_alike() -> None:
    user = make_person()
    known = [guess(user.email, peer="203.0.113.7") for _ in range(7)]
    unknown = [guess("nobody@example.org", peer="203.0.113.8") for _ in range(7)]
    tidy = [page.replace("nobody@example.org", user.email) for page in unknown]
    without_token = [[line for line in page.splitlines() if "csrf" not in line] for page in known]
    assert without_token == [[line for line in page.splitlines() if "csrf" not in line] for page in tidy]
    assert LOCKED in known[-1]


def test_a_lock_is_mailed_once_by_a_worker_and_to_people_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def send(task: str, args: tuple[str], **options: object) -> None:
        assert (task, options["retry"]) == ("accounts.tasks.tell_sign_in_locked", False)
        sent.extend(args)

    monkeypatch.setattr("celery.current_app.send_task", send)
    monkeypatch.setattr("chain.support.wakeup.count_messages", lambda *_: 0)  # those of tests before
    user = make_person()
    guess(user.email, times=9)
    guess("nobody@example.org", times=9, peer="203.0.113.8")
    assert sent == [user.email, "nobody@example.org"]
    for email in sent:
        tell_sign_in_locked(email)
    (row,) = Notification.objects.filter(template="security")
    assert (row.user, row.context["what"]) == (user, SecurityEvent.SIGN_IN_LOCKED.sentence)


def test_a_reset_goes_to_the_primary_address_and_lifts_the_lock() -> None:
    from allauth.account.models import EmailAddress

    user = make_person()
    EmailAddress.objects.create(user=user, email="second@example.org", verified=True)
    assert LOCKED in guess(user.email, times=6)
    client = Client(REMOTE_ADDR="203.0.113.7")
    client.post("/accounts/password/reset/", {"email": "second@example.org"})
    assert [message.to for message in outbox()] == [[user.email]]
    page = client.get(mailed_link(), follow=True).redirect_chain[-1][0]
    new = "another battery staple"
    client.post(page, {"password1": new, "password2": new, "without_phrase": "on"})
    assert sign_in_again(client, user, new)
