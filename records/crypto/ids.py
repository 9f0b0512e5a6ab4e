"""Ids of records, requests and selections, as the contract makes or takes them."""

from collections.abc import Iterable

from eth_utils.crypto import keccak

from accounts.crypto.derivation import require_length
from accounts.crypto.origin import address_bytes

SELECTION_MAX = 10_000


def record_id(author: str, nonce: bytes) -> bytes:
    """keccak256 of the author's account (20 bytes) and 32 random bytes: nobody can take it first."""
    return keccak(address_bytes(author) + require_length("nonce", nonce, 32))


def request_id(author: str, nonce: bytes) -> bytes:
    """keccak256 of the asking account (20 bytes) and 32 random bytes."""
    return record_id(author, nonce)


def selection_id(patient: str, nonce: bytes, record_ids: Iterable[bytes]) -> bytes:
    """keccak256 of patient (20 bytes), 32 random bytes and the record ids, sorted, each once.

    Raises ValueError for none, for more than 10,000 or for a record named twice.
    """
    ids = sorted(require_length("record id", record, 32) for record in record_ids)
    if not 0 < len(ids) <= SELECTION_MAX or len(set(ids)) != len(ids):
        raise ValueError(f"a selection has 1 to {SELECTION_MAX} records, each once")
    return keccak(address_bytes(patient) + require_length("nonce", nonce, 32) + b"".join(ids))
