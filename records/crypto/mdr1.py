"""Write and read MDR1: a 70-byte header and 64 KiB chunks of AES-256-GCM.

docs/FORMAT.md, "MDR1, the encrypted file", has its fields.
Source: STREAM (Hoang, Reyhanitabar, Rogaway, Vizar, 2015) as age has it; the header's commitment keeps
one file from opening under two keys.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.crypto.derivation import derive, labelled, require_length
from records.crypto.errors import FileRefused, FileTooLong, WrongKey

PREFIX = b"MDR1" + bytes((1, 1))
"""Magic, version 1, suite 1 (HKDF-SHA256, AES-256-GCM)."""
SALT_BYTES = 32
HEADER_BYTES = len(PREFIX) + SALT_BYTES + 32
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
CHUNKS_MAX = 2**32
ReadAt = Callable[[int, int], bytes | memoryview]
"""(offset, length) -> exactly that many bytes of the encrypted file."""


class Role(IntEnum):
    """What a file is to its record."""

    CONTENT = 1
    DESCRIPTION = 2
    PART = 3  # of an upload, while it waits


def new_salt(patient_nonce: bytes = b"") -> bytes:
    """32 fresh bytes for one file, with what a patient typed mixed in."""
    return mix_salt(secrets.token_bytes(SALT_BYTES), patient_nonce)


def mix_salt(random: bytes, patient_nonce: bytes) -> bytes:
    """The salt of 32 random bytes and a typed nonce; without one, the random bytes themselves."""
    require_length("random", random, SALT_BYTES)
    return derive(random, labelled("salt", patient_nonce)) if patient_nonce else random


def ciphertext_size(plaintext_size: int) -> int:
    """Bytes of the file that holds this many bytes."""
    chunks = max(1, -(-plaintext_size // CHUNK_BYTES))
    return HEADER_BYTES + plaintext_size + chunks * TAG_BYTES


def plaintext_size(size: int) -> int:
    """Bytes that a file of this size holds. Raises FileRefused where no file has this size."""
    body = size - HEADER_BYTES
    chunks = -(-body // SEALED_CHUNK_BYTES)
    plain = body - chunks * TAG_BYTES
    if chunks < 1 or chunks > CHUNKS_MAX or plain < 0 or ciphertext_size(plain) != size:
        raise FileRefused("no file has this size: it was cut, or is not an MDR1 file")
    return plain


def file_keys(key: bytes, salt: bytes, role: Role, record_id: bytes) -> tuple[AESGCM, bytes]:
    """Return the cipher of the payload key, and the commitment."""
    info = PREFIX + bytes((Role(role),)) + require_length("record id", record_id, 32)
    both = derive(require_length("key", key, 32), info, length=64, salt=require_length("salt", salt, 32))
    return AESGCM(both[:32]), both[32:]


def chunk_nonce(index: int, *, last: bool) -> bytes:
    """Return 11-byte counter and last-chunk flag."""
    return index.to_bytes(11, "big") + bytes((last,))


class Encryptor:
    """Encrypts one file, once. Knows size and digest of the plaintext when `encrypt` has come to its end."""

    def __init__(self, key: bytes, role: Role, record_id: bytes, salt: bytes) -> None:
        self._cipher, self._commitment = file_keys(key, salt, role, record_id)
        self.salt = salt
        self.plaintext_size = 0
        self._digest = hashlib.sha256()
        self._started = False
        self._index = 0

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the plaintext taken so far."""
        return self._digest.digest()

    @property
    def ciphertext_size(self) -> int:
        """Bytes of the file for the plaintext taken so far."""
        return ciphertext_size(self.plaintext_size)

    def encrypt(self, source: Iterable[bytes | bytearray]) -> Iterator[bytes]:
        """The file, header and chunk by chunk, from plaintext in pieces of any size. Raises FileTooLong."""
        if self._started:
            raise RuntimeError("a payload key and counter encrypt once: make another Encryptor")
        self._started = True
        return self._encrypt(source)

    def _encrypt(self, source: Iterable[bytes | bytearray]) -> Iterator[bytes]:
        yield PREFIX + self.salt + self._commitment
        held = memoryview(b"")  # at most a chunk: what comes after it shows that it is not the last
        # The plaintext is hashed beside what becomes of the ciphertext: sealing, its own hash, writing.
        with ThreadPoolExecutor(1, "mdr1-digest") as aside:
            for piece in source:
                rest = memoryview(
                    bytes(piece)
                )  # the same bytes, or a copy of what may change below our hands
                hashed = aside.submit(self._digest.update, rest) if len(rest) >= CHUNK_BYTES else None
                if hashed is None:
                    self._digest.update(rest)
                if held and len(held) < CHUNK_BYTES:
                    room = CHUNK_BYTES - len(held)
                    held, rest = memoryview(b"".join((held, rest[:room]))), rest[room:]
                while rest:
                    if held:
                        yield self._seal(held, last=False)
                    held, rest = rest[:CHUNK_BYTES], rest[CHUNK_BYTES:]
                if hashed is not None:
                    hashed.result()
        yield self._seal(held, last=True)

    def _seal(self, plain: memoryview, *, last: bool) -> bytes:
        if self._index == CHUNKS_MAX:
            raise FileTooLong("the file has more than 2^32 chunks")
        sealed = self._cipher.encrypt(chunk_nonce(self._index, last=last), plain, None)
        self._index += 1
        self.plaintext_size += len(plain)
        return sealed


