"""Opening a content: access first, then the ciphertext by its CID, its key, its last chunk; then the log."""

from collections.abc import Iterator
from functools import partial

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from records import access
from records.chain_words import raw
from records.content import storing
from records.crypto.description import open_content as open_file
from records.crypto.mdr1 import Decryptor
from records.errors import AccessRefused, NotFound, StoreDown
from records.models import ViewLog
from records.services.documents import visible_state
from records.services.keyring import Keyring
from records.services.states import RecordState, VersionState
from records.shapes import OpenedContent
from records.storage.cid import Cid

CHANGED = "The stored file is not the one that was uploaded."


def open_content(*, actor: Actor, record: str, version: int | None = None) -> OpenedContent:
    """A version's file (without `version` the newest), to be streamed; looks by others are logged.

    `iterate` raises StoreDown when the store fails on the way; what was given out by then is verified.
    Raises NotFound, AccessRefused, StoreDown, VaultClosed.
    """
    state = visible_state(actor, record)
    if actor.address != state.patient and not access.can_read(actor, record):
        raise AccessRefused("Only the patient can open this until it is taken in.", patient=state.patient)
    wanted = _version(state, version)
    opened = Keyring(actor, state.patient).open_all(state).get(wanted.version)
    if opened is None:
        raise AccessRefused("This version's key still waits for the patient.", patient=state.patient)
    description = opened.description
    with storing() as store:
        blob = store.open(Cid(raw(wanted.content), dag_pb=bool(wanted.flags & 1)))
        try:
            file = open_file(description, raw(record), read_at=blob.read_at, size=blob.size)
        except CryptoError as error:
            blob.close()
            raise StoreDown(CHANGED) from error
    _log(actor, state, wanted)
    return OpenedContent(
        record=record,
        version=wanted.version,
        file_name=description.file_name,
        media_type=description.media_type,
        size=description.size,
        iterate=partial(_iterate, file),
    )


def _iterate(file: Decryptor, start: int, end: int) -> Iterator[bytes]:
    with storing():
        try:
            yield from file.iterate(start, end)
        except CryptoError as error:
            raise StoreDown(CHANGED) from error


def _version(state: RecordState, version: int | None) -> VersionState:
    if version is None:
        standing = state.standing() or state
        return standing.latest
    for one in state.versions:
        if one.version == version:
            return one
    raise NotFound("There is no such version.")


def _log(actor: Actor, state: RecordState, version: VersionState) -> None:
    if actor.address == state.patient:
        return
    ViewLog.objects.create(
        patient=state.patient,
        record=state.record,
        version=version.version,
        viewer=actor.address,
        via=_via(actor, state),
        what=ViewLog.What.CONTENT,
    )


def _via(actor: Actor, state: RecordState) -> str:
    """Through which institution the actor holds what opens this record."""
    grants = access.live_grants(actor, patient=state.patient)
    covering = [
        grant
        for grant in grants
        if grant.folder == state.latest.folder or grant.scope == state.record or grant.folder is None
    ]
    return covering[0].via if covering else ""
