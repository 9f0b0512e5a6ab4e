"""Which contract on which chain: what deploy_contract wrote, else what the settings and the node say."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.errors import NotDeployed
from chain.pasted import plain_address

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
        """The domain's type, as EIP-712 JSON has it."""
        return list(_DOMAIN_MEMBERS)

    @property
    def fields(self) -> dict[str, Any]:
        """The domain's values, as EIP-712 JSON has them."""
        return {
            "name": "MedRec",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }

    @cached_property
    def separator(self) -> bytes:
        """The domain's 32-byte hash."""
        types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        names = [keccak(text=_DOMAIN_TYPE), keccak(text="MedRec"), keccak(text="1")]
        return bytes(keccak(encode(types, [*names, self.chain_id, self.contract])))


@dataclass(frozen=True)
class Deployment:
    """A contract in use.

    `origin_*` is the identity that keys are bound to; `block` is the first that can hold its events.
    """

    chain_id: int
    address: str
    origin_chain: int
    origin_contract: str
    block: int = 0


def deployment_path() -> Path:
    """Where deploy_contract writes what it did."""
    return Path(settings.VAR) / "chain" / "contract.json"


def write_deployment(deployed: Deployment) -> None:
    """Keep a deployment, whole or not at all."""
    path = deployment_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(deployed), indent=2) + "\n")
    fresh.replace(path)


_kept: dict[tuple[str, int, str], Deployment] = {}


def deployment() -> Deployment:
    """The contract in use; NotDeployed if there is none yet. Read again when its file changes."""
    path, named = deployment_path(), settings.CHAIN_CONTRACT_ADDRESS
    wanted = plain_address(named) if named else ""
    try:
        stamp = path.stat().st_mtime_ns
    except FileNotFoundError:
        stamp = 0
    key = (str(path), stamp, wanted)
    if key not in _kept:
        found = Deployment(**json.loads(path.read_text())) if stamp else None
        if found is None or (wanted and wanted != found.address):
            found = _ask_node(wanted)
        _kept.clear()
        _kept[key] = found
    return _kept[key]


def _ask_node(address: str) -> Deployment:
    if not address:
        raise NotDeployed("No contract is deployed yet: run `manage.py deploy_contract`.")
    from chain import client  # the client asks for the deployment in its turn

    chain_id = client.chain_id()
    origin_chain, origin_contract = client.origin_of(address)
    return Deployment(chain_id, address, origin_chain, origin_contract)


def domain() -> Domain:
    """The domain of signatures in force."""
    deployed = deployment()
    return _domain(deployed.chain_id, deployed.address)


@lru_cache(maxsize=8)
def _domain(chain_id: int, contract: str) -> Domain:
    """One object for each, so that its separator is hashed once."""
    return Domain(chain_id, contract)


def origin() -> tuple[int, str]:
    """Chain id and address of the first contract: what keys and envelopes are bound to."""
    deployed = deployment()
    return deployed.origin_chain, deployed.origin_contract