class Decryptor:
    """Opens a file that can be read at any place. Nothing leaves it unverified.

    Making one checks size, header and commitment, then opens the last chunk, so that a file that was cut
    is refused before its first byte goes out. Raises WrongKey or FileRefused.
    """

    def __init__(self, key: bytes, role: Role, record_id: bytes, *, read_at: ReadAt, size: int) -> None:
        self.plaintext_size = plaintext_size(size)
        self._read_at = read_at
        self._size = size
        self._chunks = -(-(size - HEADER_BYTES) // SEALED_CHUNK_BYTES)
        header = bytes(self._read(0, HEADER_BYTES))
        if not header.startswith(PREFIX):
            raise FileRefused("not an MDR1 file of a known version and suite")
        self.salt = header[len(PREFIX) : len(PREFIX) + SALT_BYTES]
        self._cipher, commitment = file_keys(key, self.salt, role, record_id)
        if not hmac.compare_digest(commitment, header[-32:]):
            raise WrongKey("the file was not made with this key for this record and role")
        self._open_chunk(self._chunks - 1)

    def iterate(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The plaintext from `start` up to, not including, `end`, chunk by chunk. Raises FileRefused.

        Raises ValueError for a range that is not inside the file.
        """
        end = self.plaintext_size if end is None else end
        if not 0 <= start <= end <= self.plaintext_size:
            raise ValueError(f"range {start}..{end} of {self.plaintext_size} bytes")
        return self._iterate(start, end)

    def read(self) -> bytes:
        """The whole plaintext: for small files."""
        return b"".join(self.iterate())

    def _iterate(self, start: int, end: int) -> Iterator[bytes]:
        stop = -(-end // CHUNK_BYTES) if end > start else 0
        for index in range(start // CHUNK_BYTES, stop):
            at = index * CHUNK_BYTES
            part = self._open_chunk(index)[max(start - at, 0) : end - at]
            if part:
                yield part

    def _open_chunk(self, index: int) -> bytes:
        """One chunk, verified."""
        return self._open_sealed(index, self._sealed_chunk(index))

    def _sealed_chunk(self, index: int) -> bytes | memoryview:
        at = HEADER_BYTES + index * SEALED_CHUNK_BYTES
        return self._read(at, min(SEALED_CHUNK_BYTES, self._size - at))

    def _open_sealed(self, index: int, sealed: bytes | memoryview) -> bytes:
        try:
            return self._cipher.decrypt(chunk_nonce(index, last=index == self._chunks - 1), sealed, None)
        except InvalidTag as error:
            raise FileRefused(f"chunk {index} was changed, moved or cut") from error

    def _read(self, offset: int, length: int) -> bytes | memoryview:
        data = self._read_at(offset, length)
        if len(data) != length:
            raise FileRefused(f"{length} bytes expected at {offset}, {len(data)} read")
        return data


def decryptor_of(data: bytes, key: bytes, role: Role, record_id: bytes) -> Decryptor:
    """A Decryptor of a file held in memory. Raises WrongKey or FileRefused."""
    return Decryptor(
        key, role, record_id, read_at=lambda offset, length: data[offset : offset + length], size=len(data)
    )
