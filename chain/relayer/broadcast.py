"""Giving signed bytes to the node: the first time, again after a crash, and replaced when they are stuck."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chain import client
from chain.errors import Paused, RpcRefused
from chain.models import Attempt, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.relayer.fees import Fees, market_fees, replacement_fees
from chain.relayer.lease import Lease
from chain.relayer.signing import save_replacement

log = logging.getLogger(__name__)

_AGAIN_AFTER = timedelta(seconds=15)

# What nodes say to bytes they have, in the pool or in a block. geth, anvil, Besu, Nethermind, Erigon.
_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown", "already exists")
_USED = ("nonce too low", "nonce is too low", "oldnonce")


def broadcast(attempt: Attempt, head: int) -> None:
    """Give the bytes to the node; what it has already is as good. Paused where it asks for more money.

    A nonce that is used says nothing by itself: the confirmer looks whose transaction it was.
    """
    try:
        client.send_raw(bytes(attempt.raw))
    except RpcRefused as problem:
        words = str(problem).lower()
        if "insufficient funds" in words:
            raise Paused("The relayer has too little money for gas.") from problem
        if not any(known in words for known in _KNOWN + _USED):
            raise
    attempt.sent_at = timezone.now()
    attempt.sent_block = head if attempt.sent_block is None else attempt.sent_block
    attempt.save(update_fields=["sent_at", "sent_block"])


def resend_open(lease: Lease, key: bytes, head: client.Head) -> None:
    """Send the open transactions' bytes that no node has taken, or not for a while, in nonce order."""
    rows = Transaction.objects.filter(sender=lease.sender, state=TransactionState.SENDING).order_by("nonce")
    for index, row in enumerate(rows.prefetch_related("attempts")):
        attempt = next(one for one in row.attempts.all() if one.state == AttemptState.IN_PROGRESS)
        if index == 0 and _is_stuck(attempt, head):
            attempt = _replace(lease, key, row, attempt, head)
        if attempt.sent_at is None or timezone.now() - attempt.sent_at > _AGAIN_AFTER:
            broadcast(attempt, head.number)


def _is_stuck(attempt: Attempt, head: client.Head) -> bool:
    sent = attempt.sent_block
    return sent is not None and head.number - sent >= settings.CHAIN_STUCK_BLOCKS


def _replace(lease: Lease, key: bytes, row: Transaction, old: Attempt, head: client.Head) -> Attempt:
    """The same call at the same nonce for more; the old attempt where the ceiling does not allow more."""
    ceiling = int(settings.CHAIN_MAX_FEE_GWEI * 10**9)
    market = market_fees(head.base_fee, client.priority_fee(), ceiling)
    fees = replacement_fees(Fees(old.max_fee, old.priority_fee), market, ceiling)
    if fees is None:
        log.error("Transaction %s is stuck, and the ceiling of fees is reached.", old.hash)
        return old
    with transaction.atomic():
        lease.renew()
        Attempt.objects.filter(pk=old.pk).update(state=AttemptState.REPLACED)
        return save_replacement(row, key, old, fees)
