"""Events from logs, fast and exact: a reader per event, made once from the ABI.

The events' values are static words and at most one `bytes`, so a log is read by place. Only the one
canonical encoding is taken (eth_abi would take others): the same words are hashed for the act's digest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from eth_hash.auto import keccak  # eth_utils' takes twice as long

from chain.acts.messages import PreparedAct
from chain.contract.abi import ACT_OF_EVENT, EventType, act_types, event_types
from chain.errors import BadLog
from chain.node.domain import Domain

_WORD = 64  # hex digits
_ADDRESS_PADDING = "0" * 24
_CASE_BITS = int.from_bytes(b"\x20" * 40)


@dataclass(frozen=True)
class DecodedEvent:
    """An act's event: its arguments by name, the act they repeat, and that act's EIP-712 digest (0x-hex)."""

    name: str
    args: dict[str, Any]
    act: PreparedAct
    digest: str


def decode_log(topics: list[str], data: str, domain: Domain) -> DecodedEvent | None:
    """Return the act's event that a log is, from lower-case 0x-hex; None for any other log of the contract.

    BadLog for what the contract cannot have said.
    """
    reader = _readers().get(topics[0]) if topics else None
    return reader.read(topics, data, domain) if reader is not None else None


@cache
def _readers() -> dict[str, "_Reader"]:
    return {"0x" + topic.hex(): _Reader(event) for topic, event in event_types().items()}


class _Reader:
    """Reads one event. A value's place is the number of its word: first the topics', then the data's."""

    def __init__(self, event: EventType) -> None:
        places = [*event.indexed, *event.data]
        if any(solidity == "bytes" for _, solidity in event.indexed):
            raise ValueError(f"{event.name}: the hash of an indexed `bytes` cannot be read back")
        self._name = event.name
        self._kind = act_types()[ACT_OF_EVENT[event.name]]
        self._topics, self._words = len(event.indexed), len(event.data)
        self._values = [(name, _value_of(solidity)) for name, solidity in places]
        dynamic = [place for place, (_, solidity) in enumerate(places) if solidity == "bytes"]
        self._bytes = dynamic[0] if dynamic else None
        if len(dynamic) > 1:
            raise ValueError(f"{event.name}: more than one `bytes`")
        by_name = {name: place for place, (name, _) in enumerate(places)}
        self._members = [(name, by_name[name]) for name, _ in self._kind.members]

    def read(self, topics: list[str], data: str, domain: Domain) -> DecodedEvent:
        """Return the event of these topics and data. BadLog."""
        head = 2 + self._words * _WORD
        if len(topics) != 1 + self._topics or len(data) < head or any(len(topic) != 66 for topic in topics):
            raise BadLog(f"The node's {self._name} has not its fields.")
        fields = [topic[2:] for topic in topics[1:]]
        fields += [data[start : start + _WORD] for start in range(2, head, _WORD)]
        try:
            raw = [bytes.fromhex(word) for word in fields]
            content = self._content(fields, data[head:])
            args = {
                name: "0x" + content if place == self._bytes else value(fields[place])
                for place, (name, value) in enumerate(self._values)
            }
            if self._bytes is not None:
                raw[self._bytes] = keccak(bytes.fromhex(content))
        except ValueError as problem:
            raise BadLog(f"The node's {self._name} is none: {problem}.") from problem
        if any(len(word) != 32 for word in raw):  # spaces are no digits
            raise BadLog(f"The node's {self._name} is none: spaces.")
        hashed = keccak(self._kind.type_hash + b"".join([raw[place] for _, place in self._members]))
        digest = "0x" + keccak(b"\x19\x01" + domain.separator + hashed).hex()
        act = PreparedAct(self._kind.kind, {name: args[name] for name, _ in self._members})
        return DecodedEvent(self._name, args, act, digest)

    def _content(self, fields: list[str], tail: str) -> str:
        """Return the digits of the one `bytes` behind the fields: length, content, zeros to a whole word."""
        if self._bytes is None:
            if tail:
                raise ValueError("more than its words")
            return ""
        size = 2 * int(tail[:_WORD], 16)
        end = _WORD + size
        content = tail[_WORD:end]
        canonical = int(fields[self._bytes], 16) == 32 * self._words and not tail[end:].strip("0")
        if not canonical or len(tail) != end + -size % _WORD or (not content.isalnum() and content):
            raise ValueError("its bytes are not where they belong")
        return content


def _value_of(solidity: str) -> Callable[[str], Any]:
    """Return how a word (64 hex digits) of this type is read. ValueError for a word that no value has."""
    if solidity == "address":
        return _address
    if solidity == "bool":
        return _bool
    if solidity.startswith("uint"):
        limit = 1 << int(solidity[4:])
        return lambda word: _number(word, limit)
    if solidity == "bytes32":
        return lambda word: "0x" + word
    if solidity == "bytes":
        return str
    raise ValueError(f"No event has had a {solidity} yet.")


@lru_cache(maxsize=1 << 16)
def _address(word: str) -> str:
    if not word.startswith(_ADDRESS_PADDING):
        raise ValueError("an address too long")
    # EIP-55: a letter is a capital where the digit of the hash is above 7. Forty ASCII characters at once, as
    # a number: 0x40 is set in letters, 0x08 of what a hash has in 8 and 9, and 0x20 tells small from capital.
    digits = word[24:].encode()
    plain, case = int.from_bytes(digits), int.from_bytes(keccak(digits).hex()[:40].encode())
    return "0x" + (plain ^ (plain >> 1 & (case >> 1 | case << 2) & _CASE_BITS)).to_bytes(40).decode()


def _bool(word: str) -> bool:
    return bool(_number(word, 2))


def _number(word: str, limit: int) -> int:
    number = int(word, 16)
    if number >= limit:
        raise ValueError("a number too great")
    return number
