"""What a node answers, typed: headers, logs, receipts, numbers. ChainUnavailable for what is none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from eth_utils.address import to_checksum_address

from chain.errors import ChainUnavailable

P = ParamSpec("P")
T = TypeVar("T")

NONSENSE = "The chain's node answers nonsense."


@dataclass(frozen=True)
class Head:
    """A block's header, as far as we use it; `bloom` is 0x-hex."""

    number: int
    hash: str
    time: datetime
    base_fee: int
    parent: str
    bloom: str


@dataclass(frozen=True)
class RawLog:
    """A log as the node gives it; `topics` and `data` are lower-case 0x-hex."""

    block_number: int
    block_hash: str
    log_index: int
    tx_hash: str
    topics: list[str]
    data: str
    block_time: datetime | None


@dataclass(frozen=True)
class Receipt:
    """What became of a transaction that was mined."""

    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    fee_paid: int  # wei
    contract_address: str | None
    sender: str


def sensible(read: Callable[P, T]) -> Callable[P, T]:
    """Wrap a reader: an answer of another shape is a node that answers nonsense."""

    @wraps(read)
    def checked(*args: P.args, **options: P.kwargs) -> T:
        try:
            return read(*args, **options)
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise ChainUnavailable(NONSENSE) from problem

    return checked


@sensible
def number_of(answer: Any) -> int:
    """Return a quantity: 0x-hex."""
    return int(answer, 16)


@sensible
def bytes_of(answer: Any) -> bytes:
    """Data: 0x-hex."""
    return bytes.fromhex(answer.removeprefix("0x"))


@sensible
def head_of(answer: Any) -> Head | None:
    """Return a block; None where the node has none."""
    if answer is None:
        return None
    return Head(
        number=int(answer["number"], 16),
        hash=answer["hash"],
        time=_time(answer["timestamp"]),
        base_fee=int(answer.get("baseFeePerGas") or "0x0", 16),
        parent=answer["parentHash"],
        bloom=answer["logsBloom"],
    )


@sensible
def logs_of(answer: Any) -> list[RawLog]:
    """Return logs, in the chain's order."""
    logs = [_log(log) for log in answer if not log.get("removed")]
    return sorted(logs, key=lambda raw: (raw.block_number, raw.log_index))


@sensible
def receipt_of(answer: Any) -> Receipt | None:
    """Return a receipt; None while there is none, or its transaction is not mined."""
    if answer is None or answer.get("blockNumber") is None:
        return None
    created, gas = answer.get("contractAddress"), int(answer["gasUsed"], 16)
    return Receipt(
        block_number=int(answer["blockNumber"], 16),
        block_hash=answer["blockHash"],
        succeeded=int(answer["status"], 16) == 1,
        gas_used=gas,
        fee_paid=gas * int(answer.get("effectiveGasPrice") or "0x0", 16),
        contract_address=str(to_checksum_address(created)) if created else None,
        sender=str(to_checksum_address(answer["from"])),
    )


def _time(quantity: str) -> datetime:
    return datetime.fromtimestamp(int(quantity, 16), UTC)


def _log(answer: dict[str, Any]) -> RawLog:
    time = answer.get("blockTimestamp")
    return RawLog(
        int(answer["blockNumber"], 16),
        answer["blockHash"],
        int(answer["logIndex"], 16),
        answer["transactionHash"],
        [topic.lower() for topic in answer["topics"]],
        answer["data"].lower(),
        _time(time) if time else None,
    )
