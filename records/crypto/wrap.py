"""The wrapped secret: a version's data key under its folder's key, bound to its record."""

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from accounts.crypto.derivation import derive, labelled, require_length
from records.crypto.errors import CannotUnwrap

WRAPPED_BYTES = 40


def wrap(folder_key: bytes, record_id: bytes, data_key: bytes) -> bytes:
    """40 bytes: AES Key Wrap (RFC 3394) under a key that only this folder key and record id make."""
    return aes_key_wrap(_wrapping_key(folder_key, record_id), require_length("data key", data_key, 32))


def unwrap(folder_key: bytes, record_id: bytes, wrapped: bytes) -> bytes:
    """The 32-byte data key. Raises CannotUnwrap, also for a secret copied from another record."""
    if len(wrapped) != WRAPPED_BYTES:
        raise CannotUnwrap(f"a wrapped secret has {WRAPPED_BYTES} bytes")
    try:
        return aes_key_unwrap(_wrapping_key(folder_key, record_id), wrapped)
    except InvalidUnwrap as error:
        raise CannotUnwrap("this folder key does not open this record's secret") from error


def _wrapping_key(folder_key: bytes, record_id: bytes) -> bytes:
    info = labelled("record-wrap", require_length("record id", record_id, 32))
    return derive(require_length("folder key", folder_key, 32), info)
