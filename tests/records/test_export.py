"""All records as one ZIP: what is in it, what it says of what is missing, and who may take it."""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.actor import Actor
from records.crypto.mdr1 import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES
from records.errors import AccessRefused
from records.models import ViewLog
from records.services import consent, revocations
from records.services.export import plan_export, stream_export
from records.storage.tree import LEAF_SIZE
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import FILE, Clinic, grant, upload
from tests.records.test_api import Api

pytestmark = pytest.mark.django_db

BIG = bytes(range(256)) * 4096 * 5  # 5 MiB: six leaves of ciphertext


class Taken:
    """A ZIP as its reader has it: every file's checksum was right."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.archive = zipfile.ZipFile(BytesIO(b"".join(pieces)))
        assert self.archive.testzip() is None
        self.names = self.archive.namelist()
        self.index: dict[str, Any] = json.loads(self.archive.read("index.json"))
        self.page = self.archive.read("index.html").decode()

    def file_of(self, record: str, version: int = 1) -> bytes:
        """The content that the index names, whose digest is as the index says."""
        line = self.line_of(record, version)
        data = self.archive.read(line["file"])
        assert hashlib.sha256(data).hexdigest() == line["sha256"]
        return data

    def line_of(self, record: str, version: int = 1) -> dict[str, Any]:
        """The index's line of a version."""
        lines = self.index["versions"]
        (line,) = (one for one in lines if (one["record"], one["version"]) == (record, version))
        found: dict[str, Any] = line
        return found


def take(actor: Actor, patient: Actor, *, all_versions: bool = False) -> Taken:
    """The ZIP of a patient's records."""
    export = plan_export(actor=actor, patient=patient.address, all_versions=all_versions)
    return Taken(stream_export(export))


def test_everything_is_in_it_with_an_index_last(chain: ChainNode, patient: Actor) -> None:
    first = upload(patient).record
    second = upload(patient, data=BIG, title="<b>X-ray</b>").record
    chain.settle()
    export = plan_export(actor=patient, patient=patient.address)
    assert (export.record_count, export.content_bytes) == (2, len(FILE) + len(BIG))
    taken = Taken(stream_export(export))
    assert taken.names[-2:] == ["index.json", "index.html"]
    assert (taken.file_of(first), taken.file_of(second)) == (FILE, BIG)
    assert taken.line_of(first)["file"] == "records/General/2026-03-01 Blood report.pdf"
    line = taken.line_of(second)
    assert (line["title"], line["kind"], line["service_date"]) == ("<b>X-ray</b>", "11502-2", "2026-03-01")
    assert (line["author_name"], line["state"], line["problem"]) == ("Ada Moss", "confirmed", "")
    assert "added a record" in {entry["text"] for entry in taken.index["history"]}
    assert "&lt;b&gt;X-ray" in taken.page
    assert "<b>X-ray" not in taken.page
    assert 'href="records/General/2026-03-01%20Blood%20report.pdf"' in taken.page


def test_names_are_safe_and_none_stands_twice(patient: Actor) -> None:
    for title in ("Same", "same", "../../evil", "a/b\\c:d", "CON", "\u202egpj", "L" * 200, "L" * 199 + "M"):
        upload(patient, title=title)
    names = [name for name in take(patient, patient).names if name.startswith("records/")]
    assert len(names) == len({name.casefold() for name in names}) == 8
    assert all(len(name.encode()) < 200 for name in names)
    for name in names:
        assert name.count("/") == 2
        assert not set(name) & set('\\:*?"<>|\u202e')
        assert ".." not in name.split("/")


def test_a_title_gives_no_file_its_ending(patient: Actor) -> None:
    upload(patient, title="Report.bat", file_name="report")
    upload(patient, title="Report.bat", file_name="report", data=bytes(50))
    names = [name for name in take(patient, patient).names if name.startswith("records/")]
    assert sorted(name.rpartition(".")[2] for name in names) == ["bin", "pdf"]


def test_every_version_comes_if_asked(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient).record
    chain.settle()
    upload(patient, data=b"second" * 500, title="Corrected", replaces=record)
    chain.settle()
    newest = take(patient, patient)
    assert [one["version"] for one in newest.index["versions"]] == [2]
    assert newest.file_of(record, 2) == b"second" * 500
    both = take(patient, patient, all_versions=True)
    assert (both.file_of(record, 1), both.file_of(record, 2)) == (FILE, b"second" * 500)
    assert both.line_of(record, 1)["file"].endswith("(version 1).pdf")


