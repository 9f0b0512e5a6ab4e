"""The fast encoder writes what eth_abi writes, and refuses what does not fit its type."""

import random
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.acts.messages import PreparedAct
from chain.contract.abi import act_types, raw_value
from chain.contract.encoding import encode_bytes, encode_list, encode_word
from chain.node.domain import Domain

DOMAIN = Domain(33_117, "0x" + "11" * 20)


def any_value(dice: random.Random, solidity: str) -> Any:
    """A value as acts have it; the ends of its range often."""
    if solidity == "address":
        return to_checksum_address(dice.randbytes(20))
    if solidity == "bool":
        return dice.random() < 0.5
    if solidity == "bytes":
        return "0x" + dice.randbytes(dice.choice([0, 1, 31, 32, 33, 40, 1217])).hex()
    if solidity == "bytes32":
        return "0x" + dice.randbytes(32).hex()
    most = 2 ** int(solidity[4:]) - 1
    return dice.choice([0, 1, most, dice.randint(0, most)])


@pytest.mark.parametrize("kind", act_types())
def test_an_act_is_encoded_as_eth_abi_does_it(kind: str) -> None:
    dice, members = random.Random(kind), act_types()[kind].members
    types = [f"({','.join(solidity for _, solidity in members)})", "bytes"]
    for signature in (b"", bytes(65), dice.randbytes(65), dice.randbytes(96)):
        act = PreparedAct(kind, {name: any_value(dice, solidity) for name, solidity in members})
        values = tuple(raw_value(solidity, act.fields[name]) for name, solidity in members)
        assert act.calldata(signature) == act_types()[kind].selector + encode(types, [values, signature])


@pytest.mark.parametrize("kind", act_types())
def test_a_digest_is_the_typed_data_s(kind: str) -> None:
    dice, members = random.Random(kind), act_types()[kind].members
    act = PreparedAct(kind, {name: any_value(dice, solidity) for name, solidity in members})
    message = encode_typed_data(full_message=act.typed_data(DOMAIN))
    assert act.digest(DOMAIN) == "0x" + keccak(b"\x19\x01" + message.header + message.body).hex()


@pytest.mark.parametrize(
    ("solidity", "value"),
    [
        ("uint8", 256),
        ("uint40", -1),
        ("bytes32", "0x" + "11" * 31),
        ("address", "0x" + "11" * 21),
        ("address", "0x" + "zz" * 20),
        ("int8", 1),
    ],
)
def test_what_does_not_fit_its_type_is_refused(solidity: str, value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_word(solidity, value)


def test_bytes_fill_whole_words() -> None:
    assert [len(encode_bytes(bytes(size))) for size in (0, 1, 32, 33)] == [32, 64, 64, 96]


@pytest.mark.parametrize("sizes", [[], [0], [1], [32, 33], [0, 452, 31, 1217, 64]])
def test_a_list_is_encoded_as_eth_abi_does_it(sizes: list[int]) -> None:
    calls = [(bytes(range(256)) * 5)[:size] for size in sizes]
    assert encode_list(calls) == encode(["bytes[]"], [calls])
