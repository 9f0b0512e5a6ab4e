"""What is stored, by the digest in an act: in the store's folder, at an IPFS node or at a gateway."""

import base64
import hashlib
import io
from pathlib import Path
from typing import BinaryIO

from .errors import Busy, Refused
from .web import fetch, patiently

BLOCK_MAX = 1 << 20
_BUSY = (429, 502, 503, 504)
_TRIES = 5  # of each file: a store that is away must not hold up the list of records


class Store:
    """A place where ciphertexts are: a folder's path, or the address of an IPFS node or gateway."""

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")

    def block(self, digest: bytes) -> bytes:
        """A description, list, envelope or name, checked against its digest. Raises Refused or OSError."""
        with self.open(digest) as file:
            data = file.read(BLOCK_MAX + 1)
        if hashlib.sha256(data).digest() != digest:
            raise Refused(f"the store has other bytes for {cid_of(digest)}")
        return data

    def open(self, digest: bytes, *, tree: bool = False) -> BinaryIO:
        """A ciphertext by its CID, not checked here: MDR1 checks itself. Raises Refused or OSError."""
        cid = cid_of(digest, tree=tree)
        if not self.place.startswith("http"):
            return (Path(self.place) / "objects" / digest[:1].hex() / cid).open("rb")
        return patiently(lambda: self._fetch(cid), _TRIES)

    def content(self, digest: bytes, *, tree: bool) -> BinaryIO:
        """A content. One that is a single block is checked against its digest."""
        return self.open(digest, tree=True) if tree else io.BytesIO(self.block(digest))

    def _fetch(self, cid: str) -> BinaryIO:
        try:
            return fetch(f"{self.place}/api/v0/cat?arg={cid}", b"", _BUSY)
        except Busy:
            raise
        except Refused:
            return fetch(f"{self.place}/ipfs/{cid}", None, _BUSY)


def cid_of(digest: bytes, *, tree: bool = False) -> str:
    """The CIDv1 of a digest: codec raw, or dag-pb of a tree's root."""
    binary = bytes((1, 0x70 if tree else 0x55, 0x12, 0x20)) + digest
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")
