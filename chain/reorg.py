"""Reorganisations: where the chain we read parts from the chain there is, and the way back to that block."""

import logging
from bisect import bisect_left
from collections.abc import Callable

from chain import client
from chain.deployment import deployment
from chain.errors import ChainUnavailable
from chain.handlers import reset_projections
from chain.models import Act, ActState, Block, Event, Transaction
from chain.models.sending import TransactionState

log = logging.getLogger(__name__)


class Reorganised(ChainUnavailable):
    """The chain changed under our eyes; the next run finds the ancestor."""


class NodeBehind(ChainUnavailable):
    """The node knows a beginning of the chain we read, and not its end: it lags, or went back in time."""


def find_ancestor(head: client.Head, *, patient: bool) -> int | None:
    """The last block that our archive and the chain share; None if nothing we read has vanished.

    Our newest stored block decides whether anything has: its hash stands for all before it. While `patient`,
    a node that is merely behind raises NodeBehind.
    """
    newest = Block.objects.order_by("-number").first()
    if newest is None or _is_on_chain(newest, head):
        return None
    stored = list(Block.objects.order_by("number"))
    shared = bisect_left(stored, True, key=lambda block: not _is_on_chain(block, head))
    if patient and shared and stored[shared].number > head.number:
        raise NodeBehind("The chain's node is behind what it has shown before.")
    return stored[shared - 1].number if shared else max(deployment().block - 1, 0)


def _is_on_chain(block: Block, head: client.Head) -> bool:
    if block.number >= head.number:
        return block.number == head.number and block.hash == head.hash
    found = client.block(block.number)
    return found is not None and found.hash == block.hash


def rewind(ancestor: int, announce: Callable[[Event], None]) -> None:
    """Take back everything above the ancestor, in the caller's transaction.

    Pending events just go. Where applied ones go too, their acts wait again and every projection is made
    anew from the archive that is left. Transactions that were mined above are sent again, the same signed
    bytes.
    """
    gone = Event.objects.filter(block_number__gt=ancestor)
    deep = gone.applied().exists()
    log.warning("The chain reorganised above block %d (%s).", ancestor, "deep" if deep else "shallow")
    if deep:
        taken_back = Act.objects.confirmed().filter(event__in=gone)
        taken_back.update(state=ActState.WAITING, settled_at=None)
    Act.objects.waiting().filter(refused_block__gt=ancestor).update(refused_block=None)
    Block.objects.filter(number__gt=ancestor).delete()
    Transaction.objects.filter(block_number__gt=ancestor).update(
        state=TransactionState.SENDING, block_number=None, succeeded=None, gas_used=None
    )
    if deep:
        reset_projections()
        for event in Event.objects.applied().in_order().iterator(chunk_size=500):
            announce(event)
