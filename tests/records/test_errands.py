"""Key tasks: sending again, wrapping what was sealed, and nothing lost."""

from pathlib import Path

import pytest
from django.db import connection

from accounts.actor import Actor
from accounts.services.errands import decisions_for
from chain.models import Act
from records.content import settle_blobs
from records.errors import NotFound
from records.models import Blob, QueuedKey
from records.services import documents, folders, inbox, reading, requests, revocations, sending
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.records.conftest import FILE, LABORATORY, Clinic, grant, make_clinic, run_errands, upload

pytestmark = pytest.mark.django_db

SCOPE = f"0x{1:064x}"


def read(actor: Actor, record: str) -> bytes:
    """The newest content."""
    opened = reading.open_content(actor=actor, record=record)
    return b"".join(opened.iterate(0, opened.size))


def test_a_record_overtaken_by_a_revoke_is_sent_again_into_the_inbox(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    record = upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via, title="Late").record
    # The revoke waits for nothing: here it reaches the chain before the record does.
    late = Act.objects.get(kind="NewRecord")
    Act.objects.filter(pk=late.pk).update(state="failed", error="No write access.")
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    chain.settle()
    late.refresh_from_db()
    sending.leave_errand(late)
    (card,) = decisions_for(clinic.doctor.address)
    assert record in card.url
    assert documents.get_record(actor=clinic.doctor, record=record).state == "failed"
    assert documents.get_record(actor=clinic.doctor, record=record).resend
    again = sending.send_again(actor=clinic.doctor, record=record)
    assert (again.state, again.folder, again.resend) == ("waiting", 0, False)
    with pytest.raises(NotFound):
        sending.send_again(actor=clinic.doctor, record=record)
    assert decisions_for(clinic.doctor.address) == []
    chain.settle()
    assert documents.count_inbox(patient.address) == 1
    assert read(patient, record) == FILE
    inbox.file_record(actor=patient, record=record, folder=1)
    chain.settle()
    assert read(patient, record) == FILE
    assert not QueuedKey.objects.filter(record=record).exists()


def test_a_version_that_lost_a_race_is_sent_again_after_the_winner(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    lost = b"what Dana saw" * 90
    upload(clinic.doctor, patient=patient.address, replaces=record, via=clinic.via, title="Lost", data=lost)
    late = Act.objects.get(kind="ModifyRecord")
    Act.objects.filter(pk=late.pk).update(state="failed", error="Another version came first.")
    late.refresh_from_db()
    sending.leave_errand(late)
    upload(patient, replaces=record, title="Won")
    chain.settle()
    page = sign_in(clinic.doctor.user)
    assert b"Send it again" in page.get(f"/records/{record}/").content
    answer = page.post(f"/records/{record}/send-again/")
    assert answer.status_code == 302
    chain.settle()
    titles = [one.title for one in documents.get_record(actor=patient, record=record).versions]
    assert titles == ["Blood report", "Won", "Lost"]
    assert read(patient, record) == lost
    assert b"Send it again" not in page.get(f"/records/{record}/").content


def test_a_key_sealed_by_who_lacks_the_folders_secret_is_wrapped_by_the_patient(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, folders=(), records=(record,), permissions="write")
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    revocations.revoke_access(actor=patient, grantee=other.doctor.address, via=other.via, scope=SCOPE)
    chain.settle()
    documents.modify_description(
        actor=clinic.doctor,
        record=record,
        title="By Dana",
        kind=LABORATORY,
        service_date=None,
        via=clinic.via,
    )
    chain.settle()
    assert documents.get_record(actor=patient, record=record).title == "By Dana"
    assert run_errands(patient) == 2
    chain.settle()
    after = documents.get_record(actor=patient, record=record)
    assert [one.title for one in after.versions] == ["Blood report", "By Dana"]
    assert documents.get_record(actor=clinic.doctor, record=record).title == "By Dana"


def test_small_ciphertexts_reach_the_store_and_leave_it(
    chain: ChainNode, patient: Actor, clinic: Clinic, store_folder: Path
) -> None:
    upload(patient)
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    assert settle_blobs() > 0
    assert not Blob.objects.filter(state="new").exists()
    kept = sum(1 for path in store_folder.rglob("*") if path.is_file())
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    assert Blob.objects.filter(state="deleting").count() == 1
    Blob.objects.filter(state="new").update(state="stored")
    settle_blobs()
    assert Blob.objects.filter(state="deleted").count() == 1
    assert sum(1 for path in store_folder.rglob("*") if path.is_file()) < kept


def _everything_stored() -> bytes:
    """Every value of every table, as bytes."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                found += [bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for v in row]
    return b"\n".join(found)


def test_no_medical_word_is_in_the_database(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    folders.create_folder(actor=patient, name="MARKEDNAME")
    upload(patient, title="MARKEDTITLE")
    asked = requests.request_access(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        purpose="TREAT",
        kinds=[LABORATORY],
        permissions="read",
        days=3,
        note="MARKEDNOTE",
    )
    chain.settle()
    requests.deny_request(actor=patient, request=asked.id, reason="MARKEDREASON")
    chain.settle()
    data = _everything_stored()
    assert patient.address.encode() in data
    for word in (b"MARKED", b"haemoglobin", LABORATORY.encode(), b"report.pdf", b"TREAT"):
        assert word not in data
