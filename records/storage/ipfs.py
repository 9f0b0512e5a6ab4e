"""The store on an IPFS node.

The node is not trusted: the CID of what is added is computed here too, and what is read is checked block by
block, from the root of the tree down to the leaf. Only what the node itself has is read: peers are asked in
`records.storage.peers` alone.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator

from records.storage.base import Before, Blob, Stored
from records.storage.cid import Cid, CidBuilder
from records.storage.errors import ContentCorrupt, ContentNotFound, InvalidCid, StorageError
from records.storage.node import IpfsNode
from records.storage.tree import (
    LEAF_SIZE,
    MAX_LINKS,
    MAX_NODE_SIZE,
    Link,
    check_shape,
    decode_node,
    height_of,
)

ERASE_BATCH = 100  # blocks a request: their CIDs stand in its URL


class IpfsStore:
    """A `Store` on the Kubo node with this API address (see `IpfsNode`). Threads may share it.

    Blocks of a put that broke off are not pinned, and go when the node collects its garbage (`--enable-gc`).
    """

    shared = True

    def __init__(self, url: str) -> None:
        self._node = IpfsNode(url)

    def put(self, stream: Iterable[bytes], *, before: Before | None = None) -> Stored:
        source = _Source(stream, before)
        try:
            made = self._node.add(source.pieces())
        except StorageError:
            if source.error is not None:  # the stream's own failure looks like the connection's from below
                raise source.error from None
            raise
        stored = source.stored
        if stored is None or made != str(stored.cid):
            what = stored.cid if stored else "an unfinished stream"
            raise ContentCorrupt(
                f"the node made {made} of what is {what}: is it the Kubo that the tests run with?"
            )
        return stored

    def open(self, cid: Cid) -> Blob:
        if not cid.dag_pb:
            return IpfsBlob(self._node, cid, self._node.block_size(cid), [])
        links = read_links(self._node, cid)
        return IpfsBlob(self._node, cid, sum(link.size for link in links), links)

    def stat(self, cid: Cid) -> int:
        if not cid.dag_pb:
            return self._node.block_size(cid)
        return sum(link.size for link in read_links(self._node, cid))

    def has(self, cid: Cid) -> bool:
        try:
            self._node.block_size(cid)
        except ContentNotFound:
            return False
        return True

    def keeps(self, cid: Cid) -> bool:
        return self._node.is_pinned(cid) and self.has(cid)

    def kept(self) -> Iterator[Cid]:
        """Yield the node's pins, less those that cannot be ours: the node may serve others too."""
        for name in self._node.pins():
            try:
                yield Cid.parse(name)
            except InvalidCid:
                continue

    def pin(self, cid: Cid) -> None:
        self._node.pin(cid)

    def unpin(self, cid: Cid) -> None:
        """Unpin, and remove the blocks at once: the node may never collect its garbage."""
        self._node.unpin(cid)
        batch: list[Cid] = []
        for block in self._blocks(cid):
            batch.append(block)
            if len(batch) == ERASE_BATCH:
                self._node.erase(batch)
                batch = []
        if batch:
            self._node.erase(batch)

    def check(self) -> None:
        self._node.version()

    def _blocks(self, cid: Cid, size: int | None = None) -> Iterator[Cid]:
        """A tree's blocks on the node. A parent after its children, so that an erasing can be repeated."""
        if cid.dag_pb:
            try:
                links = read_links(self._node, cid, size)
            except (ContentNotFound, ContentCorrupt):
                links = []
            for link in {link.digest: link for link in links}.values():
                yield from self._blocks(Cid(link.digest, link.dag_pb), link.size)
        yield cid


class IpfsBlob(Blob):
    """A content on a node. Leaves are asked for one by one, or, once read in order, as one stream."""

    def __init__(self, node: IpfsNode, cid: Cid, size: int, links: list[Link]) -> None:
        super().__init__(cid, size)
        self._node = node
        self._links = links
        self._branch: tuple[bytes, list[Link]] = (b"", [])  # the node below the root that was read last
        self._next = 0
        self._stream: _LeafStream | None = None

    def _fetch(self, index: int) -> bytes:
        length = min(LEAF_SIZE, self.size - index * LEAF_SIZE)
        in_order, self._next = index > 0 and index == self._next, index + 1
        if not in_order:
            self.close()
            return self._node.block(Cid(self._digest(index)))
        if self._stream is None:
            self._stream = _LeafStream(self._node.stream(self.cid, index * LEAF_SIZE))
        try:
            return self._stream.read(length)
        except StorageError:  # the stream broke off; a block can be asked for again
            self.close()
            return self._node.block(Cid(self._digest(index)))

    def _digest(self, index: int) -> bytes:
        if not self.cid.dag_pb:
            return self.cid.digest
        links, height = self._links, height_of(self.size)
        while height > 1:
            link = links[index // MAX_LINKS ** (height - 1)]
            if self._branch[0] != link.digest:
                branch = read_links(self._node, Cid(link.digest, dag_pb=True), link.size)
                self._branch = (link.digest, branch)
            links, height = self._branch[1], height - 1
            index %= MAX_LINKS**height
        return links[index].digest

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class _LeafStream:
    """Cuts a stream of pieces of any size into leaves."""

    def __init__(self, pieces: Generator[bytes]) -> None:
        self._pieces = pieces
        self._rest = bytearray()

    def read(self, length: int) -> bytes:
        """The next bytes. Fewer only when the stream has ended."""
        while len(self._rest) < length:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        leaf = bytes(memoryview(self._rest)[:length])
        del self._rest[:length]
        return leaf

    def close(self) -> None:
        self._pieces.close()


class _Source:
    """A stream on its way to the node: its CID is computed, and its own failure remembered."""

    def __init__(self, stream: Iterable[bytes], before: Before | None) -> None:
        self._stream = iter(stream)
        self._before = before
        self._builder = CidBuilder()
        self.stored: Stored | None = None
        self.error: BaseException | None = None

    def pieces(self) -> Iterator[bytes]:
        while True:
            try:
                piece = next(self._stream, None)
                if piece is None:
                    self._end()
                    return
            except BaseException as error:
                self.error = error
                raise
            self._builder.update(piece)
            yield piece

    def _end(self) -> None:
        """The node is told that the stream has ended only after this: it pins nothing yet."""
        self.stored = Stored(self._builder.finish(), self._builder.size)
        if self._before is not None:
            self._before(self.stored)


def read_links(node: IpfsNode, cid: Cid, size: int | None = None) -> list[Link]:
    """The links of a tree's node over `size` bytes of the file (None: a root, whose links say the size).

    Raises ContentNotFound, ContentCorrupt, StoreUnavailable.
    """
    return links_of(cid, node.block(cid), size)


def links_of(cid: Cid, block: bytes, size: int | None = None) -> list[Link]:
    """Return the same links from the bytes of that node. Raises ContentCorrupt."""
    if len(block) > MAX_NODE_SIZE or hashlib.sha256(block).digest() != cid.digest:
        raise ContentCorrupt(f"the node {cid} has other bytes than its CID says")
    try:
        links = decode_node(block)
        total = sum(link.size for link in links) if size is None else size
        check_shape(links, total, height_of(total))
    except ValueError as error:
        raise ContentCorrupt(f"{cid}: {error}") from error
    return links
