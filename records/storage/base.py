"""What every store can do, and the reading that all of them share."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from records.storage.cid import Cid
from records.storage.errors import ContentCorrupt
from records.storage.tree import LEAF_SIZE

_NOTHING = hashlib.sha256().digest()


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store has taken: where it is found again, and how many bytes it has."""

    cid: Cid
    size: int


Before = Callable[[Stored], None]


class Blob(ABC):
    """A stored content, opened for reading. Every byte handed out was checked against the CID.

    Checking goes leaf by leaf (1 MiB), and one leaf is kept in memory. A blob is for one thread; close it, or
    use it in a `with`.
    """

    def __init__(self, cid: Cid, size: int) -> None:
        if size == 0 and cid.digest != _NOTHING:  # it has no leaf whose check would fail
            raise ContentCorrupt(f"{cid} is empty, which its CID does not say")
        self.cid = cid
        self.size = size
        self._kept: tuple[int, bytes] | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`. Fewer only at the end.

        Raises ContentCorrupt, ContentNotFound, StoreUnavailable.
        """
        return bytes(self.view_at(offset, length))

    def view_at(self, offset: int, length: int) -> memoryview:
        """Read as `read_at` does, uncopied where the bytes lie in one leaf."""
        if offset < 0 or length < 0:
            raise ValueError("offset and length must not be negative")
        end = min(offset + length, self.size)
        if offset >= end:
            return memoryview(b"")
        first, last = offset // LEAF_SIZE, (end - 1) // LEAF_SIZE
        parts = [memoryview(self._leaf(index)) for index in range(first, last + 1)]
        parts[-1] = parts[-1][: end - last * LEAF_SIZE]
        parts[0] = parts[0][offset - first * LEAF_SIZE :]
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))

    def __iter__(self) -> Iterator[bytes]:
        """The whole content, in pieces of at most 1 MiB."""
        for index in range(-(-self.size // LEAF_SIZE)):
            yield self._leaf(index)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _leaf(self, index: int) -> bytes:
        if self._kept is None or self._kept[0] != index:
            data = self._fetch(index)
            length = min(LEAF_SIZE, self.size - index * LEAF_SIZE)
            if len(data) != length or hashlib.sha256(data).digest() != self._digest(index):
                raise ContentCorrupt(f"leaf {index} of {self.cid} has other bytes than its CID says")
            self._kept = (index, data)
        return self._kept[1]

    @abstractmethod
    def _fetch(self, index: int) -> bytes:
        """The bytes of a leaf as the store has them, unchecked."""

    @abstractmethod
    def _digest(self, index: int) -> bytes:
        """The digest of a leaf, known to follow from the CID."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the blob holds open."""


class Store(Protocol):
    """Where encrypted files are kept. All stores give the same CID for the same bytes.

    A store reads what it has itself, and looks for nothing at other portals (see `records.storage.peers`).
    Any method may raise StoreUnavailable. `shared` says whether other portals may keep files in it, too: then
    what this portal did not put is not its own.
    """

    shared: bool

    def put(self, stream: Iterable[bytes], *, before: Before | None = None) -> Stored:
        """Keep a content and pin it. When this returns it is on disk, and before, nobody knows its CID.

        Only `before` does: it is called when the stream has ended and nothing is kept yet, so that a note of
        what is about to be kept survives a crash. What it or the stream raises passes through, and nothing
        is pinned. Raises StoreFull.
        """

    def open(self, cid: Cid) -> Blob:
        """Open a content for reading. Raises ContentNotFound, ContentCorrupt."""

    def stat(self, cid: Cid) -> int:
        """Size in bytes of a content, as the store has it: nothing is read. Raises ContentNotFound."""

    def has(self, cid: Cid) -> bool:
        """Return whether this store itself holds the content."""

    def keeps(self, cid: Cid) -> bool:
        """Return whether this store holds the content (of a tree, its root is looked at) and keeps it."""

    def kept(self) -> Iterator[Cid]:
        """Every content that this store keeps (pins), in any order. What is put meanwhile may be missing."""

    def pin(self, cid: Cid) -> None:
        """Keep a content that the store has. Raises ContentNotFound."""

    def unpin(self, cid: Cid) -> None:
        """Stop keeping a content and erase its bytes here. Does nothing when it is not kept.

        Failed half-way, it may be asked again, and goes on.
        """

    def check(self) -> None:
        """For health checks: raises StoreUnavailable or StoreFull when a put would now fail."""
