"""secp256k1: signing keys, their addresses, their signatures, signed transactions."""

import sys
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError
from hexbytes import HexBytes

RECURSION_LIMIT = 1000  # calls; Python's own default
# py_ecc, which eth_account brings, lifts Python's limit to 100,000 calls. Deeply nested JSON is then no
# RecursionError: it overruns the thread's stack, and the process dies with all that it was doing.
sys.setrecursionlimit(RECURSION_LIMIT)

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def address_of_key(key: bytes) -> str:
    """Return the checksummed address of a 32-byte signing key."""
    return str(PrivateKey(key).public_key.to_checksum_address())


def sign_digest(key: bytes, digest: bytes) -> bytes:
    """Return the 65-byte signature r || s || v (27 or 28) of a 32-byte digest."""
    signature = PrivateKey(key).sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([signature[64] + 27])


def recover_signer(digest: bytes, signature: bytes) -> str | None:
    """Return the address that signed.

    None where there is no valid signature with a low s (as the contract asks).
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    try:
        plain = Signature(signature[:64] + bytes([signature[64] - 27]))
        return str(to_checksum_address(plain.recover_public_key_from_msg_hash(digest).to_address()))
    except (BadSignature, ValidationError):
        return None


def sign_transaction(key: bytes, fields: dict[str, Any]) -> tuple[bytes, str]:
    """Return an EIP-1559 transaction's signed bytes and its hash."""
    signed = Account.sign_transaction(fields, key)
    return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()


def transaction_call(raw: bytes) -> bytes:
    """Return the calldata of a signed EIP-1559 transaction."""
    return bytes(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["data"])


def keys_of_phrase(phrase: str, count: int) -> list[bytes]:
    """Return the signing keys of a BIP-39 phrase's first accounts (BIP-44, m/44'/60'/0'/0/i)."""
    Account.enable_unaudited_hdwallet_features()
    paths = [f"m/44'/60'/0'/0/{number}" for number in range(count)]
    return [bytes(Account.from_mnemonic(phrase, account_path=path).key) for path in paths]
