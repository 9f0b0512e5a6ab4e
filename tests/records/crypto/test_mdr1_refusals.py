"""MDR1 files that somebody changed: refused, and before any byte of them goes out."""

import pytest

from records.crypto.errors import FileRefused, WrongKey
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    Decryptor,
    Encryptor,
    Role,
    decryptor_of,
)
from tests.records.crypto.two_keys import file_for_two_keys
from tests.vectors import independent

KEY, OTHER, RECORD, SALT = bytes(32), bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))


def encrypt(content: bytes, *, salt: bytes = SALT, key: bytes = KEY) -> bytes:
    return b"".join(Encryptor(key, Role.CONTENT, RECORD, salt).encrypt((content,)))


CONTENT = b"".join(bytes((n,)) * CHUNK_BYTES for n in range(4)) + b"end"
FILE = encrypt(CONTENT)
HEADER = FILE[:HEADER_BYTES]
CHUNKS = [FILE[at : at + SEALED_CHUNK_BYTES] for at in range(HEADER_BYTES, len(FILE), SEALED_CHUNK_BYTES)]


def read(file: bytes, *, key: bytes = KEY, role: Role = Role.CONTENT, record: bytes = RECORD) -> bytes:
    return decryptor_of(file, key, role, record).read()


def test_the_unchanged_file_is_read() -> None:
    assert read(HEADER + b"".join(CHUNKS)) == CONTENT


@pytest.mark.parametrize("place", range(HEADER_BYTES))
def test_no_changed_byte_of_the_header_is_taken(place: int) -> None:
    changed = bytearray(FILE)
    changed[place] ^= 0x40
    with pytest.raises(FileRefused):
        decryptor_of(bytes(changed), KEY, Role.CONTENT, RECORD)


@pytest.mark.parametrize("chunk", range(5))
@pytest.mark.parametrize("place", [0, -17, -16, -1])
def test_no_changed_byte_of_a_chunk_is_taken(chunk: int, place: int) -> None:
    changed = bytearray(CHUNKS[chunk])
    changed[place] ^= 1
    with pytest.raises(FileRefused):
        read(HEADER + b"".join([*CHUNKS[:chunk], bytes(changed), *CHUNKS[chunk + 1 :]]))


@pytest.mark.parametrize(
    "order",
    [
        (1, 0, 2, 3, 4),  # swapped
        (0, 1, 3, 4),  # one dropped from the middle
        (1, 2, 3, 4),  # the first dropped
        (0, 1, 2, 3),  # the last dropped
        (0,),  # cut after the first
        (0, 1, 1, 2, 3, 4),  # one doubled
        (0, 1, 2, 3, 4, 4),  # the last doubled
        (4,),  # the last alone
        (0, 1, 2, 4, 3),  # the last not at the end
    ],
)
def test_chunks_stay_where_they_were(order: tuple[int, ...]) -> None:
    with pytest.raises(FileRefused):
        read(HEADER + b"".join(CHUNKS[n] for n in order))


@pytest.mark.parametrize(
    "length", [0, 1, 69, 70, 71, 85, 86, HEADER_BYTES + SEALED_CHUNK_BYTES, len(FILE) - 1]
)
def test_what_was_cut_is_refused_before_its_first_byte(length: int) -> None:
    with pytest.raises(FileRefused):
        decryptor_of(FILE[:length], KEY, Role.CONTENT, RECORD)


def test_what_was_added_is_refused_before_its_first_byte() -> None:
    for added in (b"\x00", bytes(16), bytes(100), CHUNKS[0]):
        with pytest.raises(FileRefused):
            decryptor_of(FILE + added, KEY, Role.CONTENT, RECORD)


def test_a_chunk_of_another_file_is_refused() -> None:
    other = encrypt(CONTENT, salt=OTHER)
    mixed = FILE[: HEADER_BYTES + SEALED_CHUNK_BYTES] + other[HEADER_BYTES + SEALED_CHUNK_BYTES :]
    with pytest.raises(FileRefused):
        read(mixed)


def test_a_file_opens_for_its_key_role_and_record_only() -> None:
    for asked in ({"key": OTHER}, {"role": Role.DESCRIPTION}, {"record": OTHER}):
        with pytest.raises(WrongKey):
            read(FILE, **asked)


def test_a_range_of_a_changed_file_gives_out_only_what_is_good() -> None:
    changed = bytearray(FILE)
    changed[HEADER_BYTES + 2 * SEALED_CHUNK_BYTES] ^= 1
    decryptor = decryptor_of(bytes(changed), KEY, Role.CONTENT, RECORD)
    assert b"".join(decryptor.iterate(0, 2 * CHUNK_BYTES)) == CONTENT[: 2 * CHUNK_BYTES]
    with pytest.raises(FileRefused, match="chunk 2"):
        list(decryptor.iterate(2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1))


def test_a_store_that_reads_short_is_noticed() -> None:
    with pytest.raises(FileRefused, match="expected"):
        Decryptor(
            KEY, Role.CONTENT, RECORD, read_at=lambda at, length: FILE[at : at + length - 1], size=len(FILE)
        )


def test_one_file_for_two_keys_opens_under_one_only() -> None:
    """AES-GCM itself opens the made-up chunk under both keys. The commitment refuses the second."""
    file, plain = file_for_two_keys(KEY, OTHER, RECORD, SALT)
    payload_keys = [
        independent.hkdf(key, b"MDR1\x01\x01\x01" + RECORD, 64, SALT)[:32] for key in (KEY, OTHER)
    ]
    nonce = bytes(11) + b"\x01"
    both = [independent.gcm_open(key, nonce, file[HEADER_BYTES:]) for key in payload_keys]
    assert both[0] == plain != both[1]
    assert read(file) == plain
    with pytest.raises(WrongKey):
        read(file, key=OTHER)
