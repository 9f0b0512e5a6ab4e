"""Whether the keys that this portal holds have their roles in the contract."""

from dataclasses import dataclass

from eth_utils.crypto import keccak

from chain.errors import MissingKey
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import admission_key, anchor_key
from chain.node import client


@dataclass(frozen=True)
class MissingRole:
    """A key without its role: the key's name, the role's name and the key's address."""

    key: str
    role: str
    address: str

    def __str__(self) -> str:
        return (
            f"The {self.key} key here ({self.address}) has no role in the contract: what it signs is refused."
            f" Put back the former key (var/keys/{self.key}.key), have the administrator's key grant"
            f" {self.role}, or remove this one."
        )


def missing_roles() -> list[MissingRole]:
    """Return the keys that are held here and lack their role. Raises ChainError."""
    missing = []
    for name, role, read in (
        ("admission", "ADMISSION_ROLE", admission_key),
        ("anchor", "ANCHOR_ROLE", anchor_key),
    ):
        try:
            address = address_of_key(read())
        except MissingKey:
            continue
        if client.view("hasRole", keccak(text=role), address) != (True,):
            missing.append(MissingRole(name, role, address))
    return missing
