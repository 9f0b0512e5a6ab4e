"""What a DICOM file says about itself, as rows for a table: standard tags, short values, nothing binary."""

from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

ROWS_MAX = 300
VALUE_MAX = 200
LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
"""Value representations (PS3.5, 6.2) of bytes and of what is not known."""

Row = tuple[str, str, str]


def tag_rows(header: Dataset) -> list[Row]:
    """(tag, name, value) of each standard tag. Private ones are left out, sequences and bytes are counted."""
    rows: list[Row] = []
    for part in (getattr(header, "file_meta", Dataset()), header):
        for row in _rows(part):
            if len(rows) == ROWS_MAX:
                return [*rows, ("", "More tags are not shown", "")]
            rows.append(row)
    return rows


def _rows(part: Dataset) -> Iterator[Row]:
    for tag in sorted(part.keys()):
        if tag.is_private or tag.element == 0:
            continue
        try:
            element = part[tag]
            yield f"({tag.group:04X},{tag.element:04X})", element.name[:80], _value(element)
        except Exception:  # one broken element does not hide the others
            yield f"({tag.group:04X},{tag.element:04X})", "Unreadable", ""


def _value(element: DataElement) -> str:
    if element.VR == "SQ":
        return f"{len(element.value)} items"
    if element.VR in LONG:
        return f"{len(element.value or b''):,} bytes"
    if isinstance(element.value, UID):
        return f"{element.value.name[:VALUE_MAX]}"
    words = str(element.value if element.value is not None else "")
    return words if len(words) <= VALUE_MAX else f"{words[:VALUE_MAX]} …"
