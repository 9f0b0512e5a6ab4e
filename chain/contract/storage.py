"""Where the contract keeps what an event has changed: slots of its storage, by the compiler's layout.

A mapping's value stands at keccak256(key || slot of the mapping), each in 32 bytes (Solidity, "Layout of
State Variables in Storage").
"""

from collections.abc import Iterator
from typing import Any

from eth_utils.crypto import keccak

from chain.contract.abi import artifact

ROLE_GRANTED = "0x" + keccak(text="RoleGranted(bytes32,address,address)").hex()


def slots_of(name: str, fields: dict[str, Any]) -> Iterator[int]:
    """Yield the slots that an event of this name, with these fields, has changed."""
    author = fields["author"]
    match name:
        case "InstitutionAdmitted":
            yield _slot("_institutions", fields["institution"])
        case "DoctorAffiliated":
            yield _slot("_affiliations", author, fields["doctor"])
        case "InstitutionLeft":
            yield _slot("_affiliations", fields["institution"], author)
        case "KeyPublished" | "KeysReplaced":
            yield _slot("_keys", author)
            yield _slot("_keyDigests", author)
        case "RecoveryNamed":
            yield _slot("_recoveries", author)
        case "FolderNamed" | "FolderRekeyed":
            yield _slot("_folders", author, fields["folder"])
        case "RecordAdded" | "RecordModified" | "RecordClosed":
            yield _slot("_records", fields["record"])
        case "SenderBlocked":
            yield _slot("_keys", author)  # says that there are any
            yield _slot("_blocks", author, fields["sender"])
        case "AccessRequested" | "RequestWithdrawn" | "AccessDenied":
            yield _slot("_requests", fields["request"])
        case "AccessGranted" | "AccessRevoked":
            yield _grant_slot(author, fields["grantee"], fields)
        case "AccessGivenUp":
            yield _grant_slot(fields["patient"], author, fields)
        case "LogAnchored":
            yield _slot("_logs", author, fields["log"])
        case _:
            raise KeyError(name)


def role_slot(role: str, account: str) -> int:
    """Return the slot that says whether an account has a role (0x-hex)."""
    return _slot("_roles", role, account)


def _grant_slot(patient: str, grantee: str, fields: dict[str, Any]) -> int:
    key = keccak(b"".join(map(_word, (patient, grantee, fields["via"], fields["scope"]))))
    return _slot("_grants", "0x" + key.hex())


def _slot(mapping: str, *keys: str | int) -> int:
    """Return the slot of a value in a mapping, or in a mapping of mappings."""
    slot: int = artifact()["storage"][mapping]
    for key in keys:
        slot = int.from_bytes(keccak(_word(key) + slot.to_bytes(32)))
    return slot


def _word(value: str | int) -> bytes:
    """Return a number, an address or a 32-byte word (0x-hex), in 32 bytes."""
    return (value if isinstance(value, int) else int(value, 16)).to_bytes(32)
