"""One patient's records: which versions there are, where they are now, and what the keys at hand open."""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .chain import Event
from .envelopes import About, Envelopes, Purpose
from .errors import Refused
from .formats import CONTENT, DESCRIPTION, open_file, read_data_key, read_description, read_name
from .keys import unwrap
from .store import Store

Row = dict[str, Any]
CLOSED = {1: "refused", 2: "entered in error", 3: "withdrawn"}
_SECRET = ("content_key", "content_salt", "previous_data_key")


class Keys(Protocol):
    """Where the keys of a patient's records come from: the patient's own phrase, or grants."""

    def covers(self, record: bytes, folder: int) -> bool:
        """Return whether a record that is in this folder now belongs to the list."""

    def folder_keys(self, folder: int, epoch: int) -> Iterator[bytes]:
        """Keys that may be the folder's of this packed epoch."""

    def data_keys(self, record: bytes) -> list[bytes]:
        """Data keys of the record's newest versions that were handed over."""


@dataclass
class Version:
    """Files that some events of a record have in common: filing and moving make no version."""

    events: list[Event]
    row: Row = field(default_factory=dict)

    @property
    def files(self) -> tuple[bytes, bytes]:
        """Digests of content and description."""
        return self.events[0]["content"], self.events[0]["description"]


class Records:
    """The records of one patient."""

    def __init__(
        self, patient: bytes, events: list[Event], keys: Keys, store: Store, envelopes: Envelopes | None
    ) -> None:
        """`envelopes`: the patient's own, for what was sealed to the patient. None: somebody else reads."""
        self._keys, self._store, self._envelopes, self._patient = keys, store, envelopes, patient
        self._events = [event for event in events if event.get("patient", event["author"]) == patient]
        self._closed = {
            event["record"]: event["reason"] for event in self._events if event["event"] == "RecordClosed"
        }

    def rows(self, out: Path | None) -> Iterator[Row]:
        """Every version in the order of the chain, with what it holds or its problem; saved into `out`."""
        versions = [version for versions in self._versions().values() for version in versions]
        for version in sorted(versions, key=lambda one: (one.events[0]["block"], one.events[0]["index"])):
            row = version.row
            if out is not None and "problem" not in row:
                try:
                    row["saved"] = self._save(row, out)
                except Exception as error:  # whatever an author wrote keeps no other record from opening
                    row["problem"] = _words(error)
            yield {name: value for name, value in row.items() if name not in _SECRET}

    def folder_name(self, folder: int) -> str:
        """The name of the highest serial. Where that one does not open, the folder's number."""
        named = [one for one in self._events if one["event"] == "FolderNamed" and one["folder"] == folder]
        with suppress(ValueError, OSError):
            sealed = self._store.block(max(named, key=lambda one: one["serial"])["name"])
            for key in self._keys.folder_keys(folder, int.from_bytes(sealed[:4], "big")):
                with suppress(Refused):
                    return read_name(key, sealed)
        return {0: "Inbox", 1: "General"}.get(folder, f"Folder {folder}")

    def _versions(self) -> dict[bytes, list[Version]]:
        """Versions by record, each opened or with its problem."""
        records: dict[bytes, list[Version]] = {}
        for event in self._events:
            if event["event"] in ("RecordAdded", "RecordModified"):
                versions = records.setdefault(event["record"], [])
                if versions and versions[-1].files == (event["content"], event["description"]):
                    versions[-1].events.append(event)
                else:
                    versions.append(Version([event]))
        for record, versions in list(records.items()):
            if not self._keys.covers(record, versions[-1].events[-1]["folder"]):
                del records[record]
            else:
                self._open_all(record, versions)
        return records

    def _open_all(self, record: bytes, versions: list[Version]) -> None:
        """From the newest back: a version's description holds the data key of the one before."""
        now, carried = versions[-1].events[-1], list[bytes]()
        authors = list(dict.fromkeys(event["author"] for one in versions for event in one.events))
        for version in reversed(versions):
            first = version.events[0]
            version.row = {"title": "?", "version": 1} | first
            version.row |= {"folder": now["folder"], "first_folder": first["folder"]}
            if record in self._closed:
                version.row["closed"] = CLOSED.get(self._closed[record], "closed")
            try:
                key, described = self._open(version, carried, authors)
            except Exception as error:  # as above
                version.row["problem"] = _words(error)
                continue
            version.row = described | version.row | {"title": described["title"]}
            previous = described["previous_data_key"]
            carried = [key, *([bytes.fromhex(previous)] if previous else [])]

    def _open(self, version: Version, carried: list[bytes], authors: list[bytes]) -> tuple[bytes, Row]:
        """(data key, description), by any key that any event of these files gives."""
        sealed, record = self._store.block(version.files[1]), version.events[0]["record"]
        problems: list[Exception] = [Refused("no key for it is at hand")]
        for key in self._candidates(version, carried, authors, problems):
            try:
                plain = b"".join(open_file(io.BytesIO(sealed), key, DESCRIPTION, record))
                return key, read_description(plain)
            except Refused as error:
                problems.append(error)
        raise problems[-1]

    def _candidates(
        self, version: Version, carried: list[bytes], authors: list[bytes], problems: list[Exception]
    ) -> Iterator[bytes]:
        yield from carried
        yield from self._keys.data_keys(version.events[0]["record"])
        for event in reversed(version.events):
            secret, record = event["secret"], event["record"]
            if len(secret) == 40:
                for key in self._keys.folder_keys(event["folder"], event["epoch"]):
                    with suppress(Refused):
                        yield unwrap(key, record, secret)
            elif len(secret) == 32 and self._envelopes is not None:
                # A later version may name the list of an earlier one, whose author sealed it.
                for author in dict.fromkeys([event["author"], *authors]):
                    about = About(Purpose.INBOX, author, self._patient, record)
                    try:
                        yield self._envelopes.open(secret, about, read_data_key)
                    except (Refused, OSError) as error:
                        problems.append(error)

    def _save(self, row: Row, out: Path) -> str:
        """A version's content is written into `out`: whole or not at all, over nothing. Its path there."""
        path = self._path(row, out)
        part = path if path.exists() else path.with_name(path.name + ".part")  # saved by an earlier run?
        try:
            if part != path:
                part.parent.mkdir(parents=True, exist_ok=True)
                key, salt = bytes.fromhex(row["content_key"]), bytes.fromhex(row["content_salt"])
                content = self._store.content(row["content"], tree=bool(row["flags"] & 1))
                with content as file, part.open("wb") as target:
                    target.writelines(
                        _at_most(row["size"], open_file(file, key, CONTENT, row["record"], salt))
                    )
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != row["sha256"] or part.stat().st_size != row["size"]:
                raise Refused(f"{part} is not the content described")
            part.rename(path)
        finally:
            path.with_name(path.name + ".part").unlink(missing_ok=True)
        return str(path)

    def _path(self, row: Row, out: Path) -> Path:
        title = f"{row['title'][:50]} {row['record'].hex()[:16]}"
        names = self.folder_name(row["folder"]), title, f"{row['version']} {row['file_name'][-50:]}"
        return out.joinpath(*(re.sub(r"[^\w .()-]", "_", name).strip(" .") or "_" for name in names))


def _at_most(size: int, parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of a content of this size: a larger one must not fill the disk first. Raises Refused."""
    for part in parts:
        size -= len(part)
        if size < 0:
            raise Refused("the content is larger than described: not the content described")
        yield part


def _words(error: Exception) -> str:
    return str(error) or "its bytes or its key were changed"
