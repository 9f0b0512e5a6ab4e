"""Every accepted file was scanned by a real clamd, which found nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.actor import Actor
from chain.status.health import Unhealthy
from records.content import staging
from records.crypto.mdr1 import CHUNK_BYTES
from records.errors import Infected, ScannerDown, TooLarge
from records.health import check_scanner
from records.models import Upload
from records.services import documents, upload_parts, uploads
from tests.clamd.daemon import EICAR, NAME, STREAM_MAX, Clamd
from tests.records.conftest import FILE, pieces
from tests.records.test_upload_parts import digest_of
from tests.records.test_uploads import describe

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    """One clamd for all tests here: it takes a second to start."""
    with Clamd(tmp_path_factory.mktemp("clamd")) as running:
        yield running


@pytest.fixture(autouse=True)
def _scanned(scanner: Clamd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CLAMD_URL", scanner.url)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


def send(actor: Actor, data: bytes, described: str = "") -> str:
    """Send a file whole. Return the upload's id."""
    described = described or describe(actor, size=len(data), file_name="report")
    uploads.receive_upload(actor=actor, upload_id=described, stream=pieces(data), length=len(data))
    return described


def nothing_is_kept(actor: Actor, store_folder: Path) -> None:
    """No record, and no content in the store."""
    assert documents.list_records(actor=actor, patient=actor.address) == []
    assert [path for path in (store_folder / "objects").rglob("*") if path.is_file()] == []


def test_a_clean_file_is_taken_through_socket_and_port(
    patient: Actor, scanner: Clamd, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in (scanner.url, scanner.tcp_url):
        monkeypatch.setattr(settings, "CLAMD_URL", url)
        check_scanner()
        assert Upload.objects.get(pk=send(patient, FILE)).state == "done"


def test_what_is_found_is_refused_with_its_name(patient: Actor, store_folder: Path) -> None:
    with pytest.raises(Infected, match=NAME):
        send(patient, b"A letter.\n" + EICAR)
    nothing_is_kept(patient, store_folder)


def test_what_is_found_in_parts_is_refused_at_the_end(
    patient: Actor, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", CHUNK_BYTES)
    data = b"A" * (CHUNK_BYTES - 20) + EICAR + b"B" * 100  # across two parts
    described = describe(patient, size=len(data), file_name="letter.txt")
    for part in (0, 1):
        body = [data[part * CHUNK_BYTES : (part + 1) * CHUNK_BYTES]]
        upload_parts.receive_part(actor=patient, upload_id=described, part=part, stream=body)
    digest = digest_of(data, CHUNK_BYTES)
    with pytest.raises(Infected, match=NAME):
        upload_parts.finish_upload(actor=patient, upload_id=described, digest=digest)
    nothing_is_kept(patient, store_folder)
    assert (staging().names(), Upload.objects.count()) == ([], 0), "what is refused for good is not kept"


def test_a_scanner_that_is_down_accepts_nothing(
    patient: Actor, store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = describe(patient, size=len(FILE), file_name="report")
    with monkeypatch.context() as down:
        down.setattr(settings, "CLAMD_URL", f"unix://{tmp_path}/nobody")
        with pytest.raises(ScannerDown, match="does not answer"):
            send(patient, FILE, described)
        with pytest.raises(Unhealthy):
            check_scanner()
    nothing_is_kept(patient, store_folder)
    send(patient, FILE, described)


def test_a_scanner_that_hangs_accepts_nothing(
    patient: Actor, scanner: Clamd, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CLAMD_TIMEOUT", 0.5)
    scanner.freeze()
    try:
        with pytest.raises(ScannerDown, match="does not answer"):
            send(patient, FILE)
    finally:
        scanner.thaw()
    nothing_is_kept(patient, store_folder)


def test_a_file_over_the_scanners_limit_is_not_accepted(patient: Actor, store_folder: Path) -> None:
    with pytest.raises(TooLarge, match="larger than the malware scanner takes"):
        send(patient, b"%PDF-1.7\n" + bytes(4 * STREAM_MAX))
    nothing_is_kept(patient, store_folder)


def test_a_file_over_the_scanners_limit_is_refused_in_parts_for_good(
    patient: Actor, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", STREAM_MAX)
    data = b"%PDF-1.7\n" + bytes(2 * STREAM_MAX - 9)
    described = describe(patient, size=len(data), file_name="letter.pdf")
    for part in (0, 1):
        body = [data[part * STREAM_MAX : (part + 1) * STREAM_MAX]]
        upload_parts.receive_part(actor=patient, upload_id=described, part=part, stream=body)
    with pytest.raises(TooLarge, match="larger than the malware scanner takes"):
        upload_parts.finish_upload(actor=patient, upload_id=described, digest=digest_of(data, STREAM_MAX))
    nothing_is_kept(patient, store_folder)
    assert (staging().names(), Upload.objects.count()) == ([], 0)
