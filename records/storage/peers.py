"""Fetching from the peers of a Kubo node. A worker does it, with deadlines: no page waits for another portal.

Kubo gives no answer while it looks for a block among its peers. So each question names how long it may look.
"""

import hashlib
import time

from records.storage.cid import Cid
from records.storage.errors import (
    ContentCorrupt,
    ContentNotFound,
    ContentTooLarge,
    ContentUnfinished,
    PeersSilent,
    StoreUnavailable,
)
from records.storage.ipfs import IpfsStore, links_of
from records.storage.node import ANSWER_TIMEOUT, CONNECT_TIMEOUT, IpfsNode
from records.storage.tree import LEAF_SIZE, MAX_NODE_SIZE


class PeerNode(IpfsNode):
    """The node with this API address, which looks among its peers for what it does not have."""

    def fetch_block(self, cid: Cid, seconds: float) -> bytes:
        """A block, unchecked, which the node has afterwards. Raises PeersSilent."""
        limit = (CONNECT_TIMEOUT, seconds + ANSWER_TIMEOUT)
        options = {"arg": str(cid), "timeout": f"{seconds:.3f}s"}
        try:
            block: bytes = self._ask(
                lambda client, _: client._client.request("/block/get", opts=options, timeout=limit)
            )
        except ContentNotFound as error:  # a node that was told to have no peers
            raise PeersSilent(str(error)) from error
        except StoreUnavailable as error:
            if "deadline exceeded" in str(error):
                raise PeersSilent(str(error)) from error
            raise
        return block


class Peers:
    """The peers of the Kubo node with this API address. Threads may share it."""

    def __init__(self, url: str) -> None:
        self.files = IpfsStore(url)
        self._node = PeerNode(url)

    def fetch(self, cid: Cid, *, most: int, wait: float, until: float) -> int:
        """Bring every block of a content of at most `most` bytes to the node, and return its size in bytes.

        `wait` is for how many seconds a block is looked for, `until` (on the clock of `time.monotonic`) when
        the rest is left for another time. Blocks that came stay. Nothing is pinned. Raises PeersSilent,
        ContentUnfinished, ContentTooLarge, ContentCorrupt, StoreUnavailable.
        """
        return _Fetch(self._node, most, wait, until).run(cid)


class _Fetch:
    """The walk through one content's blocks."""

    def __init__(self, node: PeerNode, most: int, wait: float, until: float) -> None:
        self._node, self._most, self._wait, self._until = node, most, wait, until

    def run(self, cid: Cid) -> int:
        block = self._block(cid)
        if not cid.dag_pb:
            self._check_size(len(block))
            if len(block) > LEAF_SIZE:
                raise ContentCorrupt(
                    f"{cid} is a block of {len(block)} bytes, which the profile has as a tree"
                )
            return len(block)
        links = links_of(cid, block)
        size = sum(link.size for link in links)
        self._check_size(size)
        for link in links:
            self._walk(Cid(link.digest, link.dag_pb), link.size)
        return size

    def _walk(self, cid: Cid, size: int) -> None:
        """Everything below the root. A leaf that the node has is not read."""
        if cid.dag_pb:
            for link in links_of(cid, self._block(cid), size):
                self._walk(Cid(link.digest, link.dag_pb), link.size)
        elif not self._has(cid) and len(self._block(cid)) != size:
            raise ContentCorrupt(f"the leaf {cid} has another size than its tree says")

    def _block(self, cid: Cid) -> bytes:
        seconds = min(self._wait, self._until - time.monotonic())
        if seconds <= 0:
            raise ContentUnfinished(str(cid))
        block = self._node.fetch_block(cid, seconds)
        if hashlib.sha256(block).digest() != cid.digest or (cid.dag_pb and len(block) > MAX_NODE_SIZE):
            raise ContentCorrupt(f"the block {cid} has other bytes than its CID says")
        return block

    def _has(self, cid: Cid) -> bool:
        try:
            self._node.block_size(cid)
        except ContentNotFound:
            return False
        return True

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise ContentTooLarge(size)
