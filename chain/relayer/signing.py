"""Attempts: signed and kept before any node sees them. Inside the caller's transaction."""

from typing import Any

from chain.deployment import deployment
from chain.models import Attempt, Transaction
from chain.relayer.fees import Fees
from chain.signer import sign_transaction, transaction_call


def save_attempt(row: Transaction, key: bytes, data: bytes, fees: Fees, gas: int) -> Attempt:
    """A transaction's attempt: its call to the contract, at its nonce, for these fees."""
    deployed = deployment()
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": deployed.chain_id,
        "nonce": row.nonce,
        "to": deployed.address,
        "value": 0,
        "data": data,
        "gas": gas,
        "maxFeePerGas": fees.max_fee,
        "maxPriorityFeePerGas": fees.priority_fee,
    }
    raw, tx_hash = sign_transaction(key, fields)
    return Attempt.objects.create(
        transaction=row,
        hash=tx_hash,
        raw=raw,
        gas=gas,
        max_fee=fees.max_fee,
        priority_fee=fees.priority_fee,
    )


def save_replacement(row: Transaction, key: bytes, old: Attempt, fees: Fees) -> Attempt:
    """The same call at the same nonce, for higher fees."""
    return save_attempt(row, key, transaction_call(bytes(old.raw)), fees, old.gas)
