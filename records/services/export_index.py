"""The index in the ZIP: for people (HTML, read offline from the folder) and for programs (JSON)."""

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone

from records.readability import Readability
from records.shapes import HistoryEntry

FORMAT = 1


@dataclass
class ExportedVersion:
    """A line of the index. `file` is the path in the ZIP, "" where there is none; `problem` says why.

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
        """Whether its description opened."""
        return self.readability is Readability.READABLE


def index_json(about: dict[str, Any], versions: list[ExportedVersion], history: list[HistoryEntry]) -> bytes:
    """`{"format": 1, "made_at", ..., "versions": [...], "missing": count, "history": [...]}`, UTF-8."""
    values = {
        "format": FORMAT,
        "made_at": timezone.now(),
        **about,
        "versions": [asdict(one) | {"readable": one.readable} for one in versions],
        "missing": _missing(versions),
        "history": [asdict(line) for line in history],
    }
    return json.dumps(values, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode(errors="replace")


def index_html(about: dict[str, Any], versions: list[ExportedVersion], history: list[HistoryEntry]) -> bytes:
    """One page by itself, with links to the files beside it; nothing in it runs or loads anything."""
    context = {
        "about": about,
        "made_at": timezone.now(),
        "versions": versions,
        "missing": _missing(versions),
        "history": history,
    }
    return render_to_string("records/export_index.html", context).encode(errors="replace")


def _missing(versions: list[ExportedVersion]) -> int:
    return sum(bool(one.problem) for one in versions)
