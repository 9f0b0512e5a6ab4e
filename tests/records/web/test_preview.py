"""Looking at a file in the portal: who may, what is shown, what the patient reads of it, and the headers."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pydicom.data import get_testdata_file

from accounts.models import Account
from accounts.services.signup import open_actor
from records.demo.images import ecg_strip
from records.models import Grant, ViewLog
from records.services import inspecting
from tests import policies
from tests.chain_node import ChainNode
from tests.people import PASSWORD
from tests.records.conftest import grant
from tests.records.previews.made import PDF as INNER
from tests.records.previews.made import item, report, with_inner
from tests.records.previews.test_pictures import HEIC
from tests.records.web.conftest import Clinic, Visitor, describe, send

pytestmark = pytest.mark.django_db

PNG = ecg_strip(seconds=1)
PDF = b"%PDF-1.7\n" + b"not one really " * 100
CT = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture(autouse=True)
def _written_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records come from other portals, too: here no door looks at what a file is."""

    def believe(head: bytes, *, file_name: str, declared: str) -> str:
        del head, file_name
        return declared

    monkeypatch.setattr(inspecting, "check_type", believe)


def put(visitor: Visitor, body: bytes, name: str = "a.png", media_type: str = "image/png") -> str:
    """Upload these bytes under any name and type; the path of the version, which "view/" follows."""
    path = describe(
        visitor.client, file_name=name, media_type=media_type, size=len(body), title="<b>Report</b>"
    )
    return f"{send(visitor.client, path, body)}versions/1/"


def read(client: Client, path: str, **headers: str) -> bytes:
    answer = client.get(path, headers=headers)
    assert answer.status_code in (200, 206), answer.status_code
    return b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]


def test_a_picture_is_given_as_what_its_bytes_are(patient: Visitor) -> None:
    base = put(patient, PNG, media_type="text/html")
    page = patient.client.get(f"{base}view/").content.decode()
    assert f'src="{base}view/file/"' in page
    assert "&lt;b&gt;Report" in page
    answer = patient.client.get(f"{base}view/file/")
    assert b"".join(answer.streaming_content) == PNG  # type: ignore[attr-defined]
    assert (answer["Content-Type"], answer["Content-Disposition"]) == ("image/png", "inline")
    assert policies.directives(answer["Content-Security-Policy"]) == policies.FILE
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Accel-Buffering"] == "no"


def test_a_pdf_is_bytes_for_our_reader_and_never_a_document(patient: Visitor) -> None:
    base = put(patient, PDF, "report.html", "text/html")
    page = patient.client.get(f"{base}view/")
    assert b'sandbox="allow-scripts"' in page.content
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    answer = patient.client.get(f"{base}view/file/", headers={"range": "bytes=5-9"})
    assert (answer.status_code, b"".join(answer.streaming_content)) == (206, PDF[5:10])  # type: ignore[attr-defined]
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "application/octet-stream",
        "attachment",
    )


def test_the_reader_has_no_origin_and_fetches_static_files_alone(client: Client) -> None:
    answer = client.get("/records/reader/")
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    ours = "http://testserver/static/"
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == f"{ours} 'wasm-unsafe-eval'"
    assert policy["connect-src"] == policy["style-src"] == ours
    assert (policy["frame-ancestors"], answer["X-Frame-Options"]) == ("'self'", "SAMEORIGIN")


@pytest.mark.parametrize("body", [SVG, b"<html><script>alert(1)</script></html>", b"GIF89 <script>"])
@pytest.mark.parametrize("media_type", ["image/png", "image/svg+xml", "text/html", "application/pdf"])
def test_what_is_no_picture_is_text_whatever_it_calls_itself(
    patient: Visitor, body: bytes, media_type: str
) -> None:
    base = put(patient, body, "a.svg", media_type)
    page = patient.client.get(f"{base}view/").content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert f"{base}view/file/" not in page
    assert patient.client.get(f"{base}view/file/").status_code == 404
    assert patient.client.get(f"{base}view/frames/0/").status_code == 422


def test_what_is_not_shown_says_so(patient: Visitor) -> None:
    base = put(patient, b"PK\x03\x04 a document", "letter.docx", "image/png")
    page = patient.client.get(f"{base}view/").content.decode()
    assert "not shown here" in page
    assert f'href="{base}file/"' in page


def test_text_json_and_tables(patient: Visitor) -> None:
    json = put(patient, b'{"a":1.10}', "a.json", "application/json")
    assert "&quot;a&quot;: 1.10" in patient.client.get(f"{json}view/").content.decode()
    table = put(patient, b"name;value\nHb;11,1\n", "a.csv", "text/csv")
    assert "<td>Hb</td><td>11,1</td>" in patient.client.get(f"{table}view/").content.decode()
    long = put(patient, b"x" * (1024 * 1024 + 1), "a.txt", "text/plain")
    assert "Only the beginning is shown" in patient.client.get(f"{long}view/").content.decode()


