"""State generations: a start from one gives the very chain that the journal gives from its first block."""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from chain.keys.ecdsa import address_of_key
from chain.localchain import Anvil
from chain.localchain.generations import KEPT, Generation, Generations
from chain.localchain.journal import JournalOffset
from chain.localchain.saving import BLOCKS_APART, Saver
from chain.localchain.supervisor import STATES_KEPT
from tests.chain.local_chain import (
    PATIENCE,
    LocalChains,
    OpenChain,
    head,
    journal_hashes,
    kill,
    saved_states,
    transfer,
    wait_for,
)

FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
# Each call logs one topic and 32 bytes, and stores the block's number at itself.
LOGGER = "0x" + "00" * 32 + "6a600160206000a143435500600052600b6015f3"
EAGER = ("--work", "0", "--confirmations", "1")
NEVER = ("--work", "1000", "--confirmations", "1")
BEHIND = STATES_KEPT + 1  # as many blocks as a state must lie behind to be used


@pytest.fixture
def chains(tmp_path: Path) -> Iterator[LocalChains]:
    with LocalChains(tmp_path / "chain") as chains:
        yield chains


def deploy_logger(rpc: OpenChain) -> str:
    """A contract with logs and storage; its address."""
    call = {"to": FACTORY, "data": LOGGER, "gas": hex(500_000)}
    address: str = rpc.call("eth_call", call, "latest")
    sent = rpc.send(rpc.funder, FACTORY, data=bytes.fromhex(LOGGER[2:]), gas=500_000)
    wait_for(lambda: rpc.call("eth_getTransactionReceipt", sent))
    return address


def fill(rpc: OpenChain, contract: str, blocks: int) -> None:
    """So many blocks, every second one with calls."""
    for number in range(blocks):
        if number % 2:
            for _ in range(3):
                rpc.send(rpc.funder, contract)
        rpc.node.call("evm_mine")


def save_two(chains: LocalChains, rpc: OpenChain, contract: str) -> None:
    """Have two more states saved: one to start from, and one that the head is still too near to."""
    for _ in range(2):
        before = set(saved_states(chains.state))
        fill(rpc, contract, BLOCKS_APART)
        wait_for(lambda before=before: set(saved_states(chains.state)) - before)  # type: ignore[misc]
    wait_for(lambda: len(journal_hashes(chains.state)) == head(rpc))


def everything(rpc: OpenChain, contract: str) -> dict[str, Any]:
    """Return the node's answers to the questions of portal and indexer about every block."""
    blocks = [rpc.call("eth_getBlockByNumber", hex(number), True) for number in range(head(rpc) + 1)]
    sent = [each["hash"] for block in blocks for each in block["transactions"]]
    accounts = [address_of_key(rpc.funder), address_of_key(bytes([1] * 32))]
    recent = [hex(number) for number in range(len(blocks) - STATES_KEPT, len(blocks))]
    return {
        "blocks": blocks,
        "transactions": [rpc.call("eth_getTransactionByHash", each) for each in sent],
        "raw": [rpc.call("eth_getRawTransactionByHash", each) for each in sent],
        "receipts": [rpc.call("eth_getTransactionReceipt", each) for each in sent],
        "logs": rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"}),
        "old logs": rpc.call("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xf", "address": contract}),
        "code": rpc.call("eth_getCode", contract, "latest"),
        "storage": [rpc.call("eth_getStorageAt", contract, hex(number), "latest") for number in range(60)],
        "balances": [rpc.call("eth_getBalance", each, "latest") for each in accounts],
        "nonces": [rpc.call("eth_getTransactionCount", accounts[0], each) for each in recent],
        "calls": [rpc.call("eth_call", {"to": contract}, each) for each in recent],
        "fees": rpc.call("eth_feeHistory", hex(STATES_KEPT), "latest", [50]),
        "price": rpc.call("eth_gasPrice"),
        "chain": rpc.call("eth_chainId"),
    }


