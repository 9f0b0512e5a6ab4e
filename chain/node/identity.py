"""The identity of a network, and of a contract at an address, as the node tells them.

Nothing here asks which contract is in use.
"""

from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from chain.contract.abi import decode_result, encode_call
from chain.errors import ChainUnavailable
from chain.node import rpc
from chain.node.answers import number_of
from chain.node.domain import Domain


def chain_id() -> int:
    """Return the network's id."""
    return number_of(rpc.ask("eth_chainId"))


def view_at(contract: str, function: str, *args: Any) -> tuple[Any, ...]:
    """Return what a view of the contract at an address says at the head."""
    answer = rpc.call(contract, encode_call(function, *args))
    try:
        return decode_result(function, answer)
    except DecodingError as problem:
        raise ChainUnavailable("There is no MedRec contract at its address.") from problem


def origin_of(contract: str) -> tuple[int, str]:
    """Return the identity of a deployed contract."""
    chain, first = view_at(contract, "origin")
    return chain, str(to_checksum_address(first))


def predecessor_of(contract: str) -> tuple[str, int]:
    """Return the contract whose place a successor takes, and its last block that counts; 0 while it loads."""
    before, last_block = view_at(contract, "predecessor")
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
    _, _, _, chain, verifying, _, _ = view_at(contract, "eip712Domain")
    return Domain(chain, str(to_checksum_address(verifying)))