def test_a_text_says_how_it_was_read_and_is_read_again_as_chosen(patient: Visitor) -> None:
    words = "Befund: Größe 1,78 m, Übergewicht."
    base = put(patient, words.encode("cp437"), "befund.txt", "text/plain")
    page = patient.client.get(f"{base}view/").content.decode()
    assert words in page
    assert "for it looks like it. The file does not say it" in page
    assert '<select class="form-select" id="encoding" name="encoding">' in page
    again = patient.client.get(f"{base}view/?encoding=windows-1250").content.decode()
    assert words not in again
    assert "as you chose" in again
    assert '<option value="windows-1250" selected>' in again
    assert words in patient.client.get(f"{base}view/?encoding=zip").content.decode()
    plain = put(patient, b"only ASCII", "a.txt", "text/plain")
    assert "Read as" not in patient.client.get(f"{plain}view/").content.decode()


def test_a_pdf_in_a_dicom_file_is_shown_by_the_reader_and_saved_by_itself(patient: Visitor) -> None:
    base = put(patient, with_inner(INNER, DocumentTitle="../Be\u202efund<b>"), "a.dcm", "application/dicom")
    page = patient.client.get(f"{base}view/").content.decode()
    assert f'data-file="{base}view/inner/"' in page
    assert f'data-size="{len(INNER)}"' in page
    assert 'sandbox="allow-scripts"' in page
    assert "it holds a file" in page
    part = patient.client.get(f"{base}view/inner/", headers={"range": "bytes=5-9"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, INNER[5:10])  # type: ignore[attr-defined]
    saved = patient.client.get(f"{base}view/inner/?save=1")
    assert b"".join(saved.streaming_content) == INNER  # type: ignore[attr-defined]
    assert saved["Content-Type"] == "application/octet-stream"
    assert saved["Content-Disposition"].startswith("attachment")
    assert ".pdf" in saved["Content-Disposition"]
    assert ".." not in saved["Content-Disposition"]
    assert policies.directives(saved["Content-Security-Policy"]) == policies.FILE
    assert saved["ETag"] != patient.client.head(f"{base}file/")["ETag"]


def test_other_files_in_a_dicom_file_are_text_or_named(patient: Visitor) -> None:
    letter = b"<?xml version='1.0' encoding='iso-8859-2'?><ClinicalDocument>" + "łóć".encode("iso-8859-2")
    base = put(patient, with_inner(letter + b"</ClinicalDocument>"), "cda.dcm", "application/dicom")
    page = patient.client.get(f"{base}view/").content.decode()
    assert "&lt;ClinicalDocument&gt;łóć" in page
    assert patient.client.get(f"{base}view/inner/").status_code == 404
    for body in (b"<html><script>alert(1)</script>", b"MZ\0\0 a program" * 9):
        base = put(patient, with_inner(body), "a.dcm", "application/dicom")
        page = patient.client.get(f"{base}view/").content.decode()
        assert "<script>alert" not in page
        assert "Save the file inside" in page
        saved = patient.client.get(f"{base}view/inner/?save=1")
        assert saved["Content-Type"] == "application/octet-stream"
    none = put(patient, CT, "ct.dcm", "application/dicom")
    assert patient.client.get(f"{none}view/inner/").status_code == 422
    assert patient.client.get(f"{put(patient, PNG)}view/inner/").status_code == 422


def test_a_report_and_an_overlay_are_on_the_page(patient: Visitor) -> None:
    finding = item("TEXT", "Finding", TextValue="<b>no fracture</b>")
    base = put(patient, report(finding, VerificationFlag="UNVERIFIED"), "sr.dcm", "application/dicom")
    page = patient.client.get(f"{base}view/").content.decode()
    assert "Finding: &lt;b&gt;no fracture&lt;/b&gt;" in page
    assert "nobody has verified it" in page
    path = Path(str(get_testdata_file("examples_overlay.dcm")))
    base = put(patient, path.read_bytes(), "o.dcm", "application/dicom")
    page = patient.client.get(f"{base}view/").content.decode()
    assert "are an overlay of the file" in page
    assert 'type="checkbox" id="overlay"' in page
    drawn, plain = (patient.client.get(f"{base}view/frames/0/{more}").content for more in ("", "?overlay=0"))
    assert drawn != plain


def test_a_dicom_picture_its_tags_and_its_frames(patient: Visitor) -> None:
    base = put(patient, CT, "ct.dcm", "application/dicom")
    page = patient.client.get(f"{base}view/").content.decode()
    assert "CompressedSamples^CT1" in page
    assert f'src="{base}view/frames/0/?centre=135.5&amp;width=2063.0"' in page
    frame = patient.client.get(f"{base}view/frames/0/?centre=40&width=400")
    assert frame.content.startswith(b"\x89PNG")
    assert (frame["Content-Type"], frame["Cache-Control"]) == ("image/png", "private, no-store")
    other = patient.client.get(f"{base}view/frames/0/?centre=nan&width=0")
    assert other.content == patient.client.get(f"{base}view/frames/0/").content != frame.content
    beyond = patient.client.get(f"{base}view/frames/7/")
    assert (beyond.status_code, beyond.content) == (404, b"There is no such frame.")


def test_a_photograph_of_a_phone_and_its_pages(patient: Visitor) -> None:
    base = put(patient, HEIC, "photograph.heic", "image/heic")
    page = patient.client.get(f"{base}view/").content.decode()
    assert f'src="{base}view/frames/0/"' in page
    assert "1 of 2" in page
    assert patient.client.get(f"{base}view/frames/1/").content.startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["view/", "view/file/", "view/frames/0/"])
