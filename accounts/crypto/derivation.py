"""How every key is derived and every field written (docs/FORMAT.md, "Conventions")."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def labelled(name: str, *fields: bytes) -> bytes:
    """`medrec/v1/<name>`, a zero byte, then the fields: the zero keeps labels apart whatever follows."""
    return b"medrec/v1/" + name.encode("ascii") + b"\x00" + b"".join(fields)


def u16(number: int) -> bytes:
    """2 bytes, big-endian. Raises OverflowError outside 0..65,535."""
    return number.to_bytes(2, "big")


def u32(number: int) -> bytes:
    """4 bytes, big-endian. Raises OverflowError outside 0..2^32-1."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """8 bytes, big-endian. Raises OverflowError outside 0..2^64-1."""
    return number.to_bytes(8, "big")


def derive(secret: bytes, info: bytes, *, length: int = KEY_BYTES, salt: bytes | None = None) -> bytes:
    """HKDF-SHA256 (RFC 5869) of a secret of at least 16 bytes; no salt means 32 zero bytes."""
    if len(secret) < 16:
        raise ValueError("a secret to derive from has at least 16 bytes")
    return HKDF(SHA256(), length, salt, info).derive(secret)


def require_length(what: str, value: bytes, length: int) -> bytes:
    """The value, if it has exactly this many bytes. Raises ValueError, which does not show it."""
    if len(value) != length:
        raise ValueError(f"{what} has {length} bytes, not {len(value)}")
    return value
