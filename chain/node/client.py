"""The node, over JSON-RPC: each answer typed, each failure one of chain.errors."""

import threading
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import HTTPProvider

from chain.contract.abi import decode_result, encode_call
from chain.errors import ChainUnavailable, KeyMismatch, RpcRefused
from chain.node.answers import (
    NONSENSE,
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
from chain.node.deployment import Domain, deployment, tenure_at
from chain.support.aside import step_aside
from chain.support.retry_after import Pauses

__all__ = ["Head", "RawLog", "Receipt"]

TIMEOUT = 10.0
_BLOCKS_AT_ONCE = 100
_WORDS_AT_ONCE = 200
_NO_SUCH_METHOD = (-32601, -32004)  # JSON-RPC; EIP-1474
_provider_lock = threading.Lock()
_providers: dict[str, HTTPProvider] = {}
_pauses = Pauses()


def request(method: str, *params: Any) -> Any:
    """One JSON-RPC call. ChainUnavailable without an answer, RpcRefused for an answer that is an error."""
    _require_no_pause()
    try:
        with step_aside():
            answer: Any = _provider().make_request(method, list(params))
    except Exception as problem:  # requests, urllib3, JSON and web3 each have their own
        raise _no_answer(problem) from problem
    return _result(answer)


def _ask(method: str, *params: Any) -> Any:
    """A call whose answer is never nothing; ChainUnavailable where it is."""
    if (result := request(method, *params)) is None:
        raise ChainUnavailable(NONSENSE)
    return result


def batch(calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    """Several JSON-RPC calls, (method, parameters) each, in one request; the results in the same order.

    ChainUnavailable without an answer to each of them, RpcRefused if one is an error.
    """
    if not calls:
        return []
    asked: list[Any] = [(method, list(params)) for method, params in calls]
    _require_no_pause()
    try:
        with step_aside():
            answers: Any = _provider().make_batch_request(asked)
    except Exception as problem:  # as in `request`
        raise _no_answer(problem) from problem
    if not isinstance(answers, list):
        _result(answers)  # an error, of all of them
    if len(answers) != len(calls):
        raise ChainUnavailable(NONSENSE)
    return [_result(answer) for answer in answers]


def _require_no_pause() -> None:
    """Raise ChainUnavailable while the node wants to be left alone."""
    seconds = _pauses.seconds_left(settings.CHAIN_RPC_URL)
    if seconds:
        raise ChainUnavailable(f"The chain's node asks to be left alone for {seconds:.0f} more seconds.")


def _no_answer(problem: Exception) -> ChainUnavailable:
    _pauses.note(settings.CHAIN_RPC_URL, problem)
    return ChainUnavailable(f"The chain's node does not answer ({type(problem).__name__}).")


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise ChainUnavailable(NONSENSE)
    if (error := answer.get("error")) is None:
        return answer["result"]
    if not isinstance(error, dict):
        raise RpcRefused(str(error))
    data = error.get("data")
    given = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""
    raise RpcRefused(str(error.get("message", "")), int(error.get("code", 0)), given)


def chain_id() -> int:
    """The network's id."""
    return number_of(_ask("eth_chainId"))


def is_syncing() -> bool:
    """Whether the node says that it is still catching up with its network."""
    return bool(request("eth_syncing"))


def head() -> Head:
    """The newest block."""
    found = block("latest")
    if found is None:
        raise ChainUnavailable("The chain's node has no block.")
    return found


def block(number: int | str) -> Head | None:
    """A block by its number; None if the node has none."""
    return head_of(request("eth_getBlockByNumber", _tag(number), False))


def blocks(numbers: Sequence[int]) -> list[Head | None]:
    """Blocks by their numbers, many in one request where the node takes that; None for those it has not."""
    found: list[Head | None] = []
    for start in range(0, len(numbers), _BLOCKS_AT_ONCE):
        some = numbers[start : start + _BLOCKS_AT_ONCE]
        try:
            found += [
                head_of(each) for each in batch([("eth_getBlockByNumber", [_tag(n), False]) for n in some])
            ]
        except (ChainUnavailable, RpcRefused):  # who refuses many may take each
            found += [block(number) for number in some]
    return found


def raw_logs(first: int, last: int) -> Any:
    """The contract's logs in these blocks, both included, as the node gives them.

    All blocks are of one contract's time.
    """
    return _ask("eth_getLogs", _logs_wanted(first, last))


def logs(first: int, last: int) -> list[RawLog]:
    """The contract's logs in these blocks, both included, in the chain's order."""
    return logs_of(raw_logs(first, last))


def logs_and_block(first: int, last: int) -> tuple[list[RawLog], Head | None]:
    """The same, and the last block, in one request where the node takes it.

    One node answers both, then: where it lacks the block, it has not given its logs either.
    """
    asked: list[tuple[str, list[Any]]] = [
        ("eth_getLogs", [_logs_wanted(first, last)]),
        ("eth_getBlockByNumber", [_tag(last), False]),
    ]
    try:
        found, header = batch(asked)
    except (ChainUnavailable, RpcRefused):  # who refuses the one may take the other
        return logs(first, last), block(last)
    return logs_of(found), head_of(header)


@sensible
def block_has_logs(block_hash: str, contract: str) -> bool:
    """Whether a block that has transactions has logs of a contract: by its receipts, where the node has them.

    They do not lag behind the block as an index of logs can.
    """
    try:
        receipts = request("eth_getBlockReceipts", block_hash)
    except RpcRefused as problem:
        if problem.code not in _NO_SUCH_METHOD:
            raise
        return bool(_ask("eth_getLogs", {"address": contract, "blockHash": block_hash}))
    if not receipts:
        raise ChainUnavailable("The node has lost a block it showed.")
    wanted = contract.lower()
    return any(log["address"].lower() == wanted for receipt in receipts for log in receipt["logs"])


def code(address: str) -> bytes:
    """The code at an address; empty for a plain account."""
    return bytes_of(_ask("eth_getCode", address, "latest"))


def words(contract: str, slots: Sequence[int], at: int | str = "latest") -> list[int]:
    """Return what a contract keeps in slots of its storage."""
    found: list[int] = []
    for start in range(0, len(slots), _WORDS_AT_ONCE):
        some = slots[start : start + _WORDS_AT_ONCE]
        answers = batch([("eth_getStorageAt", [contract, hex(slot), _tag(at)]) for slot in some])
        found += [number_of(answer) for answer in answers]
    return found


def topic_logs(contract: str, topic: str, first: int, last: int) -> list[RawLog]:
    """Return any contract's logs with a first topic (0x-hex) in these blocks, both included."""
    found: list[RawLog] = []
    for start in range(first, last + 1, settings.CHAIN_BLOCK_RANGE_MAX):
        end = min(start + settings.CHAIN_BLOCK_RANGE_MAX - 1, last)
        wanted = {"address": contract, "topics": [topic], "fromBlock": hex(start), "toBlock": hex(end)}
        found += logs_of(_ask("eth_getLogs", wanted))
    return found


def balance(address: str) -> int:
    """Wei."""
    return number_of(_ask("eth_getBalance", address, "latest"))


def nonce(address: str, at: int | str = "latest") -> int:
    """How many transactions of an address are mined."""
    return number_of(_ask("eth_getTransactionCount", address, _tag(at)))


def receipt(tx_hash: str) -> Receipt | None:
    """A mined transaction's receipt; None while it is not mined."""
    return receipt_of(request("eth_getTransactionReceipt", tx_hash))


def receipts(tx_hashes: Sequence[str]) -> list[Receipt | None]:
    """The receipts of transactions, in one request; None for each that is not mined."""
    return [receipt_of(given) for given in batch([("eth_getTransactionReceipt", [one]) for one in tx_hashes])]


def send_raw(raw: bytes) -> str:
    """Broadcast signed bytes; the transaction's hash."""
    return str(_ask("eth_sendRawTransaction", "0x" + raw.hex()))


def call(
    to: str, data: bytes, *, sender: str | None = None, gas: int | None = None, at: int | str = "latest"
) -> bytes:
    """Run a call without a transaction. RpcRefused with the revert's data if it reverts."""
    return bytes_of(_ask("eth_call", _call_fields(to, data, sender, gas), _tag(at)))


def estimate_gas(to: str, data: bytes, sender: str) -> int:
    """Gas a transaction needs at least."""
    return number_of(_ask("eth_estimateGas", _call_fields(to, data, sender, None)))


def priority_fee() -> int:
    """The tip the node proposes, in wei per gas; one gwei where it has no opinion."""
    try:
        return number_of(_ask("eth_maxPriorityFeePerGas"))
    except RpcRefused:
        return 10**9


def view(function: str, *args: Any, contract: str | None = None) -> tuple[Any, ...]:
    """What one of the contract's views returns at the head."""
    answer = call(contract or deployment().address, encode_call(function, *args))
    try:
        return decode_result(function, answer)
    except DecodingError as problem:
        raise ChainUnavailable("There is no MedRec contract at its address.") from problem


def origin_of(contract: str) -> tuple[int, str]:
    """The identity of a deployed contract."""
    chain, first = view("origin", contract=contract)
    return chain, str(to_checksum_address(first))


def predecessor_of(contract: str) -> tuple[str, int]:
    """Return the contract whose place a successor takes, and its last block that counts; 0 while it loads."""
    before, last_block = view("predecessor", contract=contract)
    return str(to_checksum_address(before)), last_block


def predecessors_of(contract: str) -> list[tuple[str, int]]:
    """Return those whose place a successor took, the oldest first, each with the last block that counts."""
    first, line = origin_of(contract)[1], [(contract, 0)]
    while line[0][0] != first:
        before, last_block = predecessor_of(line[0][0])
        if not last_block or (len(line) > 1 and last_block >= line[0][1]):
            raise ChainUnavailable(f"{contract} does not say whose place it took.")
        line.insert(0, (before, last_block))
    return line[:-1]


def domain_of(contract: str) -> Domain:
    """Return the EIP-712 domain that a deployed contract checks signatures in (EIP-5267)."""
    _, _, _, chain, verifying, _, _ = view("eip712Domain", contract=contract)
    return Domain(chain, str(to_checksum_address(verifying)))


def check_key(account: str, key: bytes) -> None:
    """KeyMismatch unless the key is the account's sharing key by the contract's state."""
    _, digest = view("keyOf", account)
    if bytes(digest) != keccak(key):
        raise KeyMismatch("The sharing key is not the one the chain has for this account.")


def published_version(account: str) -> int:
    """The version of an account's sharing key in the contract's state; 0 where there is none."""
    return int(view("keyOf", account)[0])


def can_read(patient: str, who: str, via: str, scope: str) -> bool:
    """Whether the contract lets `who` read the scope now."""
    return bool(view("canRead", patient, who, via, scope)[0])


def can_write(patient: str, who: str, via: str, scope: str) -> bool:
    """Whether the contract lets `who` write to the scope now."""
    return bool(view("canWrite", patient, who, via, scope)[0])


def _provider() -> HTTPProvider:
    url: str = settings.CHAIN_RPC_URL
    with _provider_lock:
        if url not in _providers:
            # No retries of the library's: our queues try again, and say meanwhile what is wrong.
            _providers[url] = HTTPProvider(
                url, request_kwargs={"timeout": TIMEOUT}, exception_retry_configuration=None
            )
        return _providers[url]


def forget_connections() -> None:
    """Open new connections from now on: before a fork, whose processes must not share them."""
    with _provider_lock:
        _providers.clear()


def _tag(number: int | str) -> str:
    return hex(number) if isinstance(number, int) else number


def _logs_wanted(first: int, last: int) -> dict[str, str]:
    return {"address": tenure_at(first).deployment.address, "fromBlock": hex(first), "toBlock": hex(last)}


def _call_fields(to: str, data: bytes, sender: str | None, gas: int | None) -> dict[str, str]:
    fields = {"to": to, "data": "0x" + data.hex()}
    if sender is not None:
        fields["from"] = sender
    if gas is not None:
        fields["gas"] = hex(gas)
    return fields
