"""The nodes of a file's tree: dag-pb with UnixFS metadata, written and read exactly as the profile has them.

A node is the protobuf message PBNode: its links (field 2), then its data (field 1). A link holds the child's
CID, an empty name, and the total bytes of all blocks below. The data is a UnixFS message: type file, bytes of
the file, bytes of the file below each link. Source: the IPLD dag-pb and the UnixFS specifications.
"""

from collections.abc import Sequence
from typing import NamedTuple

LEAF_SIZE = 1 << 20  # bytes of the file in each leaf but the last
MAX_LINKS = 1024  # of a node
MAX_NODE_SIZE = 1 << 17  # bytes; 1,024 links take at most about 72,000

# version 1, codec raw or dag-pb, sha2-256, 32 bytes
CID_PREFIXES = {False: bytes.fromhex("01551220"), True: bytes.fromhex("01701220")}


class Link(NamedTuple):
    """A child in a tree: digest of its block, codec, bytes of the file below, bytes of all blocks below."""

    digest: bytes
    dag_pb: bool
    size: int
    total: int


def encode_node(links: Sequence[Link]) -> bytes:
    """The block of a node with these links."""
    block = bytearray()
    for link in links:
        body = b"\x0a\x24" + CID_PREFIXES[link.dag_pb] + link.digest + b"\x12\x00\x18" + _varint(link.total)
        block += b"\x12" + _varint(len(body)) + body
    data = bytearray(b"\x08\x02\x18" + _varint(sum(link.size for link in links)))
    for link in links:
        data += b"\x20" + _varint(link.size)
    return bytes(block + b"\x0a" + _varint(len(data)) + data)


def decode_node(block: bytes) -> list[Link]:
    """The links of a node. Raises ValueError for a block that `encode_node` would not have written."""
    try:
        links = _read_links(block)
    except IndexError as error:
        raise ValueError("the node ends early") from error
    if encode_node(links) != block:
        raise ValueError("not a node of a file's tree as the profile has it")
    return links


def _read_links(block: bytes) -> list[Link]:
    """Read a block as if it were well formed. `decode_node` compares what comes out with it."""
    children: list[tuple[bytes, bool, int]] = []
    at = 0
    while block[at] == 0x12:
        _, at = _read_varint(block, at + 1)
        dag_pb = block[at + 2 : at + 6] == CID_PREFIXES[True]
        digest = block[at + 6 : at + 38]
        total, at = _read_varint(block, at + 41)
        children.append((digest, dag_pb, total))
    _, at = _read_varint(block, at + 1)
    _, at = _read_varint(block, at + 3)
    links = []
    for digest, dag_pb, total in children:
        size, at = _read_varint(block, at + 1)
        links.append(Link(digest, dag_pb, size, total))
    return links


def _varint(number: int) -> bytes:
    """Protobuf's variable-length integer: 7 bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(block: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer at a position, and the position after it. Raises ValueError, IndexError."""
    number = shift = 0
    while block[at] & 0x80:
        if shift > 56:
            raise ValueError("a number of more than 64 bits")
        number |= (block[at] & 0x7F) << shift
        shift += 7
        at += 1
    return number | block[at] << shift, at + 1


def height_of(size: int) -> int:
    """Levels of nodes above the leaves of a file of `size` bytes: 0 for a single leaf."""
    height = 0
    while size > LEAF_SIZE * MAX_LINKS**height:
        height += 1
    return height


def check_shape(links: Sequence[Link], size: int, height: int) -> None:
    """Raise ValueError unless these are the links of a node over `size` bytes in a balanced, filled tree."""
    step = LEAF_SIZE * MAX_LINKS ** (height - 1)  # bytes below each link but the last
    count = -(-size // step)
    full = all(link.size == step for link in links[:-1])
    if len(links) != count or not full or sum(link.size for link in links) != size:
        raise ValueError("the node's links do not cover the file as the profile has it")
    if any(link.dag_pb != (height > 1) for link in links):
        raise ValueError("the node's links are not of the codec that their level has")
