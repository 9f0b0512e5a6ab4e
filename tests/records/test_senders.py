"""Blocked senders leave nothing in a patient's inbox: obeyed at once, ended by the chain, one effect."""

import pytest

from accounts.actor import Actor
from chain.models import Act
from records.errors import AccessRefused, InvalidInput
from records.models import BlockedSender, Upload
from records.services import inbox, senders, uploads
from records.shapes import SenderView
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import FILE, Clinic, grant, make_clinic, pieces, upload

pytestmark = pytest.mark.django_db(transaction=True)


def leave(clinic: Clinic, patient: Actor) -> str:
    """A record for the inbox."""
    return upload(clinic.doctor, patient=patient.address, via=clinic.via).record


def only(patient: Actor) -> SenderView:
    (view,) = senders.list_senders(actor=patient)
    return view


def test_a_block_is_obeyed_at_once_and_its_end_once_it_is_confirmed(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    doctor = clinic.doctor.address
    kept = leave(clinic, patient)
    chain.settle()
    inbox.block_sender(actor=patient, sender=doctor)
    assert (only(patient).name, only(patient).state, only(patient).lifting) == ("Dana Reed", "waiting", False)
    with pytest.raises(AccessRefused, match="takes no records from you"):
        leave(clinic, patient)
    chain.relay()
    chain.sync()
    assert not BlockedSender.objects.exists(), "its block is not deep enough yet"
    with pytest.raises(AccessRefused):
        leave(clinic, patient)
    chain.settle()
    assert only(patient).state == "confirmed"
    with pytest.raises(AccessRefused):
        leave(clinic, patient)
    inbox.file_record(actor=patient, record=kept, folder=1)
    inbox.block_sender(actor=patient, sender=doctor, blocked=False)
    assert (only(patient).state, only(patient).lifting) == ("waiting", True)
    with pytest.raises(AccessRefused):
        leave(clinic, patient)
    chain.settle()
    assert senders.list_senders(actor=patient) == []
    leave(clinic, patient)
    chain.settle()
    assert not Act.objects.exclude(state="confirmed").exists()


def test_a_blocked_institution_stands_for_its_doctors_and_no_other(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    inbox.block_sender(actor=patient, sender=clinic.via)
    with pytest.raises(AccessRefused):
        leave(clinic, patient)
    leave(other, patient)
    upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via)
    chain.settle()
    assert not Act.objects.exclude(state="confirmed").exists(), "what was granted is not touched"


def test_said_twice_it_has_one_effect(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    for _ in range(2):
        inbox.block_sender(actor=patient, sender=clinic.via)
    chain.settle()
    inbox.block_sender(actor=patient, sender=clinic.via)
    for _ in range(2):
        inbox.block_sender(actor=patient, sender=clinic.via, blocked=False)
    inbox.block_sender(actor=patient, sender=clinic.doctor.address, blocked=False)
    assert Act.objects.of_kind("BlockSender").count() == 2


def test_a_change_of_mind_before_the_chain_has_heard_stays_on_the_safe_side(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    inbox.block_sender(actor=patient, sender=clinic.via)
    inbox.block_sender(actor=patient, sender=clinic.via, blocked=False)
    assert only(patient).lifting
    with pytest.raises(AccessRefused):
        leave(clinic, patient)
    chain.settle()
    assert not senders.is_blocked(patient.address, clinic.via)


def test_an_upload_described_before_the_block_ends_in_nothing(patient: Actor, clinic: Clinic) -> None:
    described = uploads.describe_upload(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        title="Advert",
        kind="11502-2",
        service_date=None,
        file_name="advert.pdf",
        size=len(FILE),
    )
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    with pytest.raises(AccessRefused):
        uploads.receive_upload(
            actor=clinic.doctor, upload_id=described.id, stream=pieces(FILE), length=len(FILE)
        )
    assert Upload.objects.get().state == Upload.State.DESCRIBED
    assert not Act.objects.of_kind("NewRecord").exists()


def test_a_patient_blocked_past_the_portal_stays_nameless(patient: Actor) -> None:
    stranger = make_patient("Ben Carter").address
    BlockedSender.objects.create(patient=patient.address, sender=stranger, blocked=True, serial=1)
    assert (only(patient).address, only(patient).name) == (stranger, "")


def test_who_cannot_block_or_be_blocked(patient: Actor, clinic: Clinic) -> None:
    with pytest.raises(AccessRefused, match="Only patients"):
        inbox.block_sender(actor=clinic.doctor, sender=clinic.via)
    with pytest.raises(InvalidInput, match="your own address"):
        inbox.block_sender(actor=patient, sender=patient.address)
    assert not Act.objects.of_kind("BlockSender").exists()
