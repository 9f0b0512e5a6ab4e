"""Parts of an upload, as they wait until the file is whole (docs/FORMAT.md, "Parts of an upload").

Each part is an MDR1 file of its own, and each attempt at it has a new random salt. So no counter guards
against encrypting other plaintext under a used key, and none can go back with a database that is restored.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from accounts.crypto.derivation import derive, labelled, u32
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    Decryptor,
    Encryptor,
    ReadAt,
    Role,
    ciphertext_size,
    new_salt,
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
        """Return how many parts there are."""
        return -(-self.size // self.part_bytes)

    def length(self, index: int) -> int:
        """Bytes of plaintext in this part."""
        return min(self.part_bytes, self.size - index * self.part_bytes)

    def offset(self, index: int) -> int:
        """Return where this part's file begins among those that wait."""
        return index * ciphertext_size(self.part_bytes)


def encrypt_part(
    key: bytes, record_id: bytes, index: int, plain: bytes | bytearray, *, salt: bytes | None = None
) -> Iterator[bytes]:
    """Encrypt one attempt at a part, chunk by chunk, under a new salt (`salt`: for test vectors alone)."""
    encryptor = Encryptor(_part_key(key, index), Role.PART, record_id, salt or new_salt())
    return encryptor.encrypt([plain])


def open_part(key: bytes, record_id: bytes, plan: PartPlan, index: int, read_at: ReadAt) -> Decryptor:
    """Open the part in the file of those that wait. Raises WrongKey or FileRefused."""
    start = plan.offset(index)
    return Decryptor(
        _part_key(key, index),
        Role.PART,
        record_id,
        read_at=lambda offset, length: read_at(start + offset, length),
        size=ciphertext_size(plan.length(index)),
    )


def digest_with(before: bytes, plain: bytes | bytearray) -> bytes:
    """The digest of the parts so far and one more: SHA-256(before || SHA-256(part)); see NO_DIGEST."""
    return digest_after(before, hashlib.sha256(plain).digest())


def digest_after(before: bytes, part_sha256: bytes) -> bytes:
    """Return the same digest, from a part's SHA-256."""
    return hashlib.sha256(before + part_sha256).digest()


def _part_key(key: bytes, index: int) -> bytes:
    """A key for each place, so that a part opens nowhere else."""
    return derive(key, labelled("upload-part", u32(index)))
