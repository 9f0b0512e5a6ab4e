"""A journal whose end cannot be made again: the chain goes on from the blocks before, and says so."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain.local_chain import (
    PATIENCE,
    LocalChains,
    OpenChain,
    Process,
    hashes,
    head,
    journal_hashes,
    journal_lines,
    kill,
    transfer,
    wait_for,
)

PATIENT = "0x" + "77" * 20


@pytest.fixture
def chains(tmp_path: Path) -> Iterator[LocalChains]:
    with LocalChains(tmp_path / "chain") as chains:
        yield chains


def settle(chains: LocalChains, rpc: OpenChain) -> None:
    """Wait until nothing more is mined and all of it is in the journal."""
    wait_for(lambda: int(rpc.node.call("txpool_status")["pending"], 16) == 0)
    wait_for(lambda: len(journal_hashes(chains.state)) == head(rpc))


def act_as(rpc: OpenChain, address: str) -> None:
    """Have the node itself act as an account whose key nobody gave: a journal cannot repeat that."""
    node = rpc.node
    node.call("anvil_setBalance", address, hex(10**20))
    node.call("anvil_impersonateAccount", address)
    sent = node.call("eth_sendTransaction", {"from": address, "to": address, "value": "0x1"})
    wait_for(lambda: rpc.call("eth_getTransactionReceipt", sent))


def tails(chains: LocalChains) -> list[Path]:
    return sorted(chains.state.glob("journal-after-*.jsonl"))


def said(process: Process) -> str:
    kill(process)
    assert process.stderr is not None
    return process.stderr.read()


def test_blocks_that_cannot_be_made_again_are_set_aside(chains: LocalChains) -> None:
    process, rpc = chains.start("--confirmations", "0")  # no block comes that nobody asked for
    transfer(rpc)
    settle(chains, rpc)
    good = hashes(rpc, head(rpc))
    act_as(rpc, PATIENT)
    transfer(rpc)
    settle(chains, rpc)
    lost = journal_lines(chains.state)[len(good) - 1 :]
    kill(process)
    shutil.rmtree(chains.state / "states", ignore_errors=True)

    process, rpc = chains.start("--confirmations", "0")
    assert hashes(rpc, len(good) - 1) == good
    (tail,) = tails(chains)
    assert tail.read_text().splitlines()[: len(lost)] == lost
    assert transfer(rpc) not in good
    settle(chains, rpc)
    known = journal_hashes(chains.state)
    text = said(process)
    assert f"The chain goes on from block {len(good) - 1}" in text
    assert str(tail) in text

    _, rpc = chains.start("--confirmations", "0")
    assert hashes(rpc, len(known))[1:] == known
    assert tails(chains) == [tail]


@pytest.mark.parametrize("damage", [b"\x00" * 30, b'{"number":3}', b"[]", b"null", b"[" * 20_000])
def test_blocks_from_a_damaged_line_on_are_set_aside(chains: LocalChains, damage: bytes) -> None:
    process, rpc = chains.start("--confirmations", "0")
    for _ in range(4):
        transfer(rpc)
    settle(chains, rpc)
    before = hashes(rpc, head(rpc))
    kill(process)
    journal = chains.state / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = damage + b"\n"
    journal.write_bytes(b"".join(lines))

    process, rpc = chains.start("--confirmations", "0")
    assert hashes(rpc, head(rpc)) == before[:3]
    (tail,) = tails(chains)
    assert tail.read_bytes() == b"".join(lines[2:])
    assert transfer(rpc)
    assert "The chain goes on from block 2" in said(process)


def test_a_damaged_last_line_costs_that_block_alone(chains: LocalChains) -> None:
    process, rpc = chains.start("--confirmations", "0")
    for _ in range(3):
        transfer(rpc)
    settle(chains, rpc)
    before = hashes(rpc, head(rpc))
    kill(process)
    journal = chains.state / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + b"garbage\n")
    _, rpc = chains.start("--confirmations", "0")
    assert hashes(rpc, head(rpc)) == before[:-1]


def test_a_journal_of_which_no_block_can_be_made_stops_it(chains: LocalChains) -> None:
    """Then the node or the genesis block is another one, and to set everything aside would help nobody."""
    process, rpc = chains.start()
    transfer(rpc)
    settle(chains, rpc)
    kill(process)
    journal = chains.state / "journal.jsonl"
    whole = journal.read_text()
    first = json.loads(whole.splitlines()[0])
    journal.write_text(whole.replace(first["hash"], "0x" + "00" * 32, 1))
    shutil.rmtree(chains.state / "states", ignore_errors=True)
    process, _ = chains.start()
    assert process.wait(PATIENCE) == 1
    assert tails(chains) == []
