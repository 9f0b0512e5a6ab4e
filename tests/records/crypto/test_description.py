"""Descriptions: sealed, opened, and bound to their content."""

import json
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import pytest

from records.crypto.description import Description, open_content, open_description, seal_description
from records.crypto.errors import BadDescription, FileRefused, WrongKey
from records.crypto.mdr1 import CHUNK_BYTES, Encryptor, ReadAt, Role, ciphertext_size

DATA_KEY, RECORD, OTHER = bytes(range(32)), bytes(range(32, 64)), bytes(32)
CONTENT_KEY, SALT = b"\x01" * 32, b"\x02" * 32
CONTENT = b"the content " * 10_000
DESCRIPTION = Description(
    title="Blutbild \u2014 gro\u00df",
    kind="laboratory",
    service_date=date(2026, 2, 28),
    file_name="blood.pdf",
    media_type="application/pdf",
    size=len(CONTENT),
    sha256=sha256(CONTENT).digest(),
    content_key=CONTENT_KEY,
    content_salt=SALT,
    content_length=ciphertext_size(len(CONTENT)),
    previous_data_key=b"\x04" * 32,
)


def content_file(content: bytes = CONTENT, salt: bytes = SALT) -> bytes:
    return b"".join(Encryptor(CONTENT_KEY, Role.CONTENT, RECORD, salt).encrypt((content,)))


def reader(file: bytes) -> ReadAt:
    return lambda offset, length: file[offset : offset + length]


@pytest.mark.parametrize(
    "description", [DESCRIPTION, replace(DESCRIPTION, service_date=None, previous_data_key=None, title="")]
)
def test_a_description_comes_back_whole(description: Description) -> None:
    assert open_description(DATA_KEY, RECORD, seal_description(DATA_KEY, RECORD, description)) == description


def test_the_length_of_a_title_does_not_show() -> None:
    lengths = {
        len(seal_description(DATA_KEY, RECORD, replace(DESCRIPTION, title="x" * n))) for n in (0, 1, 300)
    }
    assert lengths == {ciphertext_size(1024)}


def test_two_seals_of_one_description_differ() -> None:
    assert seal_description(DATA_KEY, RECORD, DESCRIPTION) != seal_description(DATA_KEY, RECORD, DESCRIPTION)


def test_it_opens_for_its_record_and_key_only() -> None:
    sealed = seal_description(DATA_KEY, RECORD, DESCRIPTION)
    for key, record in ((OTHER, RECORD), (DATA_KEY, OTHER)):
        with pytest.raises(WrongKey):
            open_description(key, record, sealed)


def test_a_content_is_not_taken_for_a_description() -> None:
    as_content = b"".join(Encryptor(DATA_KEY, Role.CONTENT, RECORD, SALT).encrypt((DESCRIPTION.to_bytes(),)))
    with pytest.raises(WrongKey):
        open_description(DATA_KEY, RECORD, as_content)


def test_nothing_of_it_is_shown() -> None:
    for word in ("Blutbild", "laboratory", "blood", CONTENT_KEY.hex(), repr(CONTENT_KEY)):
        assert word not in repr(DESCRIPTION)


def test_names_that_a_later_portal_added_are_passed_over() -> None:
    values = {**json.loads(DESCRIPTION.to_bytes()), "added_later": 1}
    assert Description.from_bytes(json.dumps(values).encode()) == DESCRIPTION


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("title", 7),
        ("kind", None),
        ("service_date", "yesterday"),
        ("service_date", 20260228),
        ("size", -1),
        ("size", True),
        ("size", len(CONTENT) + 1),
        ("sha256", "00"),
        ("content_key", "zz" * 32),
        ("content_salt", None),
        ("content_length", "1"),
        ("content_length", ciphertext_size(len(CONTENT)) + 1),
        ("previous_data_key", "00" * 31),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: Any) -> None:
    values = {**json.loads(DESCRIPTION.to_bytes()), field: value}
    with pytest.raises(BadDescription):
        Description.from_bytes(json.dumps(values).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b" " * 65_537])
def test_what_is_no_description_is_refused(data: bytes) -> None:
    with pytest.raises(BadDescription):
        Description.from_bytes(data)


def test_what_could_not_be_read_is_not_written() -> None:
    for change in ({"title": "\ud800"}, {"title": "x" * 65_536}, {"size": 1}, {"content_key": b"short"}):
        with pytest.raises(BadDescription):
            seal_description(DATA_KEY, RECORD, replace(DESCRIPTION, **change))


def test_the_content_described_is_read() -> None:
    file = content_file()
    assert open_content(DESCRIPTION, RECORD, read_at=reader(file), size=len(file)).read() == CONTENT


def test_another_content_of_the_same_key_is_refused() -> None:
    longer, salted = content_file(CONTENT + b"x"), content_file(salt=OTHER)
    for file in (longer, salted):
        with pytest.raises(FileRefused):
            open_content(DESCRIPTION, RECORD, read_at=reader(file), size=len(file))


@pytest.mark.parametrize("content", [b"", b"short", CONTENT, CONTENT[: 2 * CHUNK_BYTES]])
def test_a_content_with_another_digest_is_not_given_out_whole(content: bytes) -> None:
    described = replace(DESCRIPTION, size=len(content), content_length=ciphertext_size(len(content)))
    file = content_file(content)
    wrong = open_content(replace(described, sha256=bytes(32)), RECORD, read_at=reader(file), size=len(file))
    taken: list[bytes] = []
    with pytest.raises(FileRefused, match="SHA-256"):
        taken.extend(wrong.iterate())
    assert b"".join(taken) == content[: max(0, (len(content) - 1) // CHUNK_BYTES * CHUNK_BYTES)]
    assert b"".join(wrong.iterate(1, len(content) or 1) if content else ()) == content[1:]
    right = replace(described, sha256=sha256(content).digest())
    assert open_content(right, RECORD, read_at=reader(file), size=len(file)).read() == content
