"""A person whose registration is lost signs up again with the phrase from before, and has everything."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress

from accounts.actor import Actor
from accounts.crypto.phrase import new_entropy, phrase_of
from accounts.models import Account, Errand, OpenVault, PublishedKey, User, Vault
from accounts.services import signup, vaults
from chain.models import Act
from records.content import settle_blobs
from records.models import Blob, PatientFolder, Upload
from records.services import documents, folders, sharing
from records.services.folder_names import fetch_folder_names
from tests.accounts.conftest import mailed_code
from tests.accounts.test_signup import FORM
from tests.chain_node import ChainNode
from tests.mails import outbox
from tests.page_client import PageClient
from tests.people import PASSWORD, make_doctor
from tests.records.conftest import Clinic, grant, run_errands, upload

pytestmark = pytest.mark.django_db


def phrase_of_actor(actor: Actor) -> str:
    """The 24 words of an actor's user."""
    return phrase_of(vaults.open_entropy(actor.user, PASSWORD))


def lose_registration(actor: Actor) -> None:
    """Leave of a person what a backup from before the registration has, once the chain was read again."""
    while settle_blobs():
        pass
    user, address = actor.user, actor.address
    PatientFolder.objects.filter(patient=address).delete()
    Upload.objects.filter(author=address).delete()
    Act.objects.filter(author=address).delete()
    Errand.objects.filter(account=address).delete()
    Blob.objects.all().delete()
    Account.objects.filter(user=user).delete()
    user.delete()


def sign_up(client: PageClient, phrase: str, **changes: str) -> Any:
    """Post the form, with a phrase from before."""
    return client.post("/accounts/signup/", {**FORM, "phrase": phrase, **changes})


def return_with(phrase: str) -> tuple[PageClient, Actor]:
    """Sign up with a phrase and confirm the code. The browser and an open actor."""
    client = PageClient()
    outbox()  # what waits for others is no longer the newest mail
    answer = sign_up(client, phrase)
    assert answer.status_code == 302, answer.content.decode()
    client.post("/accounts/confirm-email/", {"code": mailed_code()})
    return client, signup.open_actor(User.objects.get(email="ada@example.org"), PASSWORD)


def test_records_folders_and_grants_are_there_again(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    folder = folders.create_folder(actor=patient, name="Heart")
    record = upload(patient, folder=folder, title="Echo")
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, folders=(folder,))
    chain.settle()
    phrase, address = phrase_of_actor(patient), patient.address
    lose_registration(patient)

    client, returned = return_with("1. " + "\n2. ".join(phrase.upper().split()))
    assert returned.address == address
    asked = client.get("/records/")
    assert asked["Location"] == "/vault/?next=%2Frecords%2F", "the password, no phrase"
    page = client.get(asked["Location"]).content.decode()
    assert "One more step: your password opens your records." in page
    assert "closed" not in page.partition("<main")[2]
    client.post("/vault/", {"password": PASSWORD, "next": "/records/"})
    assert "Echo" in client.get("/records/").content.decode()
    OpenVault.objects.all().delete()
    assert "Your vault is closed" in client.get(asked["Location"]).content.decode(), "later it has closed"
    client.post("/vault/", {"password": PASSWORD})
    fetch_folder_names()
    assert {view.number: view.name for view in folders.list_folders(actor=returned)}[folder] == "Heart"
    views = documents.list_records(actor=returned, patient=address)
    assert [view.record for view in views] == [record.record]
    assert [view.grantee for view in sharing.grants_by(actor=returned)] == [clinic.doctor.address]
    run_errands(returned)
    # The key is on the chain, so nothing is sent again; what is new is taken.
    assert not Act.objects.filter(author=address).exists()
    assert not Errand.objects.filter(account=address, state=Errand.State.OPEN).exists()
    newer = upload(returned, folder=folder, title="Newer")
    chain.settle()
    assert documents.get_record(actor=returned, record=newer.record).state == "confirmed"
    assert not Act.objects.filter(state="failed").exists()


def test_a_key_that_the_portal_has_not_read_yet_is_not_published_again(
    chain: ChainNode, patient: Actor
) -> None:
    phrase, address = phrase_of_actor(patient), patient.address
    lose_registration(patient)
    PublishedKey.objects.filter(account=address).delete()
    _, returned = return_with(phrase)
    run_errands(returned)
    assert not Act.objects.filter(author=address).exists()
    assert not Errand.objects.filter(account=address, state=Errand.State.OPEN).exists()
    del chain


def test_nothing_is_published_while_it_is_not_known_whether_it_is(
    chain: ChainNode, patient: Actor, settings: Any
) -> None:
    phrase, address = phrase_of_actor(patient), patient.address
    lose_registration(patient)
    PublishedKey.objects.filter(account=address).delete()
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    _, returned = return_with(phrase)
    run_errands(returned)
    assert not Act.objects.filter(author=address).exists()
    assert Errand.objects.filter(account=address, state=Errand.State.OPEN).exists()
    del chain


def test_a_phrase_that_no_portal_has_seen_begins_an_account(chain: ChainNode) -> None:
    _, returned = return_with(phrase_of(new_entropy()))
    run_errands(returned)
    chain.settle()
    assert PublishedKey.objects.filter(account=returned.address).exists()


def test_who_mistyped_the_address_signs_up_again_with_the_right_one(chain: ChainNode, patient: Actor) -> None:
    phrase, address = phrase_of_actor(patient), patient.address
    lose_registration(patient)
    assert sign_up(PageClient(), phrase, email="typo@example.org").status_code == 302
    _, returned = return_with(phrase)
    assert returned.address == address
    assert not User.objects.filter(email="typo@example.org").exists()
    page = sign_up(PageClient(), phrase, email="third@example.org").content.decode()
    assert "registered here with this recovery phrase already" in page, "this one has confirmed it"
    del chain


def test_a_phrase_of_somebody_who_is_here_is_refused_without_a_name(chain: ChainNode, patient: Actor) -> None:
    page = sign_up(PageClient(), phrase_of_actor(patient)).content.decode()
    assert "registered here with this recovery phrase already" in page
    assert patient.user.email not in page
    assert patient.address not in page
    assert not User.objects.filter(email="ada@example.org").exists()
    assert '<details class="mb-3" open>' in page
    del chain


def test_a_phrase_of_a_doctor_is_known_by_its_second_account(clinic: Clinic) -> None:
    doctor = make_doctor(clinic.institution)
    page = sign_up(PageClient(), phrase_of_actor_of(doctor)).content.decode()
    assert "already" in page


def phrase_of_actor_of(actor: Actor) -> str:
    """The phrase, where the vault's row alone is gone."""
    phrase = phrase_of_actor(actor)
    Vault.objects.filter(user=actor.user).delete()
    return phrase


@pytest.mark.parametrize(
    ("phrase", "says"),
    [
        ("apple " * 12, "24 words are needed, 12 given."),
        ("apple " * 23 + "appple", "Word 24, &#x27;appple&#x27;, is not in the list of words."),
        ("apple " * 24, "do not belong together"),
    ],
)
def test_a_mistyped_phrase_is_named_and_nothing_is_kept(phrase: str, says: str) -> None:
    page = sign_up(PageClient(), phrase).content.decode()
    assert says in page
    assert not User.objects.exists()
    assert not EmailAddress.objects.exists()


def test_without_a_phrase_the_part_is_closed() -> None:
    page = PageClient().get("/accounts/signup/").content.decode()
    assert "I have a recovery phrase from before" in page
    assert re.search(r'<details class="mb-3">\s*<summary>', page)
