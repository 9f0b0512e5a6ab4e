"""Uploads in parts: gone on with after whatever happened, each part taken once, nothing encrypted twice."""

import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from records.content import staging
from records.crypto.mdr1 import CHUNK_BYTES, HEADER_BYTES
from records.crypto.parts import NO_DIGEST, PartPlan, digest_with
from records.errors import Conflict, InvalidInput, NotFound, StartOver, StoreDown
from records.models import Upload
from records.services import documents, reading, sweeping, upload_parts, uploads
from records.services.drafts import seal_draft
from records.services.upload_rows import find_upload
from records.shapes import RecordView, UploadView
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import pieces
from tests.records.test_uploads import describe

pytestmark = pytest.mark.django_db

PART = 2 * CHUNK_BYTES
BIG = b"%PDF-1.7\n" + os.urandom(3 * PART + CHUNK_BYTES + 100)  # three whole parts, and a rest


@pytest.fixture(autouse=True)
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", PART)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


def part_of(data: bytes, part: int) -> bytes:
    """A part's bytes."""
    return data[part * PART : (part + 1) * PART]


def digest_of(data: bytes, part: int = PART) -> str:
    """The digest that a sender computes over its file."""
    digest = NO_DIGEST
    for at in range(0, len(data), part):
        digest = digest_with(digest, data[at : at + part])
    return digest.hex()


def send(actor: Actor, described: str, part: int, data: bytes = BIG) -> UploadView:
    """Send one part of a file."""
    body = pieces(part_of(data, part))
    return upload_parts.receive_part(actor=actor, upload_id=described, part=part, stream=body)


def finish(actor: Actor, described: str, data: bytes = BIG) -> RecordView:
    """Say that all is sent."""
    return upload_parts.finish_upload(actor=actor, upload_id=described, digest=digest_of(data))


def begin(actor: Actor, *, parts: int = 0, size: int = len(BIG)) -> str:
    """A described upload, of which so many parts are sent."""
    described = describe(actor, size=size, file_name="report")
    for part in range(parts):
        send(actor, described, part)
    return described


def content(actor: Actor, record: str) -> bytes:
    """A record's content, decrypted."""
    opened = reading.open_content(actor=actor, record=record)
    return b"".join(opened.iterate(0, opened.size))


