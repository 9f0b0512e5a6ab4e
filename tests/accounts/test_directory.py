"""The directory: addresses, published keys, names; and the projection that can be dropped."""

from typing import Any

import pytest

from accounts import directory, projection
from accounts.crypto.keys import SharingKey
from accounts.errors import BadAddress, NoPublishedKey
from accounts.models import Admission, Affiliation, Errand, PublishedKey, SealedKey
from accounts.services import admissions, affiliations, invitations
from chain.acts.messages import prepare_act
from chain.contract.slots import slot_affiliation
from chain.errors import KeyMismatch
from chain.models import Event
from chain.outbox.submit import next_number, submit_act
from chain.registry import announce_events
from tests.chain_node import ChainNode, fresh_person
from tests.people import make_doctor, make_institution, make_patient

pytestmark = pytest.mark.django_db


def test_an_account_is_found_by_its_exact_address_alone(chain: ChainNode) -> None:
    patient = make_patient()
    address = patient.address
    for text in (
        address,
        f"  {address} ",
        f"ethereum:{address}",
        f"ethereum:{address}@33117",
        address.lower(),
    ):
        assert directory.find_account(text) == patient.account
    assert directory.find_account(fresh_person().address) is None
    swapped = "".join(c.lower() if c.isupper() else c.upper() for c in address[2:])
    for text in (address[:-1], "0x" + swapped, patient.user.email, "", "0x" + "g" * 40):
        with pytest.raises(BadAddress):
            directory.find_account(text)
    del chain


def test_a_key_is_known_once_confirmed_and_is_the_accounts_own(chain: ChainNode) -> None:
    patient = make_patient()
    with pytest.raises(NoPublishedKey):
        directory.public_key(patient.address)
    chain.settle()
    key = directory.public_key(patient.address)
    assert key == patient.own_public_key
    seed = patient.sharing_seed(key.digest)
    assert seed is not None
    assert SharingKey(seed).public == key.key
    person = directory.person_of(patient.address)
    assert person.name == str(patient.user)
    assert person.key_fingerprint.replace(" ", "").lower() == key.digest[2:18]


def test_a_forged_key_in_the_database_is_noticed(chain: ChainNode) -> None:
    victim, thief = make_patient(), make_patient("Eve Thorn")
    chain.settle()
    forged = thief.own_public_key
    PublishedKey.objects.filter(account=victim.address).update(key=forged.key, digest=forged.digest)
    with pytest.raises(KeyMismatch):
        directory.public_key(victim.address)


def test_an_account_of_another_portal_is_taken_and_has_no_name(chain: ChainNode) -> None:
    stranger = fresh_person()
    stranger.submit("PublishKey", version=1, key=SharingKey(bytes(32)).public)
    chain.settle()
    assert directory.has_published_key(stranger.address)
    person = directory.person_of(stranger.address)
    assert not person.known
    assert person.name.startswith(stranger.address[:8])


def test_a_rebuild_does_not_end_the_membership_of_a_doctor_who_came_back(chain: ChainNode) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    doctor = make_doctor(institution)
    chain.settle()
    pair: dict[str, Any] = {"institution": institution, "doctor": doctor.address}
    affiliations.affiliate_doctor(actor=manager, **pair)
    chain.settle()
    affiliations.disaffiliate_doctor(actor=manager, **pair)
    chain.settle()
    secret = invitations.invite_member(
        institution=institution, email=doctor.user.email, role="doctor", invited_by=None
    )
    invitations.accept_invitation(secret=secret, user=doctor.user, bundle=doctor.bundle)
    affiliations.affiliate_doctor(actor=manager, **pair)
    chain.settle()
    assert SealedKey.objects.filter(recipient=doctor.address).count() == 2
    projection.forget_directory()
    for event in Event.objects.in_order():
        announce_events([event])
    assert directory.is_affiliated(institution.address, doctor.address)
    assert affiliations.doctors_of(institution) == [doctor.address]
    assert SealedKey.objects.filter(recipient=doctor.address).count() == 2
    assert not Errand.objects.filter(kind="rotate-key").exists()


def test_a_leaving_told_by_the_chain_alone_ends_the_membership(chain: ChainNode) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    doctor = make_doctor(institution)
    chain.settle()
    affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    chain.settle()
    serial = next_number(slot_affiliation(institution.address, doctor.address))
    act = prepare_act(
        "LeaveInstitution", author=doctor.address, institution=institution.address, serial=serial
    )
    submit_act(doctor.sign(act))
    chain.settle()
    assert affiliations.doctors_of(institution) == []
    assert not SealedKey.objects.filter(recipient=doctor.address).exists()
    assert Errand.objects.filter(kind="rotate-key", account=manager.address, state="open").exists()


def test_the_projection_comes_back_the_same_and_old_events_change_nothing(chain: ChainNode) -> None:
    institution, manager = make_institution()
    admissions.admit_institution(institution=institution, admitted=True)
    doctor = make_doctor(institution)
    chain.settle()
    affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    chain.settle()

    def snapshot() -> list[list[tuple[object, ...]]]:
        drop = {"id"}
        return [
            sorted(
                tuple(str(value) for name, value in row.items() if name not in drop)
                for row in model.objects.values()
            )
            for model in (PublishedKey, Admission, Affiliation)
        ]

    before = snapshot()
    assert all(before)
    for event in Event.objects.in_order():
        announce_events([event])
    assert snapshot() == before
    projection.forget_directory()
    assert snapshot() == [[], [], []]
    for event in Event.objects.in_order():
        announce_events([event])
    assert snapshot() == before
