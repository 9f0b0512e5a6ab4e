"""A content as an answer to HTTP, the same for pages and API: whole or in part (RFC 9110), right name."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain as joined
from typing import TypeVar
from urllib.parse import quote

from csp.constants import HEADER, NONE
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header

from records.errors import NotFound
from records.previews.kinds import Kind
from records.services.export import Export, stream_export
from records.services.file_names import safe_name
from records.services.previews import Preview
from records.services.ranges import Unsatisfiable, is_known, requested_span
from records.services.reading import FoundContent, open_found
from records.shapes import OpenedContent

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;[ -~]*)?", re.ASCII)
UNKNOWN = "application/octet-stream"
FILE_POLICY = build_policy({"sandbox": True, "default-src": [NONE], "frame-ancestors": [NONE]})
BytesOf = Callable[[int, int], Iterator[bytes]]
Answer = TypeVar("Answer", bound=HttpResponseBase)


def answer_content(request: HttpRequest, found: FoundContent) -> HttpResponseBase:
    """Answer GET or HEAD of a content: 200, 206, 304 or 416.

    304 and HEAD give no byte of the content away: nothing is opened then, and no look is logged; access was
    checked when it was found. Raises StoreDown before the status line is sent.
    """
    answer = _answer(request, found.description.size, found.etag, partial(_begun, found))
    answer.setdefault("Content-Type", _media_type(found.description.media_type))
    answer["Content-Disposition"] = attachment(found.description.file_name)
    return answer


def answer_preview(request: HttpRequest, preview: Preview) -> HttpResponseBase:
    """A picture or a PDF, whole or in part, for the page that shows it, as what its own bytes say it is.

    A PDF is bytes for our reader and nothing else: no browser's own reader shall take it and run what is in
    it. Raises NotFound for every other kind: it has a page, and no bytes of its own.
    """
    look = preview.look
    if look is None or look.kind not in (Kind.IMAGE, Kind.PDF):
        raise NotFound
    answer = _answer(request, preview.opened.size, preview.etag, partial(_primed, preview.opened))
    picture = look.kind is Kind.IMAGE
    answer.setdefault("Content-Type", look.media_type if picture else UNKNOWN)
    answer["Content-Disposition"] = "inline" if picture else "attachment"
    return answer


def answer_inner(request: HttpRequest, preview: Preview) -> HttpResponseBase:
    """The file inside a file, to be saved: as bytes, under a name that was made safe."""
    answer = _answer(request, preview.opened.size, preview.etag, partial(_primed, preview.opened))
    answer.setdefault("Content-Type", UNKNOWN)
    answer["Content-Disposition"] = attachment(preview.opened.file_name)
    return answer


def answer_frame(png: bytes) -> HttpResponse:
    """A picture that was made here."""
    return shielded(HttpResponse(png, content_type="image/png"))


def answer_export(request: HttpRequest, export: Export) -> HttpResponseBase:
    """The ZIP, made while it goes out: its length is not known before. HEAD opens nothing."""
    answer: HttpResponseBase
    answer = HttpResponse() if request.method == "HEAD" else StreamingHttpResponse(stream_export(export))
    answer["Content-Type"] = "application/zip"
    answer["Content-Disposition"] = attachment(f"records {timezone.localdate().isoformat()}.zip")
    answer["Cache-Control"] = "private, no-store"
    return answer


def attachment(name: str) -> str:
    """The Content-Disposition (RFC 6266, RFC 8187) that saves under this name, made safe."""
    name = safe_name(name)
    if "%" in name:  # Chromium takes a plain "x.%62at" for x.bat
        return f"attachment; filename*=utf-8''{quote(name, safe='')}"
    return content_disposition_header(True, name) or "attachment"


def _answer(request: HttpRequest, size: int, etag: str, bytes_of: BytesOf) -> HttpResponseBase:
    """Status, length and body. The Content-Type is the caller's, where none is set here."""
    if is_known(request.headers, etag):
        return _with_headers(HttpResponse(status=304), etag)
    try:
        span = requested_span(request.headers, size=size, etag=etag) if request.method == "GET" else None
    except Unsatisfiable:
        refused = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        return _with_headers(refused, etag)
    start, end = (span.start, span.end) if span else (0, size)
    answer: HttpResponseBase
    if request.method == "HEAD":
        answer = HttpResponse()
    else:
        answer = StreamingHttpResponse(bytes_of(start, end), status=206 if span else 200)
    del answer["Content-Type"]
    answer["Content-Length"] = str(end - start)
    if span:
        answer["Content-Range"] = span.content_range
    return _with_headers(answer, etag)


def _begun(found: FoundContent, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a look that is logged here."""
    return _primed(open_found(found, start=start), start, end)


def _primed(opened: OpenedContent, start: int, end: int) -> Iterator[bytes]:
    """The first chunk is opened here: a store that is down is a page with words, not a stump."""
    chunks = opened.iterate(start, end)
    return joined([next(chunks, b"")], chunks)


def _media_type(described: str) -> str:
    """As the author said, where that is one: it need not have been written through this portal."""
    return described if MEDIA_TYPE.fullmatch(described) else UNKNOWN


def _with_headers(answer: HttpResponseBase, etag: str) -> HttpResponseBase:
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    return shielded(answer)


def shielded(answer: Answer) -> Answer:
    """With what keeps an author's bytes from acting: no scripts, no guessing, no other site, no cache."""
    answer["Cache-Control"] = "private, no-store"
    answer[HEADER] = FILE_POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer
