"""For any bytes each decoder gives a value or its own typed error, and nothing else."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.crypto import bundle, keys, vault
from accounts.crypto.errors import BadBundle, BadJson, BadVault, CannotOpen, CryptoError
from accounts.crypto.sealing import open_sealed, seal
from accounts.crypto.strict_json import decode_object
from records.crypto import description, envelopes, folders, mdr1, payloads, wrap
from records.crypto.errors import (
    BadDescription,
    BadList,
    BadName,
    BadPayload,
    CannotUnwrap,
    FileRefused,
)

KEY, RECORD, SEED = bytes(range(32)), bytes(31) + b"\1", b"\2" * 32
TERMS = payloads.Terms("TREAT", ("11502-2",), 3, 30, date(2026, 1, 1), None, "Bitte \u2014 danke")
DESCRIPTION = description.Description(
    title="Blutbild",
    kind="11502-2",
    service_date=date(2026, 2, 28),
    file_name="blood.pdf",
    media_type="application/pdf",
    size=65_537,
    sha256=sha256(b"").digest(),
    content_key=KEY,
    content_salt=SEED,
    content_length=mdr1.ciphertext_size(65_537),
    previous_data_key=RECORD,
)
SEALED = seal(keys.SharingKey(SEED).public, b"info", b"payload")
ADDRESSES = ("0x5FbDB2315678afecb367f032d93F642f64180aa3", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
VAULT = vault.SealedVault(65536, 3, 1, bytes(16), bytes(12), bytes(48))


def _list() -> bytes:
    return envelopes.EnvelopeList.of(
        envelopes.EnvelopeEntry(address, "0x" + KEY.hex(), SEED) for address in ADDRESSES
    ).to_bytes()


def _mdr1(data: bytes) -> bytes:
    return mdr1.decryptor_of(data, KEY, mdr1.Role.CONTENT, RECORD).read()


def _mdr1_file() -> bytes:
    return b"".join(mdr1.Encryptor(KEY, mdr1.Role.CONTENT, RECORD, SEED).encrypt([b"haemoglobin 11.1"]))


@dataclass(frozen=True)
class Decoder:
    """A format's decoder, bytes that it takes, its own errors, and what writes its value again."""

    name: str
    valid: bytes
    decode: Callable[[bytes], Any]
    errors: tuple[type[CryptoError], ...]
    encode: Callable[[Any], bytes] | None = None


def _to_bytes(value: Any) -> bytes:
    data: bytes = value.to_bytes()
    return data


