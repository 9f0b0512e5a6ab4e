"""Copying what one store keeps into another: again and again, until nothing is missing there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from accounts.directory import known_accounts
from chain.models.bulk import batches, rows_in
from records.erasing import is_own, named
from records.models import Blob, Holding, Version
from records.storage import Cid, Store
from records.storage.errors import ContentCorrupt, ContentNotFound

GONE = (Blob.State.DELETING, Blob.State.DELETED)
GIVEN_UP = (Holding.State.ERASING, Holding.State.ERASED)


@dataclass
class Move:
    """How far a move is; `bytes` of ciphertext were copied now, `left` are not this portal's to delete."""

    all: int = 0
    copied: int = 0
    bytes: int = 0
    present: int = 0
    erased: int = 0
    deleted: int = 0
    left: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many contents were looked at."""
        return self.copied + self.present + self.erased + len(self.failed)


Progress = Callable[[str, Move], None]


def copy_contents(source: Store, target: Store, progress: Progress) -> Move:
    """Copy everything that `source` keeps, checked against its CID, and leave out what was given up.

    What is there already is passed over. Where others use the source too, only what this portal has put, and
    files of its own patients, are taken. What was erased in the portal is erased from `target`, too. Raises
    StorageError when a store is away.
    """
    move = Move()
    cids = list(_ours(source))
    move.all = len(cids)
    for some in batches(cids):
        gone = _given_up({cid.hex for cid in some})
        for cid in some:
            if cid.hex in gone:
                move.erased += 1
            else:
                _copy_one(source, target, cid, move)
            progress("copied", move)
    for some in batches(_all_given_up()):
        gone = _given_up({cid.hex for cid in some})
        for cid in some:
            # copied by a move before it was erased
            if cid.hex in gone and is_own(target, cid.hex) and target.keeps(cid):
                target.unpin(cid)
    return move


def delete_contents(source: Store, target: Store, move: Move, progress: Progress) -> None:
    """Read everything in `target` to its end, which checks every byte; then erase it from `source`.

    From a source that others use too, nothing goes but what this portal has put there.
    """
    for cid in list(_ours(source)):
        if not is_own(source, cid.hex):
            move.left += 1
            continue
        if cid.hex not in _given_up({cid.hex}) and not _reads_whole(target, cid):
            move.failed.append(f"{cid} is not whole in its new place: kept in the old one")
            continue
        source.unpin(cid)
        move.deleted += 1
        progress("deleted", move)


def _copy_one(source: Store, target: Store, cid: Cid, move: Move) -> None:
    try:
        if target.keeps(cid) and target.stat(cid) == source.stat(cid):
            move.present += 1
            return
        with source.open(cid) as blob:
            stored = target.put(blob)
    except (ContentNotFound, ContentCorrupt) as error:
        if _given_up({cid.hex}):
            move.erased += 1
        else:
            move.failed.append(f"{cid}: {error}")
        return
    if stored.cid != cid:
        move.failed.append(f"{cid}: became {stored.cid}")
    elif _given_up({cid.hex}):  # while it was copied
        target.unpin(cid)
        move.erased += 1
    else:
        move.copied += 1
        move.bytes += stored.size


def _ours(source: Store) -> Iterator[Cid]:
    """What a store of this portal alone keeps; of others, what it has put, and files of its patients."""
    if not source.shared:
        yield from source.kept()
        return
    for some in batches(source.kept()):
        digests = {cid.hex for cid in some}
        known = {row.pk for row in rows_in(Holding.objects.only("pk"), "pk", digests)}
        known |= {row.pk for row in rows_in(Blob.objects.only("pk"), "pk", digests)}
        known |= _of_patients(digests)
        yield from (cid for cid in some if cid.hex in known)


def _of_patients(digests: set[str]) -> set[str]:
    """Those that are contents of this portal's patients, whichever portal put them."""
    versions = Version.objects.only("content", "record__patient").select_related("record")
    placed = {(row.content, row.record.patient) for row in rows_in(versions, "content", digests)}
    here = known_accounts(patient for _, patient in placed)
    return {content for content, patient in placed if patient in here}


def _given_up(digests: set[str]) -> set[str]:
    """Return those that were given up, less what is named now: that is copied, and checked, as all is."""
    held = Holding.objects.filter(state__in=GIVEN_UP).only("pk")
    blobs = Blob.objects.filter(state__in=GONE).only("pk")
    gone = {row.pk for rows in (held, blobs) for row in rows_in(rows, "pk", digests)}
    return gone - named(gone)


def _all_given_up() -> Iterator[Cid]:
    held = Holding.objects.filter(state__in=GIVEN_UP).values_list("pk", "dag_pb")
    yield from (Cid.from_digest(digest, dag_pb=dag_pb) for digest, dag_pb in held.iterator())
    blobs = Blob.objects.filter(state__in=GONE).values_list("pk", flat=True)
    yield from (Cid.from_digest(digest) for digest in blobs.iterator())


def _reads_whole(files: Store, cid: Cid) -> bool:
    try:
        with files.open(cid) as blob:
            for _ in blob:
                pass
        return files.keeps(cid)
    except (ContentNotFound, ContentCorrupt):
        return False
