"""Uploads: described, sent once or twice, encrypted on their way, confirmed by the chain."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.actor import Actor
from records.errors import (
    Conflict,
    InvalidInput,
    NoRoom,
    NotFound,
    RecordDamaged,
    RecordLost,
    StoreDown,
    TooLarge,
)
from records.models import Upload
from records.services import documents, reading, uploads
from records.storage import Cid
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import FILE, LABORATORY, Clinic, pieces, upload

pytestmark = pytest.mark.django_db


def describe(actor: Actor, **changes: object) -> str:
    """A described upload."""
    values: dict[str, object] = {
        "actor": actor,
        "patient": None,
        "title": "Blood report",
        "kind": LABORATORY,
        "service_date": None,
        "file_name": "report.pdf",
        "media_type": "application/pdf",
        "size": len(FILE),
    }
    return uploads.describe_upload(**(values | changes)).id  # type: ignore[arg-type]


def test_a_record_waits_and_is_confirmed(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient)
    assert (record.state, record.title, record.folder_name) == ("waiting", "Blood report", "General")
    assert record.size == len(FILE)
    chain.settle()
    after = documents.get_record(actor=patient, record=record.record)
    assert after.state == "confirmed"
    assert after.block_number
    assert after.tx_hash.startswith("0x")
    assert [view.record for view in documents.list_records(actor=patient, patient=patient.address)] == [
        record.record
    ]
    opened = reading.open_content(actor=patient, record=record.record)
    assert b"".join(opened.iterate(0, opened.size)) == FILE
    assert b"".join(opened.iterate(5, 17)) == FILE[5:17]


def test_the_bytes_sent_twice_make_one_record(patient: Actor) -> None:
    described = describe(patient)
    first = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    again = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert first == again
    assert len(documents.list_records(actor=patient, patient=patient.address)) == 1


def test_what_a_doctor_leaves_is_told_at_once_as_it_is_told_later(patient: Actor, clinic: Clinic) -> None:
    left = upload(clinic.doctor, patient=patient.address, via=clinic.via)
    assert left == documents.get_record(actor=clinic.doctor, record=left.record)


def test_bytes_arriving_through_two_requests_are_taken_once(patient: Actor) -> None:
    described = describe(patient)

    def body() -> Iterator[bytes]:
        with pytest.raises(Conflict):
            uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
        yield FILE

    view = uploads.receive_upload(actor=patient, upload_id=described, stream=body(), length=len(FILE))
    assert view.state == "waiting"


def test_a_broken_stream_leaves_nothing_and_may_be_sent_again(
    patient: Actor,
) -> None:
    described = describe(patient)

    def broken() -> Iterator[bytes]:
        yield FILE[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        uploads.receive_upload(actor=patient, upload_id=described, stream=broken(), length=len(FILE))
    with pytest.raises(InvalidInput, match="cut"):
        uploads.receive_upload(
            actor=patient, upload_id=described, stream=pieces(FILE[:100]), length=len(FILE)
        )
    assert documents.list_records(actor=patient, patient=patient.address) == []
    view = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert view.state == "waiting"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"kind": "nonsense"}, "kind"),
        ({"size": 0}, "size"),
        ({"nonce": "x" * 65}, "nonce"),
        ({"file_name": "../"}, "file_name"),
        ({"folder": 0}, "folder"),
        ({"media_type": "text/h\x7ftml"}, "media_type"),
        ({"media_type": "text/h\x01ml"}, "media_type"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    patient: Actor, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        describe(patient, **changes)
    assert refused.value.field == field
    assert not Upload.objects.exists()


def test_a_file_over_the_limit_is_stopped_while_it_arrives(
    patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_MAX_BYTES", 2000)
    with pytest.raises(TooLarge):
        describe(patient, size=2001)
    described = describe(patient, size=None)
    with pytest.raises(TooLarge):
        uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE * 9), length=None)


def test_an_empty_body_is_refused(patient: Actor) -> None:
    described = describe(patient, size=None)
    with pytest.raises(InvalidInput, match="No bytes came"):
        uploads.receive_upload(actor=patient, upload_id=described, stream=iter(()), length=None)


def test_a_file_of_another_size_than_described_is_refused(patient: Actor) -> None:
    described = describe(patient, size=len(FILE))
    shorter = FILE[1:]
    with pytest.raises(InvalidInput, match="not the one described"):
        uploads.receive_upload(
            actor=patient, upload_id=described, stream=pieces(shorter), length=len(shorter)
        )
    view = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert view.size == len(FILE)


def test_nothing_is_left_for_whom_is_no_patient(clinic: Clinic) -> None:
    for nobody in (clinic.manager.address, clinic.via):
        with pytest.raises(InvalidInput, match="not a patient"):
            upload(clinic.doctor, patient=nobody, via=clinic.via)


def test_somebody_elses_upload_is_unknown(patient: Actor) -> None:
    described = describe(patient)
    with pytest.raises(NotFound):
        uploads.receive_upload(
            actor=make_patient("Eve Hill"), upload_id=described, stream=pieces(FILE), length=None
        )


def test_a_store_that_is_down_takes_nothing(
    patient: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = describe(patient)
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    with monkeypatch.context() as down:
        down.setattr(settings, "STORE_PATH", blocked / "store")
        with pytest.raises(StoreDown):
            uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert documents.list_records(actor=patient, patient=patient.address) == []
    view = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert view.state == "waiting"


def test_a_chain_that_is_down_delays_and_loses_nothing(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setattr(settings, "CHAIN_RPC_URL", "http://127.0.0.1:9")
        record = upload(patient)
        assert record.state == "waiting"
    chain.settle()
    assert documents.get_record(actor=patient, record=record.record).state == "confirmed"


def test_a_new_version_leaves_the_old_one_readable(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient)
    chain.settle()
    upload(patient, data=b"second" * 500, title="Blood report, corrected", replaces=record.record)
    chain.settle()
    after = documents.get_record(actor=patient, record=record.record)
    assert [(one.version, one.title) for one in after.versions] == [
        (1, "Blood report"),
        (2, "Blood report, corrected"),
    ]
    for version, data in ((1, FILE), (2, b"second" * 500)):
        opened = reading.open_content(actor=patient, record=record.record, version=version)
        assert b"".join(opened.iterate(0, opened.size)) == data


def test_a_mended_description_is_a_version_and_no_change_is_none(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient).record
    chain.settle()
    for _ in range(2):
        documents.modify_description(
            actor=patient, record=record, title="Blood count", kind=LABORATORY, service_date=None
        )
    chain.settle()
    after = documents.get_record(actor=patient, record=record)
    assert [one.title for one in after.versions] == ["Blood report", "Blood count"]
    assert after.state == "confirmed"


def test_no_plaintext_reaches_the_disk(chain: ChainNode, patient: Actor, store_folder: Path) -> None:
    marks = [b"MARKED-CONTENT", b"MARKED-TITLE"]
    upload(patient, title="MARKED-TITLE", data=b"MARKED-CONTENT" * 20)
    chain.settle()
    stored = b"".join(path.read_bytes() for path in store_folder.rglob("*") if path.is_file())
    assert stored
    assert not any(mark in stored for mark in marks)


def test_a_store_that_is_full_says_so_and_keeps_nothing(patient: Actor) -> None:
    described = describe(patient, size=None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def stream() -> Iterator[bytes]:
        yield FILE
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))  # no file grows over this
        for _ in range(8):
            yield bytes(1 << 19)

    try:
        with pytest.raises(NoRoom, match="full") as refused:
            uploads.receive_upload(actor=patient, upload_id=described, stream=stream(), length=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refused.value.status == 507
    assert not any(path.is_file() for path in settings.STORE_PATH.rglob("*"))
    assert documents.list_records(actor=patient, patient=patient.address) == []
    view = uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE))
    assert view.state == "waiting"


@pytest.mark.parametrize("harm", ["lost", "damaged", "away"])
def test_who_reads_is_told_whether_the_store_is_away_or_the_file(
    patient: Actor, store_folder: Path, harm: str
) -> None:
    record = upload(patient)
    (path,) = store_folder.rglob(str(Cid.parse(record.versions[0].content)))
    if harm == "lost":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        path.unlink()
        path.symlink_to(path)  # the system gives an error other than "no such file"
    told = {
        "lost": (RecordLost, "does not have this file"),
        "damaged": (RecordDamaged, "is damaged"),
        "away": (StoreDown, "cannot be reached. Try again"),
    }
    error, words = told[harm]
    with pytest.raises(error, match=words):
        reading.open_content(actor=patient, record=record.record)
