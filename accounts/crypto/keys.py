"""The keys of an account, all derived from its phrase's entropy."""

import hashlib
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from eth_account import Account
from eth_account.hdaccount import key_from_seed
from eth_utils.crypto import keccak
from mnemonic import Mnemonic

from accounts.crypto.derivation import derive, labelled, require_length, u32
from accounts.crypto.phrase import ENTROPY_BYTES, phrase_of

SEED_BYTES = 32
SUITE = 1
"""MLKEM768_X25519 (X-Wing, KEM 0x647A), HKDF-SHA256, AES-256-GCM: first byte of keys and sealed bytes."""
PUBLIC_BYTES = 1 + 1184 + 32


def signing_key(entropy: bytes, index: int) -> bytes:
    """The 32-byte secp256k1 key at m/44'/60'/0'/0/index (BIP-44) of the phrase, without a passphrase."""
    seed = Mnemonic.to_seed(phrase_of(entropy), passphrase="")
    return bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{index}"))


def address_of(signing_key: bytes) -> str:
    """The Ethereum address of a signing key, with its checksum (EIP-55)."""
    return str(Account.from_key(signing_key).address)


def sharing_seed(entropy: bytes, index: int, generation: int, version: int) -> bytes:
    """The 32-byte seed of one version of an account's sharing key."""
    return derive(
        require_length("entropy", entropy, ENTROPY_BYTES),
        labelled("sharing-seed", u32(index), u32(generation), u32(version)),
    )


def folder_root(entropy: bytes, index: int) -> bytes:
    """The 32 bytes from which all folder secrets of an account come."""
    return derive(require_length("entropy", entropy, ENTROPY_BYTES), labelled("folder-root", u32(index)))


def private_key(root: bytes) -> bytes:
    """The AES-256 key, from the folder root, of what an account keeps for itself alone: drafts, its lists."""
    return derive(require_length("folder root", root, 32), labelled("private-key"))


def key_digest(public: bytes) -> str:
    """keccak256 of a published sharing key, as the contract's state has it: "0x" and 64 hex digits."""
    return "0x" + keccak(public).hex()


class SharingKey:
    """A sharing key pair, from its seed: SHAKE-256 gives 64 bytes for ML-KEM-768 and 32 for X25519.

    Source: draft-connolly-cfrg-xwing-kem, expandDecapsulationKey.
    """

    def __init__(self, seed: bytes) -> None:
        expanded = hashlib.shake_256(require_length("sharing seed", seed, SEED_BYTES)).digest(96)
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self._x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])

    def __repr__(self) -> str:
        return f"<SharingKey {self.digest}>"

    @cached_property
    def public(self) -> bytes:
        """The published form, 1,217 bytes: suite, ML-KEM-768 encapsulation key (1,184), X25519 key (32)."""
        mlkem = self._mlkem.public_key().public_bytes_raw()
        return bytes((SUITE,)) + mlkem + self._x25519.public_key().public_bytes_raw()

    @cached_property
    def digest(self) -> str:
        """keccak256 of `public`: "0x" and 64 hex digits."""
        return key_digest(self.public)

    @property
    def private(self) -> MLKEM768X25519PrivateKey:
        """The pair as HPKE takes it."""
        return MLKEM768X25519PrivateKey(self._mlkem, self._x25519)
