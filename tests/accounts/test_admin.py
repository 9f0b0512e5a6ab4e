"""Django admin: through allauth, for administrators, and without any secret."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import Institution, Invitation, Notification, OpenVault, SealedKey, User, Vault
from accounts.notifications import queue_sealed
from accounts.services import tokens
from accounts.services.signup import create_administrator
from accounts.sign_in.events import SecurityEvent
from chain.models import Act
from tests.accounts.conftest import add_second_factor, mailed_link, sign_in
from tests.chain_node import ChainNode
from tests.mails import newest_mail, outbox
from tests.people import PASSWORD, fresh_email, make_doctor, make_institution, make_patient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]


@pytest.fixture
def admin() -> Client:
    """A browser in which an administrator has signed in."""
    return sign_in(create_administrator(email="root@example.org", name="Root", password=PASSWORD))


def lines(**first: str) -> dict[str, str]:
    """The admin's form fields of a page with one new invitation line."""
    return {
        "invitations-TOTAL_FORMS": "1" if first else "0",
        "invitations-INITIAL_FORMS": "0",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        **{f"invitations-0-{name}": value for name, value in first.items()},
    }


def test_sign_in_goes_through_allauth_and_strangers_are_refused() -> None:
    assert Client().get("/admin/")["Location"].startswith("/admin/login/")
    assert Client().get("/admin/login/?next=/admin/")["Location"].startswith("/accounts/login/")
    _, manager = make_institution()
    for user in (make_patient().user, manager.user):
        client = sign_in(user)
        assert client.get("/admin/", follow=True).status_code == 403
        assert client.get("/admin/accounts/institution/", follow=True).status_code == 403


def test_an_administrator_creates_invites_and_admits(admin: Client, chain: ChainNode) -> None:
    answer = admin.post(
        "/admin/accounts/institution/add/",
        {"name": "Ruby Hospital", **lines(email="Max@Example.org", role="manager")},
    )
    assert answer.status_code == 302, answer.content.decode()
    institution = Institution.objects.get()
    assert institution.slug == "ruby-hospital"
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role) == ("max@example.org", "manager")
    assert newest_mail().to == ["max@example.org"]
    assert mailed_link().startswith("/invitations/")
    assert invitation.digest not in str(newest_mail().body)

    action = {"action": "admit", "_selected_action": [str(institution.pk)]}
    early = admin.post("/admin/accounts/institution/", action, follow=True)
    assert "has no keys yet" in early.content.decode()

    ruby, _ = make_institution()
    ready = {"action": "admit", "_selected_action": [str(ruby.pk)]}
    admin.post("/admin/accounts/institution/", ready)
    admin.post("/admin/accounts/institution/", ready)
    assert Act.objects.of_kind("AdmitInstitution").count() == 1
    chain.settle()
    assert (
        '<td class="field-on_the_chain">admitted</td>'
        in admin.get("/admin/accounts/institution/").content.decode()
    )


def test_an_invitation_line_of_nonsense_invites_nobody(admin: Client) -> None:
    answer = admin.post(
        "/admin/accounts/institution/add/", {"name": "Ruby Hospital", **lines(email="x", role="manager")}
    )
    assert answer.status_code == 200
    assert not Institution.objects.exists()
    assert outbox() == []


def test_every_page_opens_and_shows_no_secret(admin: Client) -> None:
    institution, manager = make_institution()
    doctor, patient = make_doctor(institution), make_patient()
    sign_in(patient.user)
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=3)
    vault = Vault.objects.get(user=patient.user)
    hidden = [
        secret,
        patient.user.password,
        vault.sealed["ciphertext"],
        vault.sealed["salt"],
        bytes(OpenVault.objects.get(user=patient.user).sealed).hex(),
        bytes(SealedKey.objects.get(recipient=manager.address).sealed).hex(),
        *Invitation.objects.values_list("digest", flat=True),
    ]
    index = admin.get("/admin/accounts/").content.decode()
    models = set(re.findall(r'href="(/admin/accounts/\w+/)"', index))
    assert len(models) >= 7
    assert not [path for path in models if "vault" in path or "sealed" in path]
    pages = 0
    for path in models:
        listing = admin.get(path)
        assert listing.status_code == 200, path
        texts = [listing.content.decode()]
        for link in set(re.findall(rf'href="({path}[\w-]+/change/)', texts[0])):
            texts.append(admin.get(link).content.decode())
            pages += 1
        for text in texts:
            for word in hidden:
                assert word not in text, path
    assert pages > 10
    del doctor


def test_people_cannot_be_added_and_tokens_can_be_ended(admin: Client) -> None:
    patient = make_patient()
    token, secret = tokens.make_token(actor=patient, name="script", scope="act", days=3)
    assert admin.get("/admin/accounts/user/add/").status_code == 403
    assert admin.get("/admin/accounts/account/add/").status_code == 403
    admin.post("/admin/accounts/apitoken/", {"action": "revoke", "_selected_action": [str(token.pk)]})
    assert tokens.actor_of(secret) is None


