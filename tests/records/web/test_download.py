"""Downloads from the pages: a file, a part of it, and all records as one ZIP."""

import zipfile
from io import BytesIO

import pytest

from tests.chain_node import ChainNode
from tests.records.web.conftest import BLOOD, Clinic, Visitor, describe, send

pytestmark = pytest.mark.django_db


def test_a_file_and_a_part_of_it(patient: Visitor) -> None:
    page = send(patient.client, describe(patient.client))
    path = f"{page}versions/1/file/"
    whole = patient.client.get(path)
    assert b"".join(whole.streaming_content) == BLOOD  # type: ignore[attr-defined]
    part = patient.client.get(path, headers={"range": "bytes=5-9"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, BLOOD[5:10])  # type: ignore[attr-defined]
    known = patient.client.get(path, headers={"if-none-match": whole["ETag"]})
    assert known.status_code == 304
    assert patient.client.head(path)["Content-Length"] == str(len(BLOOD))
    assert patient.client.post(path).status_code == 405


def test_all_of_ones_records(patient: Visitor, stranger: Visitor) -> None:
    assert "/records/export/" not in patient.client.get("/records/").content.decode()
    assert "no records to download" in patient.client.get("/records/export/").content.decode()
    send(patient.client, describe(patient.client))
    assert "/records/export/" in patient.client.get("/records/").content.decode()
    page = " ".join(patient.client.get("/records/export/").content.decode().split())
    assert "1 record, 2.0" in page
    assert "Earlier versions" not in page
    answer = patient.client.get("/records/export/zip/")
    archive = zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]
    assert archive.read("records/General/2026-03-02 Blood report.pdf") == BLOOD
    assert stranger.client.get(f"/patients/{patient.address}/export/").status_code == 403
    assert stranger.client.get(f"/patients/{patient.address}/export/zip/").status_code == 403


def test_a_doctor_without_a_grant_gets_none(chain: ChainNode, patient: Visitor, clinic: Clinic) -> None:
    send(patient.client, describe(patient.client))
    chain.settle()
    assert clinic.doctor.client.get(f"/patients/{patient.address}/export/zip/").status_code == 403
