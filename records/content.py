"""Files and small ciphertexts: the file store as the settings say, and the blobs that SQL keeps beside it."""

import hashlib
import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from chain.models.bulk import batches, insert_rows, rows_in
from chain.support.wakeup import Wakeup
from records.arrivals import WantedFile, await_files, begun_fetches
from records.chain_words import word
from records.erasing import erase_envelope, give_up_envelopes
from records.errors import NoRoom, RecordDamaged, RecordLost, RecordsError, StoreDown
from records.holdings import KEPT, note_lost, put_held
from records.models import Blob, Holding, PinNode
from records.storage import Blob as StoredBlob
from records.storage import Cid, FallbackBlob, IpfsStore, Store, address_of, open_store
from records.storage.errors import ContentCorrupt, ContentNotFound, StorageError, StoreFull, StoreUnavailable
from records.storage.staging import Staging

logger = logging.getLogger(__name__)

AT_ONCE = 500
BLOB_MAX = 1024 * 1024
"""Bytes of a small ciphertext: what a raw block holds (docs/FORMAT.md)."""
LONG_WAIT = 5.0  # seconds without an answer, after which the store is not asked for the next
NOT_ASKED_FOR = 20.0  # seconds
FILE_DAMAGED = "The stored file is damaged. Its author has to send it again."
FILE_LOST = "The store does not have this file. Its author has to send it again."
UNREACHABLE = "The file store cannot be reached. Try again."
DESCRIPTION_MAX = 66 * 1024
"""Bytes of a description of 64 KiB, encrypted."""
_ERASED = (Blob.State.DELETING, Blob.State.DELETED)
_LEFT = (*_ERASED, Blob.State.HELD)  # the states in which keeping the bytes again decides anew
_SETTLING = Wakeup("records.tasks.store_blobs")


@cache
def _store(path: Path, ipfs_url: str) -> Store:
    return open_store(path=path, ipfs_url=ipfs_url)


def store() -> Store:
    """The store of the settings: a folder, or an IPFS node. Raises StoreUnavailable."""
    return _store(settings.STORE_PATH, settings.IPFS_API_URL)


@cache
def _pin_node(url: str) -> tuple[str, Store]:
    return address_of(url), IpfsStore(url)


def pin_nodes() -> dict[str, Store]:
    """The further nodes of the settings, by their address without user and password."""
    return dict(_pin_node(url) for url in settings.IPFS_PIN_API_URLS)


def failing_nodes() -> set[str]:
    """The addresses of those that did not answer last."""
    return set(PinNode.objects.exclude(failing_since=None).values_list("pk", flat=True))


def open_stored(cid: Cid) -> StoredBlob:
    """A content, to be read. Raises StorageError.

    What this portal holds comes from a further node where the store does not give it. Those nodes are not
    asked for what was never put there.
    """
    if not settings.IPFS_PIN_API_URLS or not Holding.objects.filter(pk=cid.hex, state=KEPT).exists():
        return store().open(cid)
    return FallbackBlob(cid, _places(), on_loss=partial(note_lost, cid.hex))


def _places() -> Iterator[Store]:
    """The store; where it does not give a content, the further nodes, last those that failed lately."""
    yield store()
    failing = failing_nodes()
    nodes = sorted(pin_nodes().items(), key=lambda node: node[0] in failing)
    yield from (files for _, files in nodes)


@contextmanager
def storing() -> Iterator[Store]:
    """The store, with its failures as StoreDown."""
    try:
        yield store()
    except StoreFull as error:
        logger.error("file store is full: %s", error)
        raise NoRoom from error
    except StorageError as error:
        logger.warning("file store: %s: %s", type(error).__name__, error)
        raise StoreDown from error


@contextmanager
def reading_errors(file: WantedFile) -> Iterator[None]:
    """Failures of the store in words for readers of a content.

    StoreDown (the store is away), NotArrived (the file may still come), RecordLost, RecordDamaged.
    """
    try:
        yield
    except ContentNotFound as error:
        if (problem := await_files([file]).get(file.digest)) is not None:
            raise problem from error
        logger.error("file store: %s: %s", type(error).__name__, error)
        raise RecordLost(FILE_LOST) from error
    except ContentCorrupt as error:
        logger.error("file store: %s: %s", type(error).__name__, error)
        raise RecordDamaged(FILE_DAMAGED) from error
    except StorageError as error:
        logger.warning("file store: %s: %s", type(error).__name__, error)
        raise StoreDown(UNREACHABLE) from error


