"""Sealing bytes to a published sharing key: HPKE base mode (RFC 9180) with X-Wing."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from accounts.crypto.errors import BadPublicKey, CannotOpen
from accounts.crypto.keys import PUBLIC_BYTES, SUITE, SharingKey

ENC_BYTES = 1120
OVERHEAD = 1 + ENC_BYTES + 16
"""How much longer sealed bytes are than their plaintext."""

_PROBE = X25519PrivateKey.from_private_bytes(b"\x01" * 32)  # any: a point of low order fails with each
_HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def check_public_key(public: bytes) -> MLKEM768X25519PublicKey:
    """Return a published sharing key as HPKE takes it. Raises BadPublicKey for one that nothing is sealed to.

    That is another length or suite, an ML-KEM key that is out of range (FIPS 203, 7.2), and an X25519 point
    of low order, with which every shared secret is zero (RFC 7748, 6.1).
    """
    if len(public) != PUBLIC_BYTES or public[0] != SUITE:
        raise BadPublicKey("not a sharing key of a known suite")
    try:
        point = X25519PublicKey.from_public_bytes(public[1185:])
        _PROBE.exchange(point)
        return MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(public[1:1185]), point)
    except ValueError as error:
        raise BadPublicKey("not a usable sharing key") from error


def is_usable_key(public: bytes) -> bool:
    """Whether anything can be sealed to a published sharing key."""
    try:
        check_public_key(public)
    except BadPublicKey:
        return False
    return True


def seal(recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Suite byte, 1,120-byte encapsulated key, ciphertext. `info` is the context, needed again to open.

    The caller has checked the key against the digest in the contract's state. Raises BadPublicKey.
    """
    public = check_public_key(recipient_public)
    try:
        return bytes((SUITE,)) + _HPKE.encrypt(plaintext, public, info=info)
    except ValueError as error:
        raise BadPublicKey("not a usable sharing key") from error


def open_sealed(seed: bytes, info: bytes, sealed: bytes) -> bytes:
    """What was sealed to the key of this seed, in this context. Raises CannotOpen."""
    if len(sealed) < OVERHEAD or sealed[0] != SUITE:
        raise CannotOpen("not sealed bytes of a known suite")
    try:
        return _HPKE.decrypt(sealed[1:], SharingKey(seed).private, info=info)
    except InvalidTag as error:
        raise CannotOpen("this key and context do not open it") from error
