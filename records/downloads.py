"""A content as an answer to HTTP, the same for pages and API: whole or in part (RFC 9110), right name."""

import re
from collections.abc import Iterator
from itertools import chain as joined

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header

from records.services.export import Export, stream_export
from records.services.file_names import safe_name
from records.services.ranges import Unsatisfiable, is_known, requested_span
from records.services.reading import FoundContent, open_found

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;[ -~]*)?", re.ASCII)
UNKNOWN = "application/octet-stream"


def answer_content(request: HttpRequest, found: FoundContent) -> HttpResponseBase:
    """What GET or HEAD of a content answers: 200, 206, 304 or 416.

    304 and HEAD give no byte of the content away: nothing is opened then, and no look is logged; access was
    checked when it was found. Raises StoreDown before the status line is sent.
    """
    size, etag = found.description.size, found.etag
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
        status = 206 if span else 200
        answer = StreamingHttpResponse(_begun(found, start, end), status=status)
    answer["Content-Type"] = _media_type(found.description.media_type)
    answer["Content-Length"] = str(end - start)
    answer["Content-Disposition"] = attachment(found.description.file_name)
    if span:
        answer["Content-Range"] = span.content_range
    return _with_headers(answer, etag)


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
    return content_disposition_header(True, safe_name(name)) or "attachment"


def _begun(found: FoundContent, start: int, end: int) -> Iterator[bytes]:
    """The bytes; the first chunk is opened here: a store that is down is a page with words, not a stump."""
    chunks = open_found(found, start=start).iterate(start, end)
    return joined([next(chunks, b"")], chunks)


def _media_type(described: str) -> str:
    """As the author said, where that is one: it need not have been written through this portal."""
    return described if MEDIA_TYPE.fullmatch(described) else UNKNOWN


def _with_headers(answer: HttpResponseBase, etag: str) -> HttpResponseBase:
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    answer["Cache-Control"] = "private, no-store"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
