"""Naming a file erases nothing: not by lists, not by the collector, not by a move."""

import secrets
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from accounts.actor import Actor
from chain.models import Act, Event
from records.chain_words import word
from records.content import delete_envelopes, keep_blob, settle_blobs, store
from records.crypto.envelopes import EnvelopeEntry, Purpose
from records.crypto.payloads import FolderPayload
from records.models import Blob, Envelope, Holding
from records.services import documents, folders, moving, requests, revocations, scopes
from records.services.envelopes import ListAbout
from records.services.epochs import current_epoch
from records.services.garbage import collect_garbage
from records.services.rekeying import UNKNOWN_TERMS
from records.storage import Cid, LocalStore
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records import foreign
from tests.records.conftest import Clinic, grant, make_clinic, run_errands, upload
from tests.records.ended import keep_ended_envelope
from tests.records.foreign import put_list, send, send_grant
from tests.records.test_garbage import days_pass
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db

FOLDER = 1  # the attacker's
SCOPE = f"0x{FOLDER:064x}"


@pytest.fixture
def attacker(chain: ChainNode) -> Actor:
    """A registered patient who has a record, so that a grantee has something to look at."""
    actor = make_patient("Mallory Pike")
    upload(actor)
    chain.settle()
    return actor


@pytest.fixture
def others_files(chain: ChainNode, patient: Actor, clinic: Clinic) -> dict[str, bytes]:
    """Every file that acts of others have brought into the store, by its digest."""
    folders.create_folder(actor=patient, name="Heart")
    record = upload(patient, data=b"x" * 400).record
    upload(patient, title="Large", data=b"y" * (1 << 20), folder=2)
    requests.request_access(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        purpose="TREAT",
        kinds=[],
        permissions="read",
        days=30,
        note="",
    )
    chain.settle()
    upload(clinic.doctor, patient=patient.address, via=clinic.via, title="Letter")
    grant(patient, clinic.doctor.address, clinic.via, folders=(1, 2), records=(record,))
    chain.settle()
    settle_blobs()
    return {cid.hex: contents_of(cid) for cid in store().kept()}


def contents_of(cid: Cid) -> bytes:
    with store().open(cid) as blob:
        return b"".join(blob)


def archived_digests() -> set[str]:
    """Every word in an event's arguments: more than digests, to be sure."""
    words = (value for event in Event.objects.all() for value in event.args.values())
    return {value for value in words if isinstance(value, str) and len(value) == 66}


def targets(files: dict[str, bytes]) -> list[str]:
    return sorted({*files, *archived_digests(), *Blob.objects.values_list("pk", flat=True)})


def hostile_entries(digests: list[str], recipient: str, key_digest: str = "") -> list[EnvelopeEntry]:
    """Each digest as an envelope for somebody, under a key digest of its own unless one is told."""
    return [
        EnvelopeEntry(recipient, key_digest or "0x" + secrets.token_hex(32), bytes.fromhex(digest[2:]))
        for digest in digests
    ]


def assert_all_there(files: dict[str, bytes]) -> None:
    """Settle and collect. Then every file of others is in the store, and in SQL where it was."""
    settle_blobs()
    collect_garbage()
    days_pass(1)
    collect_garbage()
    days_pass(settings.STORE_GRACE_DAYS)
    collect_garbage()
    settle_blobs()
    kept = {cid.hex: contents_of(cid) for cid in store().kept()}
    assert {digest: kept.get(digest) for digest in files} == files
    lost = Blob.objects.filter(pk__in=files).exclude(state=Blob.State.STORED)
    assert list(lost) == []


