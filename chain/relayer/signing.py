"""Attempts: signed and kept before any node sees them. Inside the caller's transaction."""

from typing import Any

from chain.keys.ecdsa import sign_transaction, transaction_call
from chain.models import Attempt, Transaction
from chain.models.sending import AttemptState
from chain.node.deployment import deployment
from chain.relayer.fees import Fees

_TRANSFER_GAS = 21_000


def save_attempt(row: Transaction, key: bytes, data: bytes, fees: Fees, gas: int) -> Attempt:
    """Return a transaction's attempt: its call to the contract, at its nonce, for these fees."""
    return _save(row, key, fees, {"to": deployment().address, "data": data, "gas": gas})


def save_cancel(row: Transaction, key: bytes, fees: Fees) -> Attempt:
    """Return an attempt that only uses up the nonce: nothing, sent to the key itself."""
    return _save(row, key, fees, {"to": row.sender.address, "data": b"", "gas": _TRANSFER_GAS})


def save_replacement(row: Transaction, key: bytes, old: Attempt, fees: Fees) -> Attempt:
    """Return an attempt at the same nonce, for higher fees."""
    if old.cancels:
        return save_cancel(row, key, fees)
    return save_attempt(row, key, transaction_call(bytes(old.raw)), fees, old.gas)


def _save(row: Transaction, key: bytes, fees: Fees, fields: dict[str, Any]) -> Attempt:
    fixed = {"type": 2, "chainId": deployment().chain_id, "nonce": row.nonce, "value": 0}
    offered = {"maxFeePerGas": fees.max_fee, "maxPriorityFeePerGas": fees.priority_fee}
    raw, tx_hash = sign_transaction(key, fixed | offered | fields)
    # The very same may have been offered before: a reorganisation brings an attempt back that was replaced.
    attempt, _ = Attempt.objects.update_or_create(
        hash=tx_hash,
        defaults={"state": AttemptState.IN_PROGRESS, "sent_at": None, "sent_block": None},
        create_defaults={
            "transaction": row,
            "raw": raw,
            "gas": fields["gas"],
            "max_fee": fees.max_fee,
            "priority_fee": fees.priority_fee,
            "cancels": fields["data"] == b"",
        },
    )
    return attempt
