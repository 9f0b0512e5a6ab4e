"""Files made to hurt who opens them."""

import io
import struct
import zlib

from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.records.previews.asking import dicom_file


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png() -> bytes:
    """100,000 by 100,000 pixels in some hundred bytes."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


def huge_tiff() -> bytes:
    """60,000 by 60,000 pixels of which there is one strip of a byte."""
    side = 60_000
    fields = (
        (256, side),
        (257, side),
        (258, 1),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, side),
        (279, 1),
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)


def huge_dicom() -> bytes:
    data = dcmread(io.BytesIO(dicom_file("CT_small.dcm")))
    data.Rows = data.Columns = 65_535
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def deflated_bomb() -> bytes:
    """4 GiB of nothing in 4 MiB, before a single tag can be read."""
    data = dcmread(io.BytesIO(dicom_file("CT_small.dcm")))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    del data.PixelData
    out = io.BytesIO()
    data.save_as(out)
    head = out.getvalue()
    begin = 144 + int.from_bytes(head[140:144], "little")  # where the file meta information ends
    packer = zlib.compressobj(9, wbits=-15)
    start = packer.compress(struct.pack("<HH2sHI", 0x0009, 0x0010, b"OB", 0, 2**32 - 2))
    start += packer.flush(zlib.Z_FULL_FLUSH)
    nothing = packer.compress(bytes(16 * 1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head[:begin] + start + nothing * 256 + packer.flush()


def nested() -> bytes:
    """Sequences in sequences, deeper than any stack."""
    data = dcmread(io.BytesIO(dicom_file("CT_small.dcm")))
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    data.save_as(out)
    head = out.getvalue()[: out.getvalue().index(b"\x08\x00\x05\x00")]
    item = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 2**32 - 1
    )
    return head + item * 50_000
