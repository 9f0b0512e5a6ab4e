"""Mails hold words of the portal, links and codes, and nothing that a person has chosen."""

from pathlib import Path

import allauth
import pytest
from django.conf import settings
from django.core.cache import cache
from django.template import Context, Engine
from django.test import Client

from accounts.models import Institution, Membership, Notification, User
from accounts.notifications import notify
from accounts.services import invitations
from tests.accounts.test_signup import FORM
from tests.mails import newest_mail, outbox
from tests.people import make_person

ADVERT = "BUY NOW evil.example"
# What a mail may say: where to go, a code, how long it works; an invitation also says whose it is. A security
# mail says a sentence out of a fixed list, the time, and the internet address that the request came from.
PORTALS_WORDS = (
    "activate_url",
    "at",
    "code",
    "days",
    "institution",
    "link",
    "password_reset_url",
    "path",
    "peer",
    "portal",
    "role",
    "signup_url",
    "what",
)
# Mails to addresses that somebody typed in, and whose owners have not answered yet.
TO_ANYBODY = (
    "mail/access_request_link",
    "mail/invitation",
    "account/email/account_already_exists",
    "account/email/email_confirmation",
    "account/email/email_confirmation_signup",
    "account/email/password_reset_key",
    "account/email/unknown_account",
)
FOLDERS = [Path(settings.BASE_DIR) / "templates", Path(allauth.__file__).parent / "templates"]


def every_mail() -> set[str]:
    """The templates of all mails, the portal's and those of allauth."""
    return {
        str(path.relative_to(folder))
        for folder in FOLDERS
        for app in ("mail", "account/email", "mfa/email")
        for path in (folder / app).glob("*.txt")
    }


def strict_mails() -> list[str]:
    """The portal's own mails, and all that go to an address that nobody has verified."""
    endings = (".txt", "_message.txt", "_subject.txt")
    to_anybody = {name + ending for name in TO_ANYBODY for ending in endings}
    return sorted(name for name in every_mail() if name in to_anybody or name.startswith("mail/"))


def test_every_mail_to_anybody_is_there() -> None:
    for name in TO_ANYBODY:
        assert [mail for mail in strict_mails() if mail.startswith(name)], name


@pytest.mark.parametrize("empty", ["", "code", "path"])
@pytest.mark.parametrize("template", strict_mails())
def test_a_mail_says_nothing_that_a_person_has_chosen(template: str, empty: str) -> None:
    """Whatever else a template names (a name, an e-mail address, a browser) would be the advertisement."""
    engine = Engine(
        dirs=FOLDERS,  # type: ignore[arg-type]
        string_if_invalid=ADVERT,
        libraries={"i18n": "django.templatetags.i18n", "account": "allauth.account.templatetags.account"},
    )
    words = {name: "" if name == empty else f"<{name}>" for name in PORTALS_WORDS}
    assert ADVERT not in engine.get_template(template).render(Context(words))


@pytest.mark.django_db
@pytest.mark.usefixtures("chain")
def test_signing_somebody_up_mails_none_of_the_words_typed() -> None:
    address = "victim+www.evil.example/win@example.org"
    for _ in range(2):
        cache.clear()
        Client().post(
            "/accounts/signup/", {**FORM, "name": f"{ADVERT} http://evil.example", "email": address}
        )
    assert len(outbox()) == 2
    make_person(ADVERT)
    for unknown in (address, "nobody+www.evil.example@example.org"):
        Client().post("/accounts/password/reset/", {"email": unknown})
        cache.clear()
    for message in outbox():
        assert "evil" not in f"{message.subject} {message.body}".lower()
        assert "BUY" not in f"{message.subject} {message.body}"


@pytest.mark.django_db
@pytest.mark.usefixtures("chain")
def test_an_invitation_names_the_institution_alone() -> None:
    institution = Institution.objects.create(name="Ruby Hospital", slug="ruby")
    inviter = make_person(ADVERT)
    invitations.invite_member(
        institution=institution, email="x@example.org", role=Membership.Role.DOCTOR, invited_by=inviter
    )
    (message,) = outbox()
    assert "Ruby Hospital" in message.subject
    assert ADVERT not in f"{message.subject} {message.body}"


@pytest.mark.django_db
@pytest.mark.usefixtures("chain")
def test_what_waits_is_mailed_to_a_verified_address_alone_and_names_nobody() -> None:
    Client().post("/accounts/signup/", FORM)
    stranger = User.objects.get(email="ada@example.org")
    assert notify(stranger.accounts.get().address, "access_requested") is None
    assert not Notification.objects.filter(template="access_requested").exists()
    row = notify(make_person(ADVERT), "access_requested")
    assert row is not None
    assert ADVERT not in newest_mail().body
