"""Lists give envelopes to their recipients, and an envelope that holds nonsense does nothing."""

import secrets
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actor import Actor
from accounts.directory import PublicKey
from chain.contract.slots import folder_scope, slot_grant
from chain.keys.ecdsa import address_of_key
from chain.models import Event
from chain.outbox.submit import next_number
from records.crypto.envelopes import EnvelopeEntry, Purpose
from records.crypto.payloads import (
    DataKeyPayload,
    FolderPayload,
    Reason,
    RecordPayload,
    SelectionPayload,
    Terms,
)
from records.handlers import (
    ask_to_seal_late_grants,
    erase_superseded_envelopes,
    release_envelopes,
)
from records.models import Envelope, Grant, QueuedKey, Version
from records.services import consent, documents, envelopes, scopes, sweeping
from records.services.envelopes import ListAbout, keep_list, open_listed, seal_list
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records import foreign
from tests.records.conftest import FILE, Clinic, grant, reopened, upload
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db

TERMS = Terms(purpose="TREAT", kinds=(), permissions=1)
PAYLOADS = st.one_of(
    st.binary(max_size=120),
    st.sampled_from([b"null", b'{"text":1}', bytes(32), bytes(33)]),
)
PAYLOAD_TYPES: dict[Purpose, Any] = {
    Purpose.FOLDER: FolderPayload,
    Purpose.RECORD: RecordPayload,
    Purpose.SELECTION: SelectionPayload,
    Purpose.TERMS: Terms,
    Purpose.REASON: Reason,
    Purpose.INBOX: DataKeyPayload,
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=PAYLOADS, purpose=st.sampled_from(list(PAYLOAD_TYPES)))
def test_an_envelope_that_opens_to_nonsense_is_damaged_and_nothing_more(
    patient: Actor, payload: bytes, purpose: Purpose
) -> None:
    scope = "0x" + secrets.token_hex(32)
    about = ListAbout(purpose, patient.address, patient.address, scope)
    digest = keep_list(seal_list(patient.origin, about, payload, [patient.own_public_key]))
    opened = open_listed(patient, digest, about, PAYLOAD_TYPES[purpose])
    assert opened.damaged == (opened.payload is None)
    list(envelopes.scope_keys(patient, patient=patient.address, scope=scope))
    envelopes.record_keys(
        patient, list_digest=digest, author=patient.address, patient=patient.address, record=scope
    )


def test_what_was_never_listed_is_absent_not_damaged(patient: Actor) -> None:
    about = ListAbout(Purpose.TERMS, patient.address, patient.address, "0x" + secrets.token_hex(32))
    opened = open_listed(patient, "0x" + secrets.token_hex(32), about, Terms)
    assert (opened.payload, opened.damaged) == (None, False)


def test_a_newer_envelope_of_nonsense_does_not_hide_the_older_one(patient: Actor) -> None:
    scope = folder_scope(3)
    held = FolderPayload({4: b"\xaa" * 32}, TERMS).to_bytes()
    for epoch, payload in ((4, held), (5, b"nonsense")):
        about = ListAbout(Purpose.FOLDER, patient.address, patient.address, scope, epoch)
        keep_list(seal_list(patient.origin, about, payload, [patient.own_public_key]))
    secret = envelopes.newest_secret(patient, patient=patient.address, scope=scope, least=1)
    assert secret == (4, b"\xaa" * 32)


def test_a_queued_key_of_nonsense_is_passed_over(patient: Actor) -> None:
    row = QueuedKey(record="0x" + secrets.token_hex(32), version=1, epoch=0, recipient=patient.address)
    row.author = row.patient = patient.address
    row.key_digest = patient.own_public_key.digest
    sealed = seal_list(patient.origin, envelopes.queued_about(row), b"short", [patient.own_public_key])
    row.sealed = sealed.envelopes[0]
    assert list(envelopes.queued_keys(patient, [row])) == []


LOOKS = ["a request is looked at", "another patient's grant is looked at", "the grant is looked at"]


@pytest.mark.parametrize("order", list(permutations(LOOKS)))
def test_who_names_a_list_first_changes_nothing(
    chain: ChainNode, patient: Actor, clinic: Clinic, order: tuple[str, ...]
) -> None:
    """A stranger's request, and another patient's grant, name the list of a grant from another portal."""
    stranger, doctor = make_patient("Ben Pike"), clinic.doctor
    record = upload(patient, title="Mine").record
    upload(stranger)
    chain.settle()
    listed = foreign.put_list([folder_entry(patient, doctor.own_public_key)])
    nonce = "0x" + secrets.token_hex(32)
    foreign.send(
        doctor, "RequestAccess", patient=patient.address, via=clinic.via, nonce=nonce, envelopes=listed
    )
    foreign.send_grant(stranger, doctor.address, clinic.via, folder=1, envelopes=listed)
    foreign.send_grant(patient, doctor.address, clinic.via, folder=1, envelopes=listed)
    chain.settle()
    looks: dict[str, Callable[[], object]] = {
        LOOKS[0]: lambda: consent.requests_for(actor=patient),
        LOOKS[1]: lambda: documents.list_records(actor=doctor, patient=stranger.address, via=clinic.via),
        LOOKS[2]: lambda: read(doctor, record),
    }
    for look in order:
        looks[look]()
    assert read(reopened(doctor), record) == FILE
    (seen,) = documents.list_records(actor=reopened(doctor), patient=patient.address, via=clinic.via)
    assert seen.title == "Mine"


