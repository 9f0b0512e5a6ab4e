"""Putting the contract on a chain.

Through the canonical CREATE2 factory, so that its address survives a chain made anew.
"""

import time

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.contract.abi import code_matches, constructor_data
from chain.contract.slots import ZERO_ADDRESS
from chain.errors import ChainError, MissingKey, NotDeployed, WrongDeployment
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key, sign_transaction
from chain.node import client, identity
from chain.node.deployment import (
    Deployment,
    deployment,
    note_deployment,
    read_deployment,
    write_deployment,
)

FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"  # Arachnid's deterministic deployment proxy
SALT = bytes(32)
_GAS = 12_000_000
_TIMEOUT = 60.0
_WAY_OUT = (
    "Put back the chain's folder (var/chain) that goes with the database, or name a node of that chain in "
    "CHAIN_RPC_URL. To begin anew, use an empty data folder (VAR) and database."
)


def deploy() -> tuple[Deployment, bool]:
    """Return the contract in use, and whether it was deployed just now.

    The first time it goes onto the chain, and the database is bound to it. A database that knows its contract
    never gets another one here. Its place is written to var/chain/contract.json, too. Raises ChainError.
    """
    try:
        known = deployment()
    except NotDeployed:
        return _deploy_first()
    is_new = _bring_back(known)
    if read_deployment() != known:
        write_deployment(known)
    return known, is_new


def _deploy_first() -> tuple[Deployment, bool]:
    deployed, is_new = put_contract(identity.chain_id())
    if (known := note_deployment(deployed)).address != deployed.address:
        raise WrongDeployment(f"Another machine has deployed {known.address} meanwhile: run this again.")
    write_deployment(known)
    return known, is_new


def put_contract(chain_id: int) -> tuple[Deployment, bool]:
    """Put the contract of this portal's keys onto the chain, unless it is there. Raises ChainError."""
    code = _creation_code()
    address = contract_address(code)
    block, is_new = 0, not client.code(address)
    if is_new:
        if not client.code(FACTORY):
            raise ChainError(f"The chain has no CREATE2 factory at {FACTORY}.")
        block = send_and_wait(portal_keys.relayer_keys()[0], FACTORY, SALT + code, gas=_GAS).block_number
    if not code_matches(client.code(address)):
        raise ChainError(f"The code at {address} is not the contract's.")
    first_chain, first = identity.origin_of(address)
    return Deployment(chain_id, address, first_chain, first, block), is_new


def check_node(known: Deployment) -> None:
    """Raise WrongDeployment unless the node is of a contract's chain; the text says the way out."""
    if (chain_id := identity.chain_id()) != known.chain_id:
        raise WrongDeployment(
            f"The node is of chain {chain_id}, but this database belongs to contract {known.address} on "
            f"chain {known.chain_id}. {_WAY_OUT}"
        )


def check_code(known: Deployment) -> bool:
    """Return whether a contract's code is on the chain. Raises WrongDeployment for another version's."""
    code = client.code(known.address)
    if code and not code_matches(code):
        raise WrongDeployment(
            f"The contract in use, {known.address}, is of another version of MedRec, and everything is"
            " registered there. Go on with that version, move to a successor contract (docs/OPERATIONS.md),"
            " or begin anew with an empty data folder (VAR)."
        )
    return bool(code)


def _bring_back(known: Deployment) -> bool:
    """Deploy the very same contract again where its chain has lost it. Returns whether it had."""
    check_node(known)
    if check_code(known):
        return False
    try:
        ours = contract_address(_creation_code())
    except MissingKey:
        ours = ""
    if ours != known.address:
        raise WrongDeployment(
            f"The chain has no contract at {known.address}, which this database belongs to. {_WAY_OUT}"
        )
    return put_contract(known.chain_id)[1]


def _creation_code() -> bytes:
    signers = (portal_keys.admin_key, portal_keys.admission_key, portal_keys.anchor_key)
    holders = [address_of_key(key()) for key in signers]
    return constructor_data(*holders, 0, ZERO_ADDRESS)


def contract_address(creation_code: bytes) -> str:
    """Return where the factory puts this code (EIP-1014)."""
    hashed = keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + SALT + keccak(creation_code))
    return str(to_checksum_address(hashed[12:]))


def send_and_wait(
    key: bytes, to: str, data: bytes = b"", *, value: int = 0, gas: int = 21_000
) -> client.Receipt:
    """Send a plain transaction of a key outside the queue. It is mined before this returns."""
    head = client.head()
    tip = client.priority_fee()
    fields = {
        "type": 2,
        "chainId": identity.chain_id(),
        "nonce": client.nonce(address_of_key(key), at="pending"),
        "to": to,
        "value": value,
        "data": data,
        "gas": gas,
        "maxFeePerGas": 2 * head.base_fee + tip,
        "maxPriorityFeePerGas": tip,
    }
    raw, tx_hash = sign_transaction(key, fields)
    client.send_raw(raw)
    deadline = time.monotonic() + _TIMEOUT
    while (receipt := client.receipt(tx_hash)) is None:
        if time.monotonic() > deadline:
            raise ChainError(f"Transaction {tx_hash} is not mined after {_TIMEOUT:.0f} seconds.")
        time.sleep(0.1)
    if not receipt.succeeded:
        raise ChainError(f"Transaction {tx_hash} failed.")
    return receipt
