"""What colours a JPEG in a DICOM file holds: what the file says of them is often wrong.

The stream itself knows better (T.81, JFIF, Adobe's APP14, and libjpeg's rules where there is none of them):
writers that only copy a camera's JPEG call it RGB, though it holds YCbCr.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

SOI = b"\xff\xd8"
START_OF_SCAN, APP0, APP14 = 0xDA, 0xE0, 0xEE
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclass
class _Signs:
    """What a stream says of its colours."""

    jfif: bool = False
    transform: int | None = None  # Adobe's: 0 none, 1 YCbCr
    ids: bytes = b""
    subsampled: bool = False


def holds_ycbcr(jpeg: bytes, photometric: str) -> bool:
    """Return whether components are YCbCr and not RGB. Where the stream is silent, `photometric` counts."""
    signs = _signs(jpeg)
    if signs.subsampled or signs.jfif:  # nobody makes one of green and blue smaller
        return True
    if signs.transform is not None:
        return signs.transform != 0
    if signs.ids in (b"RGB", b"rgb"):
        return False
    return signs.ids == b"\x01\x02\x03" or photometric.startswith("YBR")


def decode_colours(jpeg: bytes, photometric: str) -> Image.Image:
    """The picture of a JPEG of three components of 8 bits, in RGB. Raises what Pillow raises."""
    marked = _with_marker(jpeg, transform=1 if holds_ycbcr(jpeg, photometric) else 0)
    image = Image.open(io.BytesIO(marked), formats=("JPEG",))
    if image.mode not in ("RGB", "YCbCr"):
        raise ValueError("not three components")
    return image.convert("RGB")


def _with_marker(jpeg: bytes, transform: int) -> bytes:
    """The stream with one mark of its colours, Adobe's, which every decoder obeys."""
    body = bytearray(SOI + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform]))
    end = 2
    for marker, start, stop in _segments(jpeg):
        if marker not in (APP0, APP14):
            body += jpeg[start:stop]
        end = stop
    return bytes(body + jpeg[end:])


def _signs(jpeg: bytes) -> _Signs:
    signs = _Signs()
    for marker, start, stop in _segments(jpeg):
        content = jpeg[start + 4 : stop]
        if marker == APP0 and content.startswith(b"JFIF\0"):
            signs.jfif = True
        elif marker == APP14 and content.startswith(b"Adobe") and len(content) >= 12:
            signs.transform = content[11]
        elif marker in FRAME_HEADERS and len(content) >= 6:
            parts = [content[at : at + 3] for at in range(6, min(6 + 3 * content[5], len(content)), 3)]
            signs.ids = bytes(part[0] for part in parts)
            sampling = {part[1] for part in parts if len(part) == 3}
            signs.subsampled = len(sampling) > 1
    return signs


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, where it starts, where it ends) before the first scan."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF or marker in ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == START_OF_SCAN:
            return
        stop = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        yield marker, at, stop
        at = stop
