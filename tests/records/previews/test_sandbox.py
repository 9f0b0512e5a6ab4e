"""The decoder meets hostile files: each ends in words, soon, in bounded memory; and it goes on answering."""

import io
import os
import signal
import struct
import zlib
from collections.abc import Callable

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from records.previews import sandbox
from records.previews.errors import CannotShow, TooBusy
from records.previews.sandbox import decoder
from tests.records.previews.asking import Asking, dicom_file


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


@pytest.mark.parametrize("make", [huge_png, huge_tiff])
def test_a_picture_of_too_many_pixels(make: Callable[[], bytes]) -> None:
    with pytest.raises(CannotShow, match="too many pixels"):
        Asking(make()).ask("measure")


def test_a_dicom_picture_of_too_many_pixels() -> None:
    asking = Asking(huge_dicom())
    assert "too many pixels" in asking.told("describe")["error"]
    with pytest.raises(CannotShow, match="too many pixels"):
        asking.ask("dicom", frame=0, window=None)


@pytest.mark.parametrize(("make", "words"), [(nested, "damaged"), (deflated_bomb, "too many pixels")])
def test_a_file_that_would_unpack_without_end(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(CannotShow, match=words):
        Asking(make()).ask("describe")
    assert Asking(dicom_file("CT_small.dcm")).told("describe")["error"] == ""


def test_every_cut_of_a_file_is_words() -> None:
    whole = dicom_file("MR_small_jp2klossless.dcm")
    for size in range(132, len(whole) - 200, len(whole) // 12):
        with pytest.raises(CannotShow):
            Asking(whole[:size]).ask("dicom", frame=0, window=None)


def test_a_process_that_was_killed_is_started_anew() -> None:
    asking = Asking(dicom_file("CT_small.dcm"))
    asking.told("describe")
    assert decoder._process is not None
    first = decoder._process.pid
    os.kill(first, signal.SIGKILL)
    decoder._process.wait()
    assert asking.told("describe")["error"] == ""
    assert decoder._process.pid != first


def test_the_process_has_no_environment_and_its_children_no_file_to_write() -> None:
    Asking(dicom_file("CT_small.dcm")).told("describe")
    assert decoder._process is not None
    with open(f"/proc/{decoder._process.pid}/environ", "rb") as file:  # noqa: PTH123
        names = {line.partition(b"=")[0] for line in file.read().split(b"\0") if line}
    assert names == {b"OPENBLAS_NUM_THREADS", b"LC_ALL"}


def test_a_store_that_fails_on_the_way_is_the_callers_to_hear_of() -> None:
    def read_at(offset: int, length: int) -> list[bytes]:
        raise LookupError(f"{offset} {length}")

    with pytest.raises(LookupError):
        decoder.ask("describe", size=1000, read_at=read_at)


def test_more_questions_than_places_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BUSY_SECONDS", 0.01)
    for _ in range(sandbox.AT_ONCE):
        decoder._places.acquire()
    try:
        with pytest.raises(TooBusy):
            Asking(dicom_file("CT_small.dcm")).ask("describe")
    finally:
        for _ in range(sandbox.AT_ONCE):
            decoder._places.release()
