"""Tell what a request for a part of a file means (RFC 9110, sections 13 and 14), without HTTP's machinery.

werkzeug 3.1 was weighed and does not fit. Its `range_for_length` answers None to what is malformed (200), to
what cannot be satisfied (416), and to a suffix longer than the file, which is all of it (section 14.1.2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.http import parse_etags

_SINGLE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_DIGITS_MAX = 20


class Unsatisfiable(Exception):
    """A range with no byte of the file in it (416)."""


@dataclass(frozen=True)
class Span:
    """The bytes from `start` up to, not including, `end` of a file of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of Content-Range, whose last byte is included."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def requested_span(headers: Mapping[str, str], *, size: int, etag: str) -> Span | None:
    """The part that is asked for. None: the whole. Raises Unsatisfiable.

    Several ranges, other units and what is not well formed get the whole, as RFC 9110 allows. So does a
    range whose If-Range names another file than this one. A date never names it, there is no Last-Modified.
    """
    if headers.get("If-Range", etag).strip() != etag:
        return None
    found = _SINGLE.fullmatch(headers.get("Range", "").strip())
    if found is None or max(map(len, found.groups())) > _DIGITS_MAX:
        return None
    first, last = found.groups()
    if not first:
        return _suffix(int(last), size) if last else None
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return Span(int(first), min(int(last) + 1, size) if last else size, size)


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Return whether If-None-Match says that the client has this file already (304)."""
    named = parse_etags(headers.get("If-None-Match", ""))
    return "*" in named or etag in (one.removeprefix("W/") for one in named)


def _suffix(length: int, size: int) -> Span:
    if not length or not size:
        raise Unsatisfiable
    return Span(max(size - length, 0), size, size)