def break_byte(file: Path, at: int) -> None:
    """Change one byte of a file where it lies."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_from_a_saved_state_it_answers_about_every_block_as_before(chains: LocalChains) -> None:
    process, rpc = chains.start(*EAGER)
    contract = deploy_logger(rpc)
    save_two(chains, rpc, contract)
    before = everything(rpc, contract)
    kill(process)
    whole = (chains.state / "journal.jsonl").read_bytes()
    break_byte(chains.state / "journal.jsonl", 2)  # from the first block on, it could not start

    process, rpc = chains.start(*EAGER)
    assert everything(rpc, contract) == before
    transfer(rpc)
    fill(rpc, contract, 3)
    wait_for(lambda: len(journal_hashes(chains.state)) == head(rpc))
    kill(process)
    journal = (chains.state / "journal.jsonl").read_bytes()
    (chains.state / "journal.jsonl").write_bytes(whole[:3] + journal[3:])
    shutil.rmtree(chains.state / "states")

    _, rpc = chains.start()  # the same blocks from the first one, those made after the saved state too
    assert head(rpc) >= len(before["blocks"]) + 3
    assert everything(rpc, contract)["blocks"][: len(before["blocks"])] == before["blocks"]


def test_a_damaged_state_gives_way_to_an_older_one_and_those_to_the_journal(chains: LocalChains) -> None:
    process, rpc = chains.start(*EAGER)
    contract = deploy_logger(rpc)
    save_two(chains, rpc, contract)
    save_two(chains, rpc, contract)
    kill(process)
    known = journal_hashes(chains.state)
    usable = [file for file in saved_states(chains.state) if int(file.stem) <= len(known) - BEHIND]
    assert len(usable) >= 2
    break_byte(chains.state / "journal.jsonl", 2)
    break_byte(usable[0], usable[0].stat().st_size // 2)

    process, rpc = chains.start(*NEVER)
    assert rpc.call("eth_getBlockByNumber", hex(len(known)), False)["hash"] == known[-1]
    kill(process)
    assert not usable[0].exists()
    assert usable[1].exists()
    break_byte(chains.state / "journal.jsonl", 2)
    for file in saved_states(chains.state):
        file.write_bytes(file.read_bytes()[:-1])

    process, rpc = chains.start(*NEVER)
    assert head(rpc) == len(known)
    assert saved_states(chains.state) == []


def test_a_state_that_leads_elsewhere_is_thrown_away(chains: LocalChains) -> None:
    process, rpc = chains.start(*EAGER)
    save_two(chains, rpc, deploy_logger(rpc))
    kill(process)
    known = journal_hashes(chains.state)
    states = Generations(chains.state / "states")
    with Anvil(chain_id=1) as other:
        version = other.rpc.call("web3_clientVersion")
        good = next(states.newest_first(node=version, up_to=len(known) - BEHIND))
        other.rpc.call("anvil_mine", hex(good.place.number))
        states.save(Generation(good.place, version, bytes.fromhex(other.rpc.call("anvil_dumpState")[2:])))

    process, rpc = chains.start(*NEVER)
    assert head(rpc) == len(known)
    assert f"{good.place.number}.state" not in [file.name for file in saved_states(chains.state)]
    kill(process)
    assert process.stderr is not None
    assert f"the state of block {good.place.number} is no good" in process.stderr.read()


def test_a_block_of_many_senders_is_made_again_in_its_order(chains: LocalChains) -> None:
    process, rpc = chains.start()
    rich = address_of_key(rpc.funder)
    chain_id = int(rpc.call("eth_chainId"), 16)
    people = [Account.create() for _ in range(300)]
    fields = {"gas": 21_000, "chainId": chain_id, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
    for each in people:
        rpc.send(rpc.funder, each.address, value=10**18, gas=21_000)
    wait_for(lambda: int(rpc.call("eth_getBalance", people[-1].address, "latest"), 16))
    for each in people:
        signed = each.sign_transaction(fields | {"to": rich, "value": 1, "nonce": 0})
        sent = rpc.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    wait_for(lambda: rpc.call("eth_getTransactionReceipt", sent))
    wait_for(lambda: len(journal_hashes(chains.state)) == head(rpc))
    kill(process)
    known = journal_hashes(chains.state)

    process, rpc = chains.start()
    assert process.poll() is None
    assert rpc.call("eth_getBlockByNumber", hex(len(known)), False)["hash"] == known[-1]


def test_a_lone_state_at_the_head_is_better_than_none(chains: LocalChains) -> None:
    process, rpc = chains.start("--work", "0", "--confirmations", "0")
    for _ in range(BLOCKS_APART):
        transfer(rpc)
    wait_for(lambda: saved_states(chains.state))
    kill(process)
    (saved, *_) = saved_states(chains.state)
    lines = (chains.state / "journal.jsonl").read_text().splitlines(keepends=True)
    (chains.state / "journal.jsonl").write_text("".join(lines[: int(saved.stem)]))
    known = journal_hashes(chains.state)
    break_byte(chains.state / "journal.jsonl", 2)

    _, rpc = chains.start(*NEVER)
    assert rpc.call("eth_getBlockByNumber", hex(len(known)), False)["hash"] == known[-1]
    wait_for(lambda: head(rpc) == len(known) + 1)  # what confirms the transaction in the last block


def test_what_is_owed_after_a_start_is_mined(chains: LocalChains) -> None:
    """A block whose confirmation the kill came before is confirmed, from a saved state too."""
    process, rpc = chains.start("--work", "0", "--confirmations", "0")
    contract = deploy_logger(rpc)
    fill(rpc, contract, BLOCKS_APART)
    wait_for(lambda: saved_states(chains.state))
    transfer(rpc)
    wait_for(lambda: len(journal_hashes(chains.state)) == head(rpc))
    kill(process)
    last = len(journal_hashes(chains.state))

    _, rpc = chains.start("--work", "1000", "--confirmations", "3")
    wait_for(lambda: head(rpc) == last + 3)


def generation(number: int, size: int = 100) -> Generation:
    return Generation(JournalOffset(number, f"0x{number:x}", 10 * number), "node/1", bytes([number]) * size)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that takes no file of more bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    states = Generations(tmp_path)
    for number in (5, 7, 90, 100):
        states.save(generation(number))
    assert [each.place.number for each in states.newest_first(node="node/1", up_to=99)] == [90, 7]
    assert len(list(tmp_path.iterdir())) == KEPT
    assert next(states.newest_first(node="node/1", up_to=100)) == generation(100)


def test_another_version_of_the_node_has_its_own_and_takes_none(tmp_path: Path) -> None:
    states = Generations(tmp_path)
    for number in (70, 80, 90):
        states.save(generation(number))
    assert list(states.newest_first(node="node/2", up_to=100)) == []
    for number in (10, 20, 30, 40):
        states.save(replace(generation(number), node="node/2"))
    found = [each.place.number for each in states.newest_first(node="node/2", up_to=100)]
    assert found == [40, 30, 20]
    assert len(list(states.newest_first(node="node/1", up_to=100))) == 3


def test_what_lies_after_the_journal_makes_no_room_scarce(tmp_path: Path) -> None:
    states = Generations(tmp_path)
    for number in (90, 91, 92):
        states.save(generation(number))
    states.discard_after(90)
    states.save(generation(5))
    assert [each.place.number for each in states.newest_first(node="node/1", up_to=99)] == [90, 5]


def test_any_byte_that_is_another_makes_a_state_damaged(tmp_path: Path) -> None:
    states = Generations(tmp_path)
    states.save(generation(1))
    file = tmp_path / "1.state"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole)
        break_byte(file, at)
        assert list(states.newest_first(node="node/1", up_to=1)) == [], at
        assert not file.exists()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert list(states.newest_first(node="node/1", up_to=1)) == [], size
    states.save(generation(1))
    file.rename(tmp_path / "2.state")
    assert list(states.newest_first(node="node/1", up_to=2)) == []


def test_a_draft_that_a_crash_left_goes(tmp_path: Path) -> None:
    (tmp_path / "5.state.new").write_bytes(b"half")
    assert list(Generations(tmp_path).newest_first(node="node/1", up_to=9)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_puts_a_state_off_and_takes_nothing(tmp_path: Path) -> None:
    states = Generations(tmp_path)
    states.save(generation(1))
    saver = Saver(states, work=0)
    with Anvil(chain_id=1) as node:
        node.rpc.call("anvil_mine", hex(BLOCKS_APART))
        saver.count(BLOCKS_APART, 1.0)
        place = JournalOffset(BLOCKS_APART, node.rpc.call("eth_getBlockByNumber", "latest", False)["hash"], 7)
        with files_of_at_most(1000):
            saver.save_if_due(node, place, quiet=1.0)
        assert [file.name for file in tmp_path.iterdir()] == ["1.state"]
        saver.count(BLOCKS_APART, 1.0)
        saver.save_if_due(node, place, quiet=1.0)
        version = node.rpc.call("web3_clientVersion")
    assert next(states.newest_first(node=version, up_to=BLOCKS_APART)).place == place


def test_a_full_disk_stops_the_chain_and_space_brings_it_back(chains: LocalChains) -> None:
    process, rpc = chains.start()
    included = transfer(rpc)
    wait_for(lambda: len(journal_hashes(chains.state)) == 3)
    known = journal_hashes(chains.state)
    room = (chains.state / "journal.jsonl").stat().st_size + 100  # for less than a block
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
    rpc.send(rpc.funder, FACTORY)
    assert process.wait(PATIENCE) == 1
    assert process.stderr is not None
    assert "the disk may be full" in process.stderr.read()

    _, rpc = chains.start()
    assert journal_hashes(chains.state) == known
    assert rpc.call("eth_getBlockByHash", included, False)
    assert transfer(rpc) not in known


def test_nothing_is_left_in_the_home_folder(chains: LocalChains, tmp_path: Path) -> None:
    """anvil by itself writes older states there, and a kill leaves them behind."""
    home = tmp_path / "home"
    home.mkdir()
    process, rpc = chains.start(HOME=str(home))
    rpc.node.call("anvil_mine", hex(520))
    wait_for(lambda: len(journal_hashes(chains.state)) == 520)
    kill(process)
    assert [file for file in home.rglob("*") if file.is_file()] == []
