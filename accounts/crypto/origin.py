"""The contract's identity, which is part of every key and context that belongs to it."""

import re
from dataclasses import dataclass

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def address_bytes(address: str) -> bytes:
    """The 20 bytes of "0x" and 40 hex digits. Raises ValueError."""
    if not ADDRESS.fullmatch(address):
        raise ValueError("an address is 0x and 40 hex digits")
    return bytes.fromhex(address[2:])


@dataclass(frozen=True)
class Origin:
    """Chain id and address of the first contract; a successor contract carries the same one."""

    chain_id: int
    contract: str

    def to_bytes(self) -> bytes:
        """52 bytes: the chain id in 32, big-endian, and the address."""
        return self.chain_id.to_bytes(32, "big") + address_bytes(self.contract)
