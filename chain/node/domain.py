"""The EIP-712 domain in which acts are signed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

_DOMAIN_MEMBERS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True)
class Domain:
    """The EIP-712 domain: to which contract a signature speaks."""

    chain_id: int
    contract: str

    @property
    def members(self) -> list[dict[str, str]]:
        """Return the domain's type, as EIP-712 JSON has it."""
        return list(_DOMAIN_MEMBERS)

    @property
    def fields(self) -> dict[str, Any]:
        """Return the domain's values, as EIP-712 JSON has them."""
        return {
            "name": "MedRec",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }

    @cached_property
    def separator(self) -> bytes:
        """Return the domain's 32-byte hash."""
        types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        names = [keccak(text=_DOMAIN_TYPE), keccak(text="MedRec"), keccak(text="1")]
        return bytes(keccak(encode(types, [*names, self.chain_id, self.contract])))