def test_a_mended_description_brings_no_file_twice(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient).record
    chain.settle()
    api = Api(patient)
    api.client.patch(
        f"/api/v1/records/{record}",
        {"title": "Mended", "kind": "11502-2", "service_date": None},
        headers=api.headers,
        content_type="application/json",
    )
    chain.settle()
    taken = take(patient, patient, all_versions=True)
    assert len(taken.names) == 3
    assert taken.file_of(record, 1) == taken.file_of(record, 2) == FILE


def test_what_is_lost_is_named_and_the_rest_comes(patient: Actor, store_folder: Path) -> None:
    lost = upload(patient, title="Lost")
    contents = [path for path in store_folder.glob("objects/*/*") if path.stat().st_size > len(FILE)]
    for path in contents:
        path.unlink()
    kept = upload(patient, title="Kept").record
    taken = take(patient, patient)
    assert taken.file_of(kept) == FILE
    line = taken.line_of(lost.record)
    assert (line["file"], line["sha256"]) == ("", "")
    assert "does not have this file" in line["problem"]
    assert taken.index["missing"] == 1
    assert "1 version is missing" in taken.page


def test_what_breaks_on_the_way_is_cut_and_named(patient: Actor, store_folder: Path) -> None:
    broken = upload(patient, data=BIG, title="Broken").record
    (stored,) = (path for path in store_folder.glob("objects/*/*") if path.stat().st_size > len(BIG))
    with stored.open("r+b") as file:
        file.seek(2 * LEAF_SIZE + 5)
        file.write(b"\0\0\0\0")
    after = upload(patient, title="After").record
    taken = take(patient, patient)
    data = taken.file_of(broken)
    whole = (2 * LEAF_SIZE - HEADER_BYTES) // SEALED_CHUNK_BYTES * CHUNK_BYTES  # chunks before that leaf
    assert data == BIG[:whole]
    assert f"cut after {whole} bytes" in taken.line_of(broken)["problem"]
    assert taken.file_of(after) == FILE


class TestByADoctor:
    """Who holds a grant."""

    def test_gets_what_was_granted_and_is_seen(
        self, chain: ChainNode, patient: Actor, clinic: Clinic
    ) -> None:
        one = upload(patient, title="Granted").record
        upload(patient, title="Not granted")
        chain.settle()
        grant(patient, clinic.doctor.address, clinic.via, folders=(), records=(one,))
        chain.settle()
        taken = take(clinic.doctor, patient)
        assert [line["title"] for line in taken.index["versions"]] == ["Granted"]
        assert taken.file_of(one) == FILE
        assert taken.index["history"] == []
        looks = ViewLog.objects.filter(what="content")
        assert [(look.record, look.viewer) for look in looks] == [(one, clinic.doctor.address)]

    def test_gets_no_more_once_it_is_taken_back(
        self, chain: ChainNode, patient: Actor, clinic: Clinic
    ) -> None:
        for title in ("One", "Two", "Three"):
            upload(patient, title=title, data=BIG)
        chain.settle()
        grant(patient, clinic.doctor.address, clinic.via)
        chain.settle()
        pieces = stream_export(plan_export(actor=clinic.doctor, patient=patient.address))
        begun = [next(pieces), next(pieces)]
        (given,) = consent.grants_by(actor=patient)
        revocations.revoke_access(actor=patient, grantee=given.grantee, via=given.via, scope=given.scope)
        taken = Taken([*begun, *pieces])
        assert len(taken.names) == 3
        assert taken.index["missing"] == 2
        assert ViewLog.objects.filter(what="content").count() == 1

    def test_without_a_grant_is_refused(self, patient: Actor, clinic: Clinic) -> None:
        upload(patient)
        for stranger in (clinic.doctor, make_patient("Eve Hill")):
            with pytest.raises(AccessRefused):
                plan_export(actor=stranger, patient=patient.address)


def test_over_the_api(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    record = upload(patient).record
    chain.settle()
    ada = Api(patient)
    answer = ada.get("export?versions=all")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"].startswith('attachment; filename="records 20')
    assert answer["Cache-Control"] == "private, no-store"
    assert Taken(answer.streaming_content).file_of(record) == FILE
    assert ada.get("export?versions=some").status_code == 400
    assert Api(clinic.doctor).get(f"export?patient={patient.address}").status_code == 403
    assert Client().get("/api/v1/export").status_code == 401


def test_head_opens_nothing(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    upload(patient)
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    dana = Api(clinic.doctor)
    answer = dana.client.head(f"/api/v1/export?patient={patient.address}", headers=dana.headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert not ViewLog.objects.filter(what="content").exists()
