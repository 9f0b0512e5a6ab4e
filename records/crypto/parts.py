"""An MDR1 file that is encrypted part by part, each part whole chunks (docs/FORMAT.md, "Parts of an upload").

A payload key and counter encrypt one plaintext, whatever is cut or killed: before a part is encrypted, its
`mac` is committed with its index; encrypted again, it has to have the same one.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from accounts.crypto.derivation import derive, labelled, u32
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    HEADER_BYTES,
    PREFIX,
    SEALED_CHUNK_BYTES,
    Role,
    chunk_nonce,
    file_keys,
)

NO_DIGEST = bytes(32)
"""The digest of no part at all."""


@dataclass(frozen=True)
class PartPlan:
    """How a content of `size` bytes (at least 1) is cut: each part but the last has `part_bytes`.

    `part_bytes` is a multiple of 64 KiB. Raises ValueError for others.
    """

    size: int
    part_bytes: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.part_bytes < 1 or self.part_bytes % CHUNK_BYTES:
            raise ValueError("a part is whole chunks of a content that is not empty")

    @property
    def count(self) -> int:
        """How many parts there are."""
        return -(-self.size // self.part_bytes)

    def length(self, index: int) -> int:
        """Bytes of plaintext in this part."""
        return min(self.part_bytes, self.size - index * self.part_bytes)

    def offset(self, index: int) -> int:
        """Where this part begins in the encrypted file; the first has the header before its chunks."""
        return HEADER_BYTES + index * (self.part_bytes // CHUNK_BYTES) * SEALED_CHUNK_BYTES if index else 0


class PartEncryptor:
    """Encrypts the parts of one content, each as often as it is asked for, always to the same bytes."""

    def __init__(self, key: bytes, record_id: bytes, salt: bytes, plan: PartPlan) -> None:
        self._cipher, self._commitment = file_keys(key, salt, Role.CONTENT, record_id)
        self._mac_key = derive(key, labelled("part-mac"))
        self._salt = salt
        self._plan = plan

    def mac(self, index: int, plain: bytes | bytearray) -> bytes:
        """32 bytes that only the same plaintext at the same place has; it tells nothing without the key."""
        mac = hmac.new(self._mac_key, u32(index), hashlib.sha256)
        mac.update(plain)
        return mac.digest()

    def encrypt(self, index: int, plain: bytes | bytearray) -> Iterator[bytes]:
        """The part's bytes in the file, chunk by chunk. Raises ValueError for a wrong length."""
        if not 0 <= index < self._plan.count or len(plain) != self._plan.length(index):
            raise ValueError("the part has another length")
        return self._encrypt(index, memoryview(plain))

    def _encrypt(self, index: int, plain: memoryview) -> Iterator[bytes]:
        if index == 0:
            yield PREFIX + self._salt + self._commitment
        first = index * (self._plan.part_bytes // CHUNK_BYTES)
        last = -(-self._plan.size // CHUNK_BYTES) - 1
        for place, start in enumerate(range(0, len(plain), CHUNK_BYTES), start=first):
            nonce = chunk_nonce(place, last=place == last)
            yield self._cipher.encrypt(nonce, plain[start : start + CHUNK_BYTES], None)


def digest_with(before: bytes, plain: bytes | bytearray) -> bytes:
    """The digest of the parts so far and one more: SHA-256(before || SHA-256(part)); see NO_DIGEST."""
    return hashlib.sha256(before + hashlib.sha256(plain).digest()).digest()
