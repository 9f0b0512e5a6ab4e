"""Which envelopes a list gives to whom, and what an envelope that holds nonsense does: nothing."""

import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actor import Actor
from chain.slots import folder_scope
from records.crypto.envelopes import Purpose
from records.crypto.payloads import (
    DataKeyPayload,
    FolderPayload,
    Reason,
    RecordPayload,
    SelectionPayload,
    Terms,
)
from records.models import QueuedKey
from records.services import envelopes
from records.services.envelopes import ListAbout, keep_list, open_listed, seal_list

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
