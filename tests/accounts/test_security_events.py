"""Every security event is one line in the log and, where it could be somebody else's doing, a mail."""

import logging
import uuid
from smtplib import SMTPServerDisconnected

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from accounts.mail_delivery import deliver_due
from accounts.models import Notification, User, Vault
from accounts.sign_in.events import SecurityEvent
from tests.accounts.conftest import add_second_factor, mailed_code, mailed_link, sign_in, totp_code
from tests.mails import outbox
from tests.page_client import PageClient
from tests.people import PASSWORD, make_person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("chain")]

NEW = "another battery staple"
FROM = "203.0.113.7"


def events_of(user: User) -> list[str]:
    """Return the mails queued for a user as sentence and address, oldest first."""
    rows = Notification.objects.filter(user=user, template="security").order_by("created_at")
    return [f"{row.context['what']}|{row.to}|{row.context['peer']}" for row in rows]


def queued(event: SecurityEvent, to: str = "", peer: str = FROM) -> str:
    """Return the sentence of `events_of` for an event."""
    return f"{event.sentence}|{to}|{peer}"


@pytest.fixture
def person() -> tuple[User, Client]:
    """Somebody, and the browser in which the person has signed in from FROM. Nothing is told of that."""
    user = make_person()
    client = sign_in(user)
    client.defaults["REMOTE_ADDR"] = FROM
    return user, client


def reauthenticate(client: Client) -> None:
    """Type the password once more."""
    assert client.post("/accounts/reauthenticate/?next=/", {"password": PASSWORD}).status_code == 302


def change_password(client: Client) -> None:
    """By its page."""
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post("/accounts/password/change/", form).status_code == 302


def token_form(**fields: str) -> dict[str, str]:
    """A filled form for a new token."""
    form = {"name": "script", "scope": "act", "days": "30", "token_id": str(uuid.uuid4())}
    return form | {"password": PASSWORD} | fields


def test_a_token_made_and_ended_is_told(person: tuple[User, Client]) -> None:
    user, client = person
    assert client.post("/tokens/", token_form()).status_code == 201
    token = user.api_tokens.get()
    client.post(f"/tokens/{token.pk}/revoke/")
    client.post(f"/tokens/{token.pk}/revoke/")
    assert events_of(user) == [queued(SecurityEvent.TOKEN_MADE), queued(SecurityEvent.TOKEN_ENDED)]


def test_a_changed_and_a_reset_password_are_told(person: tuple[User, Client]) -> None:
    user, client = person
    change_password(client)
    client.post("/accounts/logout/")
    client.post("/accounts/password/reset/", {"email": user.email})
    page = client.get(mailed_link(), follow=True).redirect_chain[-1][0]
    client.post(page, {"password1": PASSWORD, "password2": PASSWORD, "without_phrase": "on"})
    assert events_of(user) == [queued(SecurityEvent.PASSWORD_CHANGED), queued(SecurityEvent.PASSWORD_RESET)]


