"""A file's kind follows from its bytes, whatever it calls itself."""

import io
from pathlib import Path

import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from records.previews.kinds import HEAD_BYTES, Kind, look_at


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "avif"])
def test_pictures_are_shown_by_the_browser(kind: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, kind)
    look = look_at(out.getvalue()[:HEAD_BYTES])
    assert look is not None
    assert (look.kind, look.media_type) == (Kind.IMAGE, f"image/{kind}")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", Kind.PDF),
        (b"\xef\xbb\xbf\r\n%PDF-1.4", Kind.PDF),
        (b"Content-Length: 99\r\n\r\n%PDF-1.4\n\0\1", Kind.PDF),
        (b"What begins with %PDF-1.4 is a PDF", Kind.TEXT),
        (b"PK\3\4\x0a\0\0\0report.pdf%PDF-1.4\n\0\1", None),
        (b"II*\0rest", Kind.FRAMES),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Kind.FRAMES),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", Kind.IMAGE),
        (b"\0\0\0\x10ftypisom\0\0\0\0mif1heic", None),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", None),
        (b"<html><script>alert(1)</script>", Kind.TEXT),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", Kind.TEXT),
        ("Müller: 38,5 °C".encode("windows-1252"), Kind.TEXT),
        (b"\xff\xfeT\0e\0x\0t\0", Kind.TEXT),
        (b"01380006301\r\n\x1a", Kind.TEXT),
        (b"PK\x03\x04 a zip", None),
        (b"\0\1\2", None),
        (b"\x7fELF", None),
        (b"", Kind.TEXT),
    ],
)
def test_the_beginning_decides(head: bytes, kind: Kind | None) -> None:
    look = look_at(head)
    assert (look.kind if look else None) is kind


def test_dicom_goes_before_what_stands_in_its_preamble() -> None:
    path = get_testdata_file("CT_small.dcm")
    data = Path(str(path)).read_bytes()
    for preamble in (b"II*\0", b"<html>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"):
        look = look_at(preamble.ljust(128, b"\0") + data[128:HEAD_BYTES])
        assert look is not None
        assert look.media_type == "application/dicom"
