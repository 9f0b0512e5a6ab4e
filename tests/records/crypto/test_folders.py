"""Folder secrets, names, and the wrapped secrets of records."""

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.crypto.errors import CannotOpen
from accounts.crypto.origin import Origin
from records.crypto.errors import BadName, CannotUnwrap, EpochOutOfRange
from records.crypto.folders import (
    LAST,
    earlier_secret,
    folder_key,
    folder_secret,
    name_epoch,
    open_name,
    pack_epoch,
    seal_name,
    unpack_epoch,
)
from records.crypto.ids import SELECTION_MAX, record_id, request_id, selection_id
from records.crypto.wrap import unwrap, wrap
from tests.vectors import independent

ROOT, KEY, RECORD, DATA_KEY = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34)), bytes(range(3, 35))
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ORIGIN = Origin(31337, CONTRACT)


@pytest.mark.parametrize("epoch", [0, 1, 32_768, LAST - 1, LAST])
def test_secrets_follow_the_format_page(epoch: int) -> None:
    key = folder_key(folder_secret(ROOT, ORIGIN, 2, 7, epoch))
    assert key == independent.folder_key(ROOT, ORIGIN.to_bytes(), 2, 7, epoch)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, LAST), st.integers(0, LAST))
def test_a_later_secret_gives_the_earlier_ones(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    secret = folder_secret(ROOT, ORIGIN, 0, 1, later)
    assert earlier_secret(secret, later, earlier) == folder_secret(ROOT, ORIGIN, 0, 1, earlier)


def test_an_earlier_secret_gives_no_later_one() -> None:
    with pytest.raises(EpochOutOfRange):
        earlier_secret(folder_secret(ROOT, ORIGIN, 0, 1, 3), 3, 4)


def test_every_place_has_a_chain_of_its_own() -> None:
    places = [
        (ROOT, ORIGIN, 0, 1),
        (KEY, ORIGIN, 0, 1),
        (ROOT, Origin(1, CONTRACT), 0, 1),
        (ROOT, Origin(31337, "0x" + "11" * 20), 0, 1),
        (ROOT, ORIGIN, 1, 0),
        (ROOT, ORIGIN, 1, 1),
        (ROOT, ORIGIN, 0, 0),
    ]
    assert len({folder_secret(*place, LAST) for place in places}) == len(places)


@pytest.mark.parametrize(
    ("generation", "folder", "epoch"),
    [(-1, 1, 0), (LAST + 1, 1, 0), (0, -1, 0), (0, LAST + 1, 0), (0, 1, -1), (0, 1, LAST + 1)],
)
def test_places_that_do_not_exist_are_refused(generation: int, folder: int, epoch: int) -> None:
    with pytest.raises(EpochOutOfRange):
        folder_secret(ROOT, ORIGIN, generation, folder, epoch)


@given(st.integers(0, LAST), st.integers(0, LAST))
def test_packed_epochs_order_as_the_contract_orders_them(generation: int, epoch: int) -> None:
    packed = pack_epoch(generation, epoch)
    assert unpack_epoch(packed) == (generation, epoch)
    if generation:
        assert packed > pack_epoch(generation - 1, LAST)


@pytest.mark.parametrize("packed", [-1, 2**32])
def test_an_epoch_has_32_bits(packed: int) -> None:
    with pytest.raises(EpochOutOfRange):
        unpack_epoch(packed)


@pytest.mark.parametrize("name", ["General", "x" * 255, "Blut & Labor \u2014 \U0001fa78", " spaces "])
def test_a_name_comes_back_and_its_length_does_not_show(name: str) -> None:
    sealed = seal_name(KEY, pack_epoch(1, 2), name)
    assert len(sealed) == 288
    assert name_epoch(sealed) == pack_epoch(1, 2)
    assert open_name(KEY, sealed) == name


@pytest.mark.parametrize("name", ["", "x" * 256, "\u00e4" * 128, "a\x00b"])
def test_names_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(BadName):
        seal_name(KEY, 0, name)


def test_a_changed_name_or_another_folders_key_does_not_open() -> None:
    sealed = seal_name(KEY, 1, "General")
    for changed in (b"\x00\x00\x00\x02" + sealed[4:], sealed[:-1], sealed[:3], b""):
        with pytest.raises(CannotOpen):
            open_name(KEY, changed)
    with pytest.raises(CannotOpen):
        open_name(ROOT, sealed)


def test_a_wrapped_secret_is_an_rfc_3394_wrap() -> None:
    """The other implementation first proves itself on the RFC's own example (section 4.6)."""
    published = bytes.fromhex(
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    )
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    assert independent.unwrap(bytes(range(32)), published) == data
    wrapped = wrap(KEY, RECORD, DATA_KEY)
    assert len(wrapped) == 40
    wrapping_key = independent.hkdf(KEY, independent.label("record-wrap") + RECORD)
    assert independent.unwrap(wrapping_key, wrapped) == DATA_KEY
    assert unwrap(KEY, RECORD, wrapped) == DATA_KEY


def test_a_secret_copied_from_another_record_does_not_unwrap() -> None:
    wrapped = wrap(KEY, RECORD, DATA_KEY)
    for folder, record in ((KEY, ROOT), (ROOT, RECORD)):
        with pytest.raises(CannotUnwrap):
            unwrap(folder, record, wrapped)


@pytest.mark.parametrize("place", range(40))
def test_no_changed_byte_of_a_wrapped_secret_is_taken(place: int) -> None:
    changed = bytearray(wrap(KEY, RECORD, DATA_KEY))
    changed[place] ^= 1
    with pytest.raises(CannotUnwrap):
        unwrap(KEY, RECORD, bytes(changed))


@pytest.mark.parametrize("length", [0, 32, 39, 41, 48])
def test_a_wrapped_secret_has_40_bytes(length: int) -> None:
    with pytest.raises(CannotUnwrap):
        unwrap(KEY, RECORD, bytes(length))


def test_a_longer_key_wrapped_under_the_right_key_is_refused() -> None:
    wrapping_key = independent.hkdf(KEY, independent.label("record-wrap") + RECORD)
    with pytest.raises(CannotUnwrap):
        unwrap(KEY, RECORD, aes_key_wrap(wrapping_key, bytes(40)))


def test_only_32_byte_keys_are_wrapped() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        wrap(KEY, RECORD, bytes(16))


def test_ids_are_of_author_and_nonce() -> None:
    assert record_id(CONTRACT, RECORD) == record_id(CONTRACT.lower(), RECORD) == request_id(CONTRACT, RECORD)
    assert (
        len({record_id(CONTRACT, RECORD), record_id(CONTRACT, KEY), record_id("0x" + "11" * 20, RECORD)}) == 3
    )


def test_a_selections_id_knows_no_order_and_each_record_once() -> None:
    assert selection_id(CONTRACT, KEY, [RECORD, ROOT]) == selection_id(CONTRACT, KEY, [ROOT, RECORD])
    assert selection_id(CONTRACT, KEY, [RECORD]) != selection_id(CONTRACT, KEY, [ROOT])
    many = [n.to_bytes(32, "big") for n in range(SELECTION_MAX + 1)]
    assert len(selection_id(CONTRACT, KEY, many[:-1])) == 32
    for refused in ([], [ROOT, ROOT], many):
        with pytest.raises(ValueError, match="each once"):
            selection_id(CONTRACT, KEY, refused)
