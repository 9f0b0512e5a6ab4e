"""Sending mails through real SMTP servers: that answer, refuse, defer, say nothing, or are not there."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.mail_delivery import deliver_due
from accounts.models import Institution, Notification
from accounts.models.notifications import TRIED_FOR
from accounts.notifications import is_delayed, notify, queue_sealed, text_of, undelivered
from accounts.services import invitations
from accounts.tasks import sweep
from chain.localchain.node import free_port
from tests.accounts.test_signup import FORM
from tests.mail_server import MailServer, silent_server
from tests.page_client import PageClient
from tests.people import make_person

pytestmark = pytest.mark.django_db

WAITING = "waiting"


@pytest.fixture
def smtp(settings: Any) -> Any:
    """Settings of a mail server on this machine, whose port a test says."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", 0.5
    return settings


@pytest.fixture
def server(smtp: Any) -> Iterator[MailServer]:
    """A mail server that answers."""
    handler, smtp.EMAIL_PORT = MailServer(), free_port()
    with handler.running(smtp.EMAIL_PORT):
        yield handler


@pytest.fixture
def silent(smtp: Any) -> Iterator[socket.socket]:
    """A server that accepts connections and says nothing."""
    with silent_server() as listener:
        smtp.EMAIL_PORT = listener.getsockname()[1]
        yield listener


def queue(address: str, **more: Any) -> Notification:
    """A mail to this address."""
    return queue_sealed(email=address, kind="test", subject="Code", body="ABC123", **more)


def state(row: Notification) -> str:
    """Return where the mail stands."""
    row.refresh_from_db()
    return "sent" if row.sent_at else row.ended_as or WAITING


def make_due(*rows: Notification) -> None:
    """Let the pause after a failure be over."""
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=None)


def test_a_text_is_sealed_in_the_row_and_deleted_once_it_is_sent(server: MailServer) -> None:
    row = queue("ada@example.org")
    stored = Notification.objects.filter(pk=row.pk).values().get()
    assert b"ABC123" not in bytes(cast(bytes, stored["sealed"]))
    assert "ABC123" not in repr(stored)
    assert text_of(row) == ("Code", "ABC123")
    assert deliver_due() == 1
    assert [mail[:2] for mail in server.taken] == [("ada@example.org", "Code")]
    row.refresh_from_db()
    assert (state(row), row.sealed) == ("sent", None)
    assert deliver_due() == 0


def test_another_secret_key_ends_a_sealed_mail_and_no_other(server: MailServer, settings: Any) -> None:
    sealed, plain = queue("ada@example.org"), notify(make_person(), "waiting", {"path": "/"})
    assert plain is not None
    settings.SECRET_KEY = "another one, of which nobody knows"
    assert deliver_due() == 1
    assert [state(sealed), state(plain)] == ["refused", "sent"]
    assert server.addresses == [plain.address]


def test_a_mail_refused_for_good_is_given_up_and_the_others_go_on(server: MailServer) -> None:
    server.answers = {"gone@example.org": "550 no such mailbox", "full@example.org": "451 try again later"}
    gone, full, well = queue("gone@example.org"), queue("full@example.org"), queue("ada@example.org")
    assert deliver_due() == 1
    assert [state(row) for row in (gone, full, well)] == ["refused", WAITING, "sent"]
    assert gone.sealed is None
    assert gone.problem == "550 no such mailbox"
    assert full.problem == "451 try again later"
    assert server.connections == 1
    server.answers = {}
    assert deliver_due() == 0, "a mail that was put off has a pause"
    make_due(full, gone)
    assert deliver_due() == 1
    assert server.addresses == ["ada@example.org", "full@example.org"]


def test_the_pauses_grow_to_an_hour(server: MailServer) -> None:
    server.answers = {"full@example.org": "451 try again later"}
    row, pauses = queue("full@example.org"), []
    for _ in range(9):
        make_due(row)
        before = timezone.now()
        deliver_due()
        row.refresh_from_db()
        assert row.due_at is not None
        pauses.append(round((row.due_at - before).total_seconds() / 60))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_silent_server_is_asked_once_a_run_and_every_mail_gets_its_turn(
    silent: socket.socket, smtp: Any
) -> None:
    rows = [queue(f"{name}@example.org") for name in ("ada", "ben", "eve")]
    for turn in range(1, 4):
        assert deliver_due() == 0
        for row in rows:
            row.refresh_from_db()
        assert sum(row.attempts for row in rows) == turn
    assert [row.attempts for row in rows] == [1, 1, 1], "no mail keeps the others from being tried"
    silent.settimeout(0.1)
    for _ in range(3):
        silent.accept()[0].close()
    with pytest.raises(TimeoutError):
        silent.accept()
    server, smtp.EMAIL_PORT = MailServer(), free_port()
    with server.running(smtp.EMAIL_PORT):
        assert deliver_due() == 3, "none waits any longer once the server is back"
    assert sorted(server.addresses) == sorted(row.to for row in rows)


def test_what_expired_meanwhile_is_not_sent(server: MailServer) -> None:
    code, mail = queue("ada@example.org", lasts=timedelta(minutes=15)), queue("ben@example.org")
    assert mail.expires_at is not None
    assert abs(mail.expires_at - mail.created_at - TRIED_FOR) < timedelta(seconds=5)
    Notification.objects.filter(pk=code.pk).update(expires_at=timezone.now())
    assert deliver_due() == 1
    assert (state(code), code.sealed) == ("expired", None)
    assert server.addresses == ["ben@example.org"]


