"""kill -9 of the local chain at any moment, in and between its writes: it comes back whole, each time.

LOCALCHAIN_KILLS says how often.
"""

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.localchain.errors import NodeGone
from chain.localchain.saving import BLOCKS_APART
from tests.chain.local_chain import (
    LocalChains,
    OpenChain,
    Process,
    head,
    journal_hashes,
    kill,
    saved_states,
    transfer,
    wait_for,
)

KILLS = int(os.environ.get("LOCALCHAIN_KILLS", "10"))
STEPS = 2 * BLOCKS_APART + 20  # of a round: one for each block, some for each state


@pytest.fixture
def chains(tmp_path: Path) -> Iterator[LocalChains]:
    with LocalChains(tmp_path / "chain") as chains:
        yield chains


def work(process: Process, rpc: OpenChain, state: Path) -> None:
    """Blocks and saved states. NodeGone when the process dies meanwhile."""
    for _ in range(2):
        known = saved_states(state)
        transfer(rpc)
        rpc.node.call("anvil_mine", hex(BLOCKS_APART))
        wait_for(lambda before=known: saved_states(state) != before or process.poll() is not None)  # type: ignore[misc]


def said_by(process: Process) -> str:
    """Return the terminal output of a process that has ended."""
    assert process.stderr is not None
    return process.stderr.read()


def same_head(rpc: OpenChain, known: list[str]) -> bool:
    """Return whether the chain ends as it did before the kill."""
    return head(rpc) == len(known) and (
        not known or rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == known[-1]
    )


def test_killed_in_and_between_its_writes_it_comes_back_whole(chains: LocalChains) -> None:
    chance = random.Random(4)
    known: list[str] = []
    said = ""
    for _ in range(KILLS):
        step, when = str(chance.randrange(1, STEPS)), chance.choice(["before", "after"])
        process, rpc = chains.start(
            "--work", "0", module="tests.chain.killed_localchain", KILL_AT=step, KILL_WHEN=when
        )
        with contextlib.suppress(NodeGone):
            assert same_head(rpc, known)
            work(process, rpc, chains.state)
        kill(process)
        said += said_by(process)
        found = journal_hashes(chains.state)
        assert found[: len(known)] == known, (step, when)
        known = found
    assert "is loaded" in said
    assert "Traceback" not in said

    shutil.rmtree(chains.state / "states")
    _, rpc = chains.start()
    assert same_head(rpc, known)
