"""Invitations, the institution's keys and affiliations, by services and pages, on a real chain."""

import re
import secrets
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from accounts import directory
from accounts.actor import Actor
from accounts.crypto.keys import address_of, signing_key
from accounts.errors import InvitationRefused, NotAllowed
from accounts.models import Account, Errand, Institution, Invitation, Membership, SealedKey, User
from accounts.services import (
    admissions,
    affiliations,
    errands,
    institution_keys,
    invitations,
    signup,
    vaults,
)
from chain.errors import MissingKey
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.models import Act
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from chain.registry import announce_act
from tests.accounts.conftest import mailed_code, mailed_link, sign_in
from tests.chain_node import ChainNode, state_of
from tests.mails import outbox
from tests.page_client import PageClient
from tests.people import BORN, PASSWORD, join, make_doctor, make_institution, make_patient, make_person

pytestmark = pytest.mark.django_db


def test_the_whole_way_from_invitation_to_affiliation(chain: ChainNode) -> None:
    institution, manager = make_institution()
    assert institution.address
    entropy = institution_keys.open_entropy(manager, institution)
    assert address_of(signing_key(entropy, 0)) == institution.address
    admissions.admit_institution(institution=institution, admitted=True)
    assert admissions.admission_state(institution) == "admission waits for the chain"
    chain.settle()
    assert admissions.admission_state(institution) == "admitted"

    doctor = make_doctor(institution)
    assert [card.title for card in errands.decisions_for(manager.address)] == [
        "A doctor waits to be affiliated"
    ]
    assert directory.affiliations_of(doctor.address) == []
    act = affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    assert affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address) == act
    assert errands.decisions_for(manager.address) == []
    assert not directory.is_affiliated(institution.address, doctor.address)
    chain.settle()
    assert directory.is_affiliated(institution.address, doctor.address)
    assert directory.affiliations_of(doctor.address) == [institution]

    # The seeds could not be sealed before the doctor's key was confirmed.
    Errand.objects.update(tried_at=None)
    assert errands.run_errands(manager) == 1
    fresh = signup.open_actor(doctor.user, PASSWORD, Account.Kind.PRACTITIONER)
    public = directory.public_key(institution.address)
    assert fresh.sharing_seed(public.digest) is not None
    assert fresh.recipients == [doctor.address, institution.address]
    assert manager.sharing_seed(public.digest) is None
    assert directory.person_of(doctor.address).institutions == [institution.name]


def affiliated_doctor(chain: ChainNode, institution: Institution, manager: Actor, name: str) -> Actor:
    """A doctor who is affiliated and holds the seeds."""
    doctor = make_doctor(institution, name)
    chain.settle()
    affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    chain.settle()
    return doctor


def test_a_doctor_who_is_let_go_loses_the_seeds_and_the_key_moves_on_for_the_others(chain: ChainNode) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    leaves = affiliated_doctor(chain, institution, manager, "Lee North")
    stays = affiliated_doctor(chain, institution, manager, "Sam South")
    first = directory.public_key(institution.address)
    affiliations.disaffiliate_doctor(actor=manager, institution=institution, doctor=leaves.address)
    # Narrowing holds at once, before the chain knows.
    assert not directory.is_affiliated(institution.address, leaves.address)
    assert not SealedKey.objects.filter(recipient=leaves.address).exists()
    chain.settle()
    second = directory.public_key(institution.address)
    assert (first.version, second.version) == (1, 2)
    assert stays.sharing_seed(first.digest) is not None
    assert stays.sharing_seed(second.digest) is not None
    assert leaves.sharing_seed(second.digest) is None
    assert not Errand.objects.filter(kind="rotate-key").exists()


def test_a_doctor_who_leaves_makes_the_manager_move_the_key_on_at_the_next_visit(chain: ChainNode) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    doctor = affiliated_doctor(chain, institution, manager, "Lee North")
    act = affiliations.leave_institution(actor=doctor, institution=institution)
    assert affiliations.leave_institution(actor=doctor, institution=institution) == act
    assert directory.affiliations_of(doctor.address) == []
    chain.settle()
    assert errands.run_errands(manager) == 1
    chain.settle()
    assert directory.public_key(institution.address).version == 2
    with pytest.raises(NotAllowed):
        affiliations.leave_institution(actor=doctor, institution=institution)


