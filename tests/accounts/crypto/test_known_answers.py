"""Published vectors, and what an attacker would send instead of a key, a ciphertext or a wrapped key.

Sources: RFC 5869 (HKDF); McGrew and Viega (AES-GCM); the low-order points that the Wycheproof project
lists for X25519; FIPS 203 (ML-KEM: the modulus check of 7.2, the implicit rejection of 6.3).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.crypto.derivation import derive
from accounts.crypto.errors import BadPublicKey, CannotOpen
from accounts.crypto.keys import SharingKey
from accounts.crypto.sealing import ENC_BYTES, open_sealed, seal
from accounts.crypto.vault import open_under, seal_under

SEED = bytes(range(32))
PUBLIC = SharingKey(SEED).public
KEM_BYTES = 1088  # of ML-KEM-768's ciphertext; X25519's share follows
P = 2**255 - 19
LOW_ORDER = [
    number.to_bytes(32, "little")
    for number in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        P - 1,
        P,
        P + 1,
    )
]
Q = 3329


def test_hkdf_is_rfc_5869() -> None:
    """A.1, A.2's lengths, and A.3 (no salt, no info)."""
    secret = b"\x0b" * 22
    one = derive(secret, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), length=42, salt=bytes(range(13)))
    assert one.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    two = derive(bytes(range(0x50)), bytes(range(0xB0, 0x100)), length=82, salt=bytes(range(0x60, 0xB0)))
    assert two.hex().startswith("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c")
    three = derive(secret, b"", length=42)
    assert three.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


@pytest.mark.parametrize("length", [0, 1, 15])
def test_nothing_is_derived_from_a_short_secret(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        derive(bytes(length), b"info")


def test_aes_gcm_is_nist_s() -> None:
    """McGrew and Viega's test cases 14 and 16: 256-bit keys, without and with associated data."""
    tag = "d0d1c8a799996bf0265b98b5d48ab919"
    sealed = bytes(12) + bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18" + tag)
    assert open_under(bytes(32), sealed, b"") == bytes(16)
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    sealed = bytes.fromhex(
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    opened = open_under(key, sealed, bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    assert opened.hex() == (
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )


def test_every_bit_of_sealed_bytes_and_of_their_context_counts() -> None:
    sealed, associated = seal_under(SEED, b"secret", b"context"), b"context"
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CannotOpen):
            open_under(SEED, bytes(changed), associated)
    for other in (b"", b"contex", b"context\0", b"Context"):
        with pytest.raises(CannotOpen):
            open_under(SEED, sealed, other)
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            open_under(SEED, sealed[:length], associated)
    assert open_under(SEED, sealed, associated) == b"secret"


@pytest.mark.parametrize("high_bit", [0, 0x80])
@pytest.mark.parametrize("point", LOW_ORDER)
def test_nothing_is_sealed_to_or_opened_with_a_point_of_low_order(point: bytes, high_bit: int) -> None:
    """The high bit is masked by X25519, so each point has two spellings."""
    point = point[:31] + bytes((point[31] | high_bit,))
    with pytest.raises(BadPublicKey):
        seal(PUBLIC[:1185] + point, b"context", b"secret")
    sealed = seal(PUBLIC, b"context", b"secret")
    with pytest.raises(CannotOpen):
        open_sealed(SEED, b"context", sealed[: 1 + KEM_BYTES] + point + sealed[1 + ENC_BYTES :])


@pytest.mark.parametrize("place", [0, 1, 383, 767])
@pytest.mark.parametrize("coefficient", [Q, Q + 1, 4095])
def test_a_kem_key_with_a_coefficient_beyond_the_modulus_is_refused(place: int, coefficient: int) -> None:
    """Two coefficients of 12 bits lie in 3 bytes (FIPS 203, 4.2.1)."""
    at, high = 1 + place // 2 * 3, place % 2
    pair = int.from_bytes(PUBLIC[at : at + 3], "little")
    pair = (pair & (0xFFF if high else 0xFFF000)) | coefficient << 12 * high
    with pytest.raises(BadPublicKey):
        seal(PUBLIC[:at] + pair.to_bytes(3, "little") + PUBLIC[at + 3 :], b"context", b"secret")


@pytest.mark.parametrize("length", [1, 33, 1184, 1185, 1216, 1218, 2434])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadPublicKey):
        seal((PUBLIC * 2)[:length], b"context", b"secret")


@pytest.mark.parametrize("kem", [bytes(KEM_BYTES), b"\xff" * KEM_BYTES, PUBLIC[1 : 1 + KEM_BYTES]])
def test_a_made_up_kem_ciphertext_opens_nothing(kem: bytes) -> None:
    sealed = seal(PUBLIC, b"context", b"secret")
    with pytest.raises(CannotOpen):
        open_sealed(SEED, b"context", sealed[:1] + kem + sealed[1 + KEM_BYTES :])


def test_halves_of_two_envelopes_make_none() -> None:
    one, two = seal(PUBLIC, b"context", b"secret"), seal(PUBLIC, b"context", b"secret")
    for border in (1 + KEM_BYTES, 1 + ENC_BYTES):
        with pytest.raises(CannotOpen):
            open_sealed(SEED, b"context", one[:border] + two[border:])


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 8 * 1143 - 1), cut=st.integers(1, 1143))
def test_no_changed_or_cut_envelope_opens(bit: int, cut: int) -> None:
    sealed = seal(PUBLIC, b"context", b"secret")
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    for refused in (bytes(changed), sealed[:-cut], sealed + b"\0"):
        with pytest.raises(CannotOpen):
            open_sealed(SEED, b"context", refused)
