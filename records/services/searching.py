"""Looking through a patient's opened records: in memory, over what their descriptions say.

What is looked for is as medical as what is found: it reaches no SQL, log, session or cache, and the doors
take it in the body of a request, never in an address.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from records.shapes import RecordView, VersionView

TEXT_MAX = 200


@dataclass(frozen=True)
class Filter:
    """What is looked for. What is empty does not narrow. Days are included."""

    text: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None
    author: str = ""
    folder: int | None = None

    def __bool__(self) -> bool:
        return self != Filter()


def choose_records(records: Iterable[RecordView], wanted: Filter) -> list[RecordView]:
    """The records that fit: every word of the text in title, file name, kind or names of who wrote it."""
    words = fold(wanted.text[:TEXT_MAX]).split()
    return [record for record in records if _fits(record, wanted) and _says(record, words)]


def in_order(records: Iterable[RecordView]) -> list[RecordView]:
    """By date of service, newest first; of one day, the last received first."""
    return sorted(records, key=lambda record: (day_of(record), record.created_at), reverse=True)


def day_of(record: RecordView | VersionView) -> date:
    """The date of service. Where there is none (or it cannot be read), the day on which it was received.

    A moment is one day on every page and in every file: that of the portal's time zone.
    """
    return record.service_date or timezone.localdate(record.created_at)


def fold(text: str) -> str:
    """The text without case, accents and compatibility forms (Unicode NFKD, casefold)."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def _fits(record: RecordView, wanted: Filter) -> bool:
    if wanted.folder is not None and record.folder != wanted.folder:
        return False
    if wanted.kind and record.kind != wanted.kind:
        return False
    if wanted.author and wanted.author not in (record.author, record.via):
        return False
    day = day_of(record)
    return (wanted.since is None or day >= wanted.since) and (wanted.until is None or day <= wanted.until)


def _says(record: RecordView, words: list[str]) -> bool:
    if not words:
        return True
    names = (
        (record.author_name, record.via_name) if record.author != record.patient else (record.author_name,)
    )
    said = fold(" ".join((record.title, record.file_name, record.kind_name, *names)))
    return all(word in said for word in words)
