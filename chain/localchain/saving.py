"""When the chain's state is saved: so often that a start is short, so seldom that it costs little."""

import logging
import time

from chain.localchain.errors import NodeRefused
from chain.localchain.generations import Generation, Generations
from chain.localchain.journal import JournalOffset
from chain.localchain.node import Anvil

WORK_SECONDS = 1.0
BLOCKS_APART = 20  # at the least, between two generations
_BLOCK_SECONDS = 0.001  # what making a block again takes at the least
_BUSY = 10  # how much more work may gather while nothing is quiet
_PATIENCE = 600.0  # seconds

logger = logging.getLogger(__name__)


class Saver:
    """Counts the work that a start would have to do again, and saves the state when that is too much.

    The work is the time that mining takes (seconds), which grows with the contract's state. A generation is
    due after `work` of it, or `work` for each second that the last one cost: that grows with the chain.
    """

    def __init__(self, generations: Generations, *, work: float = WORK_SECONDS) -> None:
        self._generations = generations
        self._enough = work
        self._cost = 0.0  # seconds that a save takes
        self._work = 0.0
        self._blocks = 0

    def expect(self, cost: float) -> None:
        """A save will take about so many seconds: as long as loading took."""
        self._cost = cost

    def count(self, blocks: int, seconds: float) -> None:
        """So many blocks were mined, and it took so long."""
        self._blocks += blocks
        self._work += max(seconds, blocks * _BLOCK_SECONDS)

    def save_if_due(self, node: Anvil, place: JournalOffset, *, quiet: float = 0.0) -> None:
        """Save the state at `place`, the node's head, if it is time. A disk that is full only puts it off.

        Nothing is mined meanwhile; so it is done after a quiet time (seconds) as long as it will take, and
        without one only when ten times the work has gathered.
        """
        enough = self._enough * max(1.0, self._cost) * (1 if quiet > self._cost else _BUSY)
        if self._blocks < BLOCKS_APART or self._work < enough:
            return
        began = time.monotonic()
        try:
            rpc = node.connect(timeout=_PATIENCE)
            state = bytes.fromhex(rpc.call("anvil_dumpState")[2:])
            if int(rpc.call("eth_blockNumber"), 16) != place.number:
                return  # somebody mines by hand, and the state may be of two blocks
            self._generations.save(Generation(place, rpc.call("web3_clientVersion"), state))
        except (OSError, NodeRefused) as error:
            logger.warning("the chain's state could not be saved; the journal has it all: %s", error)
        self._cost, self._work, self._blocks = time.monotonic() - began, 0.0, 0
