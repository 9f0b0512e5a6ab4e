"""An image and a DICOM file, made by code."""

import io
import math
from datetime import date

from PIL import Image, ImageDraw, ImageFilter
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

_RIBS = 9


def ecg_strip(*, seconds: int = 6, beats_per_minute: int = 72) -> bytes:
    """A drawn one-lead ECG on millimetre paper, as PNG."""
    pixels_per_second, height, middle = 200, 320, 190
    width = seconds * pixels_per_second
    image = Image.new("RGB", (width, height), "#fffaf8")
    draw = ImageDraw.Draw(image)
    for step, colour in ((8, "#fbe3de"), (40, "#f2b8ac")):
        for x in range(0, width, step):
            draw.line([(x, 0), (x, height)], fill=colour)
        for y in range(0, height, step):
            draw.line([(0, y), (width, y)], fill=colour)
    beat = 60 / beats_per_minute
    trace = [(x, middle - _lead((x / pixels_per_second % beat) / beat) * 120) for x in range(width)]
    draw.line(trace, fill="#1b2b38", width=2)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def chest_radiograph(*, patient: str, taken_on: date, institution: str) -> bytes:
    """A small drawn chest radiograph as a DICOM file (PS3.10, explicit little endian, 8 bits a pixel)."""
    image = _drawn_chest(256)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    given, _, family = patient.rpartition(" ")
    data.PatientName = f"{family}^{given}"
    data.StudyDate = f"{taken_on:%Y%m%d}"
    data.InstitutionName, data.Modality, data.BodyPartExamined = institution, "DX", "CHEST"
    data.Rows, data.Columns = image.height, image.width
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = image.tobytes()
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _lead(phase: float) -> float:
    """The height of an ECG at a phase of the beat (0 to 1): P, Q, R, S and T as bell curves."""
    waves = (
        (0.18, 0.025, 0.12),
        (0.27, 0.008, -0.14),
        (0.30, 0.010, 1.0),
        (0.33, 0.010, -0.22),
        (0.52, 0.045, 0.28),
    )
    return sum(height * math.exp(-(((phase - at) / width) ** 2) / 2) for at, width, height in waves)


def _drawn_chest(size: int) -> Image.Image:
    image = Image.new("L", (size, size), 18)
    draw = ImageDraw.Draw(image)
    draw.ellipse([size * 0.08, size * 0.05, size * 0.92, size * 1.15], fill=120)
    for left in (0.16, 0.55):
        draw.ellipse([size * left, size * 0.14, size * (left + 0.29), size * 0.82], fill=44)
    draw.ellipse([size * 0.40, size * 0.45, size * 0.68, size * 0.80], fill=150)
    draw.rectangle([size * 0.47, 0, size * 0.53, size], fill=165)
    for rib in range(_RIBS):
        top = size * (0.12 + rib * 0.08)
        draw.arc([size * 0.12, top, size * 0.88, top + size * 0.3], 200, 340, fill=110, width=3)
    return image.filter(ImageFilter.GaussianBlur(2))
