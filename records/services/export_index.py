"""The index in the ZIP: for people (HTML, read offline from the folder) and for programs (JSON)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import mark_safe

from records.readability import Readability
from records.shapes import HistoryEntry

FORMAT = 2
History: TypeAlias = Iterable[list[HistoryEntry]]  # some lines at a time
_HISTORY = "<!-- history -->"


@dataclass
class ExportedVersion:
    """A line of the index. `file` is the path in the ZIP, "" where there is none. `problem` says why.

    `sha256` is that of the bytes in the ZIP, in hex.
    """

    record: str
    version: int
    number: int
    title: str
    kind: str
    kind_name: str
    service_date: date | None
    received_at: datetime
    author: str
    author_name: str
    via: str
    via_name: str
    folder: str
    state: str
    closed: str
    media_type: str
    size: int
    readability: Readability
    file: str = ""
    sha256: str = ""
    problem: str = ""

    @property
    def readable(self) -> bool:
        """Return whether its description opened."""
        return self.readability is Readability.READABLE


def index_json(about: dict[str, Any], versions: list[ExportedVersion], history: History) -> Iterator[bytes]:
    """`{"format": 2, "made_at", ..., "versions": [...], "missing": count, "history": [...]}`, UTF-8."""
    values = {
        "format": FORMAT,
        "made_at": timezone.now(),
        **about,
        "versions": [asdict(one) | {"readable": one.readable} for one in versions],
        "missing": _missing(versions),
    }
    yield _json(values).rstrip(b"\n}") + b',\n "history": ['
    between = b"\n  "
    for lines in history:
        for line in lines:
            yield between + _json(asdict(line))
            between = b",\n  "
    yield b"\n ]\n}"


def index_html(about: dict[str, Any], versions: list[ExportedVersion], history: History) -> Iterator[bytes]:
    """One page by itself, with links to the files beside it. Nothing in it runs or loads anything.

    What people wrote is escaped in it, so the mark where the history goes stands there once.
    """
    context = {
        "about": about,
        "made_at": timezone.now(),
        "versions": versions,
        "missing": _missing(versions),
        "mark": mark_safe(_HISTORY),  # noqa: S308  (ours)
    }
    before, _, after = render_to_string("records/export_index.html", context).rpartition(_HISTORY)
    yield before.encode(errors="replace")
    for lines in history:
        told = render_to_string("records/export_history.html", {"about": about, "history": lines})
        yield told.encode(errors="replace")
    yield after.encode(errors="replace")


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode(errors="replace")


def _missing(versions: list[ExportedVersion]) -> int:
    return sum(bool(one.problem) for one in versions)