def open_content_file(file: WantedFile) -> StoredBlob:
    """A record's content, if all of it is here: what a worker has begun to fetch is not.

    Raises StorageError.
    """
    if file.digest in begun_fetches([file]):
        raise ContentNotFound(str(file.cid))
    return open_stored(file.cid)


def staging() -> Staging:
    """Where the parts of unfinished uploads wait, encrypted: a folder that all web processes share."""
    return Staging(settings.UPLOAD_STAGING_PATH)


@contextmanager
def staging_errors() -> Iterator[None]:
    """Failures of that folder as StoreDown: the parts before stay."""
    try:
        yield
    except StoreFull as error:
        logger.error("staging is full: %s", error)
        raise NoRoom("There is no room for this part now. What was sent before is kept.") from error
    except StorageError as error:
        logger.warning("staging: %s: %s", type(error).__name__, error)
        raise StoreDown("This part could not be kept. What was sent before is; try again.") from error


def remove_staged(name: uuid.UUID | None) -> None:
    """Erase a staged file, if there is one; what fails here the sweep does."""
    if name is not None:
        try:
            staging().remove(name)
        except StorageError as error:
            logger.warning("staging: %s: %s", type(error).__name__, error)


def digest_of(data: bytes) -> str:
    """The digest by which the chain names a small ciphertext: SHA-256, which is its raw CID's."""
    return word(hashlib.sha256(data).digest())


def keep_blob(data: bytes, *, held: bool = False) -> str:
    """Keep a small ciphertext (at most 1 MiB) in SQL; a task puts it into the store. Returns its digest.

    Inside the caller's transaction, so that whatever names the digest and the bytes are kept together. Also
    where the same bytes are given up at this moment: one of the two waits for the other. With `held` the
    store gets it only once it is released.
    """
    digest, state = digest_of(data), Blob.State.HELD if held else Blob.State.NEW
    here = Blob.objects.filter(digest=digest)
    if not here.update(data=data, state=Case(When(state__in=_LEFT, then=Value(state)), default=F("state"))):
        Blob.objects.bulk_create([Blob(digest=digest, data=data, state=state)], ignore_conflicts=True)
    if not held:
        transaction.on_commit(nudge_blobs)
    return digest


def release_blobs(digests: Iterable[str]) -> int:
    """Let the store have what was held back; how many. In the caller's transaction."""
    released = 0
    for some in batches(digests):
        held = Blob.objects.filter(pk__in=some, state=Blob.State.HELD)
        released += held.update(state=Blob.State.NEW)
    if released:
        transaction.on_commit(nudge_blobs)
    return released


def erase_held(digests: Iterable[str]) -> None:
    """Erase what was held back: the store never had it. In the caller's transaction."""
    for some in batches(digests):
        held = Blob.objects.filter(pk__in=some, state=Blob.State.HELD)
        held.update(state=Blob.State.DELETED, data=None)


@dataclass
class ReadBlobs:
    """Small ciphertexts that were asked for: those that are here, and what is to be said of the others.

    What is in none of the two was erased, lost or damaged.
    """

    here: dict[str, bytes] = field(default_factory=dict)
    problems: dict[str, RecordsError] = field(default_factory=dict)


def read_blob(digest: str, wanted: WantedFile | None = None) -> bytes | None:
    """A small ciphertext by its digest, from SQL or else from the store. None: deleted, lost or damaged.

    Raises StoreDown, and with `wanted` NotArrived where it may still come from elsewhere. What the store had
    is not copied into SQL (`copy_blob`): the digest may be that of anybody's file.
    """
    row = Blob.objects.filter(digest=digest).first()
    if row is not None:
        return bytes(row.data) if row.data is not None else None
    problem = begun_fetches([wanted]).get(digest) if wanted is not None else None
    if problem is None:
        try:
            return _read_stored(digest)
        except ContentNotFound:
            problem = await_files([wanted]).get(digest) if wanted is not None else None
    if isinstance(problem, StoreDown):
        raise problem
    return None


def copy_blob(digest: str, data: bytes) -> None:
    """Keep a copy in SQL of what the store had, once it is known to be what its reader looked for."""
    Blob.objects.get_or_create(digest=digest, defaults={"data": data, "state": Blob.State.STORED})


