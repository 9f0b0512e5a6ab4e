"""Portal, medrec-open and an independent reader refuse the same bytes, and read the others the same."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.crypto.errors import CryptoError
from accounts.crypto.sealing import open_sealed, seal
from accounts.crypto.strict_json import decode_object
from accounts.crypto.vault import SealedVault
from records.crypto import description, envelopes, folders, mdr1, payloads, wrap
from records.crypto.errors import BadPayload
from records.crypto.medrec_open import formats, keys
from records.crypto.medrec_open.errors import Refused
from tests.records.crypto.test_hostile_bytes import damaged
from tests.vectors import independent_checks as independent
from tests.vectors.independent_checks import Refusal
from tests.vectors.make import load
from tests.vectors.refusals import bytes_of

CASES = load("refused")
Case = dict[str, Any]
Reader = Callable[[Case, bytes], Any]


def _raw(case: Case, name: str) -> bytes:
    return bytes.fromhex(case[name].removeprefix("0x"))


def _plain(value: Any) -> Any:
    """A portal's description or terms as JSON has them."""
    return json.loads(value.to_bytes())


def _portal_file(case: Case, data: bytes) -> bytes:
    role = mdr1.Role(case["role"])
    return mdr1.decryptor_of(data, _raw(case, "key"), role, _raw(case, "record_id")).read()


def _portal_content(case: Case, data: bytes) -> bytes:
    described = description.Description.from_bytes(case["description"].encode())
    read_at = lambda offset, length: data[offset : offset + length]  # noqa: E731
    return description.open_content(
        described, _raw(case, "record_id"), read_at=read_at, size=len(data)
    ).read()


def _portal_selection(case: Case, data: bytes) -> dict[bytes, bytes]:
    payload = payloads.SelectionPayload.from_bytes(data)
    if payload.selection_id(case["patient"]) != _raw(case, "scope"):
        raise BadPayload("another scope")  # as records.services.envelopes.scope_keys passes it over
    return dict(payload.data_keys)


def _portal_folder(case: Case, data: bytes) -> Any:
    del case
    payload = payloads.FolderPayload.from_bytes(data)
    return dict(payload.secrets), _sorted(_plain(payload.terms))


def _portal_record(case: Case, data: bytes) -> Any:
    del case
    payload = payloads.RecordPayload.from_bytes(data)
    return payload.data_key, _sorted(_plain(payload.terms))


def _sorted(terms: Any) -> Any:
    return terms | {"kinds": sorted(terms["kinds"])}


def _portal_list(case: Case, data: bytes) -> list[str]:
    del case
    return [entry.envelope.hex() for entry in envelopes.EnvelopeList.from_bytes(data).entries]


def _portal_key(case: Case, data: bytes) -> bytes:
    del case
    seal(data, b"info", b"payload")
    return data


PORTAL: dict[str, Reader] = {
    "description": lambda _, data: _plain(description.Description.from_bytes(data)),
    "terms": lambda _, data: _plain(payloads.Terms.from_bytes(data)),
    "reason": lambda _, data: payloads.Reason.from_bytes(data).text,
    "folder payload": _portal_folder,
    "record payload": _portal_record,
    "selection payload": _portal_selection,
    "inbox payload": lambda _, data: payloads.DataKeyPayload.from_bytes(data).data_key,
    "list": _portal_list,
    "envelope": lambda case, data: open_sealed(_raw(case, "seed"), _raw(case, "info"), data),
    "wrapped secret": lambda case, data: wrap.unwrap(_raw(case, "folder_key"), _raw(case, "record_id"), data),
    "folder name": lambda case, data: folders.open_name(_raw(case, "folder_key"), data),
    "file": _portal_file,
    "content": _portal_content,
    "vault": lambda _, data: SealedVault.from_dict(decode_object(data, most=65_536)).to_dict(),
    "key": _portal_key,
}


def _open_envelope(case: Case, data: bytes) -> bytes:
    """As medrec-open does, with the pair that this seed makes."""
    expanded = hashlib.shake_256(_raw(case, "seed")).digest(96)
    first = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    second = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    return keys.open_sealed(hpke.MLKEM768X25519PrivateKey(first, second), data, _raw(case, "info"))


def _open_selection(case: Case, data: bytes) -> dict[bytes, bytes]:
    nonce, data_keys, _ = formats.read_selection_payload(data)
    if keys.selection_id(_raw(case, "patient"), nonce, list(data_keys)) != _raw(case, "scope"):
        raise Refused("another scope")  # as medrec_open.grants does
    return data_keys


def _open_content(case: Case, data: bytes) -> bytes:
    """As medrec-open saves it: the file, then size and digest of what came out."""
    row = formats.read_description(case["description"].encode())
    key, salt = _raw(row, "content_key"), _raw(row, "content_salt")
    plain = b"".join(formats.open_file(io.BytesIO(data), key, 1, _raw(case, "record_id"), salt))
    if hashlib.sha256(plain).hexdigest() != row["sha256"] or len(plain) != row["size"]:
        raise Refused("not the content described")
    return plain


def _open_file(case: Case, data: bytes) -> bytes:
    key, record = _raw(case, "key"), _raw(case, "record_id")
    return b"".join(formats.open_file(io.BytesIO(data), key, case["role"], record))


