"""Structured reports (PS3.3, A.35 and C.17.3) as lines of text, and what a file without a picture is."""

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

LINES_MAX, DEPTH_MAX, WORDS_MAX = 2000, 40, 4000
LETTERS_MAX = 500_000
INDENT = "    "
_REFERS = {
    "IMAGE": "a picture in another file",
    "COMPOSITE": "another file",
    "WAVEFORM": "a curve in another file",
    "SCOORD": "a region of a picture",
    "SCOORD3D": "a region in space",
    "TCOORD": "a span of time in a curve",
    "TABLE": "a table, not shown here",
}
_STATES = (
    ("CompletionFlag", "PARTIAL", "The report says that it is not complete."),
    ("VerificationFlag", "UNVERIFIED", "The report says that nobody has verified it."),
    ("PreliminaryFlag", "PRELIMINARY", "The report is preliminary: it may still change."),
)


def is_report(header: Dataset) -> bool:
    """Return whether it has the tree of a structured report."""
    return "ContentSequence" in header and "ValueType" in header


def report_notes(header: Dataset) -> list[str]:
    """Return the report's notes on its own state."""
    return [words for name, value, words in _STATES if str(header.get(name, "")) == value]


def report_text(header: Dataset) -> str:
    """The report, a line an item, indented as its tree is."""
    title = _meaning(header.get("ConceptNameCodeSequence"))
    lines = [title] if title else []
    letters = 0
    for line in _lines(header, 0):
        letters += len(line)
        if len(lines) == LINES_MAX or letters > LETTERS_MAX:
            return "\n".join([*lines, "The report goes on. Save the file to read all of it."])
        lines.append(line)
    return "\n".join(lines)


def kind_words(header: Dataset) -> str:
    """Return the kind of a DICOM file, by its SOP class, in the standard's words."""
    uid = header.get("SOPClassUID") or getattr(header, "file_meta", Dataset()).get("MediaStorageSOPClassUID")
    name = UID(str(uid)).name if uid else ""
    if not name or name == str(uid):
        return "of a kind that is not known here"
    return f"“{name.removesuffix(' Storage')}”"


def _lines(item: Dataset, depth: int) -> Iterator[str]:
    for child in list(item.get("ContentSequence") or []):
        name = _meaning(child.get("ConceptNameCodeSequence"))
        words = _value(child)[:WORDS_MAX]
        line = ": ".join(filter(None, (name, words)))
        if line:
            text = line.replace("\r\n", "\n").replace("\r", "\n")
            yield "\n".join(INDENT * depth + part for part in text.split("\n"))
        if depth < DEPTH_MAX:
            yield from _lines(child, depth + 1)
        elif "ContentSequence" in child:
            yield INDENT * depth + "More below this is not shown."


def _value(item: Dataset) -> str:
    kind = str(item.get("ValueType", ""))
    if kind == "TEXT":
        return str(item.get("TextValue", ""))
    if kind == "NUM":
        return _number(item)
    if kind == "CODE":
        return _meaning(item.get("ConceptCodeSequence"))
    for name in ("DateTime", "Date", "Time", "PersonName", "UID"):
        if name in item:
            return str(item.get(name))
    return _REFERS.get(kind, "")


def _number(item: Dataset) -> str:
    """Value and unit; or why there is no value."""
    measured = list(item.get("MeasuredValueSequence") or [])
    words = []
    if measured:
        words.append(str(measured[0].get("NumericValue", "")))
        words.append(_code(measured[0].get("MeasurementUnitsCodeSequence")))
    qualifier = _meaning(item.get("NumericValueQualifierCodeSequence"))
    return " ".join(filter(None, [*words, f"({qualifier})" if qualifier else ""])) or "no value"


def _meaning(sequence: Any) -> str:
    codes = list(sequence or [])
    return str(codes[0].get("CodeMeaning") or codes[0].get("CodeValue") or "") if codes else ""


def _code(sequence: Any) -> str:
    """A unit: its code (UCUM), without the one for no unit."""
    codes = list(sequence or [])
    code = str(codes[0].get("CodeValue") or codes[0].get("CodeMeaning") or "") if codes else ""
    return "" if code in ("1", "{no units}", "no units") else code