DECODERS = [
    Decoder("object", b'{"a":[1,{"b":null}]}', lambda data: decode_object(data, most=65536), (BadJson,)),
    Decoder(
        "description",
        DESCRIPTION.to_bytes(),
        description.Description.from_bytes,
        (BadDescription,),
        _to_bytes,
    ),
    Decoder("terms", TERMS.to_bytes(), payloads.Terms.from_bytes, (BadPayload,), _to_bytes),
    Decoder(
        "reason", payloads.Reason("No.").to_bytes(), payloads.Reason.from_bytes, (BadPayload,), _to_bytes
    ),
    Decoder(
        "folder payload",
        payloads.FolderPayload({3: KEY, 1 << 16 | 5: SEED}, TERMS).to_bytes(),
        payloads.FolderPayload.from_bytes,
        (BadPayload,),
        _to_bytes,
    ),
    Decoder(
        "record payload",
        payloads.RecordPayload(KEY, TERMS).to_bytes(),
        payloads.RecordPayload.from_bytes,
        (BadPayload,),
        _to_bytes,
    ),
    Decoder(
        "selection payload",
        payloads.SelectionPayload(KEY, {RECORD: KEY, SEED: KEY}, TERMS).to_bytes(),
        payloads.SelectionPayload.from_bytes,
        (BadPayload,),
        _to_bytes,
    ),
    Decoder(
        "data key payload",
        KEY,
        payloads.DataKeyPayload.from_bytes,
        (BadPayload,),
        lambda value: value.to_bytes(),
    ),
    Decoder("list", _list(), envelopes.EnvelopeList.from_bytes, (BadList,), _to_bytes),
    Decoder("sealed bytes", SEALED, lambda data: open_sealed(SEED, b"info", data), (CannotOpen,)),
    Decoder(
        "sealed name",
        folders.seal_name(KEY, 7, "Blood"),
        lambda data: folders.open_name(KEY, data),
        (CannotOpen, BadName),
    ),
    Decoder(
        "wrapped secret",
        wrap.wrap(KEY, RECORD, SEED),
        lambda data: wrap.unwrap(KEY, RECORD, data),
        (CannotUnwrap,),
    ),
    Decoder("MDR1 file", _mdr1_file(), _mdr1, (FileRefused,)),
    Decoder(
        "key bundle",
        bundle.derive_bundle(KEY, {0: (0, 2), 1: (1, 1)}).to_bytes(),
        bundle.KeyBundle.from_bytes,
        (BadBundle,),
        _to_bytes,
    ),
]
DAMAGES = [
    b"\xff", b"\0", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"[" * 60_000, b'{"a":' * 9_000, b"]", b"}", b'"',
    b"\\ud800", b"NaN", b"Infinity", b"-1", b"-0", b"1.0", b"1e999", b"true", b"null", b"9" * 5_000,
    b"9223372036854775808", b"2026-W01-1", b"2026-02-30", b" ",
    b",", b'"format":1,', b'"note":"",', b"\x02", b"A",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Valid bytes with one to three places cut, doubled, or replaced by what breaks readers."""
    data = valid
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.one_of(st.integers(0, 4), st.integers(0, len(data) - at)))
        middle = draw(
            st.one_of(st.sampled_from(DAMAGES), st.binary(max_size=40), st.just(data[at : at + width] * 2))
        )
        data = data[:at] + middle + data[at + width :]
    return data


@st.composite
def swapped_values(draw: st.DrawFn, valid: bytes) -> bytes:
    """Valid JSON with one value replaced by any other, as another client might write it."""
    values = json.loads(valid)
    name = draw(st.sampled_from(sorted(values)))
    scalars = st.one_of(
        st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.sampled_from([2**63, "\ud800"])
    )
    values[name] = draw(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
    return json.dumps(values).encode()


def decodes_or_refuses(decoder: Decoder, data: bytes) -> None:
    """A value that is written and read again as itself, or one of the decoder's own errors."""
    try:
        value = decoder.decode(data)
    except decoder.errors:
        return
    if decoder.encode is not None:
        again = decoder.encode(value)
        assert decoder.encode(decoder.decode(again)) == again


ANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
BY_NAME = pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
OBJECTS = [one for one in DECODERS if one.name in ("description", "terms", "reason", "key bundle")]


@BY_NAME
def test_what_was_written_is_read(decoder: Decoder) -> None:
    value = decoder.decode(decoder.valid)
    assert decoder.encode is None or decoder.encode(value) == decoder.valid


@BY_NAME
@ANY
@given(data=st.data())
def test_any_bytes_are_a_value_or_the_decoder_s_own_error(decoder: Decoder, data: st.DataObject) -> None:
    decodes_or_refuses(decoder, data.draw(st.one_of(st.binary(max_size=3000), damaged(decoder.valid))))


@BY_NAME
@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_nothing_that_breaks_readers_breaks_these(decoder: Decoder, damage: bytes) -> None:
    for data in (
        damage,
        decoder.valid + damage,
        damage + decoder.valid,
        decoder.valid.replace(b"1", damage, 1),
    ):
        decodes_or_refuses(decoder, data)


@pytest.mark.parametrize("decoder", OBJECTS, ids=lambda decoder: decoder.name)
@ANY
@given(data=st.data())
def test_any_value_of_a_field_is_taken_or_refused(decoder: Decoder, data: st.DataObject) -> None:
    decodes_or_refuses(decoder, data.draw(swapped_values(decoder.valid)))


@pytest.mark.parametrize("name", list(VAULT.to_dict()))
@ANY
@given(value=st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.lists(st.none())))
def test_any_vault_is_a_vault_or_refused(name: str, value: Any) -> None:
    try:
        opened = vault.SealedVault.from_dict(VAULT.to_dict() | {name: value})
    except BadVault:
        return
    assert vault.SealedVault.from_dict(opened.to_dict()) == opened


@pytest.mark.parametrize("values", [[], None, 5, "vault"])
def test_what_is_no_object_is_no_vault(values: Any) -> None:
    with pytest.raises(BadVault):
        vault.SealedVault.from_dict(values)
