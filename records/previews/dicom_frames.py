"""The frames of a DICOM file: how many there really are, and each one decoded (PS3.5, 8 and annex A.4).

NumberOfFrames is missing or wrong in many files. The pixel data say it: by their length, or by the streams in
them. Of a file of many frames only the one that is asked for is read.
"""

import io
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame, parse_basic_offsets
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit, RLELossless

from records.previews.dicom_jpeg import decode_colours
from records.previews.errors import CannotShow
from records.previews.pictures import TOO_LARGE

Array = np.ndarray[Any, Any]

FRAME_BYTES_MAX = 128 * 1024 * 1024
NUMBER_OF_FRAMES = 0x00280008
WALK_BYTES_MAX = 512 * 1024 * 1024
KEYWORDS = {8: "FloatPixelData", 9: "DoubleFloatPixelData", 0x10: "PixelData"}
STREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG and JPEG-LS; JPEG 2000
ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
NO_PICTURE = "This file has the place for a picture, and no picture in it."


@dataclass
class Frames:
    """The pixel data of a file that stands at them."""

    file: BinaryIO
    header: Dataset
    keyword: str
    vr: str
    at: int  # where the value begins
    length: int
    fragments: list[tuple[int, int]] = field(default_factory=list)

    @property
    def claimed(self) -> int:
        """Return how many the file says it has. 0 where it says nothing that could be."""
        try:
            return max(int(str(self.header.get("NumberOfFrames") or 0)), 0)
        except (ValueError, TypeError, OverflowError):
            return 0

    @cached_property
    def count(self) -> int:
        """Return how many there are; at least 1."""
        return self._found() or max(self.claimed, 1)

    def read(self, frame: int) -> Array:
        """Stored values, (rows, columns) or (rows, columns, 3). YBR is RGB by then."""
        if not self._syntax.is_encapsulated:
            return self._decoded(self.file, self.at, frame, self.count)
        data = self._stream(frame)
        if self.header.get("SamplesPerPixel") == 3 and self._syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
            return np.asarray(decode_colours(data, str(self.header.PhotometricInterpretation)))
        return self._decoded(io.BytesIO(encapsulate([data], has_bot=False)), 0, 0, 1)

    @property
    def _syntax(self) -> UID:
        return UID(self.header.file_meta.TransferSyntaxUID)

    def _decoded(self, source: BinaryIO, at: int, frame: int, count: int) -> Array:
        plain = Dataset(dict(self.header.items()))  # Dataset(header) would share its elements
        plain.add_new(NUMBER_OF_FRAMES, "IS", count)
        options = as_pixel_options(plain, transfer_syntax_uid=self._syntax, pixel_keyword=self.keyword)
        options.pop("extended_offsets", None)
        if self.vr:
            options["pixel_vr"] = self.vr
        source.seek(at)
        return get_decoder(self._syntax).as_array(source, index=frame, validate=True, **options)[0]

    def _found(self) -> int:
        """Return how many frames the pixel data have, 0 where they do not tell."""
        if not self._syntax.is_encapsulated:
            pixels = _samples(self.header) * int(self.header.get("BitsAllocated") or 8)
            if str(self.header.get("PhotometricInterpretation")) == "YBR_FULL_422":
                pixels = pixels * 2 // 3
            end = self.file.seek(0, os.SEEK_END)
            return min(self.length, max(end - self.at, 0)) * 8 // max(pixels, 1)
        offsets = self.header.get("ExtendedOffsetTable")
        if isinstance(offsets, bytes) and len(offsets) >= 8:
            return len(offsets) // 8
        self.file.seek(self.at)
        table = parse_basic_offsets(self.file)
        if len(table) > 1:
            return len(table)
        self.fragments = self._walk()
        return len(self.fragments)

    def _walk(self) -> list[tuple[int, int]]:
        """(beginning, end) of each frame among the fragments. [] where they do not tell.

        A frame begins with its stream's first bytes. With run lengths every fragment is one.
        """
        self.file.seek(self.at)
        parse_basic_offsets(self.file)
        frames: list[tuple[int, int]] = []
        at = self.file.tell()
        while at - self.at < WALK_BYTES_MAX and self.file.read(4) == ITEM:
            length = int.from_bytes(self.file.read(4), "little")
            if self._syntax == RLELossless or self.file.read(4).startswith(STREAM_STARTS):
                frames.append((at, at))
            at += 8 + length
            if not frames:
                return []
            frames[-1] = (frames[-1][0], at)
            self.file.seek(at)
        return frames

    def _stream(self, frame: int) -> bytes:
        """The bytes of one frame."""
        count = self.count
        if self.fragments:
            start, end = self.fragments[frame]
            return self._joined(start, end)
        offsets = self.header.get("ExtendedOffsetTable"), self.header.get("ExtendedOffsetTableLengths")
        self.file.seek(self.at)
        return get_frame(
            self.file, frame, number_of_frames=count, extended_offsets=offsets if all(offsets) else None
        )

    def _joined(self, start: int, end: int) -> bytes:
        """The fragments between two places, without their headers."""
        parts = bytearray()
        while start < end:
            self.file.seek(start + 4)
            length = int.from_bytes(self.file.read(4), "little")
            if len(parts) + length > FRAME_BYTES_MAX:
                raise CannotShow(TOO_LARGE)
            parts += self.file.read(length)
            start += 8 + length
        return bytes(parts)


def open_frames(file: BinaryIO, header: Dataset) -> Frames:
    """The pixel data behind a header that was read until them. Raises CannotShow where there are none."""
    bits = int(header.get("BitsAllocated") or 8)
    if _samples(header) * max(bits // 8, 1) > FRAME_BYTES_MAX:
        raise CannotShow(TOO_LARGE)
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian:
        file.seek(0)
        whole = dcmread(file)
        name = next((each for each in KEYWORDS.values() if each in whole), "")
        if not name:
            raise CannotShow(NO_PICTURE)
        data = whole[name].value
        return Frames(io.BytesIO(data), header, name, whole[name].VR, 0, len(data))
    order: Any = "little" if syntax.is_little_endian else "big"
    tag = file.read(8)
    group, element = int.from_bytes(tag[:2], order), int.from_bytes(tag[2:4], order)
    if group != 0x7FE0 or element not in KEYWORDS:
        raise CannotShow(NO_PICTURE)
    if syntax.is_implicit_VR:
        vr, length = "", int.from_bytes(tag[4:8], order)
    else:
        vr, length = tag[4:6].decode("latin-1"), int.from_bytes(file.read(4), order)
    return Frames(file, header, KEYWORDS[element], vr, file.tell(), length)


def _samples(header: Dataset) -> int:
    return int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1)
