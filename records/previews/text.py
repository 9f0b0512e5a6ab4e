"""Text from a file's first bytes: decoded, JSON indented, CSV as a table; always for a page to escape."""

import codecs
import csv
import json
import re
from dataclasses import dataclass, field
from io import StringIO

TEXT_BYTES_MAX = 1024 * 1024
ROWS_MAX, COLUMNS_MAX, CELL_MAX = 1000, 60, 500
DEPTH_MAX = 64
SAMPLE = 8192  # characters that a table's delimiter is found in
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_XML_ENCODING = re.compile(
    rb"""<\?xml\s[^>]{0,99}encoding=["'](windows-125[0-8]|iso-8859-(?:[1-9]|1[013-6])|koi8-[ru]|gb2312|gbk|gb18030|big5"""
    rb"""|shift_jis|euc-jp|euc-kr)["']""",
    re.IGNORECASE,
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Text:
    """What is shown: `rows` for a table, else `text`. `cut`: the file goes on."""

    text: str = ""
    rows: list[list[str]] = field(default_factory=list)
    cut: bool = False
    encoding: str = "utf-8"
    indented: bool = False


def read_text(data: bytes, *, cut: bool, name: str = "", media_type: str = "") -> Text:
    """The text of a file whose first bytes these are; `cut`: there are more.

    Name and media type only choose between ways of showing text: a table, indented JSON, or as it stands.
    """
    text, encoding = _decode(data)
    if _is(name, media_type, ("csv", "tsv", "tab"), ("csv", "tab-separated")):
        tabs = _is(name, media_type, ("tsv", "tab"), ("tab-separated",))
        rows, left_out = _rows(text, "\t" if tabs else "")
        if rows:
            return Text(rows=rows, cut=cut or left_out, encoding=encoding)
    elif not cut and text.lstrip()[:1] in ("{", "["):
        indented = indent_json(text)
        if indented is not None:
            return Text(text=indented, encoding=encoding, indented=True)
    return Text(text=text, cut=cut, encoding=encoding)


def indent_json(text: str) -> str | None:
    """JSON with one value a line; None where it is not JSON, or nested too deep.

    Only white space changes: a number keeps its digits (FHIR tells 1.10 from 1.1), a name given twice stays.
    """
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    out: list[str] = []
    depth, before = 0, ""
    for part in _PARTS.findall(text):
        if part in ("}", "]"):
            depth -= 1
            out.append("" if before in ("{", "[") else "\n" + "  " * depth)
        elif before in ("{", "[", ","):
            out.append("\n" + "  " * depth)
        out.append(": " if part == ":" else part)
        depth += part in ("{", "[")
        if depth > DEPTH_MAX:
            return None
        before = part
    return "".join(out)


def _decode(data: bytes) -> tuple[str, str]:
    """UTF-8, or what a mark or XML says, else Windows-1252; a character cut at the end is left out."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _lenient(data[len(mark) :], encoding), encoding
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data), "utf-8"
    except UnicodeDecodeError:
        said = _XML_ENCODING.match(data)
        encoding = said[1].decode().lower() if said else "windows-1252"
        return _lenient(data, encoding), encoding


def _lenient(data: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(data)


def _is(name: str, media_type: str, endings: tuple[str, ...], types: tuple[str, ...]) -> bool:
    ending = name.rpartition(".")[2].lower()
    return ending in endings or any(media_type.lower().startswith(f"text/{one}") for one in types)


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], bool]:
    """(the table's rows, whether something was left out); no rows where it is no table."""
    rows: list[list[str]] = []
    left_out = False
    try:
        delimiter = delimiter or _delimiter(text[:SAMPLE])
        for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter):
            if len(rows) == ROWS_MAX:
                left_out = True
                break
            shown = [cell[:CELL_MAX] for cell in row[:COLUMNS_MAX]]
            left_out = left_out or shown != row
            rows.append(shown)
    except csv.Error:
        return [], False
    return (_square(rows), left_out) if any(len(row) > 1 for row in rows) else ([], False)


def _delimiter(sample: str) -> str:
    """What cuts all rows into as many cells; a comma last, since 5,4 is a number in much of the world."""
    for one in "\t;|,":
        rows = list(csv.reader(StringIO(sample, newline=""), delimiter=one))
        widths = {len(row) for row in (rows[:-1] if len(sample) == SAMPLE else rows) if any(row)}
        if len(widths) == 1 and widths != {1}:
            return one
    return max(",;\t|", key=_DECIMAL_COMMA.sub("", sample).count)


def _square(rows: list[list[str]]) -> list[list[str]]:
    """Every row as long as the longest, so that no cell slips under another column."""
    width = max(map(len, rows))
    return [row + [""] * (width - len(row)) for row in rows]
