"""What a file is, by its first bytes. Its name only chooses among what looks alike (a DOCX is a ZIP)."""

import codecs
import re
from itertools import product

import puremagic

from records.previews.encodings import utf16_without_mark

HEAD_BYTES = 8192
UNKNOWN = "application/octet-stream"
PROGRAM = "application/x-executable"
SCRIPT = "application/x-script"

_OOXML = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"
_OLE = "application/x-ole-storage"
_OLD_OFFICE = ("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint")

# Endings of names, without the dot. What is not here is taken by its content alone.
TYPES = {
    "pdf": "application/pdf",
    "jpg jpeg jpe jfif": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "tif tiff": "image/tiff",
    "bmp dib": "image/bmp",
    "heic": "image/heic",
    "heif": "image/heif",
    "avif": "image/avif",
    "jp2": "image/jp2",
    "dcm dicom": "application/dicom",
    "txt text log hl7 vcf": "text/plain",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "md markdown": "text/markdown",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "xml cda ccda ccd": "application/xml",
    "rtf": "application/rtf",
    "zip": "application/zip",
    "gz tgz": "application/gzip",
    "7z": "application/x-7z-compressed",
    "docx": f"{_OOXML}.wordprocessingml.document",
    "xlsx": f"{_OOXML}.spreadsheetml.sheet",
    "pptx": f"{_OOXML}.presentationml.presentation",
    "odt": f"{_ODF}.text",
    "ods": f"{_ODF}.spreadsheet",
    "odp": f"{_ODF}.presentation",
    "epub": "application/epub+zip",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
    "ogg oga": "audio/ogg",
    "flac": "audio/flac",
    "mp4 m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "html htm xhtml xht shtml mht mhtml": "text/html",
    "svg svgz": "image/svg+xml",
    "exe dll scr com pif msi msp mst msix appx sys cpl ocx drv xll msc chm lnk jnlp": PROGRAM,
    "elf so dylib app appimage deb rpm pkg desktop apk dex jar class": PROGRAM,
    "bat cmd sh bash zsh ps1 psm1 vb vbs vbe js mjs jse ws wsf wsh wsc sct hta command": SCRIPT,
    "py pyw pl php rb reg inf scf url settingcontent-ms library-ms search-ms": SCRIPT,
}
BY_ENDING = {ending: kind for endings, kind in TYPES.items() for ending in endings.split()}
NEVER = frozenset((PROGRAM, SCRIPT, "text/html", "image/svg+xml"))
"""What runs, or what a browser runs when it is opened: taken only where the settings name it."""
_TEXTS = ("text/plain", "application/json", "application/x-ndjson", "application/xml")
_FHIR = {
    "application/fhir+json": "application/json",
    "application/fhir+ndjson": "application/x-ndjson",
    "application/fhir+xml": "application/xml",
}
DEFAULT_TYPES = sorted(set(TYPES.values()) - NEVER | {UNKNOWN, _OLE, *_FHIR})

