"""The node, as the portal asks it: each answer typed, each failure one of chain.errors."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from eth_utils.crypto import keccak

from chain.errors import ChainUnavailable, KeyMismatch, RpcRefused
from chain.node import rpc
from chain.node.answers import (
    Head,
    RawLog,
    Receipt,
    bytes_of,
    head_of,
    logs_of,
    number_of,
    receipt_of,
    sensible,
)
from chain.node.deployment import deployment, tenure_at
from chain.node.identity import view_at

__all__ = ["Head", "RawLog", "Receipt"]

_BLOCKS_AT_ONCE = 100
_WORDS_AT_ONCE = 200
_NO_SUCH_METHOD = (-32601, -32004)  # JSON-RPC; EIP-1474


def is_syncing() -> bool:
    """Return whether the node says that it is still catching up with its network."""
    return bool(rpc.request("eth_syncing"))


def head() -> Head:
    """Return the newest block."""
    newest = block("latest")
    if newest is None:
        raise ChainUnavailable("The chain's node has no block.")
    return newest


def block(number: int | str) -> Head | None:
    """Return a block by its number; None if the node has none."""
    return head_of(rpc.request("eth_getBlockByNumber", rpc.block_tag(number), False))


def blocks(numbers: Sequence[int]) -> list[Head | None]:
    """Return blocks by their numbers, many in one request where the node takes that.

    None for those it has not.
    """
    headers: list[Head | None] = []
    for start in range(0, len(numbers), _BLOCKS_AT_ONCE):
        chunk = numbers[start : start + _BLOCKS_AT_ONCE]
        try:
            calls = [("eth_getBlockByNumber", [rpc.block_tag(number), False]) for number in chunk]
            headers += [head_of(answer) for answer in rpc.batch(calls)]
        except (ChainUnavailable, RpcRefused):  # who refuses many may take each
            headers += [block(number) for number in chunk]
    return headers


def raw_logs(first: int, last: int) -> Any:
    """Return the contract's logs in these blocks, both included, as the node gives them.

    All blocks are of one contract's time.
    """
    return rpc.ask("eth_getLogs", _logs_wanted(first, last))


def logs(first: int, last: int) -> list[RawLog]:
    """Return the contract's logs in these blocks, both included, in the chain's order."""
    return logs_of(raw_logs(first, last))


def logs_and_block(first: int, last: int) -> tuple[list[RawLog], Head | None]:
    """Return the logs and the last block, in one request where the node takes it.

    One node answers both, then: where it lacks the block, it has not given its logs either.
    """
    calls: list[tuple[str, list[Any]]] = [
        ("eth_getLogs", [_logs_wanted(first, last)]),
        ("eth_getBlockByNumber", [rpc.block_tag(last), False]),
    ]
    try:
        answer, header = rpc.batch(calls)
    except (ChainUnavailable, RpcRefused):  # who refuses the one may take the other
        return logs(first, last), block(last)
    return logs_of(answer), head_of(header)


@sensible
def block_has_logs(block_hash: str, contract: str) -> bool:
    """Return whether a block with transactions has logs of a contract, by its receipts where there are any.

    They do not lag behind the block as an index of logs can.
    """
    try:
        receipts = rpc.request("eth_getBlockReceipts", block_hash)
    except RpcRefused as problem:
        if problem.code not in _NO_SUCH_METHOD:
            raise
        return bool(rpc.ask("eth_getLogs", {"address": contract, "blockHash": block_hash}))
    if not receipts:
        raise ChainUnavailable("The node has lost a block it showed.")
    address = contract.lower()
    return any(log["address"].lower() == address for receipt in receipts for log in receipt["logs"])


def code(address: str) -> bytes:
    """Return the code at an address; empty for a plain account."""
    return bytes_of(rpc.ask("eth_getCode", address, "latest"))


def words(contract: str, slots: Sequence[int], at: int | str = "latest") -> list[int]:
    """Return what a contract keeps in slots of its storage."""
    values: list[int] = []
    for start in range(0, len(slots), _WORDS_AT_ONCE):
        chunk = slots[start : start + _WORDS_AT_ONCE]
        answers = rpc.batch(
            [("eth_getStorageAt", [contract, hex(slot), rpc.block_tag(at)]) for slot in chunk]
        )
        values += [number_of(answer) for answer in answers]
    return values


def topic_logs(contract: str, topic: str, first: int, last: int) -> list[RawLog]:
    """Return any contract's logs with a first topic (0x-hex) in these blocks, both included."""
    results: list[RawLog] = []
    for start in range(first, last + 1, settings.CHAIN_BLOCK_RANGE_MAX):
        end = min(start + settings.CHAIN_BLOCK_RANGE_MAX - 1, last)
        query = {"address": contract, "topics": [topic], "fromBlock": hex(start), "toBlock": hex(end)}
        results += logs_of(rpc.ask("eth_getLogs", query))
    return results


def balance(address: str) -> int:
    """Wei."""
    return number_of(rpc.ask("eth_getBalance", address, "latest"))


def nonce(address: str, at: int | str = "latest") -> int:
    """Return how many transactions of an address are mined."""
    return number_of(rpc.ask("eth_getTransactionCount", address, rpc.block_tag(at)))


def receipt(tx_hash: str) -> Receipt | None:
    """Return a mined transaction's receipt; None while it is not mined."""
    return receipt_of(rpc.request("eth_getTransactionReceipt", tx_hash))


def receipts(tx_hashes: Sequence[str]) -> list[Receipt | None]:
    """Return the receipts of transactions, in one request; None for each that is not mined."""
    calls = [("eth_getTransactionReceipt", [tx_hash]) for tx_hash in tx_hashes]
    return [receipt_of(answer) for answer in rpc.batch(calls)]


def send_raw(raw: bytes) -> str:
    """Broadcast signed bytes; the transaction's hash."""
    return str(rpc.ask("eth_sendRawTransaction", "0x" + raw.hex()))


def estimate_gas(to: str, data: bytes, sender: str) -> int:
    """Gas a transaction needs at least."""
    return number_of(rpc.ask("eth_estimateGas", rpc.call_fields(to, data, sender, None)))


def priority_fee() -> int:
    """Return the tip the node proposes, in wei per gas; one gwei where it has no opinion."""
    try:
        return number_of(rpc.ask("eth_maxPriorityFeePerGas"))
    except RpcRefused:
        return 10**9


def view(function: str, *args: Any) -> tuple[Any, ...]:
    """Return what one of the views of the contract in use says at the head."""
    return view_at(deployment().address, function, *args)


def check_key(account: str, key: bytes) -> None:
    """KeyMismatch unless the key is the account's sharing key by the contract's state."""
    _, digest = view("keyOf", account)
    if bytes(digest) != keccak(key):
        raise KeyMismatch("The sharing key is not the one the chain has for this account.")


def published_version(account: str) -> int:
    """Return the version of an account's sharing key in the contract's state; 0 where there is none."""
    return int(view("keyOf", account)[0])


def can_read(patient: str, who: str, via: str, scope: str) -> bool:
    """Return whether the contract lets `who` read the scope now."""
    return bool(view("canRead", patient, who, via, scope)[0])


def can_write(patient: str, who: str, via: str, scope: str) -> bool:
    """Return whether the contract lets `who` write to the scope now."""
    return bool(view("canWrite", patient, who, via, scope)[0])


def _logs_wanted(first: int, last: int) -> dict[str, str]:
    return {"address": tenure_at(first).deployment.address, "fromBlock": hex(first), "toBlock": hex(last)}
