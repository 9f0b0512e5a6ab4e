"""Content identifiers of the `unixfs-v1-2025` profile (IPIP-499): CIDv1, sha2-256, raw leaves of 1 MiB,
a balanced tree of at most 1,024 links a node.

A file of at most one leaf is that raw block (the empty file too, as Kubo has it). A longer one is a tree of
dag-pb nodes over its leaves. The chain holds the digest in the CID and a bit that tells raw from dag-pb, so
that the CID can be written down again.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from records.storage.errors import InvalidCid
from records.storage.tree import CID_PREFIXES, LEAF_SIZE, MAX_LINKS, Link, encode_node


@dataclass(frozen=True, slots=True)
class Cid:
    """A CIDv1: the sha2-256 digest of a raw block or of a dag-pb node. `str()` gives its base32 text."""

    digest: bytes
    dag_pb: bool = False

    def __post_init__(self) -> None:
        if len(self.digest) != 32:
            raise InvalidCid(f"a sha2-256 digest has 32 bytes, not {len(self.digest)}")

    @classmethod
    def from_digest(cls, digest: bytes | str, *, dag_pb: bool = False) -> Self:
        """The CID of a digest: 32 bytes, or their hex with or without 0x. Raises InvalidCid."""
        try:
            return cls(
                bytes.fromhex(digest.removeprefix("0x")) if isinstance(digest, str) else digest, dag_pb
            )
        except ValueError as error:
            raise InvalidCid(str(error)) from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form. Raises InvalidCid for anything but a canonical base32 CIDv1 with sha2-256."""
        try:
            binary = base64.b32decode(text[1:].upper() + "=" * (-(len(text) - 1) % 8))
        except ValueError as error:
            raise InvalidCid(f"not a CID: {text!r}") from error
        for dag_pb, prefix in CID_PREFIXES.items():
            if binary[:4] == prefix and len(binary) == 36:
                cid = cls(binary[4:], dag_pb)
                if str(cid) == text:
                    return cid
        raise InvalidCid(f"not a base32 CIDv1 with a sha2-256 digest: {text!r}")

    @property
    def hex(self) -> str:
        """The digest as 0x and 64 hex digits, its form in acts and in SQL."""
        return "0x" + self.digest.hex()

    def __str__(self) -> str:
        binary = CID_PREFIXES[self.dag_pb] + self.digest
        return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


class CidBuilder:
    """Computes the CID of a stream, in memory that does not grow with it beyond 32 bytes a MiB.

    `leaves` collects the leaves' digests (32 bytes each, in order), from which the tree is rebuilt.
    """

    def __init__(self) -> None:
        self.size = 0
        self.leaves = bytearray()
        self._hash = hashlib.sha256()
        self._filled = 0  # bytes in the leaf under way

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes, in pieces of any size."""
        view = memoryview(data)
        self.size += len(view)
        while len(view) > LEAF_SIZE - self._filled:
            room = LEAF_SIZE - self._filled
            self._hash.update(view[:room])
            self._end_leaf()
            view = view[room:]
        self._hash.update(view)
        self._filled += len(view)

    def finish(self) -> Cid:
        """The CID of all that was added. Call it once."""
        if self._filled or not self.size:
            self._end_leaf()
        return root_of_leaves(bytes(self.leaves), self.size)

    def _end_leaf(self) -> None:
        self.leaves += self._hash.digest()
        self._hash = hashlib.sha256()
        self._filled = 0


def root_of_leaves(leaves: bytes, size: int) -> Cid:
    """The CID of a file of `size` bytes whose leaves have these digests (32 bytes each).

    Raises ValueError when the number of leaves is not that of the size.
    """
    count = max(1, -(-size // LEAF_SIZE))
    if len(leaves) != 32 * count:
        raise ValueError(f"{size} bytes have {count} leaves, not {len(leaves) / 32:g}")
    if count == 1:
        return Cid(leaves)
    sizes = (min(LEAF_SIZE, size - LEAF_SIZE * index) for index in range(count))
    level: Iterable[Link] = (
        Link(leaves[32 * index : 32 * index + 32], False, length, length)
        for index, length in enumerate(sizes)
    )
    while True:
        parents = _parents(level)
        if len(parents) == 1:
            return Cid(parents[0].digest, dag_pb=True)
        level = parents


def _parents(level: Iterable[Link]) -> list[Link]:
    """Links to the nodes that hold the links of one level, 1,024 each but the last."""
    parents: list[Link] = []
    node: list[Link] = []
    for link in level:
        if len(node) == MAX_LINKS:
            parents.append(_link_to(node))
            node = []
        node.append(link)
    parents.append(_link_to(node))
    return parents


def _link_to(node: list[Link]) -> Link:
    block = encode_node(node)
    total = len(block) + sum(link.total for link in node)
    return Link(hashlib.sha256(block).digest(), True, sum(link.size for link in node), total)