def test_factors_and_recovery_codes_are_told(person: tuple[User, Client]) -> None:
    user, client = person
    reauthenticate(client)
    client.get("/accounts/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    assert client.post("/accounts/2fa/totp/activate/", {"code": totp_code(secret)}).status_code == 302
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")
    assert events_of(user) == [
        queued(SecurityEvent.FACTOR_ADDED),
        queued(SecurityEvent.RECOVERY_CODES_MADE),
        queued(SecurityEvent.FACTOR_REMOVED),
    ]


def test_a_recovery_code_that_is_used_is_told(person: tuple[User, Client]) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    user, client = person
    add_second_factor(user)
    codes = RecoveryCodes.activate(user).get_unused_codes()
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert client.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == 302
    assert events_of(user) == [queued(SecurityEvent.RECOVERY_CODE_USED)]


def test_the_old_address_hears_of_the_new_one(person: tuple[User, Client]) -> None:
    user, client = person
    old = user.email
    reauthenticate(client)
    client.post("/accounts/email/", {"action_add": "", "email": "new@example.org"})
    client.post("/accounts/confirm-email/", {"code": mailed_code()})
    assert EmailAddress.objects.get(email="new@example.org").verified
    client.post("/accounts/email/", {"action_primary": "", "email": "new@example.org"})
    client.post("/accounts/email/", {"action_remove": "", "email": old})
    user.refresh_from_db()
    assert user.email == "new@example.org"
    assert events_of(user) == [
        queued(SecurityEvent.EMAIL_ADDED),
        queued(SecurityEvent.PRIMARY_EMAIL_CHANGED),
        queued(SecurityEvent.PRIMARY_EMAIL_CHANGED, old),
        queued(SecurityEvent.EMAIL_REMOVED),
        queued(SecurityEvent.EMAIL_REMOVED, old),
    ]
    sent = [queued.to for queued in outbox() if "sign-in" in queued.subject]
    assert sent.count([old]) == 2


def test_signing_up_is_no_event_that_is_mailed() -> None:
    form = {"name": "Eve Stone", "date_of_birth": "1980-05-17", "email": "eve@example.org"}
    client = Client()
    client.post("/accounts/signup/", form | {"password1": PASSWORD, "password2": PASSWORD})
    client.post("/accounts/confirm-email/", {"code": mailed_code()})
    user = User.objects.get(email="eve@example.org")
    assert user.last_login is not None
    assert events_of(user) == []


def test_a_sign_in_with_a_new_browser_is_told(
    person: tuple[User, Client],
) -> None:
    user, client = person
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert events_of(user) == []
    Client(REMOTE_ADDR=FROM).post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert events_of(user) == [queued(SecurityEvent.SIGNED_IN_NEW_BROWSER)]
    change_password(client)
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": user.email, "password": NEW})
    assert len(events_of(user)) == 2


def test_a_phrase_that_is_shown_again_or_used_is_told(person: tuple[User, Client]) -> None:
    user, client = person
    Vault.objects.update(phrase_shown_at=None, phrase_confirmed_at=None)
    shown = client.post("/phrase/", {"password": PASSWORD})
    assert events_of(user) == []
    client.post("/phrase/", {"password": PASSWORD})
    user.open_vaults.all().delete()
    phrase = " ".join(word for _, word in shown.context["words"])
    assert client.post("/vault/", {"phrase": phrase, "current_password": PASSWORD}).status_code == 302
    assert events_of(user) == [queued(SecurityEvent.PHRASE_SHOWN), queued(SecurityEvent.PHRASE_USED)]


def test_a_refused_token_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="accounts.security")
    client = Client(REMOTE_ADDR=FROM)
    assert client.get("/api/v1/me", headers={"authorization": "Bearer medrec_guess"}).status_code == 401
    lines = [record.getMessage() for record in caplog.records if record.name == "accounts.security"]
    assert lines == [f"token-refused user=- from={FROM} by=-"]


def test_lines_name_who_and_from_where_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="accounts.security")
    user = make_person()
    client = PageClient(REMOTE_ADDR=FROM, headers={"x-forwarded-for": "198.51.100.9"})
    for password in ("wrong battery staple", PASSWORD):
        client.post("/accounts/login/", {"login": user.email, "password": password})
    client.post("/accounts/login/", {"login": "nobody@example.org", "password": PASSWORD})
    client.post("/tokens/", token_form(name="Zebrafish"))
    client.post("/accounts/logout/")
    stranger = Client(REMOTE_ADDR=FROM)
    stranger.post("/accounts/login/", {"login": "nobody@example.org", "password": PASSWORD})
    lines = [record.getMessage() for record in caplog.records if record.name == "accounts.security"]
    who = f"user={user.pk} from={FROM} by=-"
    assert lines == [
        f"sign-in-failed {who}",
        f"signed-in {who}",
        f"token-made {who}",
        f"signed-out {who}",
        f"sign-in-failed user=- from={FROM} by=-",
    ]


def test_a_mail_server_that_fails_stops_nothing(
    person: tuple[User, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise SMTPServerDisconnected(f"no mail server for {len(arguments)} arguments")

    user, client = person
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", refuse)
        assert client.post("/tokens/", token_form()).status_code == 201
        change_password(client)
        assert deliver_due() == 0
    assert mail.outbox == []
    Notification.objects.filter(user=user).update(due_at=None)
    assert len(outbox()) == 2
    (said,) = (str(sent.body) for sent in outbox() if SecurityEvent.TOKEN_MADE.sentence in str(sent.body))
    assert FROM in said
    assert "/accounts/password/change/" in said