class Killed(BaseException):
    """What stands for a process that ends here: no `except Exception` sees it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool = False) -> None:
    """Have the next call of this function of `upload_parts` end everything."""
    real: Any = getattr(upload_parts, name)

    def doomed(*args: Any) -> None:
        if after:
            real(*args)
        raise Killed

    monkeypatch.setattr(upload_parts, name, doomed)


def left_claimed() -> None:
    """As a process that is killed leaves the row: claimed, by nobody whose heart beats."""
    long_ago = timezone.now() - timedelta(hours=1)
    Upload.objects.update(state=Upload.State.RECEIVING, claim=uuid.uuid4(), claimed_at=long_ago)


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + CHUNK_BYTES, len(BIG)])
def test_a_file_in_parts_is_the_file(patient: Actor, size: int) -> None:
    data = BIG[:size]
    described = begin(patient, size=size)
    view = uploads.get_upload(actor=patient, upload_id=described)
    for part in range(view.parts):
        assert send(patient, described, part, data).next_part == part + 1
    record = finish(patient, described, data)
    assert record.state == "waiting"
    assert content(patient, record.record) == data
    assert staging().names() == []


def test_parts_and_finish_asked_again_have_one_effect(chain: ChainNode, patient: Actor) -> None:
    described = begin(patient, parts=2)
    assert send(patient, described, 0).next_part == 2
    assert send(patient, described, 1, bytes(len(BIG))).next_part == 2, "a part that is here is left as it is"
    for part in (2, 3):
        send(patient, described, part)
    first = finish(patient, described)
    assert finish(patient, described) == first
    assert send(patient, described, 3).state == "done"
    chain.settle()
    assert content(patient, first.record) == BIG
    assert len(documents.list_records(actor=patient, patient=patient.address)) == 1


def test_what_cannot_be_is_refused_and_changes_nothing(patient: Actor) -> None:
    described = begin(patient, parts=1)
    with pytest.raises(Conflict, match="Part 1 comes next"):
        send(patient, described, 2)
    with pytest.raises(Conflict, match="Part 1 comes next"):
        finish(patient, described)
    for part in (-1, 4, 2**40):
        with pytest.raises(InvalidInput, match="4 parts"):
            send(patient, described, part)
    for wrong in (b"", part_of(BIG, 1)[:-1], part_of(BIG, 1) + b"x"):
        with pytest.raises(InvalidInput, match="Send it again"):
            upload_parts.receive_part(actor=patient, upload_id=described, part=1, stream=pieces(wrong))
    with pytest.raises(InvalidInput, match="size"):
        send(patient, describe(patient, size=None), 0)
    eve = make_patient("Eve Hill")
    for stranger in (lambda: send(eve, described, 1), lambda: finish(eve, described)):
        with pytest.raises(NotFound):
            stranger()
    with pytest.raises(NotFound):
        uploads.discard_upload(actor=eve, upload_id=described)
    assert uploads.list_unfinished(actor=eve) == []
    assert uploads.get_upload(actor=patient, upload_id=described).next_part == 1


def test_a_broken_line_encrypts_nothing(patient: Actor) -> None:
    described = begin(patient, parts=1)

    def broken() -> Iterator[bytes]:
        yield part_of(BIG, 1)[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        upload_parts.receive_part(actor=patient, upload_id=described, part=1, stream=broken())
    row = Upload.objects.get(pk=described)
    assert (row.state, row.parts_begun, row.parts_done) == ("described", 1, 1)


@pytest.mark.parametrize(
    ("name", "after"),
    [("write_part", False), ("write_part", True), ("complete_part", False), ("complete_part", True)],
)
def test_a_part_cut_at_any_point_is_gone_on_with(
    patient: Actor, monkeypatch: pytest.MonkeyPatch, name: str, after: bool
) -> None:
    described = begin(patient, parts=1)
    with monkeypatch.context() as dying:
        kill_at(dying, name, after=after)
        with pytest.raises(Killed):
            send(patient, described, 1)
    left_claimed()
    assert send(patient, described, 1).next_part == 2
    for part in (2, 3):
        send(patient, described, part)
    assert content(patient, finish(patient, described).record) == BIG


def test_another_plaintext_for_a_part_that_was_cut_is_taken_under_another_salt(
    patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = begin(patient, parts=1)
    with monkeypatch.context() as dying:
        kill_at(dying, "write_part", after=True)
        with pytest.raises(Killed):
            send(patient, described, 1)
    left_claimed()
    (staged,) = (path for path in settings.UPLOAD_STAGING_PATH.rglob("*") if path.is_file())
    first, at = staged.read_bytes(), PartPlan(len(BIG), PART).offset(1)
    other = BIG[:PART] + bytes(len(BIG) - PART)
    send(patient, described, 1, other)
    assert staged.read_bytes()[at:][:HEADER_BYTES] != first[at:][:HEADER_BYTES]
    for part in (2, 3):
        send(patient, described, part, other)
    assert content(patient, finish(patient, described, other).record) == other


def test_a_file_that_changed_is_noticed(patient: Actor) -> None:
    described = begin(patient, parts=2)
    changed = b"%PDF-1.6" + BIG[8:]
    for part in (2, 3):
        send(patient, described, part, changed)
    with pytest.raises(Conflict, match="has changed"):
        finish(patient, described, changed)
    assert documents.list_records(actor=patient, patient=patient.address) == []
    assert finish(patient, described).state == "waiting"


def test_an_upload_that_an_earlier_release_began_starts_over(patient: Actor) -> None:
    described = begin(patient, parts=2)
    row = Upload.objects.get(pk=described)
    assert row.staged is not None
    before = b"upload parts" + row.pk.bytes + row.staged.bytes
    sealed = seal_draft(patient, before, {"key": "00" * 32, "salt": "00" * 32, "digest": "00" * 32})
    Upload.objects.update(sealed_parts=sealed)
    assert uploads.get_upload(actor=patient, upload_id=described).next_part == 0
    with pytest.raises(StartOver, match="begins again"):
        send(patient, described, 2)
    assert staging().names() == []
    for part in range(4):
        send(patient, described, part)
    assert content(patient, finish(patient, described).record) == BIG


def test_two_browsers_at_once_take_turns(patient: Actor) -> None:
    described = begin(patient)
    real = upload_parts.write_part

    def meanwhile(*args: Any) -> None:
        with pytest.raises(Conflict, match="arriving already"):
            send(patient, described, 0)
        with pytest.raises(Conflict, match="arriving already"):
            uploads.discard_upload(actor=patient, upload_id=described)
        real(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(upload_parts, "write_part", meanwhile)
        send(patient, described, 0)
    assert uploads.get_upload(actor=patient, upload_id=described).next_part == 1


def test_who_was_taken_for_dead_and_is_not_spoils_nothing(patient: Actor) -> None:
    described = begin(patient, parts=1)
    real = upload_parts.write_part

    def slow(*args: Any) -> None:
        Upload.objects.update(claimed_at=timezone.now() - timedelta(hours=1))
        with pytest.MonkeyPatch.context() as other:
            other.setattr(upload_parts, "write_part", real)
            for part in (1, 2):
                send(patient, described, part)
        real(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(upload_parts, "write_part", slow)
        with pytest.raises(Conflict, match="taken over"):
            send(patient, described, 1)
    send(patient, described, 3)
    assert content(patient, finish(patient, described).record) == BIG


@pytest.mark.parametrize("point", ["write_part", "complete_part"])
def test_a_row_read_while_another_request_changes_it_is_read_again(patient: Actor, point: str) -> None:
    described = begin(patient, parts=1)
    real, early = getattr(upload_parts, point), []

    def meanwhile(*args: Any) -> None:
        early.append(find_upload(patient, described))
        real(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(upload_parts, point, meanwhile)
        send(patient, described, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(upload_parts, "find_upload", lambda *_: early[0])
        assert send(patient, described, 1, bytes(len(BIG))).next_part == 2, "its body took that long"
    for part in (2, 3):
        send(patient, described, part)
    assert content(patient, finish(patient, described).record) == BIG


@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_staging_that_lost_something_starts_over(patient: Actor, harm: str) -> None:
    described = begin(patient, parts=4 if harm == "changed" else 2)
    (name,) = staging().names()
    path = settings.UPLOAD_STAGING_PATH / name.hex[:2] / name.hex
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if harm == "cut" else data[:5000] + bytes(1) + data[5001:])
    with pytest.raises(StartOver):
        finish(patient, described) if harm == "changed" else send(patient, described, 2)
    assert documents.list_records(actor=patient, patient=patient.address) == []
    for part in range(4):
        send(patient, described, part)
    assert content(patient, finish(patient, described).record) == BIG


def test_a_store_or_staging_that_is_down_loses_nothing(
    patient: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    described = begin(patient, parts=1)
    with monkeypatch.context() as down:
        down.setattr(settings, "UPLOAD_STAGING_PATH", blocked / "staging")
        with pytest.raises(StoreDown, match="could not be kept"):
            send(patient, described, 1)
    for part in (1, 2, 3):
        send(patient, described, part)
    with monkeypatch.context() as down:
        down.setattr(settings, "STORE_PATH", blocked / "store")
        with pytest.raises(StoreDown):
            finish(patient, described)
    assert content(patient, finish(patient, described).record) == BIG


def test_unfinished_uploads_are_bounded_listed_discarded_and_forgotten(
    patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = begin(patient, parts=2)
    monkeypatch.setattr(settings, "UPLOAD_UNFINISHED_MAX_BYTES", 2 * len(BIG) - 1)
    second = begin(patient)
    with pytest.raises(Conflict, match="unfinished"):
        send(patient, second, 0)
    (shown,) = uploads.list_unfinished(actor=patient)
    assert (shown.id, shown.title, shown.next_part, shown.percent) == (described, "Blood report", 2, 50)
    assert shown.digest == digest_of(BIG[: 2 * PART])
    uploads.discard_upload(actor=patient, upload_id=described)
    assert (staging().names(), uploads.list_unfinished(actor=patient)) == ([], [])
    send(patient, second, 0)
    stray = uuid.uuid4()
    staging().write(stray, 0, [b"left by who knows"])
    sweeping.sweep_records()
    row = Upload.objects.get(pk=second)
    assert staging().names() == [row.staged]
    Upload.objects.update(created_at=timezone.now() - timedelta(days=8))
    sweeping.sweep_records()
    assert (staging().names(), Upload.objects.count()) == ([], 0)


def test_a_part_is_on_disk_only_encrypted(patient: Actor) -> None:
    marked = b"%PDF-1.7\n" + b"MARKED-CONTENT" * (len(BIG) // 14)
    described = begin(patient, size=len(marked))
    send(patient, described, 0, marked)
    (path,) = (path for path in settings.UPLOAD_STAGING_PATH.rglob("*") if path.is_file())
    assert path.stat().st_size > PART
    assert b"MARKED" not in path.read_bytes()
    row = Upload.objects.get(pk=described)
    assert b"MARKED" not in bytes(row.sealed_parts) + bytes(row.sealed)
