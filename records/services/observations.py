"""Measurements: kept as ordinary records whose content is FHIR JSON; read back, and gathered over records.

What is shown is read when it is shown: nothing of a content is kept in SQL or a cache. Whoever is not the
patient leaves a line in the access history for each record that a page reads values of, once in ten minutes.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

from accounts.actor import Actor
from records import access
from records.errors import Conflict, InvalidInput, NotArrived, RecordsError, StoreDown
from records.kinds import MEASUREMENTS
from records.observations.model import Observation
from records.observations.reading import (
    FHIR_TYPES,
    NDJSON_TYPE,
    BadBundle,
    Reading,
    may_be_read,
    read_observations,
)
from records.observations.series import Series, Source, gather_series
from records.observations.writing import MEDIA_TYPE, write_observations
from records.services import documents, uploads
from records.services.keyring import Keyring
from records.services.present import record_views
from records.services.reading import FoundContent, find_content, open_found
from records.services.searching import day_of
from records.services.states import RecordState
from records.shapes import RecordView

RECORDS_MAX = 100  # read for one page, the newest
OBSERVATIONS_MAX = 5000
FILE_NAME = "measurements.json"
LINES_NAME = "measurements.ndjson"
UNANSWERED_MAX = 3  # files in a row for which the store did not answer: then it is not asked for more


@dataclass(frozen=True)
class Gathered:
    """The series of a patient's records, and what is not in them.

    `births` are the dates of birth that the files name: with more than one, a file is somebody else's.
    """

    series: list[Series] = field(default_factory=list)
    records: int = 0  # read
    older: int = 0  # records with measurements that are beyond the limit
    unreadable: list[RecordView] = field(default_factory=list)
    births: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Saving:
    """Where observations go: as `uploads.describe_upload` takes it. `form` names the form that was sent."""

    title: str
    service_date: date | None
    form: uuid.UUID
    patient: str | None = None
    folder: int | None = None
    via: str = ""
    replaces: str | None = None
    kind: str = MEASUREMENTS


def add_observations(*, actor: Actor, saving: Saving, observations: Iterable[Observation]) -> RecordView:
    """Save observations as one record (or as the next version of one). The same form again has one effect.

    Raises InvalidInput, NotFound, AccessRefused, Conflict, StoreDown, VaultClosed.
    """
    return _save(actor, saving, write_observations(observations), FILE_NAME)


def add_bundle(*, actor: Actor, saving: Saving, data: bytes, file_name: str = FILE_NAME) -> RecordView:
    """Save a FHIR file as it is, every byte. What cannot be read of it does not lose the rest.

    Raises InvalidInput, naming entry and field, where nothing can be read; and the above.
    """
    try:
        found = read_observations(data)
    except BadBundle as error:
        raise InvalidInput("bundle", str(error)) from error
    if not found.observations:
        words = next(iter(found.problems), "There is no observation in this file that can be shown.")
        raise InvalidInput("bundle", words)
    if file_name == FILE_NAME and found.lines:
        return _save(actor, saving, data, LINES_NAME, NDJSON_TYPE)
    return _save(actor, saving, data, file_name)


def read_record(*, actor: Actor, view: RecordView, version: int | None = None) -> Reading | None:
    """Read the observations of a record's file, or return None where it is no such file.

    Raises as `reading.find_content` and `open_found`.
    """
    if not view.readable or not may_be_read(view.media_type, view.size):
        return None
    return _read(find_content(actor=actor, record=view.record, version=version))


def editable(*, actor: Actor, view: RecordView) -> list[Observation]:
    """A record's observations, if the portal's form can write all that its file says.

    Raises Conflict where the file came from elsewhere and says more, and as `read_record`.
    """
    if view.readable and may_be_read(view.media_type, view.size):
        data = _bytes(find_content(actor=actor, record=view.record))
        try:
            found = read_observations(data, strict=True).observations
        except BadBundle:
            found = []
        if found and write_observations(found) == data:
            return found
    raise Conflict("This file was not made by the form here. Send a new version of the file instead.")


def gather_observations(*, actor: Actor, patient: str, via: str | None = None) -> Gathered:
    """The measurements of all records of a patient that this actor may open. None of what lies in the inbox.

    A file that does not open is named, and the others are read. Raises AccessRefused for who holds no grant
    now, VaultClosed.
    """
    keyring, states = documents.list_states(actor=actor, patient=patient, via=via)
    views = {view.record: view for view in record_views(keyring, states)}
    chosen = [state for state in _openable(keyring, states, via) if _holds(views[state.record])]
    chosen.sort(key=lambda state: day_of(views[state.record]), reverse=True)
    found: list[tuple[Observation, Source]] = []
    unreadable: list[RecordView] = []
    births: set[str] = set()
    records = in_a_row = 0
    unreadable += [view for view in views.values() if not view.readable and _is_listed(view)]
    for state in chosen[:RECORDS_MAX]:
        if len(found) >= OBSERVATIONS_MAX:
            break
        view = views[state.record]
        records += 1
        if in_a_row == UNANSWERED_MAX:
            unreadable.append(view)
            continue
        try:
            reading = _read(_found(keyring, state))
        except RecordsError as error:
            away = isinstance(error, StoreDown) and not isinstance(error, NotArrived)
            in_a_row = in_a_row + 1 if away else 0
            unreadable.append(view)
            continue
        in_a_row = 0
        if reading is not None:
            source = Source(view.record, view.title, view.author_name, view.author == view.patient)
            found += [(one, source) for one in reading.observations]
            births |= {reading.born} - {""}
            if reading.problems:
                unreadable.append(view)
    return Gathered(gather_series(found), records, len(chosen) - records, unreadable, sorted(births))


def _save(
    actor: Actor, saving: Saving, content: bytes, file_name: str, media_type: str = MEDIA_TYPE
) -> RecordView:
    described = uploads.describe_upload(
        actor=actor,
        patient=saving.patient,
        title=saving.title,
        kind=saving.kind,
        service_date=saving.service_date,
        folder=saving.folder,
        via=saving.via,
        file_name=file_name,
        media_type=media_type,
        size=len(content),
        replaces=saving.replaces,
        once=_once(saving, content),
    )
    return uploads.receive_upload(actor=actor, upload_id=described.id, stream=[content], length=len(content))


def _once(saving: Saving, content: bytes) -> uuid.UUID:
    """Return the upload's id: the same for the same form with the same words, another after a change.

    The form's number is random and kept nowhere: nobody can guess the words from this one.
    """
    said = repr((saving.title, saving.service_date, saving.folder, saving.via, saving.kind, saving.replaces))
    return uuid.uuid5(saving.form, sha256(said.encode() + content).hexdigest())


def _openable(keyring: Keyring, states: list[RecordState], via: str | None) -> list[RecordState]:
    """Without what is closed, in the inbox, refused by the chain, or not for this actor to open."""
    taken = [
        found
        for state in states
        if not state.closed and (found := state.standing()) is not None and found.latest.folder
    ]
    if keyring.own:
        return taken
    readable = access.readable_by(keyring.actor, patient=keyring.patient, via=via)
    allowed = set(readable.values_list("pk", flat=True))
    return [state for state in taken if state.record in allowed]


def _holds(view: RecordView) -> bool:
    return view.readable and may_be_read(view.media_type, view.size)


def _is_listed(view: RecordView) -> bool:
    return bool(view.folder) and not view.closed


def _found(keyring: Keyring, state: RecordState) -> FoundContent:
    opened = keyring.require(keyring.try_latest(state))
    return FoundContent(keyring.actor, state, state.latest, opened.description)


def _read(found: FoundContent) -> Reading | None:
    """None for JSON that is something else. A FHIR file that is none says so."""
    try:
        return read_observations(_bytes(found))
    except BadBundle as error:
        named = found.description.media_type.startswith(FHIR_TYPES)
        return Reading(problems=[str(error)]) if named else None


def _bytes(found: FoundContent) -> bytes:
    opened = open_found(found, glance=True)
    return b"".join(opened.iterate(0, opened.size))