# What the content of each of these looks like, where that is something more general.
_LOOKS_LIKE = (
    {kind: "application/zip" for kind in BY_ENDING.values() if kind.startswith((_OOXML, _ODF))}
    | {"application/epub+zip": "application/zip"}
    | dict.fromkeys((*_OLD_OFFICE, "application/vnd.ms-outlook"), _OLE)
    | dict.fromkeys(("text/csv", "text/markdown", "text/tab-separated-values"), "text/plain")
    | dict.fromkeys(("application/json", "application/x-ndjson", "application/rtf", SCRIPT), "text/plain")
    | _FHIR
)
# puremagic knows a file of boxes (ISO 14496-12) by the length of its first one: too few, and too many.
_PICTURE_BRANDS = (
    ("image/heif", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
    ("image/avif", {b"avif", b"avis"}),
    ("image/heif", {b"mif1", b"msf1"}),
)
_MEDIA_BRANDS = (
    ("video/quicktime", (b"qt  ",)),
    ("audio/mp4", (b"M4A ", b"M4B ", b"M4P ")),
    ("video/mp4", (b"iso", b"mp4", b"avc1", b"dash", b"M4V", b"MSNV", b"XAVC", b"f4v", b"3g", b"mmp4")),
)
# Perhaps after lines that a gateway left: readers look into the first KiB (PDF Reference 1.7, H.3, 13).
_PDF = re.compile(rb"[\xef\xbb\xbf\0]*+[\t-\r -~\x80-\xff]{0,1000}%PDF-")
_MP3 = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]")
_ASCII = bytes(range(0x80))
_TEXT = re.compile(r"[^\x00-\x08\x0e-\x19\x1e\x1f\x7f]*")
_ROOT = re.compile(
    r"(?:\s++|(?><\?.*?\?>)|(?><!--.*?-->)|(?><!doctype[^>\[]*(?:\[.*?\])?\s*>))*+<(?:[\w.-]+:)?([\w.-]+)",
    re.IGNORECASE | re.DOTALL,
)
_ACTIVE = re.compile(r"<([\w.-]+:)?(script|iframe)[\s>/]")
_PAGE = re.compile(r"<(!doctype\s+html|html|head|body|script|iframe)[\s>]", re.IGNORECASE)
_PICTURE = re.compile(r"<svg[\s>]", re.IGNORECASE)
_WORDS = {
    PROGRAM: "a program",
    SCRIPT: "a script",
    UNKNOWN: "something else",
    "application/pdf": "a PDF",
    "application/zip": "a ZIP archive",
    "application/dicom": "a DICOM image",
    "text/html": "a web page",
    "image/svg+xml": "an SVG drawing",
    "text/plain": "plain text",
    _OLE: "an old Office document",
}


class NameContradicts(ValueError):
    """The file's name says one thing, its content another. The message says both."""


def media_type_of(head: bytes, *, name: str, declared: str = "") -> str:
    """The media type of a file that begins with `head` (HEAD_BYTES of it, or all there is).

    `declared` is believed only where it says more exactly what the content looks like.
    Raises NameContradicts.
    """
    found = _looks(head)
    claimed = BY_ENDING.get(name.rpartition(".")[2].lower(), found) if "." in name else found
    kind = _agreed(claimed, found)
    if kind is None:
        raise NameContradicts(
            f"The name of this file says that it is {words(claimed)}, but it is {words(found)}."
        )
    declared = declared.partition(";")[0].strip().lower()
    return declared if _LOOKS_LIKE.get(declared) == kind else kind


def pdf_begins(head: bytes) -> bool:
    """Return whether bytes that are no text begin like a PDF. An archive with a PDF first does not."""
    return head[128:132] != b"DICM" and _PDF.match(head) is not None


