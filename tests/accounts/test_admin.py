"""Django admin: through allauth, for administrators, and without any secret."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from accounts.models import Institution, Invitation, OpenVault, SealedKey, Vault
from accounts.services import tokens
from accounts.services.signup import create_administrator
from chain.models import Act
from tests.accounts.conftest import mailed_link, sign_in
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_doctor, make_institution, make_patient

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
    assert mail.outbox[-1].to == ["max@example.org"]
    assert mailed_link().startswith("/invitations/")
    assert invitation.digest not in str(mail.outbox[-1].body)

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
    assert mail.outbox == []


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