def test_a_second_factor_is_listed_without_its_secret(admin: Client) -> None:
    patient = make_patient()
    factor = Authenticator.objects.create(
        user=patient.user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"}
    )
    listed = admin.get("/admin/mfa/authenticator/").content.decode()
    page = admin.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert patient.user.name in listed
    assert "JBSWY3DPEHPK3PXP" not in listed + page
    admin.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()


def test_an_administrators_home_is_the_admin(admin: Client) -> None:
    assert admin.get("/")["Location"] == "/admin/"


def test_an_administrator_adds_and_verifies_no_address_of_another(admin: Client) -> None:
    ben = make_patient("Ben Hill").user
    address = EmailAddress.objects.create(user=ben, email="second@example.org", verified=False)
    evil = {"user": str(ben.pk), "email": "evil@example.org", "verified": "on", "primary": "on"}
    pages = "/admin/account/emailaddress/"
    assert "second@example.org" in admin.get(pages).content.decode()
    assert admin.post(f"{pages}add/", evil).status_code == 403
    assert admin.post(f"{pages}{address.pk}/change/", evil).status_code == 403
    assert admin.post(f"{pages}{address.pk}/delete/", {"post": "yes"}).status_code == 403
    for action in ("make_verified", "delete_selected"):
        admin.post(pages, {"action": action, "_selected_action": [str(address.pk)]})
    admin.post(f"/admin/accounts/user/{ben.pk}/change/", {"email": "evil@example.org", "name": "Ben"})
    address.refresh_from_db()
    ben.refresh_from_db()
    assert (address.email, address.verified) == ("second@example.org", False)
    assert EmailAddress.objects.filter(user=ben).count() == 2
    assert ben.email != "evil@example.org"


def staff(*permissions: str) -> Client:
    """A browser of an administrator with these permissions alone."""
    user = User.objects.create_user(fresh_email("Staff"), PASSWORD, name="Staff", is_staff=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return sign_in(user)


def test_ending_a_token_needs_the_permission_to_change_it_and_is_told() -> None:
    patient = make_patient()
    token, secret = tokens.make_token(actor=patient, name="script", scope="act", days=3)
    action = {"action": "revoke", "_selected_action": [str(token.pk)]}
    looking = staff("view_apitoken")
    page = looking.post("/admin/accounts/apitoken/", action, follow=True).content.decode()
    assert "End the selected" not in page
    assert tokens.actor_of(secret) is not None
    may = staff("view_apitoken", "change_apitoken")
    assert may.post(f"/admin/accounts/apitoken/{token.pk}/change/", {"name": "mine"}).status_code == 403
    may.post("/admin/accounts/apitoken/", action)
    may.post("/admin/accounts/apitoken/", action)
    assert tokens.actor_of(secret) is None
    assert told(patient.user) == [SecurityEvent.TOKEN_ENDED.sentence]


def told(user: User) -> list[str]:
    """The security mails that are queued for a user."""
    return [row.context["what"] for row in Notification.objects.filter(user=user, template="security")]


@pytest.mark.parametrize("by_action", [True, False])
def test_a_factor_that_an_administrator_deletes_is_told_and_logged(
    admin: Client, by_action: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="accounts.security")
    patient = make_patient()
    add_second_factor(patient.user)
    factor = Authenticator.objects.get(user=patient.user)
    if by_action:
        action = {"action": "delete_selected", "_selected_action": [str(factor.pk)], "post": "yes"}
        admin.post("/admin/mfa/authenticator/", action)
    else:
        admin.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()
    assert told(patient.user) == [SecurityEvent.FACTOR_REMOVED_BY_ADMINISTRATOR.sentence]
    root = User.objects.get(email="root@example.org")
    line = f"factor-removed-by-administrator user={patient.user.pk} from=127.0.0.1 by={root.pk}"
    assert line in [record.getMessage() for record in caplog.records]


def test_powers_that_change_are_told(admin: Client) -> None:
    user = make_patient().user
    lines = {"accounts-TOTAL_FORMS": "0", "accounts-INITIAL_FORMS": "0"}
    form = {"name": user.name, "date_of_birth": "1980-05-17", "is_active": "on"} | lines
    admin.post(f"/admin/accounts/user/{user.pk}/change/", form)
    assert told(user) == []
    assert admin.post(f"/admin/accounts/user/{user.pk}/change/", form | {"is_staff": "on"}).status_code == 302
    assert told(user) == [SecurityEvent.POWERS_CHANGED.sentence]


def test_an_administrator_sees_why_a_mail_waits_and_no_secret(admin: Client) -> None:
    row = queue_sealed(email="gone@example.org", kind="invitation", subject="Join", body="SECRET-LINK")
    Notification.objects.filter(pk=row.pk).update(ended_as="refused", problem="550 no such mailbox")
    for path in ("/admin/accounts/notification/", f"/admin/accounts/notification/{row.pk}/change/"):
        page = admin.get(path)
        assert page.status_code == 200
        text = page.content.decode()
        assert "550 no such mailbox" in text
        assert "gone@example.org" in text
        assert "SECRET-LINK" not in text
    assert (
        admin.post(f"/admin/accounts/notification/{row.pk}/change/", {"to": "x@x.example"}).status_code == 403
    )