def boxed_picture(head: bytes) -> str:
    """image/heif or image/avif, by the brands in the first box. "" for what is neither."""
    if head[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(head[:4]), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    return next((kind for kind, known in _PICTURE_BRANDS if brands & known), "")


def _boxed_media(head: bytes) -> str:
    if head[4:8] != b"ftyp":
        return ""
    return next((kind for kind, known in _MEDIA_BRANDS if head[8:12].startswith(known)), "")


def ending_of(kind: str) -> str:
    """Return the ending of file names of this media type, with the dot."""
    known = kind if kind in TYPES.values() else _LOOKS_LIKE.get(kind)
    return next((f".{endings.split()[0]}" for endings, one in TYPES.items() if one == known), ".bin")


def words(kind: str) -> str:
    """A media type as a person reads it."""
    if kind in _WORDS:
        return _WORDS[kind]
    main, _, rest = kind.partition("/")
    if main in ("image", "audio", "video"):
        return f"{'an' if main[0] in 'ai' else 'a'} {main} ({rest.upper()})"
    return next(
        (f"a {endings.split()[0].upper()} file" for endings, one in TYPES.items() if one == kind), kind
    )


def _agreed(claimed: str, found: str) -> str | None:
    """Return the media type of the file, if name and content agree on it."""
    if claimed == found or claimed in NEVER or _LOOKS_LIKE.get(claimed) == found:
        return claimed
    if found in NEVER:
        return None
    if (claimed, found) in _NAME_KNOWS_BETTER:
        return claimed
    main, other = claimed.partition("/")[0], found.partition("/")[0]
    if {main, other} <= {"audio", "video"} or (main == other and main in ("image", "text")):
        return found  # a PNG that somebody named .jpg harms nobody, nor a recording's other container
    harmless = (main in ("audio", "video", "text") and found == UNKNOWN) or (
        claimed,
        found,
    ) in _CONTENT_KNOWS_BETTER
    return found if harmless else None


_NAME_KNOWS_BETTER = {
    ("application/dicom", UNKNOWN),  # old files without a preamble
    ("application/xml", "text/plain"),  # without a declaration
    ("audio/mp4", "video/mp4"),  # recorders of phones
    *((kind, _OLE) for kind in TYPES.values() if kind.startswith(_OOXML)),  # with a password
}
_CONTENT_KNOWS_BETTER = {
    ("text/plain", "application/xml"),
    *product(_OLD_OFFICE, ("application/rtf", "application/zip", "application/xml", "text/plain")),
}


def _looks(head: bytes) -> str:
    text = _text_of(head)
    if text is not None:
        return _text_kind(text)
    if head.startswith((b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"L\0\0\0\x01\x14\x02\0")):
        return PROGRAM
    if head[:4] in (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"):
        return PROGRAM
    if pdf_begins(head):
        return "application/pdf"
    if head.startswith((b"II+\0", b"MM\0+")):  # BigTIFF
        return "image/tiff"
    if _MP3.match(head):
        return "audio/mpeg"
    return boxed_picture(head) or _boxed_media(head) or _signature(head)


def _signature(head: bytes) -> str:
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    for match in matches:
        kind = BY_ENDING.get(match.extension.removeprefix("."))
        if kind is not None and len(match.byte_match) >= 2 and kind not in NEVER:
            found = _LOOKS_LIKE.get(kind, kind)
            if found not in (
                "text/plain",
                "application/json",
                "application/x-ndjson",
                "application/xml",
            ):  # text it is not
                return found
    return UNKNOWN


def _text_of(head: bytes) -> str | None:
    """The head as text. None for what is none. A character cut at its end does not matter."""
    if encoding := utf16_without_mark(head):
        return head[: len(head) // 2 * 2].decode(encoding, "replace")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
        return text if _TEXT.fullmatch(text) else None
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        if len(head.translate(None, _ASCII)) * 10 > len(head) * 3 and not head.startswith(b"<?xml"):
            return None
        text = head.decode("latin-1")
    return text if _TEXT.fullmatch(text) else None


def _text_kind(text: str) -> str:
    start = text.lstrip()
    if start.startswith("%PDF-"):
        return "application/pdf"
    if start.startswith("{\\rtf"):
        return "application/rtf"
    if start.startswith("#!"):
        return SCRIPT
    if start.startswith("<?xml"):
        return _xml_kind(start)
    if start.startswith("<"):
        opening = start[:1024]
        page, picture = _PAGE.search(opening), _PICTURE.search(opening)
        if picture and (page is None or picture.start() < page.start()):
            return "image/svg+xml"
        if page:
            return "text/html"
    return "text/plain"


def _xml_kind(text: str) -> str:
    """XML by its root, in whatever namespace prefix: letters and messages have a <head> and a <body>, too."""
    root = _ROOT.match(text)
    if root and root[1] == "svg":
        return "image/svg+xml"
    page = (root and root[1].lower() == "html") or _ACTIVE.search(text)
    return "text/html" if page else "application/xml"