@pytest.mark.parametrize("real", [0, 1], ids=["the first opens", "the second opens"])
def test_one_recipient_may_stand_in_a_list_under_two_keys(
    chain: ChainNode, patient: Actor, clinic: Clinic, real: int
) -> None:
    record = upload(patient).record
    chain.settle()
    entry = folder_entry(patient, clinic.doctor.own_public_key)
    other = EnvelopeEntry(entry.recipient, ("0x" + "ff" * 32, "0x" + "00" * 32)[real], b"\x01" * 32)
    listed = foreign.put_list([entry, other])
    foreign.send_grant(patient, clinic.doctor.address, clinic.via, folder=1, envelopes=listed)
    chain.settle()
    assert read(clinic.doctor, record) == FILE
    assert read(reopened(clinic.doctor), record) == FILE


def test_an_inbox_record_s_key_may_be_sealed_under_two_keys_of_its_patient(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    left = upload(clinic.doctor, patient=patient.address, via=clinic.via, title="Letter").record
    chain.settle()
    row = Version.objects.get(record=left)
    (envelope,) = Envelope.objects.filter(list__digest=row.secret)
    assert len(envelopes.record_keys(patient, **_of(row))) == 1
    entries = [
        EnvelopeEntry(patient.address, envelope.key_digest, bytes.fromhex(envelope.digest[2:])),
        EnvelopeEntry(patient.address, "0x" + "00" * 32, b"\x01" * 32),
    ]
    row.secret = foreign.put_list(entries)
    assert len(envelopes.record_keys(patient, **_of(row))) == 1
    about = ListAbout(Purpose.INBOX, clinic.doctor.address, patient.address, left)
    assert envelopes.listed_envelopes(row.secret, about).count() == 2


def test_a_list_granted_again_after_its_end_opens_again(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """By another portal that does not move the folder, and whose envelope nobody has opened here so far."""
    record, doctor = upload(patient).record, clinic.doctor
    chain.settle()
    listed = foreign.put_list([folder_entry(patient, doctor.own_public_key)])
    foreign.send_grant(patient, doctor.address, clinic.via, folder=1, envelopes=listed)
    chain.settle()
    about = ListAbout(Purpose.FOLDER, patient.address, patient.address, folder_scope(1))
    assert envelopes.grant_terms(patient, listed, about) is None  # it is indexed by that
    slot = slot_grant(patient.address, doctor.address, clinic.via, folder_scope(1))
    foreign.send(
        patient,
        "RevokeAccess",
        grantee=doctor.address,
        via=clinic.via,
        scope=folder_scope(1),
        serial=next_number(slot),
    )
    chain.settle()
    assert not Envelope.objects.filter(list__digest=listed, deleted_at=None).exists()
    foreign.send_grant(patient, doctor.address, clinic.via, folder=1, envelopes=listed)
    chain.settle()
    assert read(doctor, record) == FILE


def test_a_list_of_thousands_does_not_hold_up_the_sweep(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's list names many who have no grant; a grant that has run out ends in the same round."""
    stranger = make_patient("Ben Pike")
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via)
    entries = [
        EnvelopeEntry(address_of_key(secrets.token_bytes(32)), "0x" + "00" * 32, secrets.token_bytes(32))
        for _ in range(30)
    ]
    listed = foreign.put_list(entries)
    foreign.send_grant(stranger, clinic.doctor.address, clinic.via, folder=1, envelopes=listed)
    chain.settle()
    about = ListAbout(Purpose.FOLDER, stranger.address, stranger.address, folder_scope(1))
    envelopes.grant_terms(stranger, listed, about)
    Grant.objects.filter(patient=patient.address).update(expiry=timezone.now())
    monkeypatch.setattr(sweeping, "UNVERIFIED_AT_ONCE", 10)
    assert [sweeping.sweep_records() for _ in range(5)] == [11, 10, 10, 0, 0]
    assert not Envelope.objects.filter(recipient=clinic.doctor.address, deleted_at=None).exists()


def folder_entry(patient: Actor, key: PublicKey) -> EnvelopeEntry:
    """The patient's first folder, sealed by another client."""
    payload = FolderPayload(scopes.folder_secrets(patient, 1, 0), TERMS).to_bytes()
    about = ListAbout(Purpose.FOLDER, patient.address, patient.address, folder_scope(1))
    return foreign.entry(patient, about, key, payload)


def _of(row: Version) -> dict[str, str]:
    return {
        "list_digest": row.secret,
        "author": row.author,
        "patient": row.record.patient,
        "record": row.record_id,
    }


def test_many_grants_of_folders_are_asked_about_together(django_assert_max_num_queries: Any) -> None:
    """A hospital's grants come by the thousand: what lists they name again is one question for all."""
    grants = [
        Event(
            name="AccessGranted",
            author=f"0x{number:040x}",
            args={
                "scope": folder_scope(1),
                "grantee": f"0x{number + 1:040x}",
                "envelopes": f"0x{number + 1:064x}",
            },
        )
        for number in range(400)
    ]
    for handler in (erase_superseded_envelopes, release_envelopes, ask_to_seal_late_grants):
        with django_assert_max_num_queries(1):
            handler(grants)