@pytest.mark.parametrize("way", ["the grantee looks", "the attacker's folder is moved"])
def test_what_stands_in_another_s_list_survives_the_end_of_that_grant(
    chain: ChainNode, attacker: Actor, clinic: Clinic, others_files: dict[str, bytes], way: str
) -> None:
    doctor, other = clinic.doctor, make_clinic(chain, "Jade Practice", "Omar Finch")
    digests = targets(others_files)
    for digest in digests[:: max(1, len(digests) // 3)]:  # the key that the grantee really has, with some
        entries = [
            *hostile_entries([digest], doctor.address, doctor.own_public_key.digest),
            *hostile_entries(digests, doctor.address),
            *hostile_entries(digests, attacker.address),
        ]
        listed = put_list(entries)
        epoch = current_epoch(attacker.address, FOLDER)
        send_grant(attacker, doctor.address, clinic.via, folder=FOLDER, envelopes=listed, epoch=epoch)
        chain.settle()
        if way == "the grantee looks":
            documents.list_records(actor=doctor, patient=attacker.address, via=clinic.via)
        else:  # the list is read for its terms, when the folder is sealed to who stays
            grant(attacker, other.doctor.address, other.via)
            chain.settle()
            revocations.revoke_access(
                actor=attacker, grantee=other.doctor.address, via=other.via, scope=SCOPE
            )
            chain.settle()
        assert Envelope.objects.filter(list__digest=listed, deleted_at=None).exists()
        revocations.revoke_access(actor=attacker, grantee=doctor.address, via=clinic.via, scope=SCOPE)
        chain.settle()
        run_errands(attacker)
        chain.settle()
    assert_all_there(others_files)


def test_a_list_named_for_its_own_digest_is_no_way_either(
    chain: ChainNode, attacker: Actor, clinic: Clinic, others_files: dict[str, bytes]
) -> None:
    """The attacker's grants name the victims' lists, descriptions, contents and envelopes as their list."""
    for digest in sorted(others_files):
        epoch = current_epoch(attacker.address, FOLDER)
        send_grant(attacker, clinic.doctor.address, clinic.via, folder=FOLDER, envelopes=digest, epoch=epoch)
        chain.settle()
        documents.list_records(actor=clinic.doctor, patient=attacker.address, via=clinic.via)
        revocations.revoke_access(actor=attacker, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
        chain.settle()
    assert_all_there(others_files)


def test_a_content_of_one_that_an_act_of_another_names_is_not_collected(
    chain: ChainNode, patient: Actor, attacker: Actor
) -> None:
    """The attacker's upload came to nothing. Meanwhile somebody has named its content in a record."""
    upload(attacker)
    (act,) = Act.objects.waiting().by(attacker.address)
    content = act.fields["content"]
    Act.objects.filter(pk=act.pk).update(state="failed")
    send(
        patient,
        "NewRecord",
        patient=patient.address,
        via="0x" + "0" * 40,
        folder=1,
        epoch=0,
        flags=0,
        nonce="0x" + secrets.token_hex(32),
        content=content,
        description="0x" + secrets.token_hex(32),
        secret="0x" + secrets.token_hex(40),
    )
    for is_settled in (False, True):  # named by an act that waits, then by an event
        if is_settled:
            chain.settle()
        days_pass(1)
        collect_garbage()
        days_pass(settings.STORE_GRACE_DAYS + 1)
        collect_garbage()
        assert store().has(Cid.from_digest(content))


@pytest.mark.parametrize("mark", ["blob", "holding"])
def test_a_move_deletes_nothing_that_is_named(
    others_files: dict[str, bytes], tmp_path: Path, mark: str
) -> None:
    """Also not what some fault, or an earlier version, has marked as given up."""
    if mark == "blob":
        Blob.objects.update(state=Blob.State.DELETING)
    else:
        Holding.objects.update(state=Holding.State.ERASING)
    source, target = store(), LocalStore(tmp_path / "moved")
    named = {digest for digest in others_files if digest in archived_digests()}
    move = moving.copy_contents(source, target, lambda *_: None)
    moving.delete_contents(source, target, move, lambda *_: None)
    assert list(source.kept()) == []
    assert named <= {cid.hex for cid in target.kept()}


def test_what_is_named_after_it_was_given_up_stays_while_its_bytes_are_there(
    others_files: dict[str, bytes],
) -> None:
    Holding.objects.update(state=Holding.State.ERASING)
    collect_garbage()
    named = archived_digests() & set(others_files)
    assert not Holding.objects.filter(pk__in=named).exclude(state=Holding.State.KEPT).exists()
    assert named <= {cid.hex for cid in store().kept()}


def test_bytes_kept_again_while_they_are_erased_are_kept() -> None:
    data = secrets.token_bytes(40)
    digest = keep_ended_envelope(data)
    settle_blobs()
    with transaction.atomic():
        delete_envelopes([digest])
    assert Blob.objects.get(pk=digest).data is None
    keep_blob(data)
    assert Blob.objects.get(pk=digest).data == data
    settle_blobs()
    settle_blobs()
    assert store().has(Cid.from_digest(digest))
    assert Blob.objects.get(pk=digest).state == Blob.State.STORED


def test_the_envelopes_that_are_ours_do_go(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    upload(patient)
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    settle_blobs()
    (envelope,) = Envelope.objects.filter(recipient=clinic.doctor.address)
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    assert Blob.objects.get(pk=envelope.digest).data is None
    settle_blobs()
    assert not store().has(Cid.from_digest(envelope.digest))


def test_an_envelope_from_elsewhere_goes_once_it_was_opened_here(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """Sealed by another portal: its list says whose it is, its opening proves it."""
    about = ListAbout(Purpose.FOLDER, patient.address, patient.address, SCOPE)
    record, payload = upload(patient).record, folder_payload(patient)
    own, theirs = (
        foreign.entry(patient, about, key, payload)
        for key in (patient.own_public_key, clinic.doctor.own_public_key)
    )
    send_grant(patient, clinic.doctor.address, clinic.via, folder=1, envelopes=put_list([own, theirs]))
    chain.settle()
    settle_blobs()
    assert read(clinic.doctor, record)
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    chain.settle()
    settle_blobs()
    assert not store().has(Cid.from_digest(word(theirs.envelope)))
    assert store().has(Cid.from_digest(word(own.envelope)))


def folder_payload(patient: Actor) -> bytes:
    """The first folder's secret, as a grant hands it over."""
    return FolderPayload(scopes.folder_secrets(patient, 1, 0), UNKNOWN_TERMS).to_bytes()
