"""A folder's name is that of the highest serial, whichever portal or wallet gave it."""

import pytest

from accounts.actor import Actor
from chain.acts.messages import prepare_act
from chain.models import Act
from records.content import digest_of, store
from records.crypto.folders import seal_name
from records.models import Blob
from records.services import folders
from records.services.folder_names import fetch_folder_names
from records.services.keyring import Keyring
from tests.chain.raw_acts import send_from_elsewhere
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant


def name_elsewhere(
    chain: ChainNode, patient: Actor, folder: int, name: str, *, serial: int, stored: bool = True
) -> bytes:
    """The patient's wallet gives a folder a name, and puts it into the store. Return the sealed name."""
    key = Keyring(patient, patient.address).folder_key(folder, 0)
    assert key is not None
    sealed = seal_name(key, 0, name)
    if stored:
        store().put([sealed])
    name_by_digest(chain, patient, folder, digest_of(sealed), serial=serial)
    return sealed


def name_by_digest(chain: ChainNode, patient: Actor, folder: int, digest: str, *, serial: int) -> None:
    signing_key = patient.keys.signing_key
    assert signing_key is not None
    act = prepare_act("NameFolder", author=patient.address, folder=folder, name=digest, serial=serial)
    send_from_elsewhere(chain, act, signing_key)


def names(patient: Actor) -> dict[int, str]:
    return {view.number: view.name for view in folders.list_folders(actor=patient)}


def test_a_name_given_elsewhere_is_shown(chain: ChainNode, patient: Actor) -> None:
    name_elsewhere(chain, patient, 3, "Eyes", serial=1)
    assert names(patient)[3] == "Folder 3"
    assert fetch_folder_names() == 1
    assert names(patient) == {1: "General", 3: "Eyes"}
    assert fetch_folder_names() == 0


def test_the_highest_serial_counts(chain: ChainNode, patient: Actor) -> None:
    folder = folders.create_folder(actor=patient, name="Teeth")
    chain.settle()
    name_elsewhere(chain, patient, folder, "Dentist", serial=7)
    fetch_folder_names()
    assert names(patient)[folder] == "Dentist"

    folders.rename_folder(actor=patient, folder=folder, name="Mouth")
    assert names(patient)[folder] == "Mouth"  # an own act that waits
    chain.settle()
    assert names(patient)[folder] == "Mouth"


def test_an_own_name_that_the_chain_refused_is_not_shown(chain: ChainNode, patient: Actor) -> None:
    folder = folders.create_folder(actor=patient, name="Teeth")
    chain.settle()
    folders.rename_folder(actor=patient, folder=folder, name="Mouth")
    name_elsewhere(chain, patient, folder, "Dentist", serial=9)
    assert not Act.objects.reserving().of_kind("NameFolder").filter(number=2).exists()
    fetch_folder_names()
    assert names(patient)[folder] == "Dentist"


def test_a_doctor_sees_it_too(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    name_elsewhere(chain, patient, 1, "Everything", serial=1)
    fetch_folder_names()
    keyring = Keyring(clinic.doctor, patient.address)
    assert folders.folder_names(keyring, [1]) == {1: "Everything"}


def test_a_name_that_is_nowhere_costs_one_look_an_hour(chain: ChainNode, patient: Actor) -> None:
    sealed = name_elsewhere(chain, patient, 3, "Eyes", serial=1, stored=False)
    assert fetch_folder_names() == 0
    store().put([sealed])
    assert fetch_folder_names() == 0  # it was asked for just now
    assert names(patient)[3] == "Folder 3"


@pytest.mark.parametrize("data", [b"x", b"\x00" * 288, b"\xff" * 288, b"n" * 5000])
def test_what_is_no_name_leaves_the_folder_its_number(chain: ChainNode, patient: Actor, data: bytes) -> None:
    store().put([data])
    name_by_digest(chain, patient, 3, digest_of(data), serial=1)
    fetch_folder_names()
    assert names(patient)[3] == "Folder 3"
    assert Blob.objects.filter(pk=digest_of(data)).exists() == (len(data) == 288)


def test_the_last_folder_s_number_stands_in_no_new_one_s_way(chain: ChainNode, patient: Actor) -> None:
    name_elsewhere(chain, patient, 2**16 - 1, "Last", serial=1)
    assert folders.create_folder(actor=patient, name="Heart") == 2
    assert folders.create_folder(actor=patient, name="Eyes") == 3
