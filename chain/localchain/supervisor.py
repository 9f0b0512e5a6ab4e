"""Keeps a node running whose chain is the journal's: replays it, then mines on demand and records."""

import fcntl
import logging
import threading
import time
from pathlib import Path

from chain.localchain.errors import JournalBroken, LocalChainError, NodeGone
from chain.localchain.gate import Gate
from chain.localchain.identity import load_identity
from chain.localchain.journal import Block, Journal
from chain.localchain.node import Anvil

POLL_SECONDS = 0.1

logger = logging.getLogger(__name__)


class Supervisor:
    """One local chain: its folder `state`, its public `port`.

    A block is mined when transactions wait and `block_time` seconds have passed since the last one; then as
    many empty ones as confirmation takes (`confirmations`), so that an idle chain does not grow.
    """

    def __init__(
        self, *, state: Path, port: int, block_time: float, confirmations: int, gas_limit: int
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._lock = (state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalChainError(f"another local chain runs in {state}") from error
        self._gate = Gate(port)
        self._identity = load_identity(state / "chain.json", gas_limit=gas_limit)
        self._journal = Journal(state / "journal.jsonl")
        self._journal.mend()
        self._block_time = block_time
        self._confirmations = confirmations
        self._stop = threading.Event()
        self._head = Block(number=0, timestamp=self._identity.genesis_time, hash="", transactions=())
        self._empty_blocks = confirmations  # at the head; none are owed after the genesis block
        self._mined_at = 0.0  # monotonic seconds

    def stop(self) -> None:
        """Ask it to end; safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Run until stopped; a node that dies is replaced by a new one, replayed to the same block.

        Raises LocalChainError when that cannot help.
        """
        while not self._stop.is_set():
            self._run_node()

    def _run_node(self) -> None:
        identity = self._identity
        options = ("--no-mining", "--order", "fifo", "--timestamp", str(identity.genesis_time))
        with Anvil(chain_id=identity.chain_id, options=options, gas_limit=identity.gas_limit) as node:
            self._replay(node)
            if self._stop.is_set():
                return
            self._gate.open(node.port)
            logger.info("chain %s is at block %s", identity.chain_id, self._head.number)
            try:
                while not self._stop.wait(POLL_SECONDS):
                    self._mine_if_due(node)
            except NodeGone as error:  # only here: a node that dies in its replay would do so again
                logger.warning("%s; starting it again", error)
            finally:
                self._gate.shut()

    def _replay(self, node: Anvil) -> None:
        genesis = node.rpc.call("eth_getBlockByNumber", "0x0", False)["hash"]
        self._head = Block(number=0, timestamp=self._identity.genesis_time, hash=genesis, transactions=())
        self._empty_blocks = self._confirmations
        for block in self._journal.blocks():
            if self._stop.is_set():
                return
            node.rpc.batch([("eth_sendRawTransaction", (raw,)) for raw in block.transactions])
            self._mine(node, block.timestamp)
            made = node.rpc.call("eth_getBlockByNumber", hex(block.number), False)["hash"]
            if made != block.hash:
                raise JournalBroken(
                    f"{self._journal.path}: block {block.number} came out as {made}, not {block.hash}. "
                    "Something other than a transaction changed the chain, or anvil has another version."
                )
            self._advance(block)

    def _mine_if_due(self, node: Anvil) -> None:
        self._record(node)  # what somebody mined by hand, through the public port
        waiting = int(node.rpc.call("txpool_status")["pending"], 16) > 0
        owed = self._empty_blocks < self._confirmations
        if (waiting or owed) and time.monotonic() - self._mined_at >= self._block_time:
            self._mine(node, max(int(time.time()), self._head.timestamp + 1))
            self._mined_at = time.monotonic()
            self._record(node)

    def _mine(self, node: Anvil, timestamp: int) -> None:
        node.rpc.batch([("evm_setNextBlockTimestamp", (timestamp,)), ("evm_mine", ())])

    def _record(self, node: Anvil) -> None:
        head = int(node.rpc.call("eth_blockNumber"), 16)
        for number in range(self._head.number + 1, head + 1):
            mined = node.rpc.call("eth_getBlockByNumber", hex(number), False)
            if mined["parentHash"] != self._head.hash:
                raise JournalBroken(f"block {number} does not follow the journal: somebody rewound the chain")
            hashes = mined["transactions"]
            raw = node.rpc.batch([("eth_getRawTransactionByHash", (each,)) for each in hashes])
            block = Block(number, int(mined["timestamp"], 16), mined["hash"], tuple(raw))
            self._journal.append(block)
            self._advance(block)

    def _advance(self, block: Block) -> None:
        self._head = block
        self._empty_blocks = 0 if block.transactions else self._empty_blocks + 1
