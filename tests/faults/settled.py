"""Waits until a world is whole again: nothing waits or is under way, and the newest block is read."""

import time

from chain.localchain.errors import LocalChainError
from chain.localchain.rpc import Rpc
from chain.models import Act, Block, Cursor, Event, Sender, Transaction
from chain.models.sending import TransactionState


def wait_settled(port: int, seconds: float) -> str:
    """Wait until nothing is missing, at most this long. What is, in words, or an empty string."""
    deadline = time.monotonic() + seconds
    node, since = Rpc(port), None
    while True:
        try:
            head = int(node.call("eth_blockNumber"), 16)
            since = head if since is None else min(since, head)
            missing = _missing(node, since)
        except LocalChainError as problem:
            missing = str(problem)
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.05)


def _missing(node: Rpc, since: int) -> str:
    """Return what has to happen yet. `since`: the head that must have been read at least."""
    if waiting := Act.objects.waiting().count():
        return f"{waiting} acts wait; " + _reasons()
    under_way = (TransactionState.SENDING, TransactionState.MINED)
    if open_ones := Transaction.objects.filter(state__in=under_way).count():
        return f"{open_ones} transactions are under way; " + _reasons()
    if pending := Event.objects.pending().count():
        return f"{pending} events are not applied; " + _reasons()
    newest = Block.objects.order_by("-number").first()
    if newest is None or newest.number < since:
        return f"block {since} is not read; " + _reasons()
    found = node.call("eth_getBlockByNumber", hex(newest.number), False)
    if found is None or found["hash"] != newest.hash:
        return f"block {newest.number} is another; " + _reasons()
    return _reasons() if _reasons() != "no reason is said" else ""


def _reasons() -> str:
    said = [*Sender.objects.exclude(paused_reason="").values_list("paused_reason", flat=True)]
    said += Cursor.objects.exclude(error="").values_list("error", flat=True)
    return " / ".join(said) or "no reason is said"
