"""Keeps a node running whose chain is the journal's: brings it there, then mines on demand and records."""

import fcntl
import logging
import threading
import time
from pathlib import Path

from chain.localchain.errors import JournalBroken, LineDamaged, LocalChainError, NodeGone, NodeRefused
from chain.localchain.gate import Gate
from chain.localchain.generations import Generations
from chain.localchain.identity import load_identity
from chain.localchain.journal import Journal, JournalBlock, JournalOffset
from chain.localchain.node import Anvil, secret_loopback_host
from chain.localchain.restoring import count_empty, load_newest, make_block, mine_block
from chain.localchain.saving import WORK_SECONDS, Saver

POLL_SECONDS = 0.1
STATES_KEPT = 16  # blocks before the confirmed one at which a contract can still be asked

logger = logging.getLogger(__name__)


class Supervisor:
    """One local chain: its folder `state`, its public `port`.

    A block is mined when transactions wait and `block_time` seconds have passed since the last one; then as
    many empty ones as confirmation takes (`confirmations`), so that an idle chain does not grow. When a start
    would have about `work` seconds of mining to do again, the state is saved.
    """

    def __init__(
        self,
        *,
        state: Path,
        port: int,
        block_time: float,
        confirmations: int,
        gas_limit: int,
        work: float = WORK_SECONDS,
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._lock = (state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalChainError(f"another local chain runs in {state}") from error
        self._gate = Gate(port)
        self._state = state
        self._identity = load_identity(state / "chain.json", gas_limit=gas_limit)
        self._journal = Journal(state / "journal.jsonl")
        self._journal.mend()
        self._generations = Generations(state / "states")
        self._saver = Saver(self._generations, work=work)
        self._block_time = block_time
        self._confirmations = confirmations
        self._states_kept = STATES_KEPT + confirmations
        self._stop = threading.Event()
        self._head = JournalOffset(number=0, hash="", offset=0)
        self._time = self._identity.genesis_time  # the head's, unix seconds
        self._empty_blocks = confirmations  # at the head; none are owed after the genesis block
        self._mined_at = 0.0  # monotonic seconds
        self._stuck_after: int | None = None  # the block after which a replay from the first one failed

    def stop(self) -> None:
        """Ask it to end; safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Run until stopped; a node that dies is replaced by a new one, brought to the same block.

        Raises LocalChainError when that cannot help.
        """
        while not self._stop.is_set():
            self._run_node()

    def _run_node(self) -> None:
        identity = self._identity
        with Anvil(
            chain_id=identity.chain_id,
            host=secret_loopback_host(),
            options=identity.node_options(self._state),
            gas_limit=identity.gas_limit,
            states_kept=self._states_kept,
        ) as node:
            if not self._restore(node):
                return
            self._gate.open(node.url)
            logger.info("chain %s is at block %s", identity.chain_id, self._head.number)
            try:
                while not self._stop.wait(POLL_SECONDS):
                    self._mine_if_due(node)
            except NodeGone as error:  # only here: a node that dies in its replay would do so again
                logger.warning("%s; starting it again", error)
            finally:
                self._gate.shut()

    def _restore(self, node: Anvil) -> bool:
        """Bring the node to the journal's end; False when another node has to try, or none."""
        began = time.monotonic()
        try:
            loaded = load_newest(node, self._generations, self._journal, behind=self._states_kept)
        except NodeRefused as error:
            logger.warning("%s; an older one will do", error)
            return False
        self._saver.expect(time.monotonic() - began)
        head = node.rpc.call("eth_getBlockByNumber", "latest", False)
        self._head, self._time = loaded or JournalOffset(0, head["hash"], 0), int(head["timestamp"], 16)
        self._empty_blocks = count_empty(node, self._head.number, enough=self._confirmations)
        try:
            return self._replay(node, loaded)
        except LineDamaged as error:
            self._set_tail_aside(error)
        except (JournalBroken, NodeRefused) as error:
            self._doubt(loaded, error)
        return False

    def _replay(self, node: Anvil, loaded: JournalOffset | None) -> bool:
        """Make the journal's blocks again; False when it was told to stop."""
        for place, block in self._journal.blocks(after=loaded):
            if self._stop.is_set():
                return False
            began = time.monotonic()
            make_block(node, block)
            self._saver.count(1, time.monotonic() - began)
            self._advance(place, block)
            self._saver.save_if_due(node, place)
        return True

    def _doubt(self, loaded: JournalOffset | None, error: LocalChainError) -> None:
        """Blame the saved state for a block that cannot be made again, then the node, then the block."""
        if loaded is not None:
            logger.warning("after the state of block %s, %s; an older one will do", loaded.number, error)
            self._generations.discard(loaded.number)
        elif self._stuck_after != self._head.number:
            logger.warning("after block %s, %s; trying once more", self._head.number, error)
            self._stuck_after = self._head.number
        else:
            self._set_tail_aside(error)

    def _set_tail_aside(self, error: LocalChainError) -> None:
        """Go on from the last block that could be made again. Raises JournalBroken when there is none."""
        if self._head.number == 0:
            raise JournalBroken(f"{self._journal.path}: {error}") from error
        tail = self._journal.set_aside(self._head)
        logger.error(
            "block %s cannot be made again (%s). The chain goes on from block %s. The blocks after that are"
            " kept in %s. The portal sends its own acts again by itself.",
            self._head.number + 1,
            error,
            self._head.number,
            tail,
        )

    def _mine_if_due(self, node: Anvil) -> None:
        self._saver.count(self._record(node), 0.0)  # a block that was mined past the gate, too
        waiting = int(node.rpc.call("txpool_status")["pending"], 16) > 0
        owed = self._empty_blocks < self._confirmations
        if not (waiting or owed):
            self._saver.save_if_due(node, self._head, quiet=time.monotonic() - self._mined_at)
        elif time.monotonic() - self._mined_at >= self._block_time:
            began = time.monotonic()
            mine_block(node, max(int(time.time()), self._time + 1))
            self._mined_at = time.monotonic()
            self._saver.count(self._record(node), self._mined_at - began)
            self._saver.save_if_due(node, self._head)

    def _record(self, node: Anvil) -> int:
        """Write what was mined to the journal: how many blocks."""
        known = self._head.number
        head = int(node.rpc.call("eth_blockNumber"), 16)
        for number in range(known + 1, head + 1):
            mined = node.rpc.call("eth_getBlockByNumber", hex(number), False)
            if mined["parentHash"] != self._head.hash:
                raise JournalBroken(f"block {number} does not follow the journal: somebody rewound the chain")
            hashes = mined["transactions"]
            raw = node.rpc.batch([("eth_getRawTransactionByHash", (each,)) for each in hashes])
            block = JournalBlock(number, int(mined["timestamp"], 16), mined["hash"], tuple(raw))
            self._advance(self._journal.append(block), block)
        return self._head.number - known

    def _advance(self, place: JournalOffset, block: JournalBlock) -> None:
        self._head, self._time = place, block.timestamp
        self._empty_blocks = 0 if block.transactions else self._empty_blocks + 1
