"""The directory: addresses, published keys, names; and the projection that can be dropped."""

import pytest

from accounts import handlers
from accounts.crypto.keys import SharingKey
from accounts.errors import BadAddress, NoPublishedKey
from accounts.models import Admission, Affiliation, PublishedKey
from accounts.services import admissions, affiliations, directory
from chain.errors import KeyMismatch
from chain.handlers import announce_event
from chain.models import Event
from tests.chain_node import ChainNode, fresh_person
from tests.people import make_doctor, make_institution, make_patient

pytestmark = pytest.mark.django_db


def test_an_account_is_found_by_its_exact_address_alone(chain: ChainNode) -> None:
    patient = make_patient()
    address = patient.address
    for text in (address, f"  {address} ", f"ethereum:{address}", f"ethereum:{address}@33117"):
        assert directory.find_account(text) == patient.account
    assert directory.find_account(fresh_person().address) is None
    swapped = "".join(c.lower() if c.isupper() else c.upper() for c in address[2:])
    for text in (address[:-1], "0x" + swapped, address.lower(), patient.user.email, "", "0x" + "g" * 40):
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
    stranger.submit("PublishKey", version=1, key=b"\x01" + bytes(1216))
    chain.settle()
    assert directory.has_published_key(stranger.address)
    person = directory.person_of(stranger.address)
    assert not person.known
    assert person.name.startswith(stranger.address[:8])


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
        announce_event(event)
    assert snapshot() == before
    handlers.forget_directory()
    assert snapshot() == [[], [], []]
    for event in Event.objects.in_order():
        announce_event(event)
    assert snapshot() == before
