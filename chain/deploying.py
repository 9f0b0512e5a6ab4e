"""Putting the contract on a chain.

Through the canonical CREATE2 factory, so that its address survives a chain made anew.
"""

import time

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain import client, keys
from chain.abi import code_matches, constructor_data
from chain.deployment import Deployment, deployment, write_deployment
from chain.errors import ChainError, NotDeployed
from chain.signer import address_of_key, sign_transaction
from chain.slots import ZERO_ADDRESS

FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"  # Arachnid's deterministic deployment proxy
SALT = bytes(32)
_GAS = 12_000_000
_TIMEOUT = 60.0


def deploy() -> tuple[Deployment, bool]:
    """The contract in use, deployed if the chain has none, and whether it was.

    Its place is kept in var/chain/contract.json. ChainError where the one in use is of another version: what
    was registered there would be lost to sight.
    """
    chain_id = client.chain_id()
    try:
        known = deployment()
        if known.chain_id == chain_id and (found := client.code(known.address)):
            if code_matches(found):
                return known, False
            raise ChainError(
                f"The contract in use, {known.address}, is of another version of MedRec, and everything is"
                " registered there. Go on with that version, or begin anew with an empty data folder (VAR)."
            )
    except NotDeployed:
        pass
    code = _creation_code()
    address = contract_address(code)
    block, fresh = 0, not client.code(address)
    if fresh:
        if not client.code(FACTORY):
            raise ChainError(f"The chain has no CREATE2 factory at {FACTORY}.")
        block = send_and_wait(keys.relayer_keys()[0], FACTORY, SALT + code, gas=_GAS).block_number
    if not code_matches(client.code(address)):
        raise ChainError(f"The code at {address} is not the contract's.")
    first_chain, first = client.origin_of(address)
    made = Deployment(chain_id, address, first_chain, first, block)
    write_deployment(made)
    return made, fresh


def _creation_code() -> bytes:
    holders = [address_of_key(key()) for key in (keys.admin_key, keys.admission_key, keys.anchor_key)]
    return constructor_data(*holders, 0, ZERO_ADDRESS)


def contract_address(creation_code: bytes) -> str:
    """Where the factory puts this code (EIP-1014)."""
    hashed = keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + SALT + keccak(creation_code))
    return str(to_checksum_address(hashed[12:]))


def send_and_wait(
    key: bytes, to: str, data: bytes = b"", *, value: int = 0, gas: int = 21_000
) -> client.Receipt:
    """A plain transaction of a key outside the queue, mined before this returns."""
    head = client.head()
    tip = client.priority_fee()
    fields = {
        "type": 2,
        "chainId": client.chain_id(),
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
