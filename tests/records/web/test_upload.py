"""Uploading and opening through the pages: one effect, clear refusals, nothing left in the session."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.vault_session import COOKIE
from chain.models import Act
from records.models import Upload
from tests.chain_node import ChainNode
from tests.records.web.conftest import BLOOD, Visitor, describe, send
from tests.sessions import kept_in_sessions

pytestmark = pytest.mark.django_db


def test_a_described_file_is_sent_waits_is_confirmed_and_opens(chain: ChainNode, patient: Visitor) -> None:
    page = send(patient.client, describe(patient.client))
    shown = patient.client.get(page).content.decode()
    assert "Blood report" in shown
    assert "Waiting for confirmation" in shown
    chain.settle()
    shown = patient.client.get(page).content.decode()
    assert "Waiting for confirmation" not in shown
    act = Act.objects.get(kind="NewRecord")
    assert act.event is not None
    assert act.event.tx_hash in shown
    opened = patient.client.get(f"{page}versions/1/file/")
    assert opened.getvalue() == BLOOD
    assert opened["Content-Disposition"] == 'attachment; filename="blood.pdf"'
    assert opened["Cache-Control"] == "private, no-store"
    assert opened["X-Content-Type-Options"] == "nosniff"
    assert int(opened["Content-Length"]) == len(BLOOD)


def test_a_damaged_file_is_a_clear_page_and_not_a_stump(chain: ChainNode, patient: Visitor) -> None:
    body = b"%PDF-1.7\n" + b"x" * 200_000  # four chunks: the first is damaged, the last is not
    page = send(patient.client, describe(patient.client, size=len(body)), body)
    chain.settle()
    stored = max((path for path in settings.STORE_PATH.rglob("*") if path.is_file()), key=_size_and_age)
    data = bytearray(stored.read_bytes())
    data[500] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(data)
    answer = patient.client.get(f"{page}versions/1/file/")
    assert answer.status_code == 422
    assert "is damaged" in answer.content.decode()


def _size_and_age(path: Path) -> tuple[int, int]:
    about = path.stat()
    return (about.st_size, about.st_mtime_ns)


def test_bytes_sent_twice_make_one_record(patient: Visitor) -> None:
    path = describe(patient.client)
    assert send(patient.client, path) == send(patient.client, path)
    assert Act.objects.filter(kind="NewRecord").count() == 1


def test_bytes_need_the_csrf_token(patient: Visitor) -> None:
    path = describe(patient.client)
    patient.client.handler.enforce_csrf_checks = True
    answer = patient.client.put(path, BLOOD, content_type="application/octet-stream")
    assert answer.status_code == 403
    assert not Act.objects.filter(kind="NewRecord").exists()


def test_a_file_in_a_form_is_refused(patient: Visitor) -> None:
    answer = patient.client.post("/records/upload/", {"title": "x", "file": SimpleUploadedFile("x", b"x")})
    assert answer.status_code == 400
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("title", "", "This field is required."),
        ("kind", "99999-9", "99999-9 is not one of the available choices."),
        ("service_date", "2999-01-01", "future"),
        ("nonce", "n" * (settings.NONCE_MAX_BYTES + 1), "64 bytes"),
        ("folder", "7", "7 is not one of the available choices."),
        ("size", "0", "empty"),
        ("media_type", "pdf", "A media type looks like"),
    ],
)
def test_a_wrong_description_is_refused_beside_its_field(
    patient: Visitor, field: str, value: str, words: str
) -> None:
    values = {
        "title": "Blood report",
        "kind": "11502-2",
        "service_date": "2026-03-02",
        "folder": "1",
        "file_name": "blood.pdf",
        "size": "2000",
    }
    answer = patient.client.post("/records/upload/", values | {field: value})
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Upload.objects.exists()


def test_a_file_over_the_limit_is_refused_before_its_bytes(patient: Visitor) -> None:
    values = {"title": "Scan", "kind": "18748-4", "service_date": "2026-03-02", "folder": "1"}
    size = str(settings.UPLOAD_MAX_BYTES + 1)
    answer = patient.client.post("/records/upload/", values | {"file_name": "scan.dcm", "size": size})
    assert answer.status_code == 413
    assert not Upload.objects.exists()


def test_a_strangers_record_is_as_unknown_as_one_that_is_not_there(
    patient: Visitor, stranger: Visitor
) -> None:
    page = send(patient.client, describe(patient.client))
    unknown = f"/records/0x{'5' * 64}/"
    for rest in ("", "edit/", "move/", "close/", "versions/new/", "versions/1/file/"):
        theirs, nobodys = stranger.client.get(page + rest), stranger.client.get(unknown + rest)
        assert theirs.status_code == nobodys.status_code == 404
        assert b"Blood report" not in theirs.content


def test_the_bytes_of_somebody_elses_upload_are_not_taken(patient: Visitor, stranger: Visitor) -> None:
    path = describe(patient.client)
    answer = stranger.client.put(path, BLOOD, content_type="application/octet-stream")
    assert answer.status_code == 404
    assert not Act.objects.filter(kind="NewRecord").exists()


def test_an_act_is_polled_by_its_author_until_it_is_settled(
    chain: ChainNode, patient: Visitor, stranger: Visitor
) -> None:
    send(patient.client, describe(patient.client))
    act = Act.objects.get(kind="NewRecord")
    path = f"/acts/{act.pk}/status/"
    assert stranger.client.get(path).status_code == 404
    waiting = patient.client.get(path).content.decode()
    assert "hx-trigger" in waiting
    chain.settle()
    for query in ("", "?full=1"):
        settled = patient.client.get(path + query).content.decode()
        assert "Confirmed" in settled
        assert " hx-" not in settled


def test_nobody_is_let_in_without_signing_in(patient: Visitor) -> None:
    page, anonymous = send(patient.client, describe(patient.client)), Client()
    for path in (page, "/records/", "/sharing/", "/history/", "/inbox/", f"{page}versions/1/file/"):
        answer = anonymous.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


def test_a_closed_vault_is_opened_before_a_form_is_shown(patient: Visitor) -> None:
    del patient.client.cookies[COOKIE]
    for path in ("/", "/records/", "/records/upload/", "/records/folders/new/", "/sharing/new/"):
        answer = patient.client.get(path)
        assert answer.status_code == 302
        assert answer["Location"] == f"/vault/?{urlencode({'next': path})}"


def test_no_medical_word_is_in_a_session(chain: ChainNode, patient: Visitor) -> None:
    page = send(patient.client, describe(patient.client, title="Zebrafish anaemia"))
    chain.settle()
    patient.client.post(
        f"{page}edit/", {"title": "Zebrafish iron", "kind": "11502-2", "service_date": "2026-03-02"}
    )
    patient.client.post("/records/folders/new/", {"name": "Zebrafish folder"})
    patient.client.post(f"{page}close/", {"reason": "entered in error"})
    kept = kept_in_sessions(patient.client)
    assert "Zebrafish" not in kept
    assert Act.objects.filter(kind__in=["ModifyRecord", "NameFolder", "CloseRecord"]).count() == 3
