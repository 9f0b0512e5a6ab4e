"""The contract's custom errors in plain words."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from chain.contract.abi import artifact

_WORDS = {
    "AccessControlUnauthorizedAccount": "The contract has not given this key the role it needs.",
    "ActFailed": "The act is malformed, or its signature takes too much gas to check.",
    "BadFlags": "The record's flags are not known.",
    "BadFolder": "The folder cannot be used for this.",
    "BadGrantee": "Access cannot be granted to this account.",
    "BadKey": "The sharing key has the wrong length or suite.",
    "BadPatient": "No patient is named.",
    "BadPermissions": "These permissions cannot be granted.",
    "BadReason": "The reason is not known.",
    "BadScope": "The scope cannot be granted.",
    "BadSecret": "The wrapped secret has the wrong length.",
    "BadSigner": "The new signer cannot be used.",
    "BadTimes": "The grant's end is missing or not after its start.",
    "BadVia": "The institution named does not fit.",
    "EpochNotCurrent": "The folder has moved to another epoch meanwhile ({current} now, {given} named).",
    "GenerationNotNext": "The keys have been replaced meanwhile.",
    "GrantNotCurrent": "The grant has changed meanwhile.",
    "NotAdmitted": "The institution is not admitted.",
    "NotAffiliated": "The doctor is not affiliated with the institution.",
    "NotAnAct": "This is no act of the contract.",
    "NotSigner": "The signature is not by the account's signer in force.",
    "NoWriteAccess": "There is no write permission for this.",
    "OnlyPatient": "Only the patient may do this.",
    "RecordExists": "A record of this id is there already.",
    "RecordIsClosed": "The record is closed.",
    "RequestExists": "A request of this id is there already.",
    "RequestNotOpen": "The request is no longer open.",
    "SenderIsBlocked": "The patient takes nothing from this sender.",
    "SerialNotNext": "A later act has overtaken this one ({last} is the last, {given} was named).",
    "SizeNotGrowing": "The log does not grow.",
    "UnknownRecord": "There is no such record.",
    "VersionNotNext": "Another version came first ({last} is the last, {given} was named).",
}

# The act was right when it was signed, and the chain moved on: kept for its author, who may sign it anew.
RACES = frozenset(
    {
        "EpochNotCurrent",
        "GenerationNotNext",
        "GrantNotCurrent",
        "NoWriteAccess",
        "NotAdmitted",
        "NotAffiliated",
        "NotSigner",
        "RecordIsClosed",
        "RequestNotOpen",
        "SenderIsBlocked",
        "SerialNotNext",
        "SizeNotGrowing",
        "VersionNotNext",
    }
)


@dataclass(frozen=True)
class Refusal:
    """Why the contract did not take an act: the error's name, and what it means."""

    code: str
    text: str

    @property
    def is_race(self) -> bool:
        """Return whether the act lost a race, instead of never having been right."""
        return self.code in RACES


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    entries = [entry for entry in artifact()["abi"] if entry["type"] == "error"]
    return {keccak(text=f"{e['name']}({','.join(p['type'] for p in e['inputs'])})")[:4]: e for e in entries}


def explain_revert(reason: bytes) -> Refusal:
    """Return the refusal that the ABI-encoded error means."""
    entry = _errors().get(reason[:4])
    if entry is None:
        return Refusal("Unknown", "The contract refused this without saying why.")
    name = entry["name"]
    try:
        values = decode([part["type"] for part in entry["inputs"]], reason[4:])
    except DecodingError:
        return Refusal(name, f"The contract refused this ({name}).")
    values_by_name = {part["name"]: value for part, value in zip(entry["inputs"], values, strict=True)}
    return Refusal(name, _WORDS.get(name, f"The contract refused this ({name}).").format(**values_by_name))
