"""Merkle trees of lists that only grow: the Merkle Tree Hash of RFC 9162, section 2.1, over SHA-256.

A list of n entries makes one complete subtree for each bit that is set in n. Their hashes are all that is
needed to append an entry, or to tell the root.
"""

from collections.abc import Iterable
from functools import reduce
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


class Frontier:
    """The hashes of a list's complete subtrees, from the first entries' (the largest) to the last's."""

    def __init__(self, size: int = 0, peaks: bytes = b"") -> None:
        """Of a list of `size` entries, as `to_bytes` gave it. Raises ValueError."""
        if len(peaks) != size.bit_count() * HASH_BYTES:
            raise ValueError("not as many hashes as the size has bits")
        self.size = size
        self._peaks = [peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)]

    def append(self, entry: bytes) -> None:
        """One more entry."""
        node, size = sha256(b"\x00" + entry).digest(), self.size
        while size & 1:
            node, size = _node(self._peaks.pop(), node), size >> 1
        self._peaks.append(node)
        self.size += 1

    def extend(self, entries: Iterable[bytes]) -> None:
        """More entries, in their order."""
        for entry in entries:
            self.append(entry)

    @property
    def root(self) -> bytes:
        """The Merkle Tree Hash, 32 bytes."""
        if not self._peaks:
            return EMPTY_ROOT
        return reduce(lambda right, left: _node(left, right), reversed(self._peaks))

    def to_bytes(self) -> bytes:
        """The hashes, one after the other. With the size, all there is to go on from."""
        return b"".join(self._peaks)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