def test_nothing_but_get_and_nothing_of_a_version_that_is_not_there(patient: Visitor, path: str) -> None:
    base = put(patient, PNG)
    assert patient.client.head(base + path).status_code == 405
    assert patient.client.post(base + path).status_code == 405
    assert patient.client.get(base.replace("/1/", "/2/") + path).status_code == 404


def share(chain: ChainNode, patient: Visitor, clinic: Clinic) -> None:
    """A confirmed grant of the folder to the doctor, through the clinic."""
    chain.settle()
    actor = open_actor(patient.user, PASSWORD, Account.Kind.PATIENT)
    grant(actor, clinic.doctor.address, clinic.institution.address)
    chain.settle()


def test_a_look_is_one_line_however_many_parts_it_takes(
    chain: ChainNode, patient: Visitor, clinic: Clinic
) -> None:
    seen, other = put(patient, CT, "ct.dcm"), put(patient, b"PK\x03\x04", "letter.docx")
    share(chain, patient, clinic)
    doctor, lines = clinic.doctor.client, ViewLog.objects.filter(what="content")
    read(patient.client, f"{seen}view/")
    read(doctor, f"{other}view/")
    assert not lines.exists()  # the owner's own look, and a page that shows nothing
    read(doctor, f"{seen}view/")
    for width in (100, 200, 300):
        read(doctor, f"{seen}view/frames/0/?centre=40&width={width}")
    line = lines.get()
    assert (line.viewer, line.via, line.version) == (clinic.doctor.address, clinic.institution.address, 1)
    read(doctor, f"{seen}view/")
    assert lines.count() == 2
    lines.update(at=timezone.now() - timedelta(minutes=11))
    read(doctor, f"{seen}view/frames/0/")  # a part long after, or without a page before it, is a look
    assert lines.count() == 3


PATHS = ("view/", "view/file/", "view/frames/0/", "view/inner/", "view/inner/?save=1")


def test_nobody_else_sees_anything(patient: Visitor, stranger: Visitor, client: Client) -> None:
    seen = put(patient, CT, "ct.dcm")
    for path in PATHS:
        answer = stranger.client.get(seen + path)
        assert answer.status_code == 404
        assert b"\x89PNG" not in answer.content
        assert b"CompressedSamples" not in answer.content
        assert client.get(seen + path)["Location"].startswith("/accounts/login/")


def test_a_grant_that_has_ended_or_was_taken_back_closes_the_next_part(
    chain: ChainNode, patient: Visitor, clinic: Clinic
) -> None:
    seen = put(patient, CT, "ct.dcm")
    share(chain, patient, clinic)
    doctor = clinic.doctor.client
    read(doctor, f"{seen}view/frames/0/")
    Grant.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert all(doctor.get(seen + path).status_code in (403, 404) for path in PATHS)
    Grant.objects.update(expiry=timezone.now() + timedelta(days=1))
    read(doctor, f"{seen}view/frames/0/")
    revoked = {"grantee": clinic.doctor.address, "via": clinic.institution.address, "scope": f"0x{1:064x}"}
    assert patient.client.post("/sharing/revoke/", revoked).status_code == 302
    assert all(doctor.get(seen + path).status_code in (403, 404) for path in PATHS)
    assert ViewLog.objects.filter(what="content").count() == 1


def test_a_closed_vault_shows_nothing(patient: Visitor) -> None:
    seen = put(patient, CT, "ct.dcm")
    del patient.client.cookies["medrec_vault"]
    for path in PATHS:
        answer = patient.client.get(seen + path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/vault/?next=")
