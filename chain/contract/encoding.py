"""Acts as bytes, fast and exact: what eth_abi would write, for the few types that acts are made of.

A relayer encodes hundreds of acts for each transaction; eth_abi takes a quarter of a millisecond for each.
"""

from collections.abc import Sequence
from itertools import accumulate, islice
from typing import Any

_ADDRESS_PADDING = bytes(12)


def encode_word(solidity: str, value: Any) -> bytes:
    """Return a static value (address, bool, uintN, bytes32; plain, as in acts) as 32 bytes.

    ValueError or OverflowError where it does not fit its type.
    """
    if solidity == "address":
        return _ADDRESS_PADDING + _exactly(20, value)
    if solidity == "bytes32":
        return _exactly(32, value)
    if solidity == "bool":
        return int(value).to_bytes(32)
    if solidity.startswith("uint"):
        return bytes((256 - int(solidity[4:])) // 8) + int(value).to_bytes(int(solidity[4:]) // 8)
    raise ValueError(f"an act has no {solidity}")


def encode_bytes(data: bytes) -> bytes:
    """Return a `bytes` value: its length, and itself filled up to whole words."""
    return len(data).to_bytes(32) + data + bytes(-len(data) % 32)


def encode_list(items: Sequence[bytes]) -> bytes:
    """Return a single argument of type `bytes[]`: where it begins, how many, where each begins, each."""
    encoded = [encode_bytes(item) for item in items]
    places = accumulate((len(item) for item in encoded), initial=32 * len(encoded))
    head = [32, len(encoded), *islice(places, len(encoded))]
    return b"".join([number.to_bytes(32) for number in head] + encoded)


def encode_struct(members: Sequence[tuple[str, str]], fields: dict[str, Any]) -> bytes:
    """Return a struct of these (name, type) members, as abi.encode writes what is inside it."""
    heads, tail = [], b""
    for name, solidity in members:
        if solidity == "bytes":
            heads.append((32 * len(members) + len(tail)).to_bytes(32))
            tail += encode_bytes(bytes.fromhex(fields[name][2:]))
        else:
            heads.append(encode_word(solidity, fields[name]))
    return b"".join(heads) + tail


def encode_act(members: Sequence[tuple[str, str]], fields: dict[str, Any], signature: bytes) -> bytes:
    """Return the arguments of an act's function: its struct, and the signature."""
    struct, signed = encode_struct(members, fields), encode_bytes(signature)
    if any(solidity == "bytes" for _, solidity in members):
        return (64).to_bytes(32) + (64 + len(struct)).to_bytes(32) + struct + signed
    return struct + (len(struct) + 32).to_bytes(32) + signed


def _exactly(size: int, value: str) -> bytes:
    raw = bytes.fromhex(value[2:])
    if len(raw) != size:
        raise ValueError(f"{value} is not {size} bytes long")
    return raw
