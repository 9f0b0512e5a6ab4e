"""What a file is, decided by its first bytes alone: what its author says would be the author's to choose.

A whitelist. What is not on it is not shown. HTML and SVG are text like any other, shown as their source.
"""

from dataclasses import dataclass
from enum import Enum

from records.media_types import boxed_picture, pdf_begins
from records.previews.encodings import utf16_without_mark

HEAD_BYTES = 4096
"""How many of a file's first bytes `look_at` wants to see."""


class Kind(Enum):
    """How a file is shown."""

    PDF = "pdf"
    IMAGE = "image"
    FRAMES = "frames"
    TEXT = "text"


@dataclass(frozen=True)
class Look:
    """How a file is shown, and its true media type."""

    kind: Kind
    media_type: str


PNG, GIF, JPEG = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DICOM_AT = 128
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Control characters that text has: tab, line feed, form feed, carriage return, escape (HL7, terminals), and
# the end of a file of DOS (LDT, GDT).
TEXT_CONTROLS = frozenset(b"\t\n\x0b\x0c\r\x1a\x1b\x1c\x1d")


def look_at(head: bytes) -> Look | None:
    """Return the kind of a file that begins like this, or None for one that is not shown.

    DICOM comes first, since the 128 bytes before its mark may be anything, another format's beginning too.
    """
    if head[DICOM_AT : DICOM_AT + 4] == b"DICM":
        return Look(Kind.FRAMES, "application/dicom")
    if head.startswith(TIFF):
        return Look(Kind.FRAMES, "image/tiff")
    if boxed_picture(head) == "image/heif":
        return Look(Kind.FRAMES, "image/heif")
    if picture := _picture(head):
        return Look(Kind.IMAGE, picture)
    if head.lstrip(b"\xef\xbb\xbf\0\t\r\n ").startswith(b"%PDF-"):
        return Look(Kind.PDF, "application/pdf")
    if is_text(head):
        return Look(Kind.TEXT, "text/plain")
    return Look(Kind.PDF, "application/pdf") if pdf_begins(head) else None


def is_text(head: bytes) -> bool:
    """Return whether this begins like text: with a byte order mark, as UTF-16, or as bytes of text."""
    if head.startswith(BYTE_ORDER_MARKS) or utf16_without_mark(head):
        return True
    return not any((byte < 32 and byte not in TEXT_CONTROLS) or byte == 127 for byte in head)


def _picture(head: bytes) -> str:
    """The media type of a picture that browsers decode, or ""."""
    if head.startswith(PNG):
        return "image/png"
    if head.startswith(JPEG):
        return "image/jpeg"
    if head.startswith(GIF):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return boxed_picture(head)
