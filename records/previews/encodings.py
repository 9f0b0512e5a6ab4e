"""In which encoding a text is: as a mark, the file itself or its reader says, else as it looks.

Only encodings of the list are ever tried: Python's codecs are more than that (zip, punycode ...).
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CHOICES: Final = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16-le": "Unicode (UTF-16)",
    "utf-16-be": "Unicode (UTF-16, big-endian)",
    "utf-32-le": "Unicode (UTF-32)",
    "utf-32-be": "Unicode (UTF-32, big-endian)",
    "windows-1252": "Western European (Windows-1252, ISO 8859-1)",
    "iso-8859-15": "Western European (ISO 8859-15)",
    "cp850": "Western European (DOS, code page 850)",
    "cp437": "Western European (DOS, code page 437)",
    "mac-roman": "Western European (Macintosh)",
    "windows-1250": "Central European (Windows-1250)",
    "iso-8859-2": "Central European (ISO 8859-2)",
    "cp852": "Central European (DOS, code page 852)",
    "iso-8859-3": "South European (ISO 8859-3)",
    "iso-8859-16": "Romanian (ISO 8859-16)",
    "windows-1257": "Baltic (Windows-1257)",
    "iso-8859-4": "Baltic (ISO 8859-4)",
    "iso-8859-13": "Baltic (ISO 8859-13)",
    "iso-8859-10": "Nordic (ISO 8859-10)",
    "iso-8859-14": "Celtic (ISO 8859-14)",
    "windows-1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "koi8-u": "Cyrillic (KOI8-U)",
    "iso-8859-5": "Cyrillic (ISO 8859-5)",
    "cp866": "Cyrillic (DOS, code page 866)",
    "windows-1253": "Greek (Windows-1253)",
    "iso-8859-7": "Greek (ISO 8859-7)",
    "windows-1254": "Turkish (Windows-1254)",
    "iso-8859-9": "Turkish (ISO 8859-9)",
    "windows-1255": "Hebrew (Windows-1255)",
    "iso-8859-8": "Hebrew (ISO 8859-8)",
    "windows-1256": "Arabic (Windows-1256)",
    "iso-8859-6": "Arabic (ISO 8859-6)",
    "windows-1258": "Vietnamese (Windows-1258)",
    "windows-874": "Thai (Windows-874)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "shift_jis": "Japanese (Shift JIS)",
    "euc-jp": "Japanese (EUC-JP)",
    "iso-2022-jp": "Japanese (ISO 2022-JP)",
    "euc-kr": "Korean (EUC-KR)",
}
_CODECS = {"windows-874": "cp874"}
_OTHER_NAMES = {
    "latin1": "windows-1252", "iso88591": "windows-1252", "l1": "windows-1252", "ansi": "windows-1252",
    "latin2": "iso-8859-2", "latin9": "iso-8859-15", "ibm437": "cp437", "ibm850": "cp850", "ibm852": "cp852",
    "ibm866": "cp866", "utf16": "utf-16-le", "unicodeutf8": "utf-8", "unicodeutf16": "utf-16-le",
    "macintosh": "mac-roman", "gb2312": "gb18030", "gbk": "gb18030", "gb180302000": "gb18030",
    "sjis": "shift_jis", "ksx1001": "euc-kr", "isoir87": "iso-2022-jp", "isoir14": "iso-2022-jp",
    "cp874": "windows-874", "tis620": "windows-874",
}  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_XML = re.compile(rb"""<\?xml\s[^>]{0,99}encoding=["']([\w.:-]{2,40})["']""", re.IGNORECASE)
_META = re.compile(rb"""<meta\s[^>]{0,200}charset=["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_HL7 = re.compile(rb"[\s\x0b]*(?:FHS|BHS|MSH)(?=[^\w\s])")
# GDT 9206 and LDT 9106 (QMS standards of German practices): the length of the line, the field, the code.
_GDT = re.compile(rb"^\d{3}9[12]06([1-4])\s*$", re.MULTILINE)
_GDT_CODES = {b"2": "cp437", b"3": "windows-1252", b"4": "iso-8859-15"}
_FITS_HEAD = 1024
UTF16_PAGES_MAX = 4  # high bytes of the characters of one text without a mark
_WHITE = frozenset("\t\n\v\f\r\x1a\x1b\x1c\x1d")


@dataclass(frozen=True)
class Decoded:
    """A text, the encoding it was read in, and why in that one."""

    text: str
    encoding: str
    why: str  # mark | declared | valid | detected | chosen | default
    said: str = ""  # an encoding that the file names and that does not fit it


def decode(data: bytes, *, chosen: str = "", detect: Callable[[], str] | None = None) -> Decoded:
    """Return the text of a file whose first bytes these are. A character cut at their end is left out.

    `chosen` is the reader's. `detect` is asked where nothing else says it, and may answer "".
    """
    if chosen in CHOICES:
        mark = next((mark for mark, encoding in _MARKS if encoding == chosen and data.startswith(mark)), b"")
        return Decoded(_lenient(data[len(mark) :], chosen), chosen, "chosen")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(_lenient(data[len(mark) :], encoding), encoding, "mark")
    named = declared(data)
    said = known_name(named)
    if said.startswith(("utf-16", "utf-32")):
        said = ""  # then its name could not have been read: it was changed to another one on the way
    if said and (text := _strict(data, said)) is not None:
        return Decoded(text, said, "declared")
    if not has_nul(data) and (text := _strict(data, "utf-8")) is not None:
        return Decoded(text, "utf-8", "valid", named)
    encoding = utf16_without_mark(data) or (known_name(detect()) if detect else "")
    if encoding:
        return Decoded(_lenient(data, encoding), encoding, "detected", named)
    return Decoded(_lenient(data, "windows-1252"), "windows-1252", "default", named)


def declared(data: bytes) -> str:
    """The encoding that the file names: XML, HTML, HL7 (MSH-18), GDT and LDT; "" for none."""
    head = data[:_FITS_HEAD]
    if found := _XML.match(head.lstrip()):
        return found[1].decode()
    if found := _HL7.match(head):
        return _hl7_charset(data[found.end() - 3 :])
    if head.lstrip().startswith(b"<") and (found := _META.search(head)):
        return found[1].decode()
    found = _GDT.search(head)
    return _GDT_CODES.get(found[1], "") if found else ""


def known_name(name: str) -> str:
    """The encoding of the list that goes by this name. "" for one that is none."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    return _BY_NAME.get(plain, "")


def utf16_without_mark(data: bytes) -> str:
    """utf-16-le or utf-16-be for what is text in it and in nothing else; "" for all else.

    Every character must be one that texts have, and their high bytes few: those of one script, and of ASCII.
    """
    head = data[: 4096 & ~1]
    head = head[: len(head) & ~1]
    for encoding, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        pages = set(head[place::2])
        if len(head) < 8 or len(pages) > UTF16_PAGES_MAX or 0 not in pages:
            continue
        text = _strict(head, encoding)
        if text and all(_is_written(letter) for letter in text) and any(map(str.isalnum, text)):
            return encoding
    return ""


def has_nul(data: bytes) -> bool:
    """Return whether there is a byte that no text but UTF-16 and UTF-32 has."""
    return b"\0" in data


def _is_written(letter: str) -> bool:
    return letter in _WHITE or unicodedata.category(letter) not in ("Cc", "Cn", "Co", "Cs")


def _hl7_charset(message: bytes) -> str:
    """Field 18 of the header. HL7 (table 0211) writes 8859/2. The first of several is the one in use."""
    segment = re.split(rb"[\r\n]", message, maxsplit=1)[0]
    fields = segment.split(segment[3:4])
    if len(fields) < 18 or not segment.startswith(b"MSH"):
        return ""
    name = fields[17].split(b"~")[0].decode("ascii", "replace").strip()
    return f"ISO-{name.replace('/', '-')}"[:40] if name.startswith("8859/") else name[:40]


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(_CODECS.get(encoding, encoding))().decode(data)
    except UnicodeError:
        return None


def _lenient(data: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(_CODECS.get(encoding, encoding))("replace").decode(data)


_BY_NAME = {re.sub(r"[^a-z0-9]", "", name): name for name in CHOICES} | _OTHER_NAMES
_BY_NAME |= {name.replace("windows", "cp"): name for name in CHOICES if name.startswith("windows")}
_BY_NAME |= {f"cp{name[-4:]}": name for name in CHOICES if name.startswith("windows-125")}
