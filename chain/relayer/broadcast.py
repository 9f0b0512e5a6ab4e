"""Giving signed bytes to the node: the first time, again after a crash, and replaced when they are stuck."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from chain.errors import Paused, RpcRefused
from chain.models import Attempt, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.relayer.fees import Fees, fee_ceiling, market_fees, replacement_fees
from chain.relayer.lease import Lease
from chain.relayer.signing import save_cancel, save_replacement
from chain.support.moments import has_passed

log = logging.getLogger(__name__)

_AGAIN_AFTER = timedelta(seconds=15)
_GAPS_AT_ONCE = 50

# What nodes say to bytes they have, in the pool or in a block. geth, anvil, Besu, Nethermind, Erigon.
_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown", "already exists")
_USED = ("nonce too low", "nonce is too low", "oldnonce")
# They have another attempt at the nonce, for more: as good, and replaced in its turn if it gets stuck.
_DEARER = ("replacement transaction underpriced", "replacementnotallowed")


def broadcast(attempt: Attempt, head: int) -> None:
    """Give the bytes to the node; what it has already is as good. Paused where it asks for more money.

    A nonce that is used says nothing by itself: the confirmer looks whose transaction it was.
    """
    try:
        client.send_raw(bytes(attempt.raw))
    except RpcRefused as problem:
        text = str(problem).lower()
        if "insufficient funds" in text:
            raise Paused("The relayer has too little money for gas.") from problem
        if not any(known in text for known in _KNOWN + _USED + _DEARER):
            raise
    attempt.sent_at = timezone.now()
    attempt.sent_block = head if attempt.sent_block is None else attempt.sent_block
    attempt.save(update_fields=["sent_at", "sent_block"])


def resend_open(lease: Lease, key: bytes | None, head: client.Head) -> None:
    """Send the open transactions' bytes that no node has taken, or not for a while, in nonce order.

    With the key, the first is replaced when it is stuck.
    """
    rows = Transaction.objects.filter(sender=lease.sender, state=TransactionState.SENDING).order_by("nonce")
    for index, row in enumerate(rows.prefetch_related("attempts")):
        attempt = next((item for item in row.attempts.all() if item.state == AttemptState.IN_PROGRESS), None)
        if attempt is None:
            continue  # a reorganisation has reopened it just now: the next run begins with its attempts
        if index == 0 and key is not None and _is_stuck(attempt, head):
            attempt = _replace_stuck(lease, key, row, attempt, head)
        if has_passed(attempt.sent_at, _AGAIN_AFTER):
            broadcast(attempt, head.number)


def fill_gaps(lease: Lease, key: bytes, mined: int, head: client.Head) -> None:
    """Use up the nonces below our last for which we have no bytes to send again: nothing would get past them.

    There are such after a chain's loss, where somebody else had used a nonce of ours.
    """
    rows = Transaction.objects.filter(sender=lease.sender, nonce__gte=mined)
    last = rows.aggregate(last=Max("nonce"))["last"]
    if last is None:
        return
    open_ones = set(rows.filter(state=TransactionState.SENDING).values_list("nonce", flat=True))
    gaps = [nonce for nonce in range(mined, last + 1) if nonce not in open_ones][:_GAPS_AT_ONCE]
    if not gaps:
        return
    log.warning("Nonces %s of %s are used up by sending nothing.", gaps, lease.sender)
    fees = market_fees(head.base_fee, client.priority_fee(), fee_ceiling())
    for nonce in gaps:
        with transaction.atomic():
            lease.renew()
            row, _ = Transaction.objects.update_or_create(
                sender=lease.sender,
                nonce=nonce,
                defaults={"state": TransactionState.SENDING},
                create_defaults={"act_count": 0},
            )
            row.attempts.update(state=AttemptState.REPLACED)
            save_cancel(row, key, fees)


def _is_stuck(attempt: Attempt, head: client.Head) -> bool:
    sent = attempt.sent_block
    return sent is not None and head.number - sent >= settings.CHAIN_STUCK_BLOCKS


def _replace_stuck(lease: Lease, key: bytes, row: Transaction, old: Attempt, head: client.Head) -> Attempt:
    """Send it at the same nonce for more; the old attempt, and an alarm, where the ceiling is reached."""
    fees = raised_fees(old, head)
    if fees is None:
        _alarm(row, old)
        return old
    return replace(lease, key, row, old, fees)


def raised_fees(old: Attempt, head: client.Head) -> Fees | None:
    """Return what to offer instead of an attempt's fees; None where the ceiling does not allow it."""
    ceiling = fee_ceiling()
    try:
        market = market_fees(head.base_fee, client.priority_fee(), ceiling)
    except Paused:
        return None
    return replacement_fees(Fees(old.max_fee, old.priority_fee), market, ceiling)


def replace(
    lease: Lease, key: bytes, row: Transaction, old: Attempt, fees: Fees, *, cancel: bool = False
) -> Attempt:
    """Save an attempt at the old one's place: the same for other fees, or nothing."""
    with transaction.atomic():
        lease.renew()
        Attempt.objects.filter(pk=old.pk).update(state=AttemptState.REPLACED)
        Transaction.objects.filter(pk=row.pk).update(alarm="")
        return save_cancel(row, key, fees) if cancel else save_replacement(row, key, old, fees)


def _alarm(row: Transaction, attempt: Attempt) -> None:
    """Say once on the row and in the log that a transaction does not get on."""
    text = (
        f"Not mined since block {attempt.sent_block}, and the ceiling of fees (CHAIN_MAX_FEE_GWEI) allows no"
        " higher offer."
    )
    if row.alarm != text:
        log.error("Transaction %s, nonce %d of %s: %s", attempt.hash, row.nonce, row.sender, text)
        Transaction.objects.filter(pk=row.pk).update(alarm=text)
