"""Measures the cost of a long history for the local chain: seconds to start and to save, disk, memory.

The history of 10,000 and 100,000 blocks is made up, since mining it takes anvil half an hour: a stretch of
real blocks, every third with a relayed act, is repeated with other numbers, times, parents and hashes, in the
journal as in the saved state. The contract's state stays that of the stretch. What a start does is real: it
loads that state and makes the blocks after it again, to the same hashes.
"""

import gzip
import io
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3

from chain.localchain.errors import LocalChainError
from chain.localchain.generations import KEPT, Generation, Generations
from chain.localchain.identity import Identity
from chain.localchain.journal import Journal, JournalBlock, JournalOffset
from chain.localchain.node import BLOCK_GAS_LIMIT, Anvil, free_port
from chain.localchain.restoring import mine_block
from chain.localchain.rpc import Rpc
from tests.bench.gas import ARTIFACT, CHAIN_ID, Bench
from tests.chain.local_chain import node_behind

LIMITS = {"localchain_start_s_10k": 15.0, "localchain_start_s_100k": 60.0}
ROOT = Path(__file__).resolve().parents[2]
ACTS = 300  # of the real stretch, each followed by the two blocks that confirm it
TAIL = 100  # blocks after the saved state: about the second of mining after which the next one is saved
GENESIS_TIME = 1_700_000_000
PARENT_HASHES = "0x0000f90827f1c53a10cb7a02335b175320002935"  # EIP-2935: keeps the last 8,191 of them
MIB = 2**20

