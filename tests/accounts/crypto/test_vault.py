"""Vaults under a password, and what is sealed under a random secret."""

import json
from dataclasses import replace
from typing import Any

import pytest

from accounts.crypto.errors import BadVault, CannotOpen, WrongPassword
from accounts.crypto.vault import (
    SealedVault,
    link_key,
    open_under,
    open_vault,
    seal_under,
    seal_vault,
    token_key,
)

ENTROPY = bytes(range(32))


@pytest.fixture(scope="module")
def sealed() -> SealedVault:
    return seal_vault(ENTROPY, "correct horse battery", "user-1", "entropy")


def test_the_password_opens_it_after_a_trip_through_json(sealed: SealedVault) -> None:
    stored = json.loads(json.dumps(sealed.to_dict()))
    assert open_vault(SealedVault.from_dict(stored), "correct horse battery", "user-1", "entropy") == ENTROPY


@pytest.mark.parametrize(
    ("password", "user", "purpose"),
    [
        ("correct horse batterz", "user-1", "entropy"),
        ("", "user-1", "entropy"),
        ("correct horse battery", "user-2", "entropy"),
        ("correct horse battery", "user-1", "entropx"),
        ("correct horse battery", "user-1e", "ntropy"),
    ],
)
def test_nothing_else_opens_it(sealed: SealedVault, password: str, user: str, purpose: str) -> None:
    with pytest.raises(WrongPassword):
        open_vault(sealed, password, user, purpose)


@pytest.mark.parametrize(("user", "purpose"), [("user\x00", "entropy"), ("user", "\x00entropy")])
def test_user_and_purpose_cannot_run_into_each_other(user: str, purpose: str) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        seal_vault(ENTROPY, "correct horse battery", user, purpose)


@pytest.mark.parametrize("field", ["salt", "nonce", "ciphertext"])
def test_a_changed_vault_does_not_open(sealed: SealedVault, field: str) -> None:
    value = getattr(sealed, field)
    changed = replace(sealed, **{field: bytes((value[0] ^ 1,)) + value[1:]})
    with pytest.raises(WrongPassword):
        open_vault(changed, "correct horse battery", "user-1", "entropy")


def test_the_same_letters_from_another_keyboard_open_it() -> None:
    composed, decomposed = "\u00c5ngstr\u00f6m 12345", "A\u030angstro\u0308m 12345"
    vault = seal_vault(ENTROPY, composed, "user-1", "entropy")
    assert open_vault(vault, decomposed, "user-1", "entropy") == ENTROPY


def test_two_seals_share_nothing(sealed: SealedVault) -> None:
    again = seal_vault(ENTROPY, "correct horse battery", "user-1", "entropy")
    assert again.salt != sealed.salt
    assert again.nonce != sealed.nonce
    assert again.ciphertext != sealed.ciphertext


def test_its_cost_is_the_documented_one(sealed: SealedVault) -> None:
    assert (sealed.memory_kib, sealed.passes, sealed.lanes) == (65_536, 3, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("kdf", "scrypt"),
        ("memory_kib", 65_535),
        ("memory_kib", 2**31),
        ("memory_kib", True),
        ("memory_kib", "65536"),
        ("passes", 2),
        ("passes", 17),
        ("lanes", 0),
        ("lanes", 17),
        ("salt", "00" * 15),
        ("nonce", "zz"),
        ("nonce", None),
        ("ciphertext", "00" * 47),
    ],
)
def test_out_of_bounds_is_refused_before_any_work(sealed: SealedVault, field: str, value: Any) -> None:
    with pytest.raises(BadVault):
        SealedVault.from_dict({**sealed.to_dict(), field: value})


def test_a_missing_field_is_refused(sealed: SealedVault) -> None:
    values = sealed.to_dict()
    del values["salt"]
    with pytest.raises(BadVault):
        SealedVault.from_dict(values)


def test_under_a_key_only_the_same_key_and_context_open() -> None:
    key = bytes(range(32))
    sealed = seal_under(key, b"plaintext", b"context")
    assert open_under(key, sealed, b"context") == b"plaintext"
    for other_key, associated in ((bytes(32), b"context"), (key, b"contexu")):
        with pytest.raises(CannotOpen):
            open_under(other_key, sealed, associated)
    for length in (0, 12, 27, len(sealed) - 1):
        with pytest.raises(CannotOpen):
            open_under(key, sealed[:length], b"context")


def test_under_a_key_of_another_length_nothing_is_sealed() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal_under(bytes(16), b"plaintext", b"")


def test_token_and_link_of_one_secret_have_different_keys() -> None:
    assert token_key("a random secret text") != link_key("a random secret text")


def test_a_guessable_secret_makes_no_key() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        token_key("short")
