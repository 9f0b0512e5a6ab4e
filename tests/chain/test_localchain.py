"""The local chain's promise: what was in a block is in the same block after any kind of end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chain.localchain.errors import JournalBroken, LocalChainError
from chain.localchain.journal import Journal, JournalBlock, JournalOffset
from chain.localchain.rpc import Rpc
from tests.chain.local_chain import (
    PATIENCE,
    ROOT,
    LocalChains,
    OpenChain,
    Process,
    answers,
    hashes,
    head,
    journal_hashes,
    journal_lines,
    transfer,
    wait_for,
)

Start = Callable[[], tuple[Process, OpenChain]]


def settled_head(rpc: Rpc) -> int:
    """The head's number once the blocks that confirm the last transaction are there."""
    before = -1
    while before != head(rpc):
        before = head(rpc)
        time.sleep(0.5)
    return before


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "chain"


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Starts a local chain in `state` and waits for its port; every one started is ended with the test."""
    with LocalChains(state) as chains:
        yield chains.start


def test_killed_and_started_again_it_has_the_same_blocks(start: Start) -> None:
    process, rpc = start()
    chain_id = rpc.call("eth_chainId")
    included = [transfer(rpc) for _ in range(3)]
    before = hashes(rpc, settled_head(rpc))
    process.kill()
    process.wait()

    _, again = start()
    assert again.call("eth_chainId") == chain_id
    assert hashes(again, head(again)) == before
    assert set(included) <= set(before)
    assert transfer(again) not in before


def test_the_node_does_not_outlive_a_killed_supervisor(start: Start) -> None:
    process, _ = start()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("needs Linux's /proc")
    (node,) = children.read_text().split()
    process.kill()
    process.wait()
    wait_for(lambda: not Path(f"/proc/{node}").exists())


def test_a_dead_node_is_replaced_by_one_with_the_same_chain(start: Start, state: Path) -> None:
    process, rpc = start()
    included = transfer(rpc)
    wait_for(lambda: included in journal_hashes(state))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("needs Linux's /proc")
    (node,) = children.read_text().split()
    os.kill(int(node), signal.SIGKILL)
    block = wait_for(lambda: answers(rpc) and rpc.call("eth_getBlockByHash", included, False))
    assert block["transactions"]
    assert process.poll() is None


def test_an_idle_chain_does_not_grow_and_a_transaction_is_confirmed(start: Start) -> None:
    _, rpc = start()
    assert settled_head(rpc) == 0
    transfer(rpc)
    assert settled_head(rpc) == 3  # its own block and two that confirm it


def test_a_block_is_in_the_journal_before_the_next_one(start: Start, state: Path) -> None:
    _, rpc = start()
    transfer(rpc)
    last = settled_head(rpc)
    lines = [json.loads(line) for line in journal_lines(state)]
    assert [line["hash"] for line in lines] == hashes(rpc, last)[1:]
    assert len(lines[0]["transactions"]) == 1


def test_an_orderly_stop_ends_with_zero_and_a_second_start_reopens(start: Start) -> None:
    process, rpc = start()
    included = transfer(rpc)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    _, again = start()
    assert again.call("eth_getBlockByHash", included, False)


def test_a_torn_last_line_is_cut_off(start: Start, state: Path) -> None:
    process, rpc = start()
    transfer(rpc)
    before = hashes(rpc, settled_head(rpc))
    process.kill()
    process.wait()
    whole = (state / "journal.jsonl").read_bytes()
    (state / "journal.jsonl").write_bytes(whole + b'{"number":4,"timestamp":17')
    _, again = start()
    assert hashes(again, head(again)) == before
    assert (state / "journal.jsonl").read_bytes() == whole


def test_a_journal_that_leads_elsewhere_stops_it_with_one_line(start: Start, state: Path) -> None:
    process, rpc = start()
    transfer(rpc)
    settled_head(rpc)
    process.kill()
    process.wait()
    lines = journal_lines(state)
    lines[0] = lines[0].replace('"timestamp":', '"timestamp":1')  # some other time
    (state / "journal.jsonl").write_text("\n".join(lines) + "\n")
    refused, _ = start()
    assert refused.wait(PATIENCE) == 1
    assert refused.stderr is not None
    said = refused.stderr.read()
    assert "block 1 came out as" in said
    assert "Traceback" not in said


def test_two_in_one_folder_are_refused(start: Start) -> None:
    start()
    second, _ = start()
    assert second.wait(PATIENCE) == 1
    assert second.stderr is not None
    assert "another local chain runs" in second.stderr.read()


def test_a_port_in_use_is_said_in_one_line(start: Start, tmp_path: Path) -> None:
    _, rpc = start()
    port = rpc._connection.port
    command = [sys.executable, "-m", "chain.localchain", "--port", str(port), "--state", str(tmp_path / "b")]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1
    assert second.stderr == f"local chain: port {port} is in use: set LOCALCHAIN_PORT to another one\n"


def test_a_damaged_line_in_the_middle_is_never_skipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(JournalBlock(1, 10, "0x1", ()))
    with journal.path.open("a") as file:
        file.write("{}\n")
    journal.append(JournalBlock(3, 12, "0x3", ()))
    journal.mend()
    with pytest.raises(JournalBroken, match="line 2"):
        list(journal.blocks())


def test_only_the_next_block_may_follow(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(JournalBlock(1, 10, "0x1", ("0xaa",)))
    journal.append(JournalBlock(3, 11, "0x3", ()))
    with pytest.raises(LocalChainError, match="holds block 3"):
        list(journal.blocks())


def test_a_place_is_held_only_by_the_journal_it_is_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    first, second = (
        journal.append(JournalBlock(1, 10, "0x1", ("0xaa",))),
        journal.append(JournalBlock(2, 11, "0x2", ())),
    )
    assert journal.last_number() == 2
    assert [place for place, _ in journal.blocks(after=first)] == [second]
    assert journal.holds(second)
    assert not journal.holds(JournalOffset(2, "0x3", second.offset))
    assert not journal.holds(JournalOffset(2, "0x2", second.offset + 1))
    assert not journal.holds(JournalOffset(3, "0x3", journal.path.stat().st_size))


def test_a_long_torn_line_is_cut_off_and_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.last_number() == 0
    journal.append(JournalBlock(1, 10, "0x1", ("0x" + "a" * 200_000,)))
    whole = journal.path.read_bytes()
    for torn in (b"{", whole[:-1], b"\0" * 70_000):
        journal.path.write_bytes(whole + torn)
        journal.mend()
        assert journal.path.read_bytes() == whole
    journal.path.write_bytes(whole[:-1])
    journal.mend()
    assert journal.path.read_bytes() == b""
