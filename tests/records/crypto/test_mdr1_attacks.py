"""Whatever is done to an MDR1 file: it is refused, and what came out before is a verified beginning of it."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from records.crypto.errors import FileRefused
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    Encryptor,
    Role,
    decryptor_of,
)

KEY, OTHER, RECORD, SALT = bytes(32), bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))


def encrypt(
    content: bytes, *, key: bytes = KEY, role: Role = Role.CONTENT, record: bytes = RECORD, salt: bytes = SALT
) -> bytes:
    """The file of a content."""
    return b"".join(Encryptor(key, role, record, salt).encrypt((content,)))


SMALL = b"haemoglobin 13.9 g/dl"
CONTENT = b"".join(bytes((n,)) * CHUNK_BYTES for n in range(4)) + b"end"
FILE, SMALL_FILE = encrypt(CONTENT), encrypt(SMALL)
CHUNKS = [FILE[at : at + SEALED_CHUNK_BYTES] for at in range(HEADER_BYTES, len(FILE), SEALED_CHUNK_BYTES)]
FOREIGN = {
    "another salt": encrypt(CONTENT, salt=OTHER),
    "another key": encrypt(CONTENT, key=OTHER),
    "another record": encrypt(CONTENT, record=OTHER),
    "a description": encrypt(CONTENT, role=Role.DESCRIPTION),
}


def given_out(file: bytes) -> bytes:
    """Return the bytes that a reader gets before a file is refused. AssertionError if it is not."""
    out: list[bytes] = []
    with pytest.raises(FileRefused):
        out.extend(decryptor_of(file, KEY, Role.CONTENT, RECORD).iterate())
    return b"".join(out)


def assert_refused(file: bytes, *, content: bytes = CONTENT) -> None:
    """Refused, with no byte given out but whole chunks from the beginning."""
    got = given_out(file)
    assert len(got) % CHUNK_BYTES == 0
    assert len(got) < len(content)
    assert content.startswith(got)


def flip(file: bytes, bit: int) -> bytes:
    """The file with one bit changed."""
    changed = bytearray(file)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def chunks(*order: int) -> bytes:
    """The header, and these chunks in this order."""
    return FILE[:HEADER_BYTES] + b"".join(CHUNKS[n] for n in order)


def test_every_bit_of_the_header_counts() -> None:
    for bit in range(8 * HEADER_BYTES):
        assert given_out(flip(FILE, bit)) == b""


def test_every_bit_of_a_small_file_counts() -> None:
    for bit in range(8 * len(SMALL_FILE)):
        assert given_out(flip(SMALL_FILE, bit)) == b""


def test_a_small_file_cut_anywhere_is_refused() -> None:
    for length in range(len(SMALL_FILE)):
        assert given_out(SMALL_FILE[:length]) == b""
        assert given_out(SMALL_FILE[len(SMALL_FILE) - length :]) == b""


@pytest.mark.parametrize("shift", [-17, -16, -1, 0, 1, 15, 16, 17])
def test_a_file_cut_at_a_chunk_s_border_is_refused_before_its_first_byte(shift: int) -> None:
    for number in range(len(CHUNKS)):
        assert given_out(FILE[: HEADER_BYTES + number * SEALED_CHUNK_BYTES + shift]) == b""


def test_every_chunk_dropped_doubled_swapped_or_moved_is_refused() -> None:
    whole = list(range(len(CHUNKS)))
    for n in whole:
        assert_refused(chunks(*whole[:n], *whole[n + 1 :]))
        assert_refused(chunks(*whole[: n + 1], *whole[n:]))
        for other in whole[:n]:
            swapped = whole.copy()
            swapped[n], swapped[other] = other, n
            assert_refused(chunks(*swapped))
            moved = [*whole[:n], *whole[n + 1 :]]
            moved.insert(other, n)
            assert_refused(chunks(*moved))


@pytest.mark.parametrize("name", FOREIGN)
def test_no_chunk_and_no_header_of_a_foreign_file_is_taken(name: str) -> None:
    foreign = FOREIGN[name]
    if name != "another salt":  # which is a file of this record, as good as ours
        assert given_out(foreign) == b""
    assert given_out(foreign[:HEADER_BYTES] + FILE[HEADER_BYTES:]) == b""
    for n in range(len(CHUNKS)):
        start = HEADER_BYTES + n * SEALED_CHUNK_BYTES
        end = start + len(CHUNKS[n])
        assert_refused(FILE[:start] + foreign[start:end] + FILE[end:])


@pytest.mark.parametrize("version", [0, 2, 255])
@pytest.mark.parametrize("place", [4, 5])
def test_another_version_or_suite_is_refused(place: int, version: int) -> None:
    assert given_out(FILE[:place] + bytes((version,)) + FILE[place + 1 :]) == b""


places = st.integers(0, len(FILE) - 1)
mutations: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(lambda bit: lambda file: flip(file, bit), st.integers(0, 8 * len(FILE) - 1)),
    st.builds(lambda at: lambda file: file[:at], places),
    st.builds(lambda at, more: lambda file: file[:at] + more + file[at:], places, st.binary(min_size=1)),
    st.builds(
        lambda at, length: lambda file: file[:at] + file[at + length :], places, st.integers(1, 70_000)
    ),
    st.builds(
        lambda at, more: lambda file: (file[:at] + more + file[at + len(more) :])[: len(file)],
        places,
        st.binary(min_size=1, max_size=64),
    ),
)


@settings(max_examples=150, deadline=None)
@given(mutations=st.lists(mutations, min_size=1, max_size=3))
@example(mutations=[lambda file: file + b"\0"])
@example(mutations=[lambda file: file + file[HEADER_BYTES:]])
def test_whatever_is_done_to_a_file_no_other_byte_comes_out(
    mutations: list[Callable[[bytes], bytes]],
) -> None:
    changed = FILE
    for mutate in mutations:
        changed = mutate(changed.ljust(len(FILE), b"\0"))
    if changed != FILE:
        assert_refused(changed)


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, len(CONTENT)), length=st.integers(0, 2 * CHUNK_BYTES), bit=st.integers(0, 7))
def test_a_range_of_a_changed_file_is_right_or_refused(start: int, length: int, bit: int) -> None:
    """One chunk is bad: a range gives all of itself, or what lies before that chunk and an error."""
    bad, end = 2, min(start + length, len(CONTENT))
    file = flip(FILE, 8 * (HEADER_BYTES + bad * SEALED_CHUNK_BYTES + 100) + bit)
    reader = decryptor_of(file, KEY, Role.CONTENT, RECORD)
    out: list[bytes] = []
    touched = start < end and start // CHUNK_BYTES <= bad <= (end - 1) // CHUNK_BYTES
    try:
        out.extend(reader.iterate(start, end))
        assert not touched
        assert b"".join(out) == CONTENT[start:end]
    except FileRefused:
        assert touched
        assert b"".join(out) == CONTENT[start : max(start, bad * CHUNK_BYTES)]
