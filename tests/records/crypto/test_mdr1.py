"""MDR1 files: sizes around the chunks, ranges, and how little memory they take."""

import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.crypto import mdr1
from records.crypto.errors import FileRefused, FileTooLong
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Decryptor,
    Encryptor,
    Role,
    ciphertext_size,
    decryptor_of,
    mix_salt,
    new_salt,
    plaintext_size,
)
from tests.vectors import independent
from tests.vectors.make import plaintext

KEY, RECORD, SALT = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
BATCH_BYTES = 16 * CHUNK_BYTES
CONTENT = plaintext(2 * BATCH_BYTES + 12_345)
"""Longer than two batches: slices of it are test files."""

boundary = st.sampled_from(
    (0, CHUNK_BYTES, 2 * CHUNK_BYTES, BATCH_BYTES, BATCH_BYTES + CHUNK_BYTES, 2 * BATCH_BYTES)
)
sizes = st.builds(lambda base, shift: max(0, base + shift), boundary, st.integers(-2, 2))


def encrypt(content: bytes, pieces: int = 1 << 20) -> bytes:
    """The file of a content that arrives in pieces of this size."""
    source = (content[at : at + pieces] for at in range(0, len(content), pieces))
    return b"".join(Encryptor(KEY, Role.CONTENT, RECORD, SALT).encrypt(source))


FILE = encrypt(CONTENT)


@settings(max_examples=40, deadline=None)
@given(size=sizes, pieces=st.sampled_from((1000, CHUNK_BYTES, CHUNK_BYTES + 1, BATCH_BYTES, 3 * BATCH_BYTES)))
def test_every_size_comes_back(size: int, pieces: int) -> None:
    content = CONTENT[:size]
    encryptor = Encryptor(KEY, Role.CONTENT, RECORD, SALT)
    source = (content[at : at + pieces] for at in range(0, size, pieces))
    file = b"".join(encryptor.encrypt(source))
    assert len(file) == ciphertext_size(size) == encryptor.ciphertext_size
    assert plaintext_size(len(file)) == size == encryptor.plaintext_size
    assert encryptor.sha256 == hashlib.sha256(content).digest()
    assert decryptor_of(file, KEY, Role.CONTENT, RECORD).read() == content


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, BATCH_BYTES + 1])
def test_another_implementation_reads_it(size: int) -> None:
    content = CONTENT[:size]
    assert independent.open_mdr1(KEY, 1, RECORD, encrypt(content)) == content


def test_how_the_content_arrives_does_not_show() -> None:
    content = CONTENT[: BATCH_BYTES + 5]
    files = {encrypt(content, pieces) for pieces in (7777, CHUNK_BYTES, BATCH_BYTES, 2 * BATCH_BYTES)}
    assert len(files) == 1
    empty_pieces = Encryptor(KEY, Role.CONTENT, RECORD, SALT).encrypt((b"", content, b""))
    assert b"".join(empty_pieces) in files


@settings(max_examples=60, deadline=None)
@given(start=sizes, end=sizes)
def test_every_range_is_that_part(start: int, end: int) -> None:
    start, end = sorted((min(start, len(CONTENT)), min(end, len(CONTENT))))
    decryptor = decryptor_of(FILE, KEY, Role.CONTENT, RECORD)
    parts = list(decryptor.iterate(start, end))
    assert b"".join(parts) == CONTENT[start:end]
    assert all(parts)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, len(CONTENT) + 1), (len(CONTENT) + 1, None)])
def test_a_range_outside_the_file_is_refused(start: int, end: int | None) -> None:
    decryptor = decryptor_of(FILE, KEY, Role.CONTENT, RECORD)
    with pytest.raises(ValueError, match="range"):
        decryptor.iterate(start, end)


def test_a_range_reads_only_what_it_needs() -> None:
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return FILE[offset : offset + length]

    decryptor = Decryptor(KEY, Role.CONTENT, RECORD, read_at=read_at, size=len(FILE))
    reads.clear()
    assert b"".join(decryptor.iterate(CHUNK_BYTES + 10, CHUNK_BYTES + 20)) == CONTENT[CHUNK_BYTES + 10 :][:10]
    assert reads == [(HEADER_BYTES + CHUNK_BYTES + 16, CHUNK_BYTES + 16)]


@given(st.integers(0, 2**48))
def test_sizes_go_both_ways(size: int) -> None:
    assert plaintext_size(ciphertext_size(size)) == size


@pytest.mark.parametrize(
    "size",
    [
        0,
        HEADER_BYTES,
        HEADER_BYTES + 15,
        ciphertext_size(CHUNK_BYTES) + 1,  # a second chunk too short for its tag
        ciphertext_size(CHUNK_BYTES) + 16,  # a second chunk with nothing in it
        ciphertext_size(2**32 * CHUNK_BYTES) + 17,  # one chunk too many
    ],
)
def test_sizes_that_no_file_has_are_refused(size: int) -> None:
    with pytest.raises(FileRefused):
        plaintext_size(size)


def test_no_counter_goes_beyond_the_last_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdr1, "CHUNKS_MAX", 17)
    assert len(encrypt(CONTENT[: 17 * CHUNK_BYTES])) == ciphertext_size(17 * CHUNK_BYTES)
    with pytest.raises(FileTooLong):
        encrypt(CONTENT[: 17 * CHUNK_BYTES + 1])


def test_an_encryptor_encrypts_once() -> None:
    encryptor = Encryptor(KEY, Role.CONTENT, RECORD, SALT)
    encryptor.encrypt(())
    with pytest.raises(RuntimeError):
        encryptor.encrypt(())


def test_a_source_that_breaks_off_breaks_the_file_off() -> None:
    def source() -> Iterator[bytes]:
        yield CONTENT[:BATCH_BYTES]
        yield CONTENT[:10]
        raise ConnectionError("the browser went away")

    written = Encryptor(KEY, Role.CONTENT, RECORD, SALT).encrypt(source())
    parts: list[bytes] = []
    with pytest.raises(ConnectionError):
        parts.extend(written)
    assert len(b"".join(parts)) <= ciphertext_size(BATCH_BYTES)


def test_a_typed_nonce_is_mixed_in_and_never_used_alone() -> None:
    assert mix_salt(SALT, b"") == SALT
    assert len({mix_salt(SALT, b"1"), mix_salt(SALT, b"2"), mix_salt(KEY, b"1"), SALT}) == 4
    assert new_salt(b"always the same") != new_salt(b"always the same")
    assert mix_salt(SALT, b"1") == independent.hkdf(SALT, independent.label("salt") + b"1")


def test_memory_does_not_grow_with_the_file() -> None:
    piece = bytes(CHUNK_BYTES)
    tracemalloc.start()
    total = sum(map(len, Encryptor(KEY, Role.CONTENT, RECORD, SALT).encrypt(piece for _ in range(512))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == ciphertext_size(512 * CHUNK_BYTES)
    assert peak < 8 * BATCH_BYTES
