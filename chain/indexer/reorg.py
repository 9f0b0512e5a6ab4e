"""Reorganisations: where the chain we read parts from the chain there is, and the way back to that block."""

import logging
from bisect import bisect_left
from itertools import islice

from chain.errors import NodeBehind, Reorganised
from chain.models import Act, Block, Event, Transaction
from chain.node import client
from chain.node.deployment import first_block
from chain.outbox.precedence import BY_EVENT, take_back
from chain.registry import announce_events, reset_projections, runs_of

log = logging.getLogger(__name__)

RUN = 1_000  # events at once in memory


def find_ancestor(head: client.Head, *, patient: bool) -> int | None:
    """Return the last block that our archive and the chain share; None if nothing we read has vanished.

    Our newest stored block decides whether anything has: its hash stands for all before it. While `patient`,
    a node that is merely behind raises NodeBehind. Reorganised where another process was first.
    """
    stored = Block.objects.order_by("-number")
    newest = stored.first()
    if newest is None or _is_on_chain(newest, head):
        return None
    count = stored.count()

    def at(place: int) -> Block:
        try:
            return stored[place]
        except IndexError:  # another process has rewound meanwhile
            raise Reorganised from None

    def shared(place: int) -> bool:
        return _is_on_chain(at(place), head)

    far = 1  # most reorganisations are shallow
    while far < count and not shared(far):
        far *= 2
    place = bisect_left(range(count), True, far // 2 + 1, min(far, count), key=shared)
    if patient and at(place - 1).number > head.number:
        raise NodeBehind("The chain's node is behind what it has shown before.")
    return at(place).number if place < count else max(first_block() - 1, 0)


def is_read_chain() -> bool:
    """Return whether the node still has the newest block that was read, and so all before it."""
    newest = Block.objects.order_by("-number").first()
    if newest is None:
        return True
    same_height = client.block(newest.number)
    return same_height is not None and same_height.hash == newest.hash


def _is_on_chain(block: Block, head: client.Head) -> bool:
    if block.number >= head.number:
        return block.number == head.number and block.hash == head.hash
    same_height = client.block(block.number)
    if same_height is None:  # another node behind the same address, perhaps: it proves nothing
        raise NodeBehind("The chain's node is behind what it said itself.")
    return same_height.hash == block.hash


def rewind(ancestor: int) -> None:
    """Take back everything above the ancestor, in the caller's transaction.

    Pending events just go. Where applied ones go too, their acts wait again, what builds on them waits for
    them, and every projection is made anew from the archive that is left. Transactions that were mined above
    are sent again, the same signed bytes.
    """
    lost = Event.objects.filter(block_number__gt=ancestor)
    deep = lost.applied().exists()
    log.warning("The chain is read anew above block %d (%s).", ancestor, "deep" if deep else "shallow")
    if deep:
        take_back(Act.objects.confirmed().filter(event__in=lost), BY_EVENT)
    # What a chain refused that is gone, or that lacks what the acts build on, is to be asked again.
    Act.objects.waiting().exclude(refused_block=None).update(refused_block=None)
    Block.objects.filter(number__gt=ancestor).delete()
    Transaction.objects.filter(block_number__gt=ancestor).reopen()
    if deep:
        rebuild_projections()


def rebuild_projections() -> None:
    """Empty every projection and make it anew from the applied events, in the caller's transaction."""
    reset_projections()
    events = Event.objects.applied().in_order().iterator(chunk_size=RUN)
    while chunk := list(islice(events, RUN)):
        for run in runs_of(chunk):
            announce_events(run, again=True)
