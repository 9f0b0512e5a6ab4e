"""Events from logs: as eth_abi reads them, and nothing that the contract cannot have written."""

from random import Random
from typing import Any

import pytest
from eth_abi.abi import encode

from chain.acts.events import decode_log
from chain.acts.messages import PreparedAct
from chain.contract.abi import ACT_OF_EVENT, EventType, act_types, decode_log_by_abi, event_types
from chain.errors import BadLog
from chain.node.domain import Domain

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
NAMES = {event.name: event for event in event_types().values()}


def any_value(random: Random, solidity: str) -> Any:
    """A value of a type, often at its limits."""
    if solidity == "address":
        return random.randbytes(20)
    if solidity == "bool":
        return random.random() < 0.5
    if solidity == "bytes32":
        return random.choice([bytes(32), random.randbytes(32)])
    if solidity == "bytes":
        return random.randbytes(random.choice([0, 1, 31, 32, 33, 40, 64, 1217]))
    most = (1 << int(solidity[4:])) - 1
    return random.choice([0, 1, most, random.randint(0, most)])


def any_log(random: Random, event: EventType) -> tuple[list[bytes], bytes]:
    """Topics and data of an event with random values."""
    topics = [encode([solidity], [any_value(random, solidity)]) for _, solidity in event.indexed]
    types = [solidity for _, solidity in event.data]
    return [event.topic, *topics], encode(types, [any_value(random, solidity) for solidity in types])


def hexed(topics: list[bytes], data: bytes) -> tuple[list[str], str]:
    """As a node gives them."""
    return ["0x" + topic.hex() for topic in topics], "0x" + data.hex()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_log_is_read_as_eth_abi_reads_it_and_its_digest_is_its_act_s(name: str) -> None:
    random = Random(name)
    for _ in range(50):
        topics, data = any_log(random, NAMES[name])
        expected = decode_log_by_abi(topics, data)
        assert expected is not None
        said = decode_log(*hexed(topics, data), DOMAIN)
        assert said is not None
        assert (said.name, said.args, list(said.args)) == (*expected, list(expected[1]))
        kind = ACT_OF_EVENT[name]
        act = PreparedAct(kind, {field: expected[1][field] for field, _ in act_types()[kind].members})
        assert (said.act, said.digest) == (act, act.digest(DOMAIN))


def test_another_event_of_the_contract_is_none() -> None:
    assert decode_log(["0x" + "ab" * 32], "0x", DOMAIN) is None
    assert decode_log([], "0x", DOMAIN) is None


@pytest.mark.parametrize(
    ("name", "word", "put"),
    [
        ("AccessGranted", 0, "01" + "00" * 31),  # via: an address too long
        ("AccessGranted", 1, "00" * 30 + "0100"),  # permissions: over 8 bits
        ("SenderBlocked", 0, "00" * 31 + "02"),  # blocked: neither true nor false
        ("KeyPublished", 1, "00" * 31 + "60"),  # key: elsewhere
        ("KeyPublished", 2, "00" * 28 + "7fffffff"),  # key: longer than the log
        ("KeyPublished", 2, "00" * 31 + "01"),  # key: shorter, with a rest that is not zero
        ("AccessGranted", 6, "  " * 32),  # request: no digits
        ("AccessGranted", 6, "0_" * 32),
    ],
)
def test_a_word_that_no_value_has_is_refused(name: str, word: int, put: str) -> None:
    topics, data = hexed(*any_log(Random(name), NAMES[name]))
    if name == "KeyPublished":
        topics, data = hexed([NAMES[name].topic, bytes(32)], encode(["uint32", "bytes"], [1, b"\x01" * 1217]))
    at = 2 + 64 * word
    changed = data[:at] + put + data[at + 64 :]
    with pytest.raises(BadLog):
        decode_log(topics, changed, DOMAIN)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_log_cut_short_or_with_more_is_refused(name: str) -> None:
    topics, data = hexed(*any_log(Random(name), NAMES[name]))
    for bad in (data[:-64], data[:-2], data + "00" * 32, data + "00"):
        with pytest.raises(BadLog):
            decode_log(topics, bad, DOMAIN)
    for few in (topics[:-1], [*topics, "0x" + "00" * 32], [topics[0], *[topic[:-2] for topic in topics[1:]]]):
        with pytest.raises(BadLog):
            decode_log(few, data, DOMAIN)
