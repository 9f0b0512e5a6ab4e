"""Ranges of blocks as the node tells them, believed only where logs and headers agree.

A node may lag, answer from another fork than a moment ago (a load balancer), or know its newest blocks before
their logs. So, but for a past that no node's logs lag behind, every header is read: they must link, name the
hashes that the logs name, and a block whose bloom filter has the contract must have given a log.
"""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from django.conf import settings
from eth_utils.crypto import keccak

from chain.contract.abi import event_types
from chain.errors import ChainUnavailable, LogsMissing, NodeBehind, Reorganised, RpcRefused
from chain.node import client
from chain.node.deployment import tenure_at

_CHECKED = 50_000  # blocks below the head whose every header is read
_NEAR = 64  # blocks below the head that may change while they are read: their headers say so
_QUICK = 1.0  # seconds: a range answered faster than this may grow
_MANY = 10_000  # logs: a range that holds more does not grow
_ROUND = 1_000  # nodes that cut an answer short cut it at a multiple of this


@dataclass(frozen=True)
class BlockRange:
    """The contract's logs in these blocks, both included; `headers` has the last and all checked ones."""

    first: int
    last: int
    logs: list[client.RawLog]
    headers: dict[int, client.Head]
    times: dict[int, datetime]

    @property
    def hashes(self) -> dict[int, str]:
        """Return the blocks to keep: those with logs, and the last."""
        return {raw.block_number: raw.block_hash for raw in self.logs} | {
            self.last: self.headers[self.last].hash
        }


class RangeReader:
    """Reads range after range; `size` (blocks) halves when the node refuses and grows when it is quick."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, first: int, head: client.Head) -> BlockRange:
        """Return the next range, as long as the node gives one.

        ChainUnavailable, RpcRefused, as of `read_range`.
        """
        while True:
            last = min(first + self.size - 1, head.number, tenure_at(first).last_block or head.number)
            begun = time.monotonic()
            try:
                block_range = read_range(first, last, head)
            except (ChainUnavailable, RpcRefused) as problem:
                if first == last or isinstance(problem, Reorganised):
                    raise
                self.size = max((last - first + 1) // 2, 1)
                if time.monotonic() - begun > _QUICK:  # less next time: nobody waits for many timeouts
                    raise
                continue
            quick = time.monotonic() - begun < _QUICK and len(block_range.logs) < _MANY
            if quick and last - first + 1 == self.size:
                self.size = min(self.size * 2, settings.CHAIN_BLOCK_RANGE_MAX)
            return block_range


def read_range(first: int, last: int, head: client.Head) -> BlockRange:
    """Return the logs of a range, checked.

    ChainUnavailable, RpcRefused: ask for less. LogsMissing: the node's logs lag behind its blocks.
    Reorganised: the chain changed meanwhile.
    """
    end, near = _header(last, head), first >= head.number - _NEAR
    logs, after = (client.logs(first, last), end) if near else client.logs_and_block(first, last)
    if after is None:
        raise NodeBehind("The chain's node is behind what it said itself.")
    if after.hash != end.hash:
        raise Reorganised
    if any(not first <= raw.block_number <= last for raw in logs):
        raise ChainUnavailable("The chain's node answers nonsense.")
    _check_whole(logs, last)
    headers = _headers(range(max(first, head.number - _CHECKED), last)) | {last: end}
    _check_links(logs, headers)
    return BlockRange(first, last, logs, headers, _times(logs, headers, head))


def _header(number: int, head: client.Head) -> client.Head:
    header = head if number == head.number else client.block(number)
    if header is None:
        raise NodeBehind("The chain's node is behind what it said itself.")
    return header


def _headers(numbers: range) -> dict[int, client.Head]:
    answers = zip(numbers, client.blocks(numbers), strict=True)
    headers = {number: header for number, header in answers if header is not None}
    if len(headers) < len(numbers):
        raise NodeBehind("The chain's node is behind what it said itself.")
    return headers


def _check_whole(logs: list[client.RawLog], last: int) -> None:
    """Ask for the end again where the number of logs is round: the node may have cut it there."""
    if not logs or len(logs) % _ROUND:
        return
    newest = logs[-1].block_number
    if len(client.logs(newest, last)) != sum(raw.block_number == newest for raw in logs):
        raise RpcRefused("The node's answer was cut short.")


def _check_links(logs: list[client.RawLog], headers: dict[int, client.Head]) -> None:
    """Headers are each other's parents, logs are of their blocks, and no block keeps its logs back."""
    for number, number_after in pairwise(sorted(headers)):
        if number + 1 == number_after and headers[number_after].parent != headers[number].hash:
            raise Reorganised
    counts = Counter(raw.block_number for raw in logs)
    if any(raw.block_hash != headers[raw.block_number].hash for raw in logs if raw.block_number in headers):
        raise Reorganised
    for number, header in headers.items():
        if (
            not counts[number]
            and may_hold_logs(header.bloom, contract := tenure_at(number).deployment.address)
            and _holds_logs(header.hash, contract)
        ):
            raise LogsMissing(f"The node does not give the logs of block {number} yet.")


def _times(
    logs: list[client.RawLog], headers: dict[int, client.Head], head: client.Head
) -> dict[int, datetime]:
    """Return the time of each block to keep; asked of the node where neither log nor header says it."""
    times = {number: header.time for number, header in headers.items()}
    for raw in logs:
        if raw.block_number not in times:
            times[raw.block_number] = raw.block_time or _header(raw.block_number, head).time
    return times


def may_hold_logs(bloom: str, contract: str) -> bool:
    """Return whether a block's bloom filter (0x-hex) lets it hold an act's event of a contract."""
    bits = int(bloom, 16)
    return bits & (mask := _mask(bytes.fromhex(contract[2:]))) == mask and any(
        bits & (mask := _mask(topic)) == mask for topic in event_types()
    )


@lru_cache(maxsize=64)
def _mask(item: bytes) -> int:
    """Return the three bits that an address or a topic sets in a bloom filter (Yellow Paper, 4.4.3)."""
    hashed = keccak(item)
    mask = 0
    for start in (0, 2, 4):
        mask |= 1 << (int.from_bytes(hashed[start : start + 2], "big") & 2047)
    return mask


@lru_cache(maxsize=1024)
def _holds_logs(block_hash: str, contract: str) -> bool:
    """Return whether a block does hold logs of the contract, by its receipts."""
    return client.block_has_logs(block_hash, contract)
