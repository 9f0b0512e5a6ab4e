"""The file inside a DICOM file (PS3.3, A.45 and A.104): a PDF, a CDA letter, a model."""

from typing import Any, BinaryIO

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian

from records.previews.errors import CannotShow

DOCUMENT, LENGTH = 0x00420011, 0x00420015
TAGS = [0x00080005, 0x00420010, DOCUMENT, 0x00420012, LENGTH]
NAME_MAX = 80
COMPRESSED = (
    "The file in this DICOM file is compressed with it. Save the file to open it with a program of yours."
)


def locate_inner(file: BinaryIO) -> dict[str, Any]:
    """Return `offset` and `length` (bytes) of the inner file, its `media_type` as said, and its `title`.

    Nothing of it is read. Raises CannotShow where there is none that can be had so.
    """
    file.seek(0)
    header = dcmread(file, stop_before_pixels=True, defer_size=1024, specific_tags=TAGS)
    if header.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        raise CannotShow(COMPRESSED)
    value: object = header.get_item(DOCUMENT, keep_deferred=True)
    if not isinstance(value, RawDataElement):
        raise CannotShow("There is no file in this DICOM file.")
    length = int(value.length)
    said = header.get("EncapsulatedDocumentLength")
    if isinstance(said, int) and length - 2 < said < length:  # a byte was added to make it even
        length = said
    return {
        "offset": int(value.value_tell),
        "length": length,
        "media_type": str(header.get("MIMETypeOfEncapsulatedDocument") or "")[:NAME_MAX],
        "title": str(header.get("DocumentTitle") or "")[:NAME_MAX],
    }
