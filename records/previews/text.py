"""Text from a file's first bytes: decoded, JSON indented, CSV as a table; always for a page to escape."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import StringIO

from records.previews.encodings import CHOICES, decode

TEXT_BYTES_MAX = 1024 * 1024
ROWS_MAX, COLUMNS_MAX, CELL_MAX = 1000, 60, 500
DEPTH_MAX = 64
SAMPLE = 8192  # characters that a table's delimiter is found in
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True)
class Text:
    """What is shown: `rows` for a table, else `text`. `cut`: the file goes on.

    `why` says how the encoding was found, `said` names one that the file claims and that does not fit.
    """

    text: str = ""
    rows: list[list[str]] = field(default_factory=list)
    cut: bool = False
    encoding: str = "utf-8"
    indented: bool = False
    why: str = "valid"
    said: str = ""

    @property
    def encoding_words(self) -> str:
        """The encoding, for people."""
        return CHOICES.get(self.encoding, self.encoding)

    @property
    def ascii(self) -> bool:
        """Return whether it reads alike in nearly every encoding."""
        cells = [self.text, *(cell for row in self.rows for cell in row)]
        return all(cell.isascii() and "\x1b" not in cell for cell in cells)


def read_text(
    data: bytes,
    *,
    cut: bool,
    name: str = "",
    media_type: str = "",
    chosen: str = "",
    detect: Callable[[], str] | None = None,
) -> Text:
    """The text of a file whose first bytes these are. `cut`: there are more.

    Name and media type only choose between ways of showing text: a table, indented JSON, or as it stands.
    `chosen` and `detect` as `encodings.decode` takes them.
    """
    read = decode(data, chosen=chosen, detect=detect)
    text = Text(read.text, cut=cut, encoding=read.encoding, why=read.why, said=read.said)
    if _is(name, media_type, ("csv", "tsv", "tab"), ("csv", "tab-separated")):
        tabs = _is(name, media_type, ("tsv", "tab"), ("tab-separated",))
        rows, left_out = _rows(text.text, "\t" if tabs else "")
        if rows:
            return replace(text, text="", rows=rows, cut=cut or left_out)
    elif not cut and text.text.lstrip()[:1] in ("{", "["):
        indented = indent_json(text.text)
        if indented is not None:
            return replace(text, text=indented, indented=True)
    return text


def indent_json(text: str) -> str | None:
    """JSON with one value a line. None where it is not JSON, or nested too deep.

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


def _is(name: str, media_type: str, endings: tuple[str, ...], types: tuple[str, ...]) -> bool:
    ending = name.rpartition(".")[2].lower()
    return ending in endings or any(media_type.lower().startswith(f"text/{one}") for one in types)


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], bool]:
    """(the table's rows, whether something was left out). No rows where it is no table."""
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
    """Return what cuts all rows into as many cells. A comma comes last, since 5,4 may be a number."""
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
