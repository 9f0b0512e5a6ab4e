"""A DICOM file's content is shown or named, in its own colours, and every frame is seen."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless

from records.previews.dicom_report import DEPTH_MAX, LINES_MAX
from records.previews.errors import CannotShow, NoSuchFrame
from tests.records.previews.asking import Asking, dicom_file
from tests.records.previews.made import (
    PDF,
    code,
    dicom,
    item,
    jpeg,
    jpeg_file,
    measured,
    picture,
    report,
    with_inner,
    without_marks,
)

RED = (200, 30, 30)


def shown(data: bytes, frame: int = 0, **more: Any) -> "np.ndarray[Any, Any]":
    """A frame as the page gets it."""
    png = Asking(data).ask("dicom", frame=frame, window=more.pop("window", None), **more)
    return np.asarray(Image.open(io.BytesIO(png)))


# --- files and reports ---


@pytest.mark.parametrize("content", [PDF, PDF + b"x"])
def test_the_file_inside_is_located_without_being_read(content: bytes) -> None:
    asking = Asking(with_inner(content))
    told = asking.told("describe")
    assert (told["inner"], told["error"]) == (True, "")
    assert told["notes"] == ["This DICOM file is “Encapsulated PDF”: it holds a file."]
    found = asking.told("inner")
    assert asking.data[found["offset"] : found["offset"] + found["length"]] == content
    assert (found["media_type"], found["title"]) == ("application/pdf", "Report")


def test_a_file_inside_that_is_compressed_or_missing_is_named() -> None:
    packed = dicom(syntax=DeflatedExplicitVRLittleEndian, EncapsulatedDocument=PDF + b" ")
    for data, words in ((packed, "compressed"), (picture(np.zeros((2, 2))), "no file")):
        with pytest.raises(CannotShow, match=words):
            Asking(data).ask("inner")


def test_a_report_is_text_with_its_tree_its_numbers_and_its_state() -> None:
    stone = item(
        "NUM", "Diameter", MeasuredValueSequence=measured("7.5", "mm"),
        NumericValueQualifierCodeSequence=code("Estimated"),
    )  # fmt: skip
    none = item("NUM", "Volume", NumericValueQualifierCodeSequence=code("Not available"))
    kidney = item("CODE", "Finding", stone, none, ConceptCodeSequence=code("Kidney stone"))
    text = item("TEXT", "Finding", TextValue="No fracture seen.\r\nSecond line.")
    image = item("IMAGE", "Source")
    told = Asking(
        report(
            item("CONTAINER", "Findings", text, kidney, image),
            CompletionFlag="PARTIAL",
            VerificationFlag="UNVERIFIED",
        )
    ).told("describe")
    assert told["error"] == ""
    assert told["report"].splitlines() == [
        "Radiology report",
        "Findings",
        "    Finding: No fracture seen.",
        "    Second line.",
        "    Finding: Kidney stone",
        "        Diameter: 7.5 mm (Estimated)",
        "        Volume: (Not available)",
        "    Source: a picture in another file",
    ]
    assert told["notes"] == [
        "This DICOM file is “Basic Text SR”: it holds a report.",
        "The report says that it is not complete.",
        "The report says that nobody has verified it.",
    ]


def test_a_report_without_end_is_cut_and_says_so() -> None:
    many = Asking(report(*[item("TEXT", "Finding", TextValue="x")] * (LINES_MAX + 10))).told("describe")
    assert many["report"].endswith("Save the file to read all of it.")
    assert len(many["report"].splitlines()) == LINES_MAX + 1
    long = Asking(report(*[item("TEXT", "Finding", TextValue="x" * 9000)] * 500)).told("describe")
    assert len(long["report"]) < 510_000
    assert long["report"].endswith("Save the file to read all of it.")
    deep = item("TEXT", "Finding", TextValue="x")
    for _ in range(DEPTH_MAX + 20):
        deep = item("CONTAINER", "Level", deep)
    assert "More below this is not shown." in Asking(report(deep)).told("describe")["report"]


def test_a_report_of_pydicoms_own_is_read() -> None:
    told = Asking(dicom_file("test-SR.dcm")).told("describe")
    assert "Diameter: 3 cm" in told["report"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (dicom(UID("1.2.3.4")), "of a kind that is not known here. It holds no picture"),
        (dicom(Rows=4, Columns=4, BitsAllocated=8), "place for a picture, and no picture"),
    ],
)
def test_what_has_no_picture_says_what_it_is(data: bytes, words: str) -> None:
    assert words in Asking(data).told("describe")["error"]


# --- overlays ---


def overlaid(
    stored: "np.ndarray[Any, Any]",
    mask: "np.ndarray[Any, Any]",
    extra: dict[int, Any] | None = None,
    **more: Any,
) -> bytes:
    """A picture with an overlay, (rows, columns) or (frames, rows, columns)."""
    packed = np.packbits(mask.astype(np.uint8).ravel(), bitorder="little").tobytes()
    elements = {0x10: ("US", mask.shape[-2]), 0x11: ("US", mask.shape[-1]), 0x40: ("CS", "G")}
    elements |= {0x50: ("SS", [1, 1]), 0x100: ("US", 1), 0x102: ("US", 0)}
    elements |= {0x3000: ("OW", packed + b"\0" * (len(packed) % 2))} | (extra or {})
    data = dcmread(io.BytesIO(picture(stored, **more)))
    for element, (vr, value) in elements.items():
        if value is not None:
            data.add_new((0x6000, element), vr, value)
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def coloured(pixels: "np.ndarray[Any, Any]") -> list[tuple[int, int]]:
    """Return the places that are not grey."""
    if pixels.ndim == 2:
        return []
    return [(int(r), int(c)) for r, c in zip(*np.nonzero(np.ptp(pixels, axis=2)), strict=True)]


GREY = np.full((6, 10), 100)
DOT = np.zeros((6, 10))
DOT[2, 7] = 1


def test_an_overlay_is_drawn_in_colour_and_said_and_can_be_left_out() -> None:
    data = overlaid(GREY, DOT)
    told = Asking(data).told("describe")
    assert told["overlay"] is True
    assert told["notes"] == ["Yellow lines and letters are an overlay of the file, drawn over the picture."]
    assert coloured(shown(data)) == [(2, 7)]
    assert coloured(shown(data, overlay=False)) == []


@pytest.mark.parametrize(
    ("origin", "places"),
    [([3, 2], [(4, 8)]), ([-1, 1], [(0, 7)]), ([1, 5], []), ([100, 100], []), ([-100, -100], [])],
)
def test_an_overlay_lies_where_it_says(origin: list[int], places: list[tuple[int, int]]) -> None:
    assert coloured(shown(overlaid(GREY, DOT, {0x50: ("SS", origin)}))) == places


def test_an_overlay_of_frames_lies_over_its_own_frame() -> None:
    masks = np.stack([np.roll(DOT, n, axis=1) for n in range(2)])
    more = {0x15: ("IS", 2), 0x51: ("US", 2)}
    data = overlaid(np.stack([GREY] * 4), masks, more, NumberOfFrames=4)
    assert [coloured(shown(data, n)) for n in range(4)] == [[], [(2, 7)], [(2, 8)], []]
    assert [coloured(shown(overlaid(np.stack([GREY] * 2), DOT), n)) for n in range(2)] == [[(2, 7)]] * 2


@pytest.mark.parametrize(
    "extra",
    [
        {0x3000: ("OW", None)},
        {0x3000: ("OW", b"\0\0")},
        {0x10: ("US", 0)},
        {0x10: ("US", 65535), 0x11: ("US", 65535)},
    ],
)
def test_an_overlay_that_cannot_be_drawn_is_said(extra: dict[int, Any]) -> None:
    data = overlaid(GREY, DOT, extra)
    assert "that is not drawn here" in Asking(data).told("describe")["notes"][0]
    assert coloured(shown(data)) == []


# --- colours ---

STREAMS = {
    "JFIF": jpeg(RED),
    "JFIF, whole": jpeg(RED, subsampling=0),
    "bare": without_marks(jpeg(RED)),
    "bare, whole": without_marks(jpeg(RED, subsampling=0)),
    "Adobe, RGB": jpeg(RED, keep_rgb=True),
    "bare, RGB": without_marks(jpeg(RED, keep_rgb=True)),
}


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("stream", STREAMS)
def test_red_is_red_whatever_the_file_calls_its_colours(stream: str, photometric: str) -> None:
    pixels = shown(jpeg_file(STREAMS[stream], photometric=photometric))
    assert np.abs(pixels.astype(int) - RED).max() < 12


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_where_the_stream_is_silent_the_file_is_believed(photometric: str) -> None:
    """Components 0, 1, 2 without a mark: some writers put RGB so, others YCbCr."""
    stream = bytearray(without_marks(jpeg(RED, subsampling=0, keep_rgb=photometric == "RGB")))
    old, new = (b"RGB" if photometric == "RGB" else b"\1\2\3"), b"\0\1\2"
    for marker, first, step in ((b"\xff\xc0", 10, 3), (b"\xff\xda", 5, 2)):
        at = stream.index(marker)
        for number in range(3):
            assert stream[at + first + step * number] == old[number]
            stream[at + first + step * number] = new[number]
    pixels = shown(jpeg_file(bytes(stream), photometric=photometric))
    assert np.abs(pixels.astype(int) - RED).max() < 12


@pytest.mark.parametrize(
    ("name", "place", "colour"),
    [
        ("SC_rgb_dcmtk_+eb+cr.dcm", (2, 5), (255, 0, 0)),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", (2, 5), (254, 0, 0)),
        ("SC_rgb_dcmtk_+eb+cy+s4.dcm", (2, 5), (254, 0, 0)),
        ("SC_rgb_jpeg_lossy_gdcm.dcm", (2, 5), (254, 0, 0)),
        ("SC_rgb_jpeg_gdcm.dcm", (2, 5), (255, 0, 0)),
        ("SC_jpeg_no_color_transform.dcm", (2, 5), (244, 244, 244)),
        ("SC_jpeg_no_color_transform_2.dcm", (2, 5), (244, 246, 246)),
    ],
)
def test_colours_of_other_writers_stay_right(
    name: str, place: tuple[int, int], colour: tuple[int, ...]
) -> None:
    assert np.abs(shown(dicom_file(name))[place].astype(int) - colour).max() < 4


# --- frames ---


def stack(count: int) -> "np.ndarray[Any, Any]":
    """Frames of an odd number of bytes, each of another grey."""
    return np.stack([np.full((3, 5), 20 * (n + 1)) for n in range(count)])


def greys(data: bytes, count: int) -> list[int]:
    """The grey of each frame, as a window over all shows it. One more is not there."""
    with pytest.raises(NoSuchFrame):
        shown(data, count)
    return [int(shown(data, n, window=(128, 256))[0, 0]) for n in range(count)]


@pytest.mark.parametrize(
    ("claimed", "count", "notes"),
    [
        ({}, 3, []),
        ({"NumberOfFrames": 3}, 3, []),
        ({"NumberOfFrames": 1}, 3, ["The file says that it has 1 frames. It has 3."]),
        ({"NumberOfFrames": 7}, 3, ["The file says that it has 7 frames. It has 3."]),
        ({"NumberOfFrames": 0}, 5, []),
    ],
)
def test_every_frame_is_there_whatever_the_file_says(
    claimed: dict[str, int], count: int, notes: list[str]
) -> None:
    data = picture(stack(count), **claimed)
    told = Asking(data).told("describe")
    assert (told["frames"], told["notes"], told["error"]) == (count, notes, "")
    assert greys(data, count) == [20 * (n + 1) for n in range(count)]


@pytest.mark.parametrize("claimed", [{}, {"NumberOfFrames": 1}, {"NumberOfFrames": 3}, {"NumberOfFrames": 9}])
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("pieces", [1, 2])
def test_compressed_frames_are_counted_by_their_streams(
    claimed: dict[str, int], table: bool, pieces: int
) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pixels = encapsulate([jpeg(one) for one in colours], fragments_per_frame=pieces, has_bot=table)
    data = jpeg_file(photometric="YBR_FULL_422", **{"PixelData": pixels} | claimed)
    assert Asking(data).told("describe")["frames"] == 3
    for number, colour in enumerate(colours):
        assert np.abs(shown(data, number).astype(int) - colour).max() < 12
    with pytest.raises(NoSuchFrame):
        shown(data, 3)


def test_a_table_of_one_frame_does_not_hide_the_others() -> None:
    pixels = encapsulate([jpeg((200, 0, 0)), jpeg((0, 0, 200))], has_bot=False)
    assert pixels[4:8] == b"\0\0\0\0"
    one = pixels[:4] + b"\4\0\0\0" + b"\0\0\0\0" + pixels[8:]
    data = jpeg_file(photometric="YBR_FULL_422", PixelData=one)
    assert Asking(data).told("describe")["frames"] == 2
    assert np.abs(shown(data, 1).astype(int) - (0, 0, 200)).max() < 12


def test_run_lengths_and_other_syntaxes_still_find_every_frame() -> None:
    data = dicom_file("SC_rgb_rle_2frame.dcm")
    assert Asking(data).told("describe")["frames"] == 2
    assert not np.array_equal(shown(data, 0), shown(data, 1))
    assert dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID == RLELossless


def test_a_file_with_a_window_for_each_frame_is_shown_in_it() -> None:
    def group(centre: int) -> Dataset:
        window, found = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 2
        found.FrameVOILUTSequence = [window]
        return found

    frames = np.stack([np.arange(15).reshape(3, 5) + 10, np.arange(15).reshape(3, 5) + 100])
    data = picture(frames, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=[group(17), group(107)])
    told = Asking(data).told("describe")
    assert told["varies"] is True
    for number in range(2):
        assert {0, 255} <= set(shown(data, number).ravel().tolist())
    assert (
        Asking(picture(frames, NumberOfFrames=2, WindowCenter=9, WindowWidth=2)).told("describe")["varies"]
        is False
    )


def test_pixels_of_an_enhanced_file_that_are_not_square_are_stretched() -> None:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [2, 1]
    group.PixelMeasuresSequence = [measures]
    assert shown(picture(GREY, SharedFunctionalGroupsSequence=[group])).shape == (12, 10)
