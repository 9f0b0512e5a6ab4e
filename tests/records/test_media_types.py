"""A file's type follows from its content. A name that says something else is refused, and so is what runs."""

import io
import os
import zipfile

import pytest
from django.conf import settings
from PIL import Image

from accounts.actor import Actor
from records.errors import WrongType
from records.media_types import DEFAULT_TYPES, HEAD_BYTES, NEVER, NameContradicts, media_type_of
from records.services import documents, upload_parts, uploads
from tests.records.conftest import pieces
from tests.records.previews.test_pictures import HEIC
from tests.records.test_uploads import describe

RANDOM = os.urandom(HEAD_BYTES)
PROGRAM = b"MZ" + bytes(200)
DICOM = bytes(128) + b"DICM" + bytes(20)
CDA = b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>"
CYRILLIC = "<?xml version='1.0' encoding='windows-1251'?><Letter>Гемоглобин, эритроциты".encode("cp1251")
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Length 9>>stream\n\0\1\2"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def picture(form: str) -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, form)
    return file.getvalue()


def archive(entry: tuple[str, str] = ("word/document.xml", "<x/>")) -> bytes:
    """A small ZIP."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(*entry)
    return file.getvalue()


def boxes(brand: str, *others: str) -> bytes:
    """The beginning of a file of boxes."""
    first = b"ftyp" + brand.encode() + bytes(4) + "".join(others).encode()
    return (len(first) + 4).to_bytes(4, "big") + first + b"\0\0\1\0moov" + RANDOM[:248]


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"%PDF-1.7 abc", "a.pdf", "application/pdf"),
        (b"%PDF-1.7 abc", "no ending", "application/pdf"),
        (picture("JPEG"), "a.JPG", "image/jpeg"),
        (picture("PNG"), "a.png", "image/png"),
        (picture("PNG"), "a.jpg", "image/png"),
        (picture("GIF"), "a.gif", "image/gif"),
        (picture("WEBP"), "a.webp", "image/webp"),
        (picture("TIFF"), "a.tif", "image/tiff"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.heic", "image/heif"),
        (HEIC, "IMG_4711.HEIC", "image/heif"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1miafMiHBheic", "a.heic", "image/heif"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "a.avif", "image/avif"),
        (DICOM, "IM0001", "application/dicom"),
        (RANDOM, "old.dcm", "application/dicom"),
        ("Größe\n".encode(), "a.txt", "text/plain"),
        ("Größe, Gewicht und Blutdruck\n".encode("latin-1"), "a.txt", "text/plain"),
        ("Größe".encode("utf-16"), "a.csv", "text/csv"),
        (b"MSH|^~\\&|LAB\r", "a.hl7", "text/plain"),
        (b"\x0bMSH|^~\\&|LAB\r\x1c\r", "a.hl7", "text/plain"),
        (b"01380006301\r\n\x1a", "a.gdt", "text/plain"),
        (b'{"resourceType":"Bundle"}', "a.json", "application/json"),
        (CDA, "a.xml", "application/xml"),
        (archive(), "a.zip", "application/zip"),
        (archive(), "a.docx", DOCX),
        (OLE, "a.doc", "application/msword"),
        (b"{\\rtf1 x}", "a.rtf", "application/rtf"),
        (b"ID3\x03" + bytes(100), "a.mp3", "audio/mpeg"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), "a.wav", "audio/wav"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a.mp4", "video/mp4"),
        (boxes("3gp4"), "a.3gp", "video/mp4"),
        (boxes("M4A ", "mp42", "isom"), "memo.m4a", "audio/mp4"),
        (boxes("isom", "mp42"), "memo.m4a", "audio/mp4"),
        (boxes("M4A "), "memo.mp3", "audio/mp4"),
        (boxes("mif1", "miaf"), "a.heif", "image/heif"),
        (boxes("mif1", "avif"), "a.avif", "image/avif"),
        (b"\xff\xfb\x90\0" + RANDOM, "dictation.mp3", "audio/mpeg"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm" + RANDOM, "a.wav", "video/webm"),
        (b"II+\0\x08\0\0\0" + bytes(20), "slide.tif", "image/tiff"),
        (b"\r\n" + PDF, "a.pdf", "application/pdf"),
        (b"\xef\xbb\xbf" + PDF, "a.pdf", "application/pdf"),
        (b"Content-Type: application/pdf\r\n\r\n" + PDF, "a.pdf", "application/pdf"),
        (archive(("report.pdf", "%PDF-1.7")), "a", "application/zip"),
        (OLE, "letter.docx", DOCX),
        (OLE, "a.msg", "application/vnd.ms-outlook"),
        (OLE, "letter", "application/x-ole-storage"),
        (archive(), "values.xls", "application/zip"),
        (b"Date;Value\r\n2024-01-02;5,4\r\n", "values.xls", "text/plain"),
        (b"<?xml version='1.0'?><Workbook/>", "values.xls", "application/xml"),
        (b"<?xml version='1.0'?><Letter><head>x</head><body >y</body></Letter>", "a.xml", "application/xml"),
        (CYRILLIC, "a.xml", "application/xml"),
        (RANDOM, "a.bin", "application/octet-stream"),
        (RANDOM, "a", "application/octet-stream"),
        (b"MZ is how this letter begins", "a.txt", "text/plain"),
    ],
)
def test_content_says_what_a_file_is(head: bytes, name: str, kind: str) -> None:
    assert media_type_of(head, name=name) == kind
    assert kind in DEFAULT_TYPES or kind == "image/heif"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (PROGRAM, "a.exe"),
        (PROGRAM, "a"),
        (b"\x7fELF" + bytes(60), "a.bin"),
        (b"#!/bin/sh\n", "a"),
        (b"dir\r\n", "a.bat"),
        (archive(), "a.jar"),
        (b"[InternetShortcut]\r\nURL=x\r\n", "a.url"),
        (b"<p onclick='alert(1)'>A report</p>", "a.html"),
        (b"<html><script>alert(1)</script>\0", "a.htm"),
        (b"MIME-Version: 1.0\r\n", "a.mhtml"),
        (b"\n <!DOCTYPE html><p>", "a.html"),
        (b"<?xml version='1.0'?><svg xmlns='x'>", "a.svg"),
        (b"<svg xmlns='x'><script>alert(1)</script></svg>", "a.svg"),
    ],
)
def test_what_runs_is_known_as_such(head: bytes, name: str) -> None:
    kind = media_type_of(head, name=name)
    assert kind in NEVER
    assert kind not in DEFAULT_TYPES


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (PROGRAM, "a.pdf"),
        (PROGRAM, "a.txt"),
        (RANDOM, "a.pdf"),
        (b"only text", "a.pdf"),
        (picture("PNG"), "a.pdf"),
        (b"<html><body>", "a.txt"),
        (b"<html><body>", "a.jpg"),
        (RANDOM, "a.docx"),
        (b"only text", "a.png"),
        (b"<?xml version='1.0'?><h:html xmlns:h='x'><h:script>1</h:script></h:html>", "a.xml"),
        (b"<?xml version='1.0'?><!--" + b"x" * 2000 + b"--><html>", "a.xml"),
        (b"<?xml version='1.0'?><Letter><script xmlns='x'>1</script></Letter>", "a.xml"),
        (b"<?xml version='1.0'?><s:svg xmlns:s='x'/>", "a.xml"),
    ],
)
def test_a_name_that_contradicts_the_content_is_refused(head: bytes, name: str) -> None:
    with pytest.raises(NameContradicts, match="name of this file says"):
        media_type_of(head, name=name)


def test_what_is_declared_only_says_it_more_exactly() -> None:
    fhir = "application/fhir+json"
    assert media_type_of(b"{}", name="a.json", declared=f"{fhir}; charset=utf-8") == fhir
    assert media_type_of(b"%PDF-1.7", name="a", declared="text/html") == "application/pdf"
    assert media_type_of(RANDOM, name="a", declared="image/png") == "application/octet-stream"


@pytest.mark.django_db
class TestUploads:
    """The same at the doors of uploads."""

    def test_a_program_named_pdf_is_refused_whole_and_in_parts(self, patient: Actor) -> None:
        data = PROGRAM * 5000
        described = describe(patient, size=len(data))
        with pytest.raises(WrongType, match="says that it is a PDF, but it is a program"):
            uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(data), length=len(data))
        with pytest.raises(WrongType, match="a program"):
            upload_parts.receive_part(actor=patient, upload_id=described, part=0, stream=[data])
        assert documents.list_records(actor=patient, patient=patient.address) == []

    @pytest.mark.parametrize("name", ["a.bat.", "a.bat\u202e", "a.bat .", "a.bat\u200b."])
    def test_a_name_counts_as_the_one_that_is_saved(self, patient: Actor, name: str) -> None:
        data = b"dir\r\n"
        described = describe(patient, size=len(data), file_name=name)
        with pytest.raises(WrongType, match="By its name, this file is a script, which is not taken"):
            uploads.receive_upload(actor=patient, upload_id=described, stream=pieces(data), length=len(data))

    def test_the_record_says_what_the_content_is(
        self, patient: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = b"<html><body>A report</body></html>"

        def send() -> str:
            described = describe(patient, size=len(page), file_name="a.html", media_type="image/png")
            view = uploads.receive_upload(
                actor=patient, upload_id=described, stream=pieces(page), length=len(page)
            )
            return view.versions[-1].media_type

        with pytest.raises(WrongType, match="a web page, which is not taken"):
            send()
        monkeypatch.setattr(settings, "UPLOAD_TYPES", [*DEFAULT_TYPES, "text/html"])
        assert send() == "text/html"
