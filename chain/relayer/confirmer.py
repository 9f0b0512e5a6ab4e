"""The confirmer: which transactions were mined, are deep enough, or have vanished.

Acts are settled by events alone (chain.outbox.settle). A transaction only tells when an act it carried in
vain may be judged again.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from chain.errors import Paused
from chain.models import Act, Attempt, Cursor, Sender, Transaction
from chain.models.acts import LONGEST_PAUSE
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.support.shared_clock import SharedNow

log = logging.getLogger(__name__)

_SENDING, _MINED, _CONFIRMED = TransactionState.SENDING, TransactionState.MINED, TransactionState.CONFIRMED
_AT_ONCE = 50  # transactions whose receipts are asked for in one request


def settle_transactions(sender: Sender, mined: int) -> None:
    """Bring the sender's open transactions in line with the chain, where `mined` of its nonces are used.

    Paused while one of them is used by a transaction that is not ours, and not yet deep enough.
    """
    _take_back(sender, mined)
    used = Transaction.objects.filter(sender=sender, state=_SENDING, nonce__lt=mined).order_by("nonce")
    rows = list(used.prefetch_related("attempts"))
    foreign = [
        row for start in range(0, len(rows), _AT_ONCE) for row in _settle_some(rows[start : start + _AT_ONCE])
    ]
    cursor = Cursor.objects.first()
    if cursor is not None:
        read = Transaction.objects.filter(sender=sender, state=_MINED, block_number__lte=cursor.seen)
        for row in read:
            _release(row)
        read.filter(block_number__lte=cursor.applied).update(state=_CONFIRMED)
        _release_forgotten(sender)
    if foreign:
        raise Paused(
            f"Nonce {foreign[0].nonce} of the relayer {sender.address} was used by a transaction that is not"
            " ours. Sending waits until the chain has settled it."
        )


def _take_back(sender: Sender, mined: int) -> None:
    """A chain that went back knows less of our nonces than it did: they are to be sent again."""
    vanished = Transaction.objects.filter(sender=sender, state__in=(_MINED, _CONFIRMED), nonce__gte=mined)
    if count := vanished.reopen():
        log.warning("The chain no longer has %d transactions; they are sent again.", count)
    reopened = Attempt.objects.filter(
        transaction__sender=sender, transaction__state=_SENDING, state=AttemptState.MINED
    )
    reopened.update(state=AttemptState.IN_PROGRESS, sent_at=None, sent_block=None)


def _settle_some(rows: Sequence[Transaction]) -> list[Transaction]:
    """Settle transactions whose nonces are used; those that none of our attempts used."""
    attempts = [attempt for row in rows for attempt in row.attempts.all()]
    receipts = dict(
        zip(
            (attempt.pk for attempt in attempts),
            client.receipts([attempt.hash for attempt in attempts]),
            strict=True,
        )
    )
    return [row for row in rows if not _settle(row, receipts)]


def _settle(row: Transaction, receipts: dict[int, client.Receipt | None]) -> bool:
    """Return a nonce that is used: by which of our attempts; False if by something that is not ours.

    That is believed, and the acts go back to the queue, once it is as deep as the events that are applied.
    """
    for attempt in row.attempts.all():
        if (receipt := receipts[attempt.pk]) is None:
            continue
        row.state, row.block_number, row.alarm = _MINED, receipt.block_number, ""
        row.succeeded, row.gas_used, row.fee_paid = receipt.succeeded, receipt.gas_used, receipt.fee_paid
        with transaction.atomic():
            row.attempts.exclude(pk=attempt.pk).update(state=AttemptState.REPLACED)
            Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.MINED)
            row.save(update_fields=["state", "block_number", "succeeded", "gas_used", "fee_paid", "alarm"])
        return True
    cursor = Cursor.objects.first()
    if cursor is None or client.nonce(row.sender.address, at=cursor.applied) <= row.nonce:
        return False
    # Deep enough to be sure: nobody but the holder of the key can have done this.
    log.warning("Nonce %d of %s was used by somebody else.", row.nonce, row.sender)
    with transaction.atomic():
        Transaction.objects.filter(pk=row.pk).update(state=TransactionState.LOST, alarm="")
        Act.objects.waiting().filter(transaction=row).update(transaction=None)
    return True


def _release(row: Transaction) -> None:
    """The acts of a mined transaction that left no event go back to the queue, to be judged by simulation."""
    left = Act.objects.waiting().filter(transaction=row, event=None)
    for act in left:
        pause = min(timedelta(seconds=2 ** min(act.tries, 16)), LONGEST_PAUSE)
        Act.objects.filter(pk=act.pk).update(
            transaction=None, tries=F("tries") + 1, retry_tick=SharedNow(pause)
        )


def _release_forgotten(sender: Sender) -> None:
    """Acts that wait again though their transaction is done with: another's event, since taken back, had
    confirmed them."""
    done = (TransactionState.CONFIRMED, TransactionState.LOST)
    left = Act.objects.waiting().filter(transaction__sender=sender, transaction__state__in=done, event=None)
    left.update(transaction=None)
