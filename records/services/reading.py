"""Opening a content: access first, then the ciphertext by its CID, its key, its last chunk; then the log."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from records import access
from records.arrivals import WantedFile
from records.chain_words import raw
from records.content import open_content_file, reading_errors
from records.crypto.description import Description
from records.crypto.description import open_content as open_file
from records.crypto.mdr1 import Decryptor
from records.errors import AccessRefused, NotFound, RecordDamaged
from records.models import Fetch, ViewLog
from records.services.documents import visible_state
from records.services.keyring import keyring_to
from records.services.states import RecordState, VersionState
from records.shapes import OpenedContent

LOOK_LASTS = timedelta(minutes=10)
CHANGED = "The stored file is not the one that this record describes. Its author has to send it again."


@dataclass(frozen=True)
class FoundContent:
    """A version's file that this actor may open, with its key at hand. Nothing is read or logged yet."""

    actor: Actor
    state: RecordState
    version: VersionState
    description: Description

    @property
    def etag(self) -> str:
        """A strong validator, quoted. Made of digests that are on the chain, it tells nothing new."""
        named = raw(self.version.content) + raw(self.version.description)
        return f'"{hashlib.sha256(named).hexdigest()[:32]}"'

    @property
    def wanted(self) -> WantedFile:
        """The encrypted file, as the chain names it."""
        one = self.version
        return WantedFile(
            one.content,
            Fetch.Kind.CONTENT,
            patient=one.patient,
            author=one.author,
            record=one.record,
            dag_pb=bool(one.flags & 1),
        )


def find_content(*, actor: Actor, record: str, version: int | None = None) -> FoundContent:
    """A version's file (without `version` the newest).

    Raises NotFound, AccessRefused, RecordDamaged, RecordLost, StoreDown, VaultClosed.
    """
    state = visible_state(actor, record)
    if not access.access_to(actor, state.patient).can_read(record):
        raise AccessRefused("Only the patient can open this until it is taken in.", patient=state.patient)
    wanted = _version(state, version)
    keyring = keyring_to(actor, state.patient)
    opened = keyring.require(keyring.try_all(state)[wanted.version])
    return FoundContent(actor, state, wanted, opened.description)


def open_found(found: FoundContent, *, start: int = 0, glance: bool = False) -> OpenedContent:
    """The file, to be streamed from the byte `start`. Looks by others are logged.

    A look is one line: every opening from the first byte on, and a later part unless the same person opened
    the same version in the ten minutes before (a viewer that fetches page by page, a download resumed). A
    `glance`, a page that shows something of the file each time it is loaded, counts like a later part.
    `iterate` raises StoreDown when the store fails on the way. What was given out by then is verified.
    Raises StoreDown, RecordDamaged, RecordLost.
    """
    opened = open_unlogged(found)
    log_look(found, begins=not start and not glance)
    return opened


def open_unlogged(found: FoundContent) -> OpenedContent:
    """The file. Who calls this logs the look before a byte of it is shown.

    Raises StoreDown, RecordDamaged, RecordLost.
    """
    description, wanted = found.description, found.version
    with reading_errors(found.wanted):
        blob = open_content_file(found.wanted)
        try:
            file = open_file(description, raw(wanted.record), read_at=blob.view_at, size=blob.size)
        except CryptoError as error:
            blob.close()
            raise RecordDamaged(CHANGED) from error
    return OpenedContent(
        record=wanted.record,
        version=wanted.version,
        file_name=description.file_name,
        media_type=description.media_type,
        size=description.size,
        iterate=partial(_iterate, found.wanted, file),
    )


def log_look(found: FoundContent, *, begins: bool) -> None:
    """A line in the patient's access history: for a look that begins, or a part where none began lately."""
    actor, state = found.actor, found.state
    if actor.address == state.patient:
        return
    look = {
        "patient": state.patient,
        "record": state.record,
        "version": found.version.version,
        "viewer": actor.address,
        "via": _via(actor, state),
        "what": ViewLog.What.CONTENT,
    }
    since = timezone.now() - LOOK_LASTS
    if begins or not ViewLog.objects.filter(at__gt=since, **look).exists():
        ViewLog.objects.create(**look)


def open_content(*, actor: Actor, record: str, version: int | None = None) -> OpenedContent:
    """Find and open a version's file, from its first byte on. Raises as `find_content` and `open_found`."""
    return open_found(find_content(actor=actor, record=record, version=version))


def _iterate(wanted: WantedFile, file: Decryptor, start: int, end: int) -> Iterator[bytes]:
    with reading_errors(wanted):
        try:
            yield from file.iterate(start, end)
        except CryptoError as error:
            raise RecordDamaged(CHANGED) from error


def _version(state: RecordState, version: int | None) -> VersionState:
    if version is None:
        standing = state.standing() or state
        return standing.latest
    for one in state.versions:
        if one.version == version:
            return one
    raise NotFound("There is no such version.")


def _via(actor: Actor, state: RecordState) -> str:
    """Through which institution the actor holds what opens this record."""
    grants = access.access_to(actor, state.patient).grants
    covering = [
        grant
        for grant in grants
        if grant.folder == state.latest.folder or grant.scope == state.record or grant.folder is None
    ]
    return covering[0].via if covering else ""
