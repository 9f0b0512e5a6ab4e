"""The store in a folder.

An object lies in `objects/<first byte of its digest>/<CID>`. One of several leaves has its leaves' digests
beside it, in `<CID>.leaves`, so that a range is checked without reading the rest. A put writes into
`incoming/`, and the file appears in `objects/` by a rename once it is on disk, whole.
"""

import errno
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from records.storage.base import Before, Blob, Stored
from records.storage.cid import Cid, CidBuilder, root_of_leaves
from records.storage.errors import ContentCorrupt, ContentNotFound, InvalidCid, StoreFull, StoreUnavailable
from records.storage.tree import LEAF_SIZE

logger = logging.getLogger(__name__)

ABANDONED_AFTER = 24 * 3600  # seconds without a write after which a put is taken for dead
_PIECES_MAX = 256  # in one write: systems take 1,024 (POSIX: 16 at least)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalStore:
    """A `Store` in a folder of its own, which is made if it is missing. Several processes may share it."""

    shared = False

    def __init__(self, root: Path) -> None:
        """Open the folder, and remove what puts that died long ago left behind. Raises StoreUnavailable."""
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        with disk_errors():
            self._objects.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            self._remove_abandoned()

    def put(self, stream: Iterable[bytes], *, before: Before | None = None) -> Stored:
        builder = CidBuilder()
        with self._incoming_file() as (descriptor, path):
            for pieces in _gathered(stream):
                with disk_errors():
                    _write_all(descriptor, pieces)
                for piece in pieces:
                    builder.update(piece)
            stored = Stored(builder.finish(), builder.size)
            if before is not None:
                before(stored)
            with disk_errors():
                self._keep(stored.cid, descriptor, path, bytes(builder.leaves))
        return stored

    def open(self, cid: Cid) -> Blob:
        path = self._path(cid)
        with disk_errors(cid):
            descriptor = os.open(path, os.O_RDONLY)
        try:
            with disk_errors():
                size = os.fstat(descriptor).st_size
                leaves = _checked_leaves(cid, size, path, self._incoming) if cid.dag_pb else cid.digest
            return LocalBlob(cid, size, descriptor, leaves)
        except BaseException:
            os.close(descriptor)
            raise

    def stat(self, cid: Cid) -> int:
        with disk_errors(cid):
            return self._path(cid).stat().st_size

    def has(self, cid: Cid) -> bool:
        with disk_errors():
            return self._path(cid).exists()

    def keeps(self, cid: Cid) -> bool:
        return self.has(cid)

    def kept(self) -> Iterator[Cid]:
        with disk_errors():
            for path in self._objects.glob("*/*"):
                try:
                    yield Cid.parse(path.name)
                except InvalidCid:  # a list of leaves
                    continue

    def pin(self, cid: Cid) -> None:
        """Do nothing: a content that is here stays until it is unpinned."""
        self.stat(cid)

    def unpin(self, cid: Cid) -> None:
        path = self._path(cid)
        with disk_errors():
            path.unlink(missing_ok=True)
            _leaves_path(path).unlink(missing_ok=True)
            if path.parent.exists():
                sync_folder(path.parent)

    def check(self) -> None:
        with self._incoming_file() as (descriptor, _), disk_errors():
            _write_all(descriptor, [b"check"])
            os.fsync(descriptor)

    def _path(self, cid: Cid) -> Path:
        return self._objects / cid.digest[:1].hex() / str(cid)

    @contextmanager
    def _incoming_file(self) -> Iterator[tuple[int, Path]]:
        """A new file to write into. It is gone afterwards, unless it was renamed."""
        with disk_errors():
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            yield descriptor, Path(name)
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)

    def _keep(self, cid: Cid, descriptor: int, path: Path, leaves: bytes) -> None:
        """Put a written file in its place. One already there is replaced: it may have gone bad."""
        os.fsync(descriptor)
        target = self._path(cid)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self._objects)
        if cid.dag_pb:
            _write_leaves(target, leaves, self._incoming)
        path.replace(target)
        sync_folder(target.parent)

    def _remove_abandoned(self) -> None:
        for path in self._incoming.iterdir():
            try:
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                    path.unlink()
                    logger.warning("Removed %s, left by a put that never ended", path.name)
            except FileNotFoundError:  # another process was faster, or its put has just ended
                continue


class LocalBlob(Blob):
    """A content in the folder. Its file is held open, and can be read to its end even when it is unpinned."""

    def __init__(self, cid: Cid, size: int, descriptor: int, leaves: bytes) -> None:
        super().__init__(cid, size)
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115  closed by close(), or with the object
        self._leaves = leaves

    def _fetch(self, index: int) -> bytes:
        with disk_errors():
            return os.pread(self._file.fileno(), LEAF_SIZE, index * LEAF_SIZE)

    def _digest(self, index: int) -> bytes:
        return self._leaves[32 * index : 32 * index + 32]

    def close(self) -> None:
        self._file.close()


@lru_cache(maxsize=64)
def _checked_leaves(cid: Cid, size: int, path: Path, incoming: Path) -> bytes:
    """The digests of an object's leaves, known to follow from its CID.

    They are read from the file beside the object. Where that is lost or damaged it is made again, from the
    object. Raises ContentCorrupt.
    """
    try:
        leaves = _leaves_path(path).read_bytes()
    except FileNotFoundError:
        leaves = b""
    if _matches(cid, leaves, size):
        return leaves
    leaves = _hash_leaves(path)
    if not _matches(cid, leaves, size):
        raise ContentCorrupt(f"{cid} has other bytes than its CID says")
    _write_leaves(path, leaves, incoming)
    logger.warning("Made the list of leaves of %s again", cid)
    return leaves


def _matches(cid: Cid, leaves: bytes, size: int) -> bool:
    try:
        return root_of_leaves(leaves, size) == cid
    except ValueError:
        return False


def _hash_leaves(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        return b"".join(hashlib.sha256(leaf).digest() for leaf in iter(lambda: file.read(LEAF_SIZE), b""))


def _leaves_path(path: Path) -> Path:
    return path.with_name(path.name + ".leaves")


def _write_leaves(path: Path, leaves: bytes, incoming: Path) -> None:
    """Write the list beside an object, by a rename. If a crash loses it, it is made again: no fsync."""
    descriptor, name = tempfile.mkstemp(dir=incoming)
    try:
        _write_all(descriptor, [leaves])
        Path(name).replace(_leaves_path(path))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _gathered(stream: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The stream's pieces, about 1 MiB at a time: small writes cost more than hashing."""
    pieces: list[bytes] = []
    size = 0
    for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size >= LEAF_SIZE or len(pieces) == _PIECES_MAX:
            yield pieces
            pieces, size = [], 0
    yield pieces


def _write_all(descriptor: int, pieces: list[bytes]) -> None:
    written = os.writev(descriptor, pieces)
    if written < sum(map(len, pieces)):  # a signal or a disk about to be full
        rest = memoryview(b"".join(pieces))
        while written < len(rest):
            written += os.write(descriptor, rest[written:])


def sync_folder(path: Path) -> None:
    """Have a folder's new names on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(cid: Cid | None = None) -> Iterator[None]:
    """Turn the system's errors into the store's. With a CID, a missing file means that the content is."""
    try:
        yield
    except OSError as error:
        if cid is not None and isinstance(error, FileNotFoundError):
            raise ContentNotFound(str(cid)) from error
        if error.errno in _FULL:
            raise StoreFull(str(error)) from error
        raise StoreUnavailable(str(error)) from error
