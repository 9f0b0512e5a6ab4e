"""Sealing to a sharing key: checked against X-Wing's published vector and RFC 9180's key schedule."""

import json
from pathlib import Path

import pytest

from accounts.crypto.errors import BadPublicKey, CannotOpen
from accounts.crypto.keys import SharingKey
from accounts.crypto.sealing import OVERHEAD, is_usable_key, open_sealed, seal
from tests.vectors import independent

XWING = json.loads((Path(__file__).parents[2] / "vectors" / "xwing.json").read_text())
SEED = bytes(range(32))
PUBLIC = SharingKey(SEED).public


def test_opens_what_another_implementation_sealed() -> None:
    enc, shared = bytes.fromhex(XWING["ciphertext"]), bytes.fromhex(XWING["shared_secret"])
    sealed = b"\x01" + enc + independent.hpke_seal(shared, b"context", b"hello")
    assert open_sealed(bytes.fromhex(XWING["seed"]), b"context", sealed) == b"hello"


@pytest.mark.parametrize("plaintext", [b"", b"x" * 32, b"y" * 100_000])
def test_only_the_recipient_opens_it(plaintext: bytes) -> None:
    sealed = seal(PUBLIC, b"context", plaintext)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert open_sealed(SEED, b"context", sealed) == plaintext
    with pytest.raises(CannotOpen):
        open_sealed(bytes(32), b"context", sealed)


def test_another_context_does_not_open_it() -> None:
    sealed = seal(PUBLIC, b"context", b"secret")
    with pytest.raises(CannotOpen):
        open_sealed(SEED, b"contexu", sealed)


def test_no_changed_byte_is_taken() -> None:
    sealed = seal(PUBLIC, b"context", b"secret")
    places = [0, 1, 600, 1088, 1089, 1120, 1121, len(sealed) - 16, len(sealed) - 1]
    for place in places:
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(CannotOpen):
            open_sealed(SEED, b"context", bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 1121, OVERHEAD - 1])
def test_what_was_cut_is_refused(length: int) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(SEED, b"context", seal(PUBLIC, b"context", b"")[:length])


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC[1:],
        PUBLIC + b"\x00",
        b"\x02" + PUBLIC[1:],
        PUBLIC[:1185] + bytes(32),  # X25519's low-order point: everybody would know the shared secret
        b"\x01" + b"\xff" * 1184 + PUBLIC[1185:],  # coefficients beyond ML-KEM's modulus
    ],
)
def test_what_is_no_key_is_refused(public: bytes) -> None:
    with pytest.raises(BadPublicKey):
        seal(public, b"context", b"secret")


def test_no_point_of_low_order_is_a_key() -> None:
    """All of them (RFC 7748, 6.1), also beyond the prime, and with the bit that nobody looks at."""
    prime = 2**255 - 19
    order_8 = (
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
    points = [0, 1, *order_8, prime - 1, prime, prime + 1]
    for point in points + [point | 1 << 255 for point in points]:
        assert not is_usable_key(PUBLIC[:1185] + point.to_bytes(32, "little"))
    assert is_usable_key(PUBLIC)
