"""What an operator may do to the sending of acts. ChainError, in plain words, when it cannot be done.

Nothing here touches an act: what its transaction did not do goes back to the queue by itself.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chain.errors import ChainError
from chain.keys.portal_keys import find_relayer_key
from chain.models import Attempt, Sender, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.relayer.broadcast import broadcast, raised_fees, replace
from chain.relayer.lease import Lease, hold
from chain.relayer.sender import HELD, check_chain

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds; a run of the relayer's holds the lease for a few


def pause_sender(sender: Sender) -> None:
    """Send nothing new with this key until resume_sender; what is under way is still settled.

    At once: a run at work stops before its next batch. Other keys take what waits.
    """
    Sender.objects.filter(pk=sender.pk).update(held=True)
    log.warning("Sending with %s is paused by an operator.", sender)


def resume_sender(sender: Sender) -> None:
    """Lift an operator's pause. What else pauses the key stays, and is lifted by itself."""
    Sender.objects.filter(pk=sender.pk).update(held=False)
    Sender.objects.filter(pk=sender.pk, paused_reason=HELD).update(paused_reason="", paused_at=None)
    log.warning("Sending with %s goes on, says an operator.", sender)


def bump_transaction(row: Transaction) -> Attempt:
    """Offer at least 12.5% more for a transaction that is not mined yet, now."""
    return _replace(row, cancel=False)


def cancel_transaction(row: Transaction) -> Attempt:
    """Put nothing, sent to the key itself, in the place of a transaction that is not mined yet.

    Its acts go back to the queue once that is mined; they stay confirmed if the original was faster.
    """
    return _replace(row, cancel=True)


def _replace(row: Transaction, *, cancel: bool) -> Attempt:
    key = find_relayer_key(row.sender.address)
    if key is None:
        raise ChainError(f"The key of the relayer {row.sender} is not set here.")
    check_chain()
    with _lease(row.sender) as lease:
        row.refresh_from_db()
        if row.state != TransactionState.SENDING:
            raise ChainError("The transaction is not under way any more.")
        old = row.attempts.filter(state=AttemptState.IN_PROGRESS).first()
        if old is None or client.nonce(row.sender.address) > row.nonce:
            raise ChainError("The transaction is mined already; the relayer will see it in a moment.")
        head = client.head()
        fees = raised_fees(old, head)
        if fees is None:
            raise ChainError("The ceiling of fees (CHAIN_MAX_FEE_GWEI) allows no higher offer.")
        attempt = replace(lease, key, row, old, fees, cancel=cancel)
        log.warning("Nonce %d of %s is %s.", row.nonce, row.sender, "cancelled" if cancel else "bumped")
        broadcast(attempt, head.number)
        return attempt


@contextmanager
def _lease(sender: Sender) -> Iterator[Lease]:
    """The key's lease, waited for while the relayer has it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with hold(sender) as lease:
            if lease is not None:
                yield lease
                return
        if time.monotonic() > deadline:
            raise ChainError("The relayer is busy with this key. Try again in a moment.")
        time.sleep(0.1)