def read_blobs(files: Iterable[WantedFile]) -> ReadBlobs:
    """Many descriptions at once.

    What SQL has comes in a query for some hundreds. A store that does not answer is asked once, not for each.
    """
    wanted = {file.digest: file for file in files}
    rows = {row.pk: row.data for row in rows_in(Blob.objects.all(), "digest", wanted)}
    read = ReadBlobs({digest: bytes(data) for digest, data in rows.items() if data is not None})
    unknown = set(wanted) - set(rows)
    if unknown:
        read.problems.update(begun_fetches(wanted[digest] for digest in unknown))
        missing = _read_missing(read, unknown - set(read.problems))
        read.problems.update(await_files([wanted[digest] for digest in missing]))
    return read


def _read_missing(read: ReadBlobs, digests: set[str]) -> list[str]:
    """Add to `read` what the store has of these; return those that it does not have."""
    missing = []
    for number, digest in enumerate(ordered := sorted(digests)):
        try:
            data = _read_stored(digest)
        except ContentNotFound:
            missing.append(digest)
            continue
        except StoreDown as error:
            read.problems.update(dict.fromkeys(ordered[number:], error))
            break
        if data is not None:
            read.here[digest] = data
            if len(data) <= DESCRIPTION_MAX:
                copy_blob(digest, data)
    return missing


def _read_stored(digest: str) -> bytes | None:
    """The bytes that the store has; None: damaged. Raises ContentNotFound, StoreDown."""
    try:
        with _silence.watched(), open_stored(Cid.from_digest(digest)) as blob:
            return blob.read_at(0, blob.size) if blob.size <= BLOB_MAX else None
    except ContentNotFound as error:
        logger.info("file store: %s: %s", type(error).__name__, error)
        raise
    except ContentCorrupt as error:
        logger.warning("file store: %s: %s", type(error).__name__, error)
        return None
    except StorageError as error:
        raise StoreDown(UNREACHABLE) from error


class _Silence:
    """Remembers that the store let a reader wait: for a while the next readers of a page do not wait, too."""

    def __init__(self) -> None:
        self._until = float("-inf")

    @contextmanager
    def watched(self) -> Iterator[None]:
        began = time.monotonic()
        if began < self._until:
            raise StoreUnavailable("the store did not answer a moment ago")
        try:
            yield
        except StoreUnavailable:
            if time.monotonic() - began >= LONG_WAIT:
                self._until = time.monotonic() + NOT_ASKED_FOR
            raise


_silence = _Silence()


def delete_envelopes(digests: Iterable[str]) -> None:
    """Erase envelopes here now, and from the store as soon as it answers: those that records.erasing lets go.

    In the caller's transaction, after their rows are marked as deleted.
    """
    if give_up_envelopes(digests):
        transaction.on_commit(nudge_blobs)


def settle_blobs() -> int:
    """Put what is new into the store and erase there what is deleted here; returns how many."""
    done = 0
    new = Q(state=Blob.State.NEW, data__isnull=False)
    for row in Blob.objects.filter(new | Q(state=Blob.State.DELETING))[:AT_ONCE]:
        if row.state == Blob.State.NEW and row.data is not None:
            done += _put_blob(row, bytes(row.data))
        else:
            done += _erase_blob(row)
    return done


def _put_blob(row: Blob, data: bytes) -> int:
    put_held(store(), [data])
    put = Blob.objects.filter(pk=row.pk, state=Blob.State.NEW).update(state=Blob.State.STORED)
    if not put:  # deleted meanwhile, perhaps before the bytes were there, and the row with them
        insert_rows([Blob(digest=row.pk, state=Blob.State.DELETING)], unique=("digest",))
        Blob.objects.filter(pk=row.pk, state=Blob.State.DELETED).update(state=Blob.State.DELETING)
    return put


def _erase_blob(row: Blob) -> int:
    erased = erase_envelope(store(), row.digest)
    here = Blob.objects.filter(pk=row.pk, state=Blob.State.DELETING)
    if erased is None:  # it is no envelope of ours, or named now: what the store has of it is read from there
        here.filter(data=None).delete()
    return here.update(state=Blob.State.DELETED) if erased else 0


def nudge_blobs() -> None:
    """Ask a worker to settle the blobs; the sweep does it anyway if this message is lost."""
    _SETTLING.give()
