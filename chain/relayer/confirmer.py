"""The confirmer: which transactions were mined, are deep enough, or have vanished.

Acts are settled by events alone (chain.settling). A transaction only tells when an act it carried in vain
may be judged again.
"""

import logging
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from chain import client
from chain.models import Act, Attempt, Cursor, Sender, Transaction
from chain.models.sending import AttemptState, TransactionState

log = logging.getLogger(__name__)

_SENDING, _MINED, _CONFIRMED = TransactionState.SENDING, TransactionState.MINED, TransactionState.CONFIRMED
_LONGEST_PAUSE = 300  # seconds between vain tries


def settle_transactions(sender: Sender) -> None:
    """Bring the sender's open transactions in line with the chain."""
    mined = client.nonce(sender.address)
    _take_back(sender, mined)
    for row in Transaction.objects.filter(sender=sender, state=_SENDING, nonce__lt=mined).order_by("nonce"):
        _settle(row)
    cursor = Cursor.objects.first()
    if cursor is None:
        return
    read = Transaction.objects.filter(sender=sender, state=_MINED, block_number__lte=cursor.seen)
    for row in read:
        _release(row)
    read.filter(block_number__lte=cursor.applied).update(state=_CONFIRMED)


def _take_back(sender: Sender, mined: int) -> None:
    """A chain that went back knows less of our nonces than it did: they are to be sent again."""
    vanished = Transaction.objects.filter(sender=sender, state__in=(_MINED, _CONFIRMED), nonce__gte=mined)
    if vanished.exists():
        log.warning("The chain no longer has %d transactions; they are sent again.", vanished.count())
        Attempt.objects.filter(transaction__in=vanished, state=AttemptState.MINED).update(
            state=AttemptState.IN_PROGRESS, sent_at=None
        )
        vanished.update(state=_SENDING, block_number=None, succeeded=None, gas_used=None)
    reopened = Attempt.objects.filter(
        transaction__sender=sender, transaction__state=_SENDING, state=AttemptState.MINED
    )
    reopened.update(state=AttemptState.IN_PROGRESS, sent_at=None)


def _settle(row: Transaction) -> None:
    """A nonce that is used: by which of our attempts, or by something that is not ours."""
    for attempt in row.attempts.all():
        receipt = client.receipt(attempt.hash)
        if receipt is None:
            continue
        row.attempts.exclude(pk=attempt.pk).update(state=AttemptState.REPLACED)
        Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.MINED)
        row.state, row.block_number = _MINED, receipt.block_number
        row.succeeded, row.gas_used = receipt.succeeded, receipt.gas_used
        row.save(update_fields=["state", "block_number", "succeeded", "gas_used"])
        return
    cursor = Cursor.objects.first()
    if cursor is not None and client.nonce(row.sender.address, at=cursor.applied) > row.nonce:
        # Deep enough to be sure: nobody but the holder of the key can have done this.
        log.warning("Nonce %d of %s was used by somebody else.", row.nonce, row.sender)
        row.state = TransactionState.LOST
        row.save(update_fields=["state"])
        Act.objects.waiting().filter(transaction=row).update(transaction=None)


def _release(row: Transaction) -> None:
    """The acts of a mined transaction that left no event go back to the queue, to be judged by simulation."""
    left = Act.objects.waiting().filter(transaction=row, event=None)
    for act in left:
        pause = min(2**act.tries, _LONGEST_PAUSE)
        Act.objects.filter(pk=act.pk).update(
            transaction=None, tries=F("tries") + 1, retry_at=timezone.now() + timedelta(seconds=pause)
        )
