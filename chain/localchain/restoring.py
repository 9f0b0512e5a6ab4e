"""Bringing a fresh node to the journal's end: from the newest state that will do, then block by block."""

import logging
from itertools import chain

from chain.localchain.errors import JournalBroken, NodeGone, NodeRefused
from chain.localchain.generations import Generation, Generations
from chain.localchain.journal import Journal, JournalBlock, JournalOffset
from chain.localchain.node import Anvil

LOAD_SECONDS = 600.0

logger = logging.getLogger(__name__)


def load_newest(
    node: Anvil, generations: Generations, journal: Journal, *, behind: int
) -> JournalOffset | None:
    """Load the newest generation at least `behind` blocks behind the end, or else the newest; its place.

    Behind, because a node knows the states of blocks it made itself, and of those it loaded only the last.
    None: there was nothing to load, and the node is as it was. NodeRefused, with the generation thrown away:
    the node did not take it or came to another block by it, and is good for nothing more.
    """
    version, last = node.rpc.call("web3_clientVersion"), journal.last_number()
    generations.discard_after(last)
    far_enough = generations.newest_first(node=version, up_to=last - behind)
    for generation in chain(far_enough, generations.newest_first(node=version, up_to=last)):
        if not journal.holds(generation.place):
            logger.warning("the state of block %s is not of this journal", generation.place.number)
            generations.discard(generation.place.number)
            continue
        try:
            _load(node, generation)
        except (NodeGone, NodeRefused) as error:
            generations.discard(generation.place.number)
            raise NodeRefused(f"the state of block {generation.place.number} is no good: {error}") from error
        logger.info("the state of block %s is loaded", generation.place.number)
        return generation.place
    return None


def _load(node: Anvil, generation: Generation) -> None:
    rpc = node.connect(timeout=LOAD_SECONDS)
    rpc.call("anvil_loadState", "0x" + generation.state.hex())
    head = rpc.call("eth_getBlockByNumber", "latest", False)
    place = generation.place
    if (int(head["number"], 16), head["hash"]) != (place.number, place.hash):
        raise NodeRefused(f"it leads to block {int(head['number'], 16)}, {head['hash']}")


def count_empty(node: Anvil, head: int, *, enough: int) -> int:
    """Return how many blocks without transactions are at the head; `enough` is as far as it looks."""
    for number in range(head, max(head - enough, 0), -1):
        if node.rpc.call("eth_getBlockByNumber", hex(number), False)["transactions"]:
            return head - number
    return enough


def make_block(node: Anvil, block: JournalBlock) -> None:
    """Mine a block of the journal again. Raises JournalBroken when it does not come out the same."""
    for raw in block.transactions:  # one by one: a node may take those of a long batch in another order
        node.rpc.call("eth_sendRawTransaction", raw)
    mine_block(node, block.timestamp)
    new_hash = node.rpc.call("eth_getBlockByNumber", hex(block.number), False)["hash"]
    if new_hash != block.hash:
        raise JournalBroken(
            f"block {block.number} came out as {new_hash}, not {block.hash}. "
            "Something other than a transaction changed the chain, or anvil has another version."
        )


def mine_block(node: Anvil, timestamp: int) -> None:
    """Mine what waits, at a unix time (seconds)."""
    node.rpc.batch([("evm_setNextBlockTimestamp", (timestamp,)), ("evm_mine", ())])