@pytest.mark.parametrize("sealing", ["rotate", "seal"])
def test_who_leaves_while_seeds_are_sealed_gets_none(
    sealing: str, chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    doctor = affiliated_doctor(chain, institution, manager, "Lee North")
    real, once = institution_keys.seal_seeds, [doctor]

    def seal_seeds(*args: Any) -> list[SealedKey]:
        if once:
            affiliations.leave_institution(actor=once.pop(), institution=institution)
        return real(*args)

    monkeypatch.setattr(institution_keys, "seal_seeds", seal_seeds)
    if sealing == "rotate":
        entropy = institution_keys.open_entropy(manager, institution)
        assert affiliations.rotate_sharing_key(manager, institution, entropy)
    else:
        subject = f"{institution.pk}:{doctor.address}"
        errands.add_errand(account=manager.address, kind="seal-seeds", subject=subject)
        Errand.objects.update(tried_at=None)
        errands.run_errands(manager)
    assert not once
    assert not SealedKey.objects.filter(recipient=doctor.address, kind=SealedKey.Kind.SEED).exists()


def test_a_second_manager_is_handed_the_keys_at_the_first_ones_visit(chain: ChainNode) -> None:
    institution, first = make_institution()
    second = join(institution, "Mia East", role=Membership.Role.MANAGER)
    with pytest.raises(NotAllowed):
        institution_keys.open_entropy(second, institution)
    chain.settle()
    errands.run_errands(first)
    assert institution_keys.open_entropy(second, institution) == institution_keys.open_entropy(
        first, institution
    )


def test_only_a_manager_opens_the_institutions_keys(chain: ChainNode) -> None:
    institution, _ = make_institution()
    _, other_manager = make_institution("Opal Clinic")
    doctor = make_doctor(institution)
    for stranger in (other_manager, doctor, make_patient()):
        with pytest.raises(NotAllowed):
            institution_keys.open_entropy(stranger, institution)
        with pytest.raises(NotAllowed):
            affiliations.affiliate_doctor(actor=stranger, institution=institution, doctor=doctor.address)
    assert not Act.objects.of_kind("AffiliateDoctor").exists()
    del chain


def test_an_institution_is_not_admitted_before_it_has_keys_nor_twice(chain: ChainNode) -> None:
    empty = invitations.create_institution(name="Empty House")
    with pytest.raises(NotAllowed, match="no keys yet"):
        admissions.admit_institution(institution=empty, admitted=True)
    institution, _ = make_institution()
    first = admissions.admit_institution(institution=institution, admitted=True)
    assert admissions.admit_institution(institution=institution, admitted=True) == first
    chain.settle()
    with pytest.raises(NotAllowed, match="already"):
        admissions.admit_institution(institution=institution, admitted=True)
    admissions.admit_institution(institution=institution, admitted=False)
    assert not directory.is_admitted(institution.address)
    chain.settle()
    assert admissions.admission_state(institution) == "suspended"


def invite(institution: Institution, email: str, role: str = "doctor") -> str:
    """An invitation's secret."""
    return invitations.invite_member(institution=institution, email=email, role=role, invited_by=None)


def test_an_invitation_is_for_one_verified_email_once_and_not_for_ever(chain: ChainNode) -> None:
    institution, _ = make_institution()
    patient, other = make_person(), make_person("Bob Hill")
    secret = invite(institution, patient.email)
    assert secret not in str(Invitation.objects.values())
    bundle = vaults.open_with_password(other, PASSWORD)
    with pytest.raises(InvitationRefused):
        invitations.accept_invitation(secret=secret, user=other, bundle=bundle)
    own = vaults.open_with_password(patient, PASSWORD)
    membership = invitations.accept_invitation(secret=secret, user=patient, bundle=own)
    # A patient already: the practitioner account joins the same user, under another address.
    assert [a.kind for a in patient.accounts.order_by("index")] == ["patient", "practitioner"]
    assert membership.account.address != patient.accounts.get(kind="patient").address
    with pytest.raises(InvitationRefused):
        invitations.accept_invitation(secret=secret, user=patient, bundle=own)
    late = invite(institution, other.email)
    Invitation.objects.filter(email=other.email).update(expires_at=patient.date_joined)
    with pytest.raises(InvitationRefused):
        invitations.accept_invitation(secret=late, user=other, bundle=bundle)
    del chain


def test_a_new_doctor_registers_through_the_mailed_link_and_gets_no_patient_account(chain: ChainNode) -> None:
    institution, _ = make_institution()
    invite(institution, "dana@example.org")
    path = mailed_link()
    client = PageClient()
    page = client.get(path).content.decode()
    signup_path = re.search(r'href="(/accounts/signup/[^"]+)"', page)
    assert signup_path
    form = {"name": "Dana Reed", "date_of_birth": str(BORN), "email": "dana@example.org"}
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    client.post("/accounts/signup/", {**form, **passwords, "next": path})
    answer = client.post("/accounts/confirm-email/", {"code": mailed_code()})
    assert answer["Location"] == path
    assert client.get(path)["Location"].startswith("/phrase/")
    client.post("/phrase/", {"password": PASSWORD, "next": path})
    assert client.get(path).status_code == 200
    assert client.post(path)["Location"] == "/"
    user = User.objects.get(email="dana@example.org")
    account = user.accounts.get()
    assert account.kind == Account.Kind.PRACTITIONER
    assert Act.objects.filter(kind="PublishKey", author=account.address).exists()
    # A second click finds what the first one did.
    assert client.post(path)["Location"] == "/"
    assert PageClient().post(path).status_code == 404
    assert sign_in(make_person()).post(path).status_code == 404
    del chain


def test_accepting_asks_for_the_vault_and_refuses_somebody_else(chain: ChainNode) -> None:
    institution, _ = make_institution()
    user, stranger = make_person(), make_person("Bob Hill")
    path = f"/invitations/{invite(institution, user.email)}/"
    assert sign_in(stranger).post(path).status_code == 403
    client = sign_in(user)
    user.open_vaults.all().delete()
    closed = client.post(path)
    assert closed.status_code == 403
    assert "Your vault is closed" in closed.content.decode()
    assert not institution.memberships.filter(user=user).exists()
    assert PageClient().get("/invitations/unknown/").status_code == 404
    del chain


def test_the_managers_page_invites_and_affiliates_and_is_nobody_elses(chain: ChainNode) -> None:
    institution, manager = make_institution()
    doctor = make_doctor(institution)
    page = f"/institutions/{institution.pk}/"
    client = sign_in(manager.user)
    assert "key not published yet" in client.get(page).content.decode()
    outbox()
    mail.outbox.clear()
    assert client.post(f"{page}invite/", {"email": "new@example.org", "role": "manager"}).status_code == 302
    assert outbox()[0].to == ["new@example.org"]
    assert client.post(f"{page}invite/", {"email": "nonsense", "role": "doctor"}).status_code == 400
    admissions.admit_institution(institution=institution, admitted=True)
    chain.settle()
    assert client.post(f"{page}affiliate/", {"doctor": doctor.address}).status_code == 302
    assert "affiliation waits for the chain" in client.get(page).content.decode()
    chain.settle()
    assert re.search(r">\s*affiliated\s*<", client.get(page).content.decode())
    again = client.post(f"{page}affiliate/", {"doctor": doctor.address}, follow=True)
    assert "affiliated already" in again.content.decode()
    stranger_doctor = client.post(f"{page}affiliate/", {"doctor": make_patient().address}, follow=True)
    assert "has not accepted" in stranger_doctor.content.decode()

    for user in (doctor.user, make_person(), make_institution("Opal Clinic")[1].user):
        stranger = sign_in(user)
        assert stranger.get(page).status_code == 404
        assert (
            stranger.post(f"{page}invite/", {"email": "x@example.org", "role": "doctor"}).status_code == 404
        )
        assert stranger.post(f"{page}affiliate/", {"doctor": doctor.address, "end": "1"}).status_code == 404
    assert PageClient().get(page)["Location"].startswith("/accounts/login/")
    assert sign_in(doctor.user).post(f"{page}leave/")["Location"] == "/profile/"
    assert not directory.is_affiliated(institution.address, doctor.address)


def test_without_the_admission_key_the_portal_says_which_call_admits(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    institution, _ = make_institution()
    key = portal_keys.admission_key()

    def no_key() -> bytes:
        raise MissingKey("There is no admission key.")

    monkeypatch.setattr(admissions, "admission_key", no_key)
    with pytest.raises(NotAllowed, match="does not hold"):
        admissions.admit_institution(institution=institution, admitted=True)
    sender = address_of_key(key)
    call = admissions.admission_call(institution, admitted=True, sender=sender)
    assert call.arguments["institution"] == institution.address
    # Whoever holds the role sends exactly this, and the event admits.
    chain.fund(sender)
    send_and_wait(key, call.contract, data=bytes.fromhex(call.data[2:]), gas=200_000)
    chain.settle()
    assert admissions.admission_state(institution) == "admitted"


def test_admitting_again_after_the_key_got_its_role_succeeds(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second click signs the very act that the chain refused before."""
    institution, _ = make_institution()
    key, cold = secrets.token_bytes(32), portal_keys.admin_key()
    monkeypatch.setattr(settings, "CHAIN_ADMISSION_KEY", "0x" + key.hex())
    first = admissions.admit_institution(institution=institution, admitted=True)
    chain.settle()
    assert (state_of(first), first.error_code) == ("failed", "AccessControlUnauthorizedAccount")
    chain.fund(address_of_key(cold))
    role = keccak(text="ADMISSION_ROLE")
    call = keccak(text="grantRole(bytes32,address)")[:4] + role + encode(["address"], [address_of_key(key)])
    send_and_wait(cold, deployment().address, data=call, gas=200_000)
    second = admissions.admit_institution(institution=institution, admitted=True)
    assert second.state == "waiting"
    chain.settle()
    assert admissions.admission_state(institution) == "admitted"
    assert directory.is_admitted(institution.address)


def test_an_act_that_did_not_land_asks_for_itself_again(chain: ChainNode) -> None:
    institution, manager = make_institution()
    doctor = make_doctor(institution)
    act = affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    published = Act.objects.get(kind="PublishKey", author=institution.address)
    Act.objects.filter(pk__in=(act.pk, published.pk)).update(state="failed")
    for row in Act.objects.filter(state="failed"):
        announce_act(row)
    kinds = set(Errand.objects.filter(account=manager.address, state="open").values_list("kind", flat=True))
    assert {"affiliate-doctor", "publish-institution-key"} <= kinds
    Act.objects.filter(pk=published.pk).delete()
    errands.run_errands(manager)
    assert Act.objects.waiting().filter(kind="PublishKey", author=institution.address).exists()
    del chain
