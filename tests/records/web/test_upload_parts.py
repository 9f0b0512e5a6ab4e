"""The doors of an upload in parts: pages and API, who comes in, what a refusal looks like."""

import json
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts.services.signup import open_actor
from accounts.vault_session import COOKIE
from chain.restore import incarnation
from records.crypto.mdr1 import CHUNK_BYTES
from records.models import Upload
from tests.people import PASSWORD
from tests.records.test_api import Api
from tests.records.test_upload_parts import digest_of
from tests.records.web.conftest import Visitor, visit

pytestmark = pytest.mark.django_db

FILE = b"%PDF-1.7\n" + os.urandom(2 * CHUNK_BYTES)
DIGEST = digest_of(FILE, CHUNK_BYTES)
OCTETS = "application/octet-stream"


@pytest.fixture(autouse=True)
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


def part_of(part: int) -> bytes:
    """A part's bytes."""
    return FILE[part * CHUNK_BYTES : (part + 1) * CHUNK_BYTES]


def describe(client: Client) -> dict[str, str]:
    """A described upload: the addresses that the script uses."""
    values = {"title": "Zebrafish scan", "kind": "11502-2", "service_date": "2026-03-02", "folder": "1"}
    more = {"file_name": "scan.pdf", "size": str(len(FILE))}
    answer = client.post("/records/upload/", values | more)
    assert answer.status_code == 201, answer.content.decode()
    found: dict[str, str] = answer.json()
    return found


def test_the_script_sends_parts_asks_where_it_is_and_finishes(patient: Visitor) -> None:
    client, at = patient.client, describe(patient.client)
    for part in (0, 1):
        answer = client.put(f"{at['parts']}{part}/", part_of(part), content_type=OCTETS)
        assert answer.status_code == 200, answer.content.decode()
    status = client.get(at["status"]).json()
    assert (status["state"], status["next_part"], status["parts"]) == ("described", 2, 3)
    assert status["digest"] == digest_of(FILE[: 2 * CHUNK_BYTES], CHUNK_BYTES)
    early = client.put(at["finish"], DIGEST, content_type="text/plain")
    assert (early.status_code, early.json()["error"]) == (409, "Part 2 comes next.")
    page = client.get("/records/upload/").content.decode()
    assert "Zebrafish scan" in page
    assert at["page"] in page
    assert "scan.pdf" in client.get(at["page"]).content.decode()
    assert "only the rest is sent" in " ".join(client.get(at["page"]).content.decode().split())
    client.put(f"{at['parts']}2/", part_of(2), content_type=OCTETS)
    changed = client.put(at["finish"], "0" * 64, content_type="text/plain")
    assert changed.status_code == 409
    assert "has changed" in changed.json()["error"]
    done = [client.put(at["finish"], DIGEST, content_type="text/plain") for _ in range(2)]
    assert [answer.status_code for answer in done] == [201, 201]
    assert done[0].json() == done[1].json()
    assert client.get(at["page"])["Location"] == done[0].json()["next"]
    assert "Unfinished" not in client.get("/records/upload/").content.decode()


def test_an_unfinished_upload_is_discarded_on_the_page(patient: Visitor) -> None:
    at = describe(patient.client)
    patient.client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS)
    assert patient.client.get(at["discard"]).status_code == 405
    answer = patient.client.post(at["discard"], follow=True)
    assert "discarded" in answer.content.decode()
    assert not Upload.objects.exists()


def test_an_upload_that_starts_over_says_so_to_pages_and_programs(patient: Visitor) -> None:
    at = describe(patient.client)
    ada = Api(open_actor(patient.user, PASSWORD))
    upload = Upload.objects.get().pk
    for send in (
        lambda: patient.client.put(f"{at['parts']}1/", part_of(1), content_type=OCTETS),
        lambda: ada.put(f"uploads/{upload}/parts/1", part_of(1)),
    ):
        patient.client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS)
        incarnation.begin_restored()
        patient.client = visit(patient.user).client
        answer = send()
        assert (answer.status_code, answer.json()["starts_over"]) == (409, True)
        assert "begins again with its first part" in answer.json()["error"]
        assert patient.client.get(at["status"]).json()["next_part"] == 0
        page = patient.client.get(at["page"]).content.decode()
        assert "it is sent from the beginning" in page
        assert "only the rest" not in page


def test_nobody_else_comes_near_an_upload(patient: Visitor, stranger: Visitor) -> None:
    at = describe(patient.client)
    for client, status in ((stranger.client, 404), (Client(), 302)):
        for name in ("status", "page"):
            assert client.get(at[name]).status_code == status
        assert client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS).status_code == status
        assert client.put(at["finish"], DIGEST, content_type="text/plain").status_code == status
        assert client.post(at["discard"]).status_code == status
    patient.client.handler.enforce_csrf_checks = True
    assert patient.client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS).status_code == 403
    assert Upload.objects.get().parts_begun == 0


def test_a_closed_vault_takes_no_part_and_goes_on_when_it_is_open(patient: Visitor) -> None:
    at, kept = describe(patient.client), patient.client.cookies[COOKIE].value
    del patient.client.cookies[COOKIE]
    assert patient.client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS).status_code == 403
    assert patient.client.put(at["finish"], DIGEST, content_type="text/plain").status_code == 403
    assert patient.client.get(at["page"])["Location"].startswith("/vault/")
    patient.client.cookies[COOKIE] = kept
    assert patient.client.put(f"{at['parts']}0/", part_of(0), content_type=OCTETS).status_code == 200


def test_the_same_over_the_api(patient: Visitor) -> None:
    actor = open_actor(patient.user, PASSWORD)
    ada, reader = Api(actor), Api(actor, scope="read")
    body = {"title": "Scan", "kind": "11502-2", "file_name": "scan.pdf", "size": len(FILE)}
    described = ada.post("uploads", **body).json()
    assert (described["part_count"], described["part_bytes"], described["next_part"]) == (3, CHUNK_BYTES, 0)
    path = f"uploads/{described['id']}"
    refused = [reader.put(f"{path}/parts/0", part_of(0)), reader.post(f"{path}/finish", digest=DIGEST)]
    refused.append(reader.client.delete(f"/api/v1/{path}", headers=reader.headers))
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    for part in range(3):
        assert ada.put(f"{path}/parts/{part}", part_of(part)).json()["next_part"] == part + 1
    assert [one["id"] for one in ada.get("uploads").json()] == [described["id"]]
    wrong = ada.put(f"{path}/parts/7", part_of(0))
    assert (wrong.status_code, wrong.json()["field"]) == (400, "part")
    done = ada.post(f"{path}/finish", digest=DIGEST)
    assert done.status_code == 201, done.content
    record = done.json()["id"]
    assert ada.post(f"{path}/finish", digest=DIGEST).json()["id"] == record
    assert b"".join(ada.get(f"records/{record}/content").streaming_content) == FILE
    assert ada.client.delete(f"/api/v1/{path}", headers=ada.headers).status_code == 409
    schema = json.loads(ada.client.get("/api/v1/schema?format=json").content)
    assert "/api/v1/uploads/{upload_id}/parts/{part}" in schema["paths"]
