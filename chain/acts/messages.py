"""Acts: what a user signs. Their types come from the contract's ABI; nothing here touches the database."""

from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from chain.contract import slots
from chain.contract.abi import act_types
from chain.contract.encoding import encode_act, encode_word
from chain.contract.slots import (
    ZERO_ADDRESS,
    folder_scope,
    record_id,
    slot_affiliation,
    slot_answer,
    slot_block,
    slot_close,
    slot_epoch,
    slot_generation,
    slot_giveup,
    slot_grant,
    slot_institution,
    slot_key,
    slot_log,
    slot_name,
    slot_record,
    slot_recovery,
    slot_request,
)
from chain.errors import ActError
from chain.keys.ecdsa import sign_digest
from chain.node.deployment import domain
from chain.node.domain import Domain

__all__ = [
    "ZERO_ADDRESS",
    "PreparedAct",
    "SignedAct",
    "folder_scope",
    "prepare_act",
    "record_id",
    "sign_act",
    "slot_affiliation",
    "slot_answer",
    "slot_block",
    "slot_close",
    "slot_epoch",
    "slot_generation",
    "slot_giveup",
    "slot_grant",
    "slot_institution",
    "slot_key",
    "slot_log",
    "slot_name",
    "slot_record",
    "slot_recovery",
    "slot_request",
]

_OPTIONAL_ADDRESSES = {"via", "recovery"}


@dataclass(frozen=True)
class PreparedAct:
    """An act before its signature. `fields` are JSON-able and in the struct's order."""

    kind: str
    fields: dict[str, Any]

    @property
    def author(self) -> str:
        """Return the account that acts."""
        return str(self.fields["author"])

    @property
    def subject(self) -> str:
        """Return the patient, institution or account the act is about."""
        return slots.subject(self.kind, self.fields)

    @property
    def slot(self) -> tuple[str, int]:
        """Return the place on the chain that the act takes: its key, and serial, version or epoch."""
        return slots.slot_of(self.kind, self.fields)

    @property
    def builds_on(self) -> list[tuple[str, int | None]]:
        """Return the slots whose waiting acts come first, each up to a number (None: any)."""
        return slots.builds_on(self.kind, self.fields)

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """Return the EIP-712 message, as a wallet takes it (eth_signTypedData_v4)."""
        members = [{"name": name, "type": solidity} for name, solidity in act_types()[self.kind].members]
        return {
            "types": {"EIP712Domain": domain.members, self.kind: members},
            "primaryType": self.kind,
            "domain": domain.fields,
            "message": dict(self.fields),
        }

    def digest(self, domain: Domain) -> str:
        """Return the EIP-712 digest that is signed, 0x-hex. It is the same only if every field is."""
        kind = act_types()[self.kind]
        members = [kind.type_hash]
        for name, solidity in kind.members:
            value = self.fields[name]
            if solidity == "bytes":
                members.append(keccak(bytes.fromhex(value[2:])))
            else:
                members.append(encode_word(solidity, value))
        return "0x" + keccak(b"\x19\x01" + domain.separator + keccak(b"".join(members))).hex()

    def calldata(self, signature: bytes) -> bytes:
        """Return the call that carries the act to the contract."""
        kind = act_types()[self.kind]
        return kind.selector + encode_act(kind.members, self.fields, signature)


@dataclass(frozen=True)
class SignedAct:
    """An act with its author's signature; `contract_signed` where a contract (ERC-1271) has to judge it."""

    act: PreparedAct
    signature: bytes = field(repr=False)
    contract_signed: bool = False


def prepare_act(kind: str, **fields: Any) -> PreparedAct:
    """Return an act of this kind with these fields.

    Addresses are checksummed strings, bytes and bytes32 are `bytes` or 0x-hex, numbers are ints.
    ActError, in plain words, for a name, type, range or checksum that is not right.
    """
    known = act_types().get(kind)
    if known is None:
        raise ActError(f"There is no act {kind!r}.")
    names = [name for name, _ in known.members]
    if missing := [name for name in names if name not in fields]:
        raise ActError(f"{kind} lacks {', '.join(missing)}.")
    if extra := sorted(set(fields) - set(names)):
        raise ActError(f"{kind} has no field {', '.join(extra)}.")
    return PreparedAct(kind, {name: _field(name, solidity, fields[name]) for name, solidity in known.members})


def sign_act(act: PreparedAct, signing_key: bytes) -> SignedAct:
    """Return the act, signed for the configured contract with a 32-byte key."""
    return SignedAct(act, sign_digest(signing_key, bytes.fromhex(act.digest(domain())[2:])))


def _field(name: str, solidity: str, value: Any) -> Any:
    if solidity == "address":
        return _address(name, value)
    if solidity == "bool":
        if not isinstance(value, bool):
            raise ActError(f"{name} is not yes or no.")
        return value
    if solidity.startswith("uint"):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << int(solidity[4:]):
            raise ActError(f"{name} is not a whole number of {solidity[4:]} bits.")
        return value
    return _bytes(name, solidity, value)


def _address(name: str, value: Any) -> str:
    if not isinstance(value, str) or not is_checksum_address(value):
        raise ActError(f"{name} is not an address, or its checksum is wrong.")
    if value == ZERO_ADDRESS and name not in _OPTIONAL_ADDRESSES:
        raise ActError(f"{name} is the zero address.")
    return value


def _bytes(name: str, solidity: str, value: Any) -> str:
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value.removeprefix("0x")) if value.startswith("0x") else None
        except ValueError:
            value = None
    if not isinstance(value, bytes):
        raise ActError(f"{name} is neither bytes nor 0x-hex.")
    if solidity != "bytes" and len(value) != int(solidity[5:]):
        raise ActError(f"{name} is not {solidity[5:]} bytes long.")
    return "0x" + value.hex()
