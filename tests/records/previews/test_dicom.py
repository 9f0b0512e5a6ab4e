"""DICOM files of every kind that is decoded, out of pydicom's test data, in the decoder's process."""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from records.previews.dicom_window import Window, to_8_bits
from records.previews.errors import CannotShow, NoSuchFrame
from tests.records.previews.asking import Asking, dicom_file

DECODED = [  # transfer syntax, photometric interpretation
    ("CT_small.dcm", "L"),  # explicit little endian, MONOCHROME2, rescaled
    ("MR_small_implicit.dcm", "L"),
    ("MR_small_bigendian.dcm", "L"),
    ("MR_small_RLE.dcm", "L"),
    ("MR_small_jpeg_ls_lossless.dcm", "L"),
    ("MR_small_jp2klossless.dcm", "L"),
    ("JPEGLSNearLossless_16.dcm", "L"),
    ("693_J2KI.dcm", "L"),
    ("image_dfl.dcm", "L"),  # deflated
    ("liver_1frame.dcm", "L"),  # 1 bit a pixel
    ("rtdose.dcm", "L"),  # 32 bits
    ("SC_rgb_jpeg_dcmtk.dcm", "RGB"),  # JPEG baseline, YBR_FULL
    ("SC_rgb_jpeg_gdcm.dcm", "RGB"),  # JPEG lossless
    ("SC_rgb_rle_16bit_2frame.dcm", "RGB"),
    ("SC_ybr_full_422_uncompressed.dcm", "RGB"),
    ("examples_palette.dcm", "RGB"),
    ("examples_ybr_color.dcm", "RGB"),
]


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image


def rendered(data: bytes, frame: int = 0, window: Window | None = None) -> Image.Image:
    return picture(Asking(data).ask("dicom", frame=frame, window=window))


@pytest.mark.parametrize(("name", "mode"), DECODED)
def test_a_picture_is_decoded(name: str, mode: str) -> None:
    asking = Asking(dicom_file(name))
    told = asking.told("describe")
    assert told["error"] == ""
    assert (told["window"] is not None) is (mode == "L")
    shown = rendered(asking.data, window=told["window"])
    assert shown.mode == mode
    assert shown.width == told["width"]
    assert len(np.unique(np.asarray(shown))) > 1


def grey(stored: "np.ndarray[tuple[int, int], np.dtype[np.int16]]", **more: object) -> bytes:
    """A DICOM file of these stored values."""
    data = dcmread(io.BytesIO(dicom_file("CT_small.dcm")))
    for name in ("WindowCenter", "WindowWidth", "PixelPaddingValue", "PixelSpacing"):
        if name in data:
            delattr(data, name)
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.Rows, data.Columns = stored.shape
    data.PixelData = stored.tobytes()
    for name, value in more.items():
        setattr(data, name, value)
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


STORED = np.array([[0, 1024], [1064, 2000]], dtype=np.int16)  # Hounsfield: -1024, 0, 40, 976


def test_a_window_is_counted_in_the_modalitys_units() -> None:
    shown = np.asarray(rendered(grey(STORED), window=Window(40, 400)))
    assert (shown[0, 0], shown[1, 1]) == (0, 255)
    assert shown[1, 0] == 128
    assert shown[0, 1] == round((-39.5 / 399 * 255) + 127.5)


def test_the_files_own_windows_are_offered_and_the_first_is_used() -> None:
    data = grey(
        STORED,
        WindowCenter=[40, -600],
        WindowWidth=[400, 1500],
        WindowCenterWidthExplanation=["SOFT", "LUNG"],
    )
    told = Asking(data).told("describe")
    assert told["presets"] == [["SOFT", 40, 400], ["LUNG", -600, 1500]]
    assert told["window"] == [40, 400]
    assert (told["low"], told["high"]) == (-1024, 976)
    assert rendered(data).tobytes() == rendered(data, window=Window(40, 400)).tobytes()


