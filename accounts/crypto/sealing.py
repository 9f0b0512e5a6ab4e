"""Sealing bytes to a published sharing key: HPKE base mode (RFC 9180) with X-Wing."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from accounts.crypto.errors import BadPublicKey, CannotOpen
from accounts.crypto.keys import PUBLIC_BYTES, SUITE, SharingKey

ENC_BYTES = 1120
OVERHEAD = 1 + ENC_BYTES + 16
"""How much longer sealed bytes are than their plaintext."""

_HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal(recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Suite byte, 1,120-byte encapsulated key, ciphertext. `info` is the context, needed again to open.

    The caller has checked the key against the digest in the contract's state. Raises BadPublicKey.
    """
    if len(recipient_public) != PUBLIC_BYTES or recipient_public[0] != SUITE:
        raise BadPublicKey("not a sharing key of a known suite")
    try:
        public = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(recipient_public[1:1185]),
            X25519PublicKey.from_public_bytes(recipient_public[1185:]),
        )
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
