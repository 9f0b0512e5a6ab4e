"""Envelopes, what they hold, and the public list of them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from accounts.crypto.errors import CannotOpen
from accounts.crypto.keys import SharingKey
from accounts.crypto.origin import Origin
from records.crypto.envelopes import (
    ENVELOPE_MAX,
    EnvelopeContext,
    EnvelopeEntry,
    EnvelopeList,
    Purpose,
    envelope_digest,
    folder_scope,
    open_envelope,
    seal_envelope,
)
from records.crypto.errors import BadList, BadPayload
from records.crypto.folders import pack_epoch
from records.crypto.ids import SELECTION_MAX, selection_id
from records.crypto.payloads import (
    DataKeyPayload,
    FolderPayload,
    Reason,
    RecordPayload,
    SelectionPayload,
    Terms,
)

PATIENT, DOCTOR = "0x5FbDB2315678afecb367f032d93F642f64180aa3", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SEED = bytes(range(32))
KEY = SharingKey(SEED)
A, B = b"\xaa" * 32, b"\xbb" * 32
CONTEXT = EnvelopeContext(
    Origin(31337, PATIENT), Purpose.FOLDER, PATIENT, DOCTOR, PATIENT, folder_scope(1), pack_epoch(0, 3)
)
TERMS = Terms(
    purpose="TREAT",
    kinds=("imaging", "laboratory"),
    permissions=3,
    days=30,
    first_date=date(2026, 1, 1),
    last_date=date(2026, 12, 31),
    note="Bitte \u2014 danke",
)
FOLDER = FolderPayload({pack_epoch(0, 3): A, pack_epoch(1, 0): B}, TERMS)
SELECTION = SelectionPayload(A, {B: A, A: B}, TERMS)

PAYLOADS: list[Any] = [
    TERMS,
    Terms("ETREAT", (), 1),
    Reason("Nicht n\u00f6tig"),
    FOLDER,
    RecordPayload(A, TERMS),
    SELECTION,
    DataKeyPayload(A),
]


def test_the_recipient_opens_it() -> None:
    assert open_envelope(CONTEXT, SEED, seal_envelope(CONTEXT, KEY.public, b"payload")) == b"payload"


@pytest.mark.parametrize(
    "change",
    [
        {"origin": Origin(1, PATIENT)},
        {"origin": Origin(31337, DOCTOR)},
        {"purpose": Purpose.RECORD},
        {"sender": DOCTOR},
        {"recipient": PATIENT},
        {"patient": DOCTOR},
        {"scope": folder_scope(2)},
        {"epoch": pack_epoch(0, 4)},
        {"epoch": pack_epoch(1, 3)},
    ],
)
def test_it_opens_in_its_own_context_only(change: dict[str, Any]) -> None:
    sealed = seal_envelope(CONTEXT, KEY.public, b"payload")
    with pytest.raises(CannotOpen):
        open_envelope(replace(CONTEXT, **change), SEED, sealed)


def test_it_is_bound_to_the_recipients_key() -> None:
    assert CONTEXT.info(KEY.digest) != CONTEXT.info(SharingKey(bytes(32)).digest)
    assert KEY.digest.removeprefix("0x") in CONTEXT.info(KEY.digest).hex()


def test_the_largest_selection_fits_and_no_more() -> None:
    ids = [n.to_bytes(32, "big") for n in range(SELECTION_MAX)]
    payload = SelectionPayload(A, dict.fromkeys(ids, B), TERMS).to_bytes()
    assert len(seal_envelope(CONTEXT, KEY.public, payload)) <= ENVELOPE_MAX
    with pytest.raises(BadPayload):
        seal_envelope(CONTEXT, KEY.public, bytes(ENVELOPE_MAX))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_a_payload_comes_back_whole(payload: Any) -> None:
    assert type(payload).from_bytes(payload.to_bytes()) == payload


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_a_payload_that_was_cut_is_refused(payload: Any) -> None:
    data = payload.to_bytes()
    whole = len(data.rstrip(b" "))
    for length in (0, 1, whole // 2, whole - 1):
        with pytest.raises(BadPayload):
            type(payload).from_bytes(data[:length])


def test_the_length_of_a_note_does_not_show() -> None:
    assert len(replace(TERMS, note="").to_bytes()) == len(replace(TERMS, note="x" * 700).to_bytes()) == 1024


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_no_payload_shows_what_it_holds(payload: Any) -> None:
    for word in ("TREAT", "laboratory", "Bitte", "n\u00f6tig", repr(A), A.hex()):
        assert word not in repr(payload)


@pytest.mark.parametrize(
    "secrets",
    [{}, {1: A, 2: A}, {1: b"short"}],
    ids=["none", "two of one generation", "short"],
)
def test_a_folder_has_one_secret_of_each_generation(secrets: dict[int, bytes]) -> None:
    with pytest.raises(BadPayload):
        FolderPayload(secrets, TERMS).to_bytes()
    rows = b"".join(epoch.to_bytes(4, "big") + secret for epoch, secret in secrets.items())
    with pytest.raises(BadPayload):
        FolderPayload.from_bytes(len(secrets).to_bytes(2, "big") + rows + TERMS.to_bytes())


def test_an_epoch_stands_once_in_a_payload() -> None:
    rows = 2 * (pack_epoch(0, 3).to_bytes(4, "big") + A)
    with pytest.raises(BadPayload, match="twice"):
        FolderPayload.from_bytes(b"\x00\x02" + rows + TERMS.to_bytes())


def test_a_count_beyond_the_payload_is_refused_at_once() -> None:
    with pytest.raises(BadPayload, match="cut"):
        SelectionPayload.from_bytes(A + b"\x00\x01\x00\x00" + A + B + TERMS.to_bytes())


def test_a_folders_newest_epoch_is_of_its_last_generation() -> None:
    assert FOLDER.newest == pack_epoch(1, 0)


def test_a_selection_shows_its_id() -> None:
    assert SELECTION.selection_id(PATIENT) == selection_id(PATIENT, A, [B, A])


@pytest.mark.parametrize("rows", [(B + A, A + B), (A + B, A + B), ()], ids=["order", "twice", "none"])
def test_a_selections_rows_rise(rows: tuple[bytes, ...]) -> None:
    data = A + len(rows).to_bytes(4, "big") + b"".join(rows) + TERMS.to_bytes()
    with pytest.raises(BadPayload):
        SelectionPayload.from_bytes(data)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "not json",
        '{"days":null,"first_date":null,"kinds":"all","last_date":null,"note":"","permissions":1,"purpose":"X"}',
        '{"days":null,"first_date":null,"kinds":[1],"last_date":null,"note":"","permissions":1,"purpose":"X"}',
        '{"days":"1","first_date":null,"kinds":[],"last_date":null,"note":"","permissions":1,"purpose":"X"}',
        '{"days":null,"first_date":"soon","kinds":[],"last_date":null,"note":"","permissions":1,"purpose":"X"}',
        '{"days":null,"first_date":null,"kinds":[],"last_date":null,"note":"","permissions":true,"purpose":"X"}',
    ],
)
def test_what_are_no_terms_is_refused(text: str) -> None:
    with pytest.raises(BadPayload):
        Terms.from_bytes(text.encode())


def test_text_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(BadPayload):
        Reason("\ud800").to_bytes()


def entry(recipient: str, name: bytes = b"envelope", digest: str = KEY.digest) -> EnvelopeEntry:
    return EnvelopeEntry(recipient, digest, envelope_digest(name))


def test_equal_lists_have_one_digest() -> None:
    one = EnvelopeList.of([entry(PATIENT), entry(DOCTOR)])
    other = EnvelopeList.of([entry(DOCTOR), entry(PATIENT)])
    assert one.digest == other.digest
    assert EnvelopeList.from_bytes(one.to_bytes()) == one
    assert set(one.entries) == {entry(DOCTOR), entry(PATIENT)}
    assert EnvelopeList.of([entry(PATIENT, b"other"), entry(DOCTOR)]).digest != one.digest


def test_a_recipients_two_keys_are_two_entries_and_one_key_is_one() -> None:
    two = EnvelopeList.of([entry(DOCTOR), entry(DOCTOR, digest="0x" + "11" * 32)])
    assert [one.recipient for one in EnvelopeList.from_bytes(two.to_bytes()).entries] == [DOCTOR, DOCTOR]
    with pytest.raises(BadList):
        EnvelopeList.of([entry(DOCTOR), entry(DOCTOR, b"other")]).to_bytes()


def test_a_list_has_one_form() -> None:
    data = EnvelopeList.of([entry(PATIENT), entry(DOCTOR)]).to_bytes()
    head, first, second = data[:9], data[9:93], data[93:]
    refused = [
        b"",
        head,
        data[:-1],
        data + b"\x00",
        data + second,
        head + second + first,
        head + first + first,
        b"MDRL\x02" + data[5:],
        data[:5] + b"\x00\x00\x00\x03" + data[9:],
        b"MDRL\x01" + bytes(4),
    ]
    for one in refused:
        with pytest.raises(BadList):
            EnvelopeList.from_bytes(one)


def test_an_empty_list_and_one_that_is_too_long_are_neither_written_nor_read() -> None:
    count = ENVELOPE_MAX // 84 + 1
    many = [entry(f"0x{n:040x}") for n in range(count)]
    row = bytes.fromhex(KEY.digest[2:]) + envelope_digest(b"envelope")
    rows = b"".join(n.to_bytes(20, "big") + row for n in range(count))
    with pytest.raises(BadList):
        EnvelopeList.from_bytes(b"MDRL\x01" + count.to_bytes(4, "big") + rows)
    for entries in ([], many):
        with pytest.raises(BadList):
            EnvelopeList.of(entries).to_bytes()
