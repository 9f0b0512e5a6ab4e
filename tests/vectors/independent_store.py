"""CIDs of the `unixfs-v1-2025` profile once more, by recursion, from the dag-pb and UnixFS specifications."""

import base64
import hashlib
from functools import cache

LEAF, WIDTH = 1 << 20, 1024


@cache
def root_of(size: int) -> tuple[bytes, bool]:
    """(digest, whether it is dag-pb) of a file of so many zero bytes."""
    digest, _ = _tree(size)
    return digest, size > LEAF


@cache
def _tree(size: int) -> tuple[bytes, int]:
    """(digest, bytes of all blocks) of a subtree over so many zero bytes."""
    if size <= LEAF:
        return hashlib.sha256(bytes(size)).digest(), size
    below = LEAF
    while below * WIDTH < size:
        below *= WIDTH
    sizes = [min(below, size - at) for at in range(0, size, below)]
    links, total = b"", 0
    for child in sizes:
        digest, blocks = _tree(child)
        codec = 0x70 if below > LEAF else 0x55
        cid = bytes((1, codec, 0x12, 0x20)) + digest
        links += _field(2, _field(1, cid) + _field(2, b"") + _number(3, blocks))
        total += blocks
    data = _number(1, 2) + _number(3, size) + b"".join(_number(4, child) for child in sizes)
    block = links + _field(1, data)
    return hashlib.sha256(block).digest(), total + len(block)


def cid_text(digest: bytes, *, dag_pb: bool) -> str:
    """The CIDv1 in base32."""
    binary = bytes((1, 0x70 if dag_pb else 0x55, 0x12, 0x20)) + digest
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    return bytes((value & 0x7F | 0x80,)) + _varint(value >> 7) if value > 0x7F else bytes((value,))