MEDREC_OPEN: dict[str, Reader] = {
    "description": lambda _, data: formats.read_description(data),
    "terms": lambda _, data: _sorted(formats.read_terms(data)),
    "reason": lambda _, data: formats.read_reason(data),
    "folder payload": lambda _, data: formats.read_folder_payload(data),
    "record payload": lambda _, data: formats.read_record_payload(data),
    "selection payload": _open_selection,
    "inbox payload": lambda _, data: formats.read_data_key(data),
    "list": lambda _, data: [entry[2].hex() for entry in formats.read_list(data)],
    "envelope": _open_envelope,
    "wrapped secret": lambda case, data: keys.unwrap(_raw(case, "folder_key"), _raw(case, "record_id"), data),
    "folder name": lambda case, data: formats.read_name(_raw(case, "folder_key"), data),
    "file": _open_file,
    "content": _open_content,
}


def _independent_folder(case: Case, data: bytes) -> Any:
    del case
    secrets, terms = independent.folder_payload(data)
    return {int.from_bytes(epoch, "big"): secret for epoch, secret in secrets.items()}, terms


INDEPENDENT: dict[str, Reader] = {
    "description": lambda _, data: independent.description(data),
    "terms": lambda _, data: _sorted(independent.terms(data)),
    "reason": lambda _, data: independent.reason(data),
    "folder payload": _independent_folder,
    "record payload": lambda _, data: independent.record_payload(data),
    "selection payload": lambda case, data: independent.selection_payload(
        data, _raw(case, "patient"), _raw(case, "scope")
    ),
    "inbox payload": lambda _, data: independent.inbox_payload(data),
    "list": lambda _, data: [entry[52:].hex() for entry in independent.envelope_list(data)],
    "envelope": lambda case, data: independent.envelope(_raw(case, "seed"), _raw(case, "info"), data),
    "wrapped secret": lambda case, data: independent.wrapped_secret(
        _raw(case, "folder_key"), _raw(case, "record_id"), data
    ),
    "folder name": lambda case, data: independent.folder_name(_raw(case, "folder_key"), data),
    "file": lambda case, data: independent.file(
        _raw(case, "key"), case["role"], _raw(case, "record_id"), data
    ),
    "content": lambda case, data: independent.content(
        case["description"].encode(), _raw(case, "record_id"), data
    ),
    "vault": lambda _, data: independent.vault(data),
    "key": lambda _, data: independent.published_key(data),
}
READERS: dict[str, tuple[dict[str, Reader], type[Exception]]] = {
    "portal": (PORTAL, CryptoError),
    "medrec-open": (MEDREC_OPEN, Refused),
    "independent": (INDEPENDENT, Refusal),
}


def _all(kind: str) -> list[Any]:
    """Every reader with every case of its formats."""
    return [
        pytest.param(readers[name], error, case, id=f"{reader}-{name}-{case['why']}"[:100])
        for reader, (readers, error) in READERS.items()
        for name, cases in CASES.items()
        for case in cases[kind]
        if name in readers
    ]


@pytest.mark.parametrize(("read", "error", "case"), _all("refused"))
def test_every_reader_refuses(read: Reader, error: type[Exception], case: Case) -> None:
    with pytest.raises(error):
        read(case, bytes_of(case))


@pytest.mark.parametrize("name", CASES)
def test_every_reader_takes_what_is_right_and_reads_the_same(name: str) -> None:
    for case in CASES[name]["taken"]:
        values = [readers[name](case, bytes_of(case)) for readers, _ in READERS.values() if name in readers]
        assert len(values) == 3 - (name not in MEDREC_OPEN)
        assert all(value == values[0] for value in values), case["why"]


OUTCOMES = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("vault", "key")])
@OUTCOMES
@given(data=st.data())
def test_every_reader_says_the_same_of_damaged_bytes(name: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES[name]["taken"]))
    spoilt = data.draw(damaged(bytes_of(case).rstrip(b" ") if case["check"] == 0 else bytes_of(case)))
    outcomes = [_outcome(readers[name], error, case, spoilt) for readers, error in READERS.values()]
    assert outcomes[1:] == outcomes[:-1]


def _outcome(read: Reader, error: type[Exception], case: Case, data: bytes) -> Any:
    try:
        return _with_sorted_kinds(read(case, data))
    except error:
        return "refused"


def _with_sorted_kinds(value: Any) -> Any:
    """The order of kinds has no meaning."""
    if isinstance(value, tuple):
        return tuple(map(_with_sorted_kinds, value))
    return _sorted(value) if isinstance(value, dict) and "kinds" in value else value


def test_the_page_has_the_checks_that_the_cases_name() -> None:
    page = (Path(__file__).parents[3] / "docs" / "FORMAT.md").read_text()
    section = page.split("## Checks that every reader makes")[1].split("\n## ")[0]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)] == list(range(1, 25))


def test_every_check_has_a_case_that_it_refuses() -> None:
    numbers = {case["check"] for cases in CASES.values() for case in cases["refused"]}
    assert numbers == set(range(1, 25)) - {17}


def test_the_portal_and_medrec_open_read_every_format() -> None:
    assert set(PORTAL) == set(INDEPENDENT) == set(CASES) == {*MEDREC_OPEN, "vault", "key"}
