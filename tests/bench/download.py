"""Measures how fast files are encrypted, stored and opened, and 1 MiB over the API.

The bare loops run in the same process, on the same folder, in turn with what they are compared with:
- opening: each MiB of the file is read (pread), its SHA-256 compared with the one known, its 64 KiB chunks
  opened by AES-GCM, one after the other;
- storing: each MiB is sealed by AES-GCM in 64 KiB chunks, its ciphertext hashed by SHA-256 and written, the
  file synced to disk at the end. Ours also hashes the plaintext, which the description holds.
A ratio is the bare loop's time over ours, each the best of its rounds. On a busy machine ratios fall: ours
has a second thread, which then waits.
"""

import hashlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from records.crypto.mdr1 import CHUNK_BYTES, SEALED_CHUNK_BYTES, Decryptor, Encryptor, Role, new_salt
from records.storage.base import Stored
from records.storage.local import LocalStore
from tests.bench.memory import Client, token
from tests.run.portal import run_portal

LIMITS = {
    "open_1mib_ms": 50.0,
    "upload_1mib_ms": 50.0,
    "ciphertext_overhead_ratio": 1.0003,
    "range_read_chunks": 3.0,
}
FLOORS = {"decrypt_ratio": 0.8, "encrypt_store_ratio": 0.8}
MIB = 2**20
FILE_MIB = 256
ROUNDS = 5
REQUESTS = 40
KEY, RECORD = bytes(range(32)), bytes(32)
PLAIN = secrets.token_bytes(MIB)


def measure() -> dict[str, float]:
    """Ratios, chunks and milliseconds (the median of 40 requests)."""
    with tempfile.TemporaryDirectory() as folder:
        return _files(Path(folder)) | _requests(Path(folder) / "portal")


def _files(folder: Path) -> dict[str, float]:
    store, bare = LocalStore(folder / "store"), folder / "bare"

    def clear() -> None:
        """Both write a new file, into the memory that the one before has left."""
        for cid in list(store.kept()):
            store.unpin(cid)
        bare.unlink(missing_ok=True)

    puts = _in_turn(lambda: _put(store), lambda: _bare_put(bare), clear)
    stored, sealed = _put(store), _bare_put(bare)
    opens = _in_turn(lambda: _open(store, stored), lambda: _bare_open(bare, sealed), lambda: None)
    return {
        "encrypt_store_ratio": puts,
        "decrypt_ratio": opens,
        "ciphertext_overhead_ratio": stored.size / (FILE_MIB * MIB),
        "range_read_chunks": _chunks_of_a_range(store, stored),
    }


def _in_turn(ours: Callable[[], object], bare: Callable[[], object], between: Callable[[], object]) -> float:
    """Bare time over ours, the best of each. `between` is not timed."""
    mine, least = [], []
    for _ in range(ROUNDS):
        mine.append(_seconds(ours))
        between()
        least.append(_seconds(bare))
        between()
    return min(least) / min(mine)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _plain() -> Iterator[bytes]:
    return (PLAIN for _ in range(FILE_MIB))


def _put(store: LocalStore) -> Stored:
    encryptor = Encryptor(KEY, Role.CONTENT, RECORD, new_salt())
    return store.put(encryptor.encrypt(_plain()))


def _open(store: LocalStore, stored: Stored) -> None:
    with store.open(stored.cid) as blob:
        file = Decryptor(KEY, Role.CONTENT, RECORD, read_at=blob.view_at, size=blob.size)
        if sum(map(len, file.iterate())) != FILE_MIB * MIB:
            raise AssertionError("the file came back short")


def _bare_put(path: Path) -> list[bytes]:
    """The digests of the written pieces."""
    cipher, digests, number = AESGCM(KEY), [], 0
    with path.open("wb", buffering=0) as file:
        for plain in _plain():
            view, sealed = memoryview(plain), bytearray()
            for start in range(0, MIB, CHUNK_BYTES):
                sealed += cipher.encrypt(number.to_bytes(12, "big"), view[start : start + CHUNK_BYTES], None)
                number += 1
            digests.append(hashlib.sha256(sealed).digest())
            file.write(sealed)
        os.fsync(file.fileno())
    return digests


def _bare_open(path: Path, digests: list[bytes]) -> None:
    cipher, number, size = AESGCM(KEY), 0, 0
    piece = MIB // CHUNK_BYTES * SEALED_CHUNK_BYTES
    with path.open("rb", buffering=0) as file:
        for place, digest in enumerate(digests):
            sealed = os.pread(file.fileno(), piece, place * piece)
            if hashlib.sha256(sealed).digest() != digest:
                raise AssertionError("other bytes than were written")
            view = memoryview(sealed)
            for start in range(0, piece, SEALED_CHUNK_BYTES):
                part = view[start : start + SEALED_CHUNK_BYTES]
                size += len(cipher.decrypt(number.to_bytes(12, "big"), part, None))
                number += 1
    if size != FILE_MIB * MIB:
        raise AssertionError("the file came back short")


def _chunks_of_a_range(store: LocalStore, stored: Stored) -> float:
    """Chunks read for 64 KiB in the middle, where no chunk begins, from making the Decryptor on."""
    read = 0
    with store.open(stored.cid) as blob:

        def read_at(offset: int, length: int) -> memoryview:
            nonlocal read
            read += -(-length // SEALED_CHUNK_BYTES) if offset else 0  # the header is no chunk
            return blob.view_at(offset, length)

        file = Decryptor(KEY, Role.CONTENT, RECORD, read_at=read_at, size=blob.size)
        middle = FILE_MIB * MIB // 2 + 1000
        if len(b"".join(file.iterate(middle, middle + CHUNK_BYTES))) != CHUNK_BYTES:
            raise AssertionError("the range came back short")
    return float(read)


def _requests(folder: Path) -> dict[str, float]:
    """A 1 MiB file described and sent, then opened to its last byte."""
    with run_portal(folder) as portal:
        client = Client(portal, token(portal))
        for _ in range(REQUESTS // 4):  # every process has then done everything once
            client.download(client.upload(MIB))
        sent, opened = [], []
        for _ in range(REQUESTS):
            records: list[str] = []
            sent.append(_seconds(lambda kept=records: kept.append(client.upload(MIB))))  # type: ignore[misc]
            opened.append(_seconds(lambda kept=records: client.download(kept[0])))  # type: ignore[misc]
        portal.stop()
    return {
        "upload_1mib_ms": statistics.median(sent) * 1000,
        "open_1mib_ms": statistics.median(opened) * 1000,
    }
