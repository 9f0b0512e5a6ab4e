"""All that an actor may open of one patient as one ZIP, made while it goes out. The index comes last.

Memory does not grow with the files. Zip64 where they need it. Nothing is compressed: scans and reports are
already.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from zipstream import ZipStream

from accounts.actor import Actor
from records.errors import NotArrived, RecordsError, StoreDown
from records.services import documents, log
from records.services.export_index import ExportedVersion, index_html, index_json
from records.services.export_names import ExportNames
from records.services.reading import find_content, open_found
from records.shapes import HistoryEntry, RecordView, VersionView

NOT_FETCHED = "Its file could not be fetched: the store did not answer."
CUT_SHORT = "Its file could not be read to the end: it is cut after {} bytes."


@dataclass(frozen=True)
class Export:
    """What will be in the ZIP. `content_bytes` counts each file once, without the index."""

    actor: Actor
    patient: str
    patient_name: str
    all_versions: bool
    versions: list[tuple[RecordView, VersionView]]

    @property
    def own(self) -> bool:
        """Return whether the patient takes it."""
        return self.actor.address == self.patient

    @property
    def record_count(self) -> int:
        """Records, not versions."""
        return len({record.record for record, _ in self.versions})

    @property
    def content_bytes(self) -> int:
        """Bytes of all files, before one of them turns out to be missing."""
        files = {(one.record, one.content): one.size for _, one in self.versions if one.readable}
        return sum(files.values())


def plan_export(*, actor: Actor, patient: str, via: str | None = None, all_versions: bool = False) -> Export:
    """Return the content of a ZIP of a patient's records, for this actor: of each record the newest version.

    Closed records are among them, and what waits for the chain; not what the chain refused. Raises
    AccessRefused, VaultClosed.
    """
    records = documents.list_records(actor=actor, patient=patient, via=via, versions=True, whole_inbox=True)
    chosen = [(record, one) for record in records for one in _versions(record, all_versions)]
    name = next((record.patient_name for record in records), "")
    return Export(actor, patient, name, all_versions, chosen)


def stream_export(export: Export) -> Iterator[bytes]:
    """The ZIP's bytes. Access is asked again for each file, and each opening by others is logged.

    A file that cannot be had does not end it: the index says what is missing, and why.
    """
    archive, names = ZipStream(), ExportNames()
    entries: list[ExportedVersion] = []
    written: dict[tuple[str, str], ExportedVersion] = {}
    for record, version in export.versions:
        entry = _entry(record, version)
        entries.append(entry)
        same = written.get((version.record, version.content))
        if same is not None:  # a mended description: the file is there already
            entry.file, entry.sha256, entry.problem = same.file, same.sha256, same.problem
            continue
        source = _Source(export.actor.anew(), entry)
        if source.open():
            entry.file = names.take(record, version, numbered=export.all_versions)
            written[version.record, version.content] = entry
            archive.add(source, entry.file)
            yield from archive.all_files()
    about = {
        "patient": export.patient,
        "patient_name": export.patient_name,
        "taken_by": export.actor.address,
        "all_versions": export.all_versions,
    }
    archive.add(_Pieces(index_json(about, entries, _history(export))), "index.json")
    archive.add(_Pieces(index_html(about, entries, _history(export))), "index.html")
    yield from archive.finalize()


@dataclass
class _Source:
    """A file on its way into the ZIP. What becomes of it is noted in its entry."""

    actor: Actor
    entry: ExportedVersion
    _chunks: Iterator[bytes] = field(default_factory=lambda: iter(()))
    _first: bytes = b""

    def open(self) -> bool:
        """Return whether it can be had: its first chunk, too, is opened before the ZIP has its name."""
        if not self.entry.readable:
            self.entry.problem = self.entry.readability.problem
            return False
        try:
            found = find_content(actor=self.actor, record=self.entry.record, version=self.entry.version)
            opened = open_found(found)
            self._chunks = opened.iterate(0, opened.size)
            self._first = next(self._chunks, b"")
        except RecordsError as error:
            away = isinstance(error, StoreDown) and not isinstance(error, NotArrived)
            self.entry.problem = NOT_FETCHED if away else str(error)
            return False
        return True

    def __iter__(self) -> Iterator[bytes]:
        """The verified bytes. A store that fails on the way ends them early."""
        digest, size, chunk = hashlib.sha256(), 0, self._first
        try:
            while chunk:
                digest.update(chunk)
                size += len(chunk)
                yield chunk
                chunk = next(self._chunks, b"")
        except RecordsError:
            self.entry.problem = CUT_SHORT.format(size)
        self.entry.sha256 = digest.hexdigest()


def _versions(record: RecordView, all_versions: bool) -> list[VersionView]:
    kept = [one for one in record.versions if one.state != "failed"]
    return kept if all_versions else kept[-1:]


def _entry(record: RecordView, version: VersionView) -> ExportedVersion:
    return ExportedVersion(
        record=version.record,
        version=version.version,
        number=version.number,
        title=version.title,
        kind=version.kind,
        kind_name=version.kind_name,
        service_date=version.service_date,
        received_at=version.created_at,
        author=version.author,
        author_name=version.author_name,
        via=version.via,
        via_name=version.via_name,
        folder=record.folder_name if record.folder else "Inbox",
        state=version.state,
        closed=record.closed,
        media_type=version.media_type,
        size=version.size,
        readability=version.readability,
    )


@dataclass
class _Pieces:
    """Bytes that are made while they go out. What the ZIP takes must not be a list, nor made at once."""

    pieces: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces


def _history(export: Export) -> Iterator[list[HistoryEntry]]:
    """Every line, some at a time. Only the patient sees it."""
    return log.every_line(actor=export.actor.anew(), patient=export.patient) if export.own else iter(())
