"""DICOM files made for the tests: with a file inside, a report, an overlay, frames of any number."""

import io
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

BASIC_TEXT_SR = UID("1.2.840.10008.5.1.4.1.1.88.11")
SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
PDF = b"%PDF-1.4\n% made for a test, " + b"x" * 3000 + b"\n%%EOF"


def dicom(sop_class: UID = SECONDARY_CAPTURE, syntax: UID = ExplicitVRLittleEndian, **values: Any) -> bytes:
    """A file with these elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    for name, value in values.items():
        setattr(data, name, value)
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def with_inner(content: bytes = PDF, **values: Any) -> bytes:
    """A DICOM file that holds a file."""
    padded = content + b"\0" * (len(content) % 2)
    said: dict[str, Any] = {
        "DocumentTitle": "Report",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
    } | values
    said["EncapsulatedDocumentLength"] = len(content)
    return dicom(EncapsulatedPDFStorage, EncapsulatedDocument=padded, **said)


def code(meaning: str, value: str = "1") -> list[Dataset]:
    """A code sequence."""
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = value, "99TEST", meaning
    return [one]


def item(kind: str, name: str, *children: Dataset, **values: Any) -> Dataset:
    """An item of a report's tree."""
    found = Dataset()
    found.ValueType, found.ConceptNameCodeSequence = kind, code(name)
    for key, value in values.items():
        setattr(found, key, value)
    if children:
        found.ContentSequence = list(children)
    return found


def measured(value: str, unit: str) -> list[Dataset]:
    """The value of a NUM item."""
    one = Dataset()
    one.NumericValue, one.MeasurementUnitsCodeSequence = value, code(unit, unit)
    return [one]


def report(*children: Dataset, **values: Any) -> bytes:
    """A structured report."""
    tree: dict[str, Any] = {"ValueType": "CONTAINER", "ConceptNameCodeSequence": code("Radiology report")}
    return dicom(BASIC_TEXT_SR, ContentSequence=list(children), Modality="SR", **tree, **values)


def picture(stored: "np.ndarray[Any, Any]", **values: Any) -> bytes:
    """Grey values of 8 bits, (rows, columns), or (frames, rows, columns) without NumberOfFrames."""
    base: dict[str, Any] = {
        "Rows": stored.shape[-2], "Columns": stored.shape[-1], "SamplesPerPixel": 1, "BitsAllocated": 8,
        "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
    }  # fmt: skip
    pixels = stored.astype(np.uint8).tobytes()
    return dicom(**base | {"PixelData": pixels + b"\0" * (len(pixels) % 2)} | values)


def jpeg(colour: tuple[int, int, int], **options: Any) -> bytes:
    """A JPEG of one colour, 64 by 32."""
    out = io.BytesIO()
    Image.new("RGB", (64, 32), colour).save(out, "JPEG", quality=95, **options)
    return out.getvalue()


def without_marks(stream: bytes) -> bytes:
    """A JPEG without JFIF's and Adobe's segments."""
    body, at = bytearray(stream[:2]), 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4])
        if stream[at + 1] not in (0xE0, 0xEE):
            body += stream[at:end]
        at = end
    return bytes(body + stream[at:])


def jpeg_file(*frames: bytes, photometric: str = "RGB", **values: Any) -> bytes:
    """Colour frames in a DICOM file."""
    base: dict[str, Any] = {
        "Rows": 32, "Columns": 64, "SamplesPerPixel": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PixelRepresentation": 0, "PlanarConfiguration": 0, "PhotometricInterpretation": photometric,
        "PixelData": encapsulate(list(frames), has_bot=False),
    }  # fmt: skip
    return dicom(syntax=JPEGBaseline8Bit, **base | values)