_ALWAYS_BYTES = {"extraData", "nonce"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """Real blocks as the node dumps them, from number 1 on, and what else the dump has."""

    dump: Json
    genesis: Json
    blocks: list[Json]
    transactions: dict[str, Json]  # by hash
    raw: dict[str, str]


def measure() -> dict[str, float]:
    """Seconds, MiB on the disk with all saved states, MiB of the node's memory after the start."""
    stretch = _mine_stretch()
    return _figures(stretch, 10_000, "10k") | _figures(stretch, 100_000, "100k")


def _figures(stretch: Stretch, blocks: int, name: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        size = _make_up(stretch, state, blocks)
        with _started(state) as (rpc, seconds, node):
            if int(rpc.call("eth_blockNumber"), 16) != blocks + TAIL:
                raise AssertionError("the chain does not end where its journal does")
            rss = _rss(node)
            began = time.monotonic()
            rpc.call("anvil_dumpState")
            saving = time.monotonic() - began
        journal = (state / "journal.jsonl").stat().st_size
    return {
        f"localchain_start_s_{name}": seconds,
        f"localchain_save_s_{name}": saving,
        f"localchain_disk_mib_{name}": (journal + KEPT * size) / MIB,
        f"localchain_rss_mib_{name}": rss,
    }


def _mine_stretch() -> Stretch:
    with Anvil(chain_id=CHAIN_ID, options=("--timestamp", str(GENESIS_TIME))) as node:
        bench = Bench(Web3(HTTPProvider(node.url)), json.loads(ARTIFACT.read_text()))
        patients = bench.people_of(20)
        for number in range(ACTS):
            patient = patients[number % len(patients)]
            bench.relayed([bench.signed("NewRecord", patient, bench.record(patient))])
            node.rpc.call("anvil_mine", "0x2")
        dump = json.loads(gzip.decompress(bytes.fromhex(node.rpc.call("anvil_dumpState")[2:])))
        sent = {each["info"]["transaction_hash"]: each for each in dump["transactions"]}
        raw = {each: node.rpc.call("eth_getRawTransactionByHash", each) for each in sent}
    genesis, *blocks = sorted(dump["blocks"], key=lambda block: int(block["header"]["number"], 16))
    return Stretch(dump, genesis, blocks, sent, raw)


def _make_up(stretch: Stretch, state: Path, blocks: int) -> int:
    """A folder of a chain of so many blocks, and TAIL more after its saved state; that one's size (bytes)."""
    identity = Identity(CHAIN_ID, GENESIS_TIME, BLOCK_GAS_LIMIT)
    (state / "chain.json").write_text(json.dumps(asdict(identity)))
    journal = Journal(state / "journal.jsonl")
    with Anvil(
        chain_id=CHAIN_ID, options=("--no-mining", "--order", "fifo", "--timestamp", str(GENESIS_TIME))
    ) as node:
        place, dumped = _repeat(stretch, journal, blocks)
        rpc = Rpc(node.port, timeout=600)
        version = rpc.call("web3_clientVersion")
        generations = Generations(state / "states")
        generations.save(Generation(place, version, dumped))
        rpc.call("anvil_loadState", "0x" + dumped.hex())
        _go_on(rpc, node, journal)
    return (state / "states" / f"{blocks}.state").stat().st_size


def _go_on(rpc: Rpc, node: Anvil, journal: Journal) -> None:
    """TAIL real blocks, written to the journal."""
    sender, receiver, *_ = rpc.call("eth_accounts")
    for number in range(TAIL):
        if number % 3 == 0:
            rpc.call("eth_sendTransaction", {"from": sender, "to": receiver, "value": "0x1"})
        head = rpc.call("eth_getBlockByNumber", "latest", False)
        mine_block(node, int(head["timestamp"], 16) + 1)
        made = rpc.call("eth_getBlockByNumber", "latest", False)
        raw = [rpc.call("eth_getRawTransactionByHash", each) for each in made["transactions"]]
        journal.append(
            JournalBlock(int(made["number"], 16), int(made["timestamp"], 16), made["hash"], tuple(raw))
        )


def _repeat(stretch: Stretch, journal: Journal, blocks: int) -> tuple[JournalOffset, bytes]:
    """Write the made-up journal; its last block's place, and the state there as the node would dump it."""
    parent, offset = _hash(stretch.genesis["header"]), 0
    place = JournalOffset(0, parent, 0)
    made, sent = [json.dumps(stretch.genesis)], []
    with journal.path.open("wb") as file:
        for number in range(1, blocks + 1):
            real = stretch.blocks[(number - 1) % len(stretch.blocks)]
            header = real["header"] | {
                "number": hex(number),
                "parentHash": parent,
                "timestamp": hex(GENESIS_TIME + 2 * number),
            }
            parent = _hash(header)
            block = json.dumps(real | {"header": header})
            raw = []
            for each in real["transactions"]:
                old, new = each["transaction"]["hash"], "0x" + secrets.token_hex(32)
                placed = stretch.transactions[old] | {"block_hash": parent, "block_number": number}
                sent.append(json.dumps(placed).replace(old, new))
                block = block.replace(old, new)
                raw.append(stretch.raw[old])
            made.append(block)
            entry = JournalBlock(number, GENESIS_TIME + 2 * number, parent, tuple(raw))
            place = JournalOffset(number, parent, offset)
            offset += file.write(json.dumps(asdict(entry), separators=(",", ":")).encode() + b"\n")
    return place, _dump(stretch, blocks, made, sent)


def _dump(stretch: Stretch, blocks: int, made: list[str], sent: list[str]) -> bytes:
    """Return the node's dump with these blocks and transactions, each as JSON."""
    accounts = stretch.dump["accounts"]
    kept = {f"0x{slot:064x}": "0x" + secrets.token_hex(32) for slot in range(8_191)}
    accounts |= {PARENT_HASHES: accounts[PARENT_HASHES] | {"storage": kept}}
    now = {"number": hex(blocks), "timestamp": hex(GENESIS_TIME + 2 * blocks)}
    rest = stretch.dump | {"accounts": accounts, "best_block_number": blocks}
    rest |= {"block": stretch.dump["block"] | now, "blocks": ["BLOCKS"], "transactions": ["SENT"]}
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as file:
        text = json.dumps(rest).replace('"BLOCKS"', ",".join(made)).replace('"SENT"', ",".join(sent))
        file.write(text.encode())
    return packed.getvalue()


def _hash(header: Json) -> str:
    """A block's hash (Ethereum yellow paper, 4.4). The dump has the fields in their order."""
    fields = [
        int(value, 16) if len(value) < 42 and name not in _ALWAYS_BYTES else bytes.fromhex(value[2:])
        for name, value in header.items()
    ]
    return "0x" + keccak(rlp.encode(fields)).hex()


@contextmanager
def _started(state: Path) -> Iterator[tuple[Rpc, float, int]]:
    """A local chain there: its node, the seconds until its port opened, and the node's process id."""
    port = free_port()
    command = [sys.executable, "-m", "chain.localchain", "--port", str(port), "--state", str(state)]
    began = time.monotonic()
    process = subprocess.Popen([*command, "--work", "1000"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        rpc = Rpc(port)
        while not _answers(rpc):
            if process.poll() is not None:
                raise AssertionError(process.communicate()[1])
            time.sleep(0.01)
        seconds = time.monotonic() - began
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield node_behind(process.pid, timeout=600), seconds, int(children[0])
    finally:
        process.kill()
        said = process.communicate()[1]
    if "is loaded" not in said:
        raise AssertionError(f"it did not start from the saved state: {said}")


def _answers(rpc: Rpc) -> bool:
    try:
        return bool(rpc.call("eth_chainId"))
    except LocalChainError:
        return False


def _rss(pid: int) -> float:
    """A process's memory in MiB (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
