"""The page of a record that does not open: no key yet, damaged, lost, or a store that is away."""

from pathlib import Path

import pytest
from django.conf import settings

from accounts.actor import Actor
from chain.acts.messages import folder_scope
from records import content
from records.arrivals import WantedFile
from records.crypto.folders import pack_epoch
from records.errors import AccessRefused, RecordDamaged, RecordLost, RecordsError, StoreDown
from records.models import Blob, Envelope, Fetch, QueuedKey, Version
from records.readability import Readability
from records.services import documents, reading
from records.shapes import RecordView
from records.storage.cid import Cid
from records.storage.errors import StoreUnavailable
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant, upload

pytestmark = pytest.mark.django_db


def seen(actor: Actor, record: RecordView) -> RecordView:
    """A record as its actor's list shows it."""
    records = documents.list_records(actor=actor, patient=record.patient)
    return next(each for each in records if each.record == record.record)


def description_of(record: RecordView) -> str:
    """The digest of a record's description."""
    return Version.objects.values_list("description", flat=True).get(record=record.record)


def forget(digest: str) -> None:
    """Remove a blob from SQL, as in another portal's database."""
    Blob.objects.filter(digest=digest).delete()


@pytest.mark.parametrize(
    ("data", "readability", "error"),
    [(b"nonsense", Readability.DAMAGED, RecordDamaged), (None, Readability.LOST, RecordLost)],
)
def test_what_is_damaged_and_what_is_erased_say_so(
    chain: ChainNode, patient: Actor, data: bytes | None, readability: Readability, error: type[RecordsError]
) -> None:
    bad, good = upload(patient), upload(patient, title="Good")
    chain.settle()
    Blob.objects.filter(digest=description_of(bad)).update(data=data)
    view = seen(patient, bad)
    assert (view.readability, view.title) == (readability, readability.heading)
    assert "close it" in view.advice
    assert seen(patient, good).title == "Good"
    with pytest.raises(error, match="send it again"):
        reading.open_content(actor=patient, record=bad.record)
    documents.close_record(actor=patient, record=bad.record)
    assert seen(patient, bad).closed


def test_a_store_that_is_away_is_no_damage(
    chain: ChainNode, patient: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, good = upload(patient), upload(patient, title="Good")
    chain.settle()
    content.settle_blobs()
    forget(description_of(elsewhere))
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    with monkeypatch.context() as down:
        down.setattr(settings, "STORE_PATH", blocked / "store")
        assert seen(patient, elsewhere).readability is Readability.UNREACHABLE
        assert seen(patient, good).title == "Good"
        with pytest.raises(StoreDown, match="does not answer"):
            reading.open_content(actor=patient, record=elsewhere.record)
    assert seen(patient, elsewhere).title == "Blood report"


def test_a_doctor_s_missing_and_damaged_keys_are_told_apart(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient)
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    doctor = clinic.doctor
    assert seen(doctor, record).readable
    envelope = Envelope.objects.get(recipient=doctor.address, list__scope=folder_scope(1))
    Blob.objects.filter(digest=envelope.digest).update(data=b"nonsense")
    assert seen(doctor, record).readability is Readability.KEY_DAMAGED
    Blob.objects.filter(digest=envelope.digest).update(data=None)
    view = seen(doctor, record)
    assert view.readability is Readability.KEY_MISSING
    assert "next visit" in view.advice
    with pytest.raises(AccessRefused, match="waits for the patient"):
        reading.open_content(actor=doctor, record=record.record)


def test_what_other_keys_of_the_patient_opened_is_not_called_damaged(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """After a replacement of keys by another portal: nobody is told to send again what is well."""
    filed = upload(patient)
    left = upload(clinic.doctor, patient=patient.address, via=clinic.via)
    chain.settle()
    Version.objects.filter(record=filed.record).update(epoch=pack_epoch(patient.account.generation + 1, 0))
    sealed = Envelope.objects.filter(recipient=patient.address, list__scope=left.record)
    assert sealed.update(key_digest="0x" + "5" * 64) == 1
    QueuedKey.objects.all().delete()
    for record in (filed, left):
        view = seen(patient, record)
        assert view.readability is Readability.OTHER_KEYS
        assert "replaced your keys" in view.advice
        with pytest.raises(AccessRefused, match="does not have"):
            reading.open_content(actor=patient, record=record.record)


def test_a_store_that_hangs_is_waited_for_once_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def never(cid: Cid) -> None:
        asked.append(cid.hex)
        raise StoreUnavailable("no answer")

    first, second = (
        WantedFile("0x" + digit * 64, Fetch.Kind.DESCRIPTION, patient="0x1", author="0x2") for digit in "12"
    )
    monkeypatch.setattr(content, "open_stored", never)
    monkeypatch.setattr(content, "LONG_WAIT", 0.0)
    monkeypatch.setattr(content, "_silence", content._Silence())
    read = content.read_blobs([first, second])
    assert not read.here
    assert set(read.problems) == {first.digest, second.digest}
    with pytest.raises(StoreDown):
        content.read_blob(second.digest)
    assert asked == [first.digest]