def test_monochrome1_is_white_where_its_values_are_low() -> None:
    shown = np.asarray(
        rendered(grey(STORED, PhotometricInterpretation="MONOCHROME1"), window=Window(40, 400))
    )
    assert (shown[0, 0], shown[1, 1]) == (255, 0)


def test_the_files_own_table_is_used_where_there_is_no_window() -> None:
    table = Dataset()
    table.LUTDescriptor = [4, 0, 8]
    table.LUTData = struct.pack("<4H", 10, 20, 30, 40)
    data = grey(np.array([[0, 1], [2, 3]], np.int16), VOILUTSequence=[table], RescaleIntercept=0)
    assert Asking(data).told("describe")["window"] is None
    assert np.asarray(rendered(data)).tolist() == [[10, 20], [30, 40]]


def test_an_enhanced_file_says_it_for_each_frame() -> None:
    def group(intercept: int) -> Dataset:
        change, found = Dataset(), Dataset()
        change.RescaleIntercept, change.RescaleSlope = intercept, 1
        found.PixelValueTransformationSequence = [change]
        return found

    data = grey(
        np.vstack([STORED, STORED]),
        Rows=2,
        NumberOfFrames=2,
        PerFrameFunctionalGroupsSequence=[group(-1024), group(0)],
    )
    first, second = (np.asarray(rendered(data, frame, Window(1024, 400))) for frame in (0, 1))
    assert (first[0, 1], second[0, 1]) == (0, 128)


def test_pixels_that_are_not_square_are_stretched() -> None:
    assert rendered(grey(STORED, PixelSpacing=[2, 1])).size == (2, 4)


def test_a_width_of_one_and_less_does_not_divide_by_nothing() -> None:
    values = np.array([0.0, 0.5, 1.0])
    assert to_8_bits(values, Window(0.5, 1.0), "LINEAR").tolist() == [0, 128, 255]
    assert to_8_bits(values, Window(0.5, 0.0), "SIGMOID")[0] == 0


def test_one_frame_of_many_is_read_alone() -> None:
    frame = np.full((512, 512), 7, np.int16)
    data = grey(np.vstack([frame + number for number in range(20)]), Rows=512, NumberOfFrames=20)
    asking = Asking(data)
    picture(asking.ask("dicom", frame=17, window=None))
    assert sum(length for _, length in asking.reads) < 4 * frame.nbytes
    assert len(data) > 19 * frame.nbytes


@pytest.mark.parametrize("frame", [-1, 30, 10**9])
def test_a_frame_that_is_not_there(frame: int) -> None:
    with pytest.raises(NoSuchFrame):
        Asking(dicom_file("examples_ybr_color.dcm")).ask("dicom", frame=frame, window=None)


def test_tags_are_standard_short_and_never_binary() -> None:
    told = Asking(grey(STORED, PatientComments="x" * 1000)).told("describe")
    tags = {tag: (name, value) for tag, name, value in told["tags"]}
    assert tags["(0010,0010)"] == ("Patient's Name", "CompressedSamples^CT1")
    assert tags["(0002,0010)"][1] == "Explicit VR Little Endian"
    assert len(tags["(0010,4000)"][1]) < 210
    assert all(int(tag[1:5], 16) % 2 == 0 for tag in tags)


@pytest.mark.parametrize(
    ("name", "kind"), [("rtplan.dcm", "“RT Plan”"), ("waveform_ecg.dcm", "“12-lead ECG Waveform”")]
)
def test_a_file_without_a_picture_is_named_and_has_its_tags(name: str, kind: str) -> None:
    told = Asking(dicom_file(name)).told("describe")
    assert told["error"] == f"This DICOM file is {kind}. It holds no picture."
    assert told["tags"]


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "JPGExtended.dcm"])
def test_a_broken_or_unknown_picture_is_said_to_be_so_beside_its_tags(name: str) -> None:
    told = Asking(dicom_file(name)).told("describe")
    assert "cannot be shown here" in told["error"]
    assert told["tags"]
    with pytest.raises(CannotShow, match="cannot be shown here"):
        rendered(dicom_file(name))