def test_the_code_that_expires_first_goes_first(server: MailServer) -> None:
    queue("long@example.org")
    queue("short@example.org", lasts=timedelta(minutes=15))
    deliver_due()
    assert server.addresses == ["short@example.org", "long@example.org"]


@pytest.mark.usefixtures("server")
def test_a_newer_code_replaces_the_one_that_waits() -> None:
    older, newer = queue("ada@example.org"), queue("ada@example.org")
    other = queue("ben@example.org")
    assert deliver_due() == 2
    assert [state(row) for row in (older, newer, other)] == ["replaced", "sent", "sent"]
    assert older.sealed is None


def test_a_clock_that_stepped_back_holds_no_mail(server: MailServer) -> None:
    row, tomorrow = queue("ada@example.org"), timezone.now() + timedelta(days=1)
    Notification.objects.filter(pk=row.pk).update(claimed_at=tomorrow, due_at=tomorrow)
    assert deliver_due() == 1
    assert server.addresses == ["ada@example.org"]


def test_settled_mails_are_forgotten_after_a_week() -> None:
    sent, ended, waiting = queue("ada@example.org"), queue("ben@example.org"), queue("eve@example.org")
    long_ago = timezone.now() - timedelta(days=8)
    Notification.objects.filter(pk=sent.pk).update(sent_at=long_ago)
    Notification.objects.filter(pk=ended.pk).update(ended_at=long_ago)
    sweep()
    assert list(Notification.objects.all()) == [waiting]


@pytest.mark.usefixtures("silent", "chain")
def test_sign_up_and_reset_wait_for_no_mail_server() -> None:
    """The server would hold each of these for its whole deadline. None of them asks it."""
    client = PageClient()
    answer = client.post("/accounts/signup/", FORM)
    assert answer.status_code == 302
    known = make_person("Ben Carter")
    for address in (known.email, "nobody@example.org"):
        reset = Client().post("/accounts/password/reset/", {"email": address})
        assert (reset.status_code, reset["Location"]) == (302, "/accounts/password/reset/done/")
    waiting = Notification.objects.waiting()
    assert sorted(row.template.rpartition("/")[2] for row in waiting) == [
        "email_confirmation_signup",
        "password_reset_key",
        "unknown_account",
    ]
    assert not any(row.attempts for row in waiting)
    page = client.get(answer["Location"]).content.decode()
    assert "may take some minutes" in page
    assert 'A code is on its way to <a href="mailto:ada@example.org">' in page, "not that it was sent"
    assert page.count("on its way") == 1
    deliver_due()
    for page in (answer["Location"], "/accounts/password/reset/done/"):
        assert "Our mail server does not " in client.get(page).content.decode()
    page = client.get(answer["Location"]).content.decode()
    assert "could not be sent yet" in page
    assert "tried again by itself" in page
    assert "on its way" not in page
    assert '<a href="/accounts/login/">sign in</a> with your password' in page


@pytest.mark.usefixtures("silent", "chain")
def test_another_code_is_not_on_its_way_either_while_the_mail_server_is_silent() -> None:
    client = PageClient()
    client.post("/accounts/signup/", FORM)
    deliver_due()
    cache.clear()  # one code in ten seconds
    again = PageClient()
    answer = again.post("/accounts/login/", {"login": FORM["email"], "password": FORM["password1"]})
    page = again.get(answer["Location"]).content.decode()
    assert "could not be sent yet" in page
    assert "on its way" not in page


@pytest.mark.usefixtures("server")
def test_a_mail_is_delayed_until_it_or_a_newer_one_is_sent(server: MailServer) -> None:
    server.answers = {"ada@example.org": "450 later"}
    queue("ada@example.org")
    assert not is_delayed("ada@example.org"), "not tried yet"
    deliver_due()
    assert is_delayed("ada@example.org")
    assert not is_delayed("ben@example.org")
    queue("ada@example.org")
    assert is_delayed("ada@example.org"), "replaced by one that was not tried yet"
    server.answers = {}
    deliver_due()
    assert not is_delayed("ada@example.org")


@pytest.mark.usefixtures("chain")
def test_who_signs_up_with_a_wrong_address_is_told(server: MailServer) -> None:
    server.answers = {"ada@example.org": "550 no such mailbox"}
    client = PageClient()
    answer = client.post("/accounts/signup/", FORM)
    deliver_due()
    assert "was refused by the mail server there" in client.get(answer["Location"]).content.decode()


@pytest.mark.usefixtures("chain")
def test_an_invitation_whose_mail_came_back_says_so(server: MailServer) -> None:
    server.answers = {"gone@example.org": "550 no such mailbox"}
    house = Institution.objects.create(name="Ruby Hospital", slug="ruby")
    invited: dict[str, Any] = {"email": "gone@example.org", "role": "doctor", "invited_by": None}
    secret = invitations.invite_member(institution=house, **invited)
    assert secret not in repr(list(Notification.objects.values()))
    deliver_due()
    about = invitations.mail_about(house, "doctor")
    assert undelivered(about, ["gone@example.org"]) == {(about, "gone@example.org")}
    server.answers = {}
    invitations.invite_member(institution=house, **invited)
    assert undelivered(about, ["gone@example.org"]) == set()
