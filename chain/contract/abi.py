"""The contract's ABI, read once from its committed artifacts: types of acts, events and refusals."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

ARTIFACT_PATH = Path(__file__).parents[1] / "contracts" / "artifact.json"
SUCCESSOR_PATH = ARTIFACT_PATH.with_name("successor.json")

# The act whose fields an event carries, every one, by the same name.
ACT_OF_EVENT = {
    "InstitutionAdmitted": "AdmitInstitution",
    "DoctorAffiliated": "AffiliateDoctor",
    "InstitutionLeft": "LeaveInstitution",
    "KeyPublished": "PublishKey",
    "RecoveryNamed": "NameRecovery",
    "KeysReplaced": "ReplaceKeys",
    "FolderNamed": "NameFolder",
    "RecordAdded": "NewRecord",
    "RecordModified": "ModifyRecord",
    "RecordClosed": "CloseRecord",
    "SenderBlocked": "BlockSender",
    "AccessRequested": "RequestAccess",
    "RequestWithdrawn": "WithdrawRequest",
    "AccessDenied": "DenyAccess",
    "AccessGranted": "GrantAccess",
    "AccessRevoked": "RevokeAccess",
    "AccessGivenUp": "GiveUpAccess",
    "FolderRekeyed": "RekeyFolder",
    "LogAnchored": "AnchorLog",
}


@dataclass(frozen=True)
class ActType:
    """A struct of the contract: an act's fields in their order, its EIP-712 type and its function."""

    kind: str
    members: tuple[tuple[str, str], ...]
    type_hash: bytes
    selector: bytes


@dataclass(frozen=True)
class EventType:
    """An event of an act."""

    name: str
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]


@cache
def artifact() -> dict[str, Any]:
    """Return the committed build of the contract."""
    loaded: dict[str, Any] = json.loads(ARTIFACT_PATH.read_text())
    return loaded


@cache
def successor_artifact() -> dict[str, Any]:
    """Return the committed build of the contract that takes another's place: the same acts and events."""
    loaded: dict[str, Any] = json.loads(SUCCESSOR_PATH.read_text())
    return loaded


@cache
def act_types() -> dict[str, ActType]:
    """Return every act the contract takes, by kind."""
    types = {}
    for entry in artifact()["abi"]:
        inputs = entry.get("inputs", [])
        if entry["type"] != "function" or len(inputs) != 2 or inputs[0]["type"] != "tuple":
            continue
        kind = inputs[0]["internalType"].rsplit(".", 1)[-1]
        members = tuple((part["name"], part["type"]) for part in inputs[0]["components"])
        encoded = f"{kind}({','.join(f'{solidity} {name}' for name, solidity in members)})"
        plain = f"({','.join(solidity for _, solidity in members)})"
        selector = keccak(text=f"{entry['name']}({plain},bytes)")[:4]
        types[kind] = ActType(kind, members, keccak(text=encoded), selector)
    return types


@cache
def event_types() -> dict[bytes, EventType]:
    """Return the events of acts, by topic."""
    types = {}
    for entry in artifact()["abi"]:
        if entry["type"] != "event" or entry["name"] not in ACT_OF_EVENT:
            continue
        topic = keccak(text=f"{entry['name']}({','.join(part['type'] for part in entry['inputs'])})")
        indexed = tuple((p["name"], p["type"]) for p in entry["inputs"] if p["indexed"])
        data = tuple((p["name"], p["type"]) for p in entry["inputs"] if not p["indexed"])
        types[topic] = EventType(entry["name"], topic, indexed, data)
    return types


def plain_value(solidity: str, value: Any) -> Any:
    """Return a decoded ABI value as it stands in SQL and JSON: checksummed address, 0x-hex, int or bool."""
    if solidity == "address":
        return str(to_checksum_address(value))
    if solidity.startswith("bytes"):
        return "0x" + bytes(value).hex()
    return value


def raw_value(solidity: str, value: Any) -> Any:
    """Return the inverse of `plain_value`, for the encoder."""
    return bytes.fromhex(value[2:]) if solidity.startswith("bytes") else value


def decode_log_by_abi(topics: list[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return name and arguments of an act's event; None for any other log of the contract."""
    kind = event_types().get(topics[0]) if topics else None
    if kind is None:
        return None
    args = {
        name: plain_value(solidity, decode([solidity], topic)[0])
        for (name, solidity), topic in zip(kind.indexed, topics[1:], strict=True)
    }
    values = decode([solidity for _, solidity in kind.data], data)
    args |= {name: plain_value(solidity, v) for (name, solidity), v in zip(kind.data, values, strict=True)}
    return kind.name, args


@cache
def _functions() -> dict[str, dict[str, Any]]:
    entries = [*successor_artifact()["abi"], *artifact()["abi"]]
    return {entry["name"]: entry for entry in entries if entry["type"] == "function"}


def _abi_type(part: dict[str, Any]) -> str:
    return str(part["type"])


def encode_call(function: str, *args: Any) -> bytes:
    """Calldata of a function whose arguments are plain ABI types (views and relay)."""
    types = [_abi_type(part) for part in _functions()[function]["inputs"]]
    values = [raw_value(kind, v) if isinstance(v, str) else v for kind, v in zip(types, args, strict=True)]
    return function_selector(function) + encode(types, values)


@cache
def function_selector(function: str) -> bytes:
    """Return the four bytes that a call of this function begins with."""
    types = [_abi_type(part) for part in _functions()[function]["inputs"]]
    return bytes(keccak(text=f"{function}({','.join(types)})")[:4])


def decode_result(function: str, data: bytes) -> tuple[Any, ...]:
    """Return what a function returned."""
    return tuple(decode([_abi_type(part) for part in _functions()[function]["outputs"]], data))


def constructor_data(*args: Any, build: dict[str, Any] | None = None) -> bytes:
    """Return the creation code of the first contract, or of another build, with constructor arguments."""
    build = artifact() if build is None else build
    entry = next(e for e in build["abi"] if e["type"] == "constructor")
    return bytes.fromhex(build["bytecode"][2:]) + encode([_abi_type(p) for p in entry["inputs"]], args)


def code_matches(code: bytes) -> bool:
    """Return whether deployed code is this release's, first contract or successor."""
    return _is_of(artifact(), code) or _is_of(successor_artifact(), code)


def _is_of(build: dict[str, Any], code: bytes) -> bool:
    """Return whether code is of a build, leaving out what its constructor fixed."""
    expected = bytearray.fromhex(build["deployedBytecode"][2:])
    actual = bytearray(code)
    if len(expected) != len(actual):
        return False
    for places in build["immutableReferences"].values():
        for place in places:
            start, end = place["start"], place["start"] + place["length"]
            expected[start:end] = actual[start:end] = bytes(place["length"])
    return expected == actual
