"""The sender: nonce, signed bytes and attempt saved in one commit, then broadcast.

After a crash the same bytes go again.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from chain import client
from chain.abi import code_matches
from chain.deployment import deployment
from chain.errors import ChainError, ChainUnavailable, MissingKey, NotDeployed, Paused, RpcRefused
from chain.keys import relayer_keys
from chain.models import Act, Attempt, Sender, Transaction
from chain.models.sending import TransactionState
from chain.relayer.batches import ACT_GAS, Batch, next_batch, simulate
from chain.relayer.broadcast import broadcast, resend_open
from chain.relayer.confirmer import settle_transactions
from chain.relayer.fees import Fees, market_fees
from chain.relayer.lease import Lease, LeaseLost, hold
from chain.relayer.signing import save_attempt
from chain.signer import address_of_key

log = logging.getLogger(__name__)

_BATCHES_A_RUN = 40
_GAS_CEILING = 16_700_000  # EIP-7825 takes no more in one transaction


class _Taken(ChainError):
    """Another sender took one of the acts first."""


def run_relayer() -> None:
    """Send what waits, with every relayer key.

    Never raises for the chain's sake: why it waits stands on the sender.
    """
    try:
        keys = relayer_keys()
    except MissingKey as problem:
        log.warning("Nothing can be sent: %s", problem)
        return
    for key in keys:
        sender, _ = Sender.objects.get_or_create(address=address_of_key(key))
        with hold(sender) as lease:
            if lease is not None:
                _run(lease, key)


def _run(lease: Lease, key: bytes) -> None:
    sender = lease.sender
    sender.refresh_from_db()
    try:
        if not (_has_work(sender) or sender.paused_reason):
            return
        _check_chain()
        settle_transactions(sender)
        resend_open(lease, key, client.head())
        for _ in range(_BATCHES_A_RUN):
            if not _send_next(lease, key):
                break
        _resume(sender)
    except (Paused, ChainUnavailable, NotDeployed) as problem:
        _pause(sender, str(problem))
    except RpcRefused as problem:
        _pause(sender, f"The chain's node refuses: {problem}")
    except LeaseLost:
        log.warning("The lease of %s went to another process.", sender)


def _has_work(sender: Sender) -> bool:
    open_states = (TransactionState.SENDING, TransactionState.MINED)
    return (
        Act.objects.due().exists()
        or Transaction.objects.filter(sender=sender, state__in=open_states).exists()
    )


def _check_chain() -> None:
    """The node must be of the contract's chain, and have our contract at its address, before we send."""
    deployed = deployment()
    if (found := client.chain_id()) != deployed.chain_id:
        raise Paused(f"The node is of chain {found}, the contract of chain {deployed.chain_id}.")
    code = client.code(deployed.address)
    if not code:
        raise Paused(f"There is no contract at {deployed.address}.")
    if not code_matches(code):
        raise Paused(f"The contract at {deployed.address} is not this portal's.")


def _send_next(lease: Lease, key: bytes) -> bool:
    """Send one batch; False when nothing is left to do now."""
    batch, full = next_batch()
    if not batch.acts:
        return False
    lease.renew()
    if not full and (missing := _wait_left(batch)) > 0:
        time.sleep(missing)
        batch, _ = next_batch()
    head = client.head()
    batch = simulate(batch, lease.sender.address, head.number)
    if not batch.acts:
        return True
    ceiling = int(settings.CHAIN_MAX_FEE_GWEI * 10**9)
    fees = market_fees(head.base_fee, client.priority_fee(), ceiling)
    gas = min(
        client.estimate_gas(deployment().address, batch.calldata, lease.sender.address) * 11 // 10 + ACT_GAS,
        _GAS_CEILING,
    )
    if client.balance(lease.sender.address) < gas * fees.max_fee:
        raise Paused(f"The relayer {lease.sender.address} has too little money for gas.")
    try:
        attempt = _save(lease, key, batch, fees, gas)
    except _Taken:
        return True
    broadcast(attempt, head.number)
    return True


def _wait_left(batch: Batch) -> float:
    """Seconds until the oldest act of a batch has waited for company long enough."""
    age = timezone.now() - batch.acts[0].created_at
    return (timedelta(seconds=settings.CHAIN_BATCH_WAIT) - age).total_seconds()


def _save(lease: Lease, key: bytes, batch: Batch, fees: Fees, gas: int) -> Attempt:
    """The transaction, its signed bytes and its acts, in one commit that holds only with the lease."""
    sender = lease.sender
    mined = client.nonce(sender.address)
    with transaction.atomic():
        lease.renew()
        last = Transaction.objects.filter(sender=sender).aggregate(last=Max("nonce"))["last"]
        nonce = mined if last is None else max(last + 1, mined)
        row = Transaction.objects.create(sender=sender, nonce=nonce, act_count=len(batch.acts))
        acts = Act.objects.waiting().filter(pk__in=[a.pk for a in batch.acts], transaction=None, event=None)
        if acts.update(transaction=row, refused_block=None, error="", error_code="") != len(batch.acts):
            raise _Taken("Another process took an act of this batch.")
        return save_attempt(row, key, batch.calldata, fees, gas)


def _pause(sender: Sender, reason: str) -> None:
    if sender.paused_reason != reason:
        log.warning("Sending waits: %s", reason)
        since = sender.paused_at or timezone.now()
        Sender.objects.filter(pk=sender.pk).update(paused_reason=reason, paused_at=since)


def _resume(sender: Sender) -> None:
    if sender.paused_reason:
        log.info("Sending again.")
        Sender.objects.filter(pk=sender.pk).update(paused_reason="", paused_at=None)
