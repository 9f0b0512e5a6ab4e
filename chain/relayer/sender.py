"""The sender: nonce, signed bytes and attempt saved in one commit, then broadcast.

After a crash the same bytes go again.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from chain.contract.abi import code_matches
from chain.errors import (
    ChainError,
    ChainUnavailable,
    MissingKey,
    NotDeployed,
    Paused,
    RpcRefused,
    WrongDeployment,
    explain,
)
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import find_relayer_key, relayer_keys
from chain.models import Act, Attempt, Cursor, Sender, Transaction
from chain.models.sending import TransactionState
from chain.node import client, identity
from chain.node.deployment import deployment
from chain.outbox.lanes import lanes_of
from chain.relayer.batches import ACT_GAS, BASE_GAS, Batch, next_batch
from chain.relayer.broadcast import broadcast, fill_gaps, resend_open
from chain.relayer.confirmer import settle_transactions
from chain.relayer.fees import Fees, fee_ceiling, market_fees
from chain.relayer.funds import balance_is_old, most_gas_open, read_balance, spendable
from chain.relayer.lease import Lease, LeaseLost, hold
from chain.relayer.signing import save_attempt
from chain.relayer.simulation import GAS_CEILING, simulate

log = logging.getLogger(__name__)

HELD = "An operator has paused sending with this key."
_OPEN = (TransactionState.SENDING, TransactionState.MINED)
_BATCHES_A_RUN = 40
_LEAST_GAS = BASE_GAS + 2 * ACT_GAS  # for less no act can be sent


class _Taken(ChainError):
    """Another sender took one of the acts first."""


@dataclass
class _Run:
    """What one run knows of its key, asked of the node once."""

    lease: Lease
    key: bytes
    lanes: range
    mined: int  # nonces used on the chain
    tip: int
    funds: int  # wei not yet offered
    least_gas: int  # of the next transaction
    ahead: tuple[Batch, bool] | None = None  # what comes next, read while the node simulated the one before

    @property
    def sender(self) -> Sender:
        return self.lease.sender


def working_addresses() -> list[str]:
    """Return the relayer keys' addresses in order, then those of former keys with open transactions."""
    addresses = _key_addresses()
    former = Transaction.objects.filter(state__in=_OPEN).exclude(sender__address__in=addresses)
    return [*addresses, *former.order_by("sender").values_list("sender__address", flat=True).distinct()]


def run_relayer(only: str = "") -> None:
    """Send what waits, with every relayer key, or with one address's only.

    Never raises for the chain's sake: why it waits stands on the sender.
    """
    for address in working_addresses():
        if only in ("", address):
            sender, _ = Sender.objects.get_or_create(address=address)
            with hold(sender) as lease:
                if lease is not None:
                    _run(lease)


def _key_addresses() -> list[str]:
    try:
        return [address_of_key(key) for key in relayer_keys()]
    except MissingKey as problem:
        log.warning("Nothing can be sent: %s", problem)
        return []


def _run(lease: Lease) -> None:
    sender = lease.sender
    sender.refresh_from_db()
    try:
        if _has_work(sender) or sender.paused_reason or sender.held:
            check_chain()
            _send(lease)
            _resume(sender)
        elif balance_is_old(sender):
            read_balance(sender)
    except (Paused, ChainUnavailable, NotDeployed, WrongDeployment, MissingKey) as problem:
        _pause(sender, explain(problem))
    except RpcRefused as problem:
        _pause(sender, f"The chain's node refuses: {problem}")
    except LeaseLost:
        log.warning("The lease of %s went to another process.", sender)


def _has_work(sender: Sender) -> bool:
    under_way = Act.objects.waiting().filter(transaction__sender=sender, event=None)
    open_ones = Transaction.objects.filter(sender=sender, state__in=_OPEN)
    return Act.objects.due().exists() or under_way.exists() or open_ones.exists()


def check_chain() -> None:
    """The node must be of the contract's chain, and have our contract at its address, before we send."""
    deployed = deployment()
    if (chain_id := identity.chain_id()) != deployed.chain_id:
        raise Paused(f"The node is of chain {chain_id}, the contract of chain {deployed.chain_id}.")
    code = client.code(deployed.address)
    if not code:
        raise Paused(f"There is no contract at {deployed.address}.")
    if not code_matches(code):
        raise Paused(f"The contract at {deployed.address} is not this portal's.")


def _send(lease: Lease) -> None:
    """Settle what was sent, send again what has to be, then new batches."""
    sender = lease.sender
    key, addresses = find_relayer_key(sender.address), _key_addresses()
    mined = client.nonce(sender.address)
    settle_transactions(sender, mined)
    balance = read_balance(sender)
    if sender.held:
        raise Paused(HELD)
    head = client.head()
    if key is not None:
        fill_gaps(lease, key, mined, head)
    resend_open(lease, key, head)
    if key is None:
        raise Paused("The key of this relayer is not set any more.")
    lanes = lanes_of(sender, addresses)
    funds, gas = spendable(sender, balance), most_gas_open(sender)
    run = _Run(lease, key, lanes, mined, client.priority_fee(), funds, gas)
    for _ in range(_BATCHES_A_RUN):
        if not _send_next(run):
            return


def _send_next(run: _Run) -> bool:
    """Send one batch; False when nothing is left to do now."""
    seen = Cursor.objects.values_list("seen", flat=True).first()  # first: the head only grows meanwhile
    head = client.head()
    fees = market_fees(head.base_fee, run.tip, fee_ceiling())
    room = run.funds // fees.max_fee if fees.max_fee else GAS_CEILING  # some networks take nothing
    if room < _LEAST_GAS:
        return _wait_for_money(run.sender)
    if (seen is not None and seen > head.number) or _is_held(run.sender):
        return False  # a node that lags behind what we have read would refuse what builds on that
    (batch, full), run.ahead = run.ahead or next_batch(run.lanes, room - ACT_GAS), None
    if not batch.acts:
        return False
    run.lease.keep()
    if not full and (missing := _wait_left(batch)) > 0:
        time.sleep(missing)
        return True
    look_ahead = partial(_look_ahead, run, batch, room - batch.gas_bound) if full else None
    batch = simulate(batch, run.sender.address, head.number, meanwhile=look_ahead)
    if not batch.acts:
        return True
    # A node that has no room left for one transaction may try a smaller one after it, and drop that for its
    # nonce (anvil does). So none asks for less than those before it that are open.
    gas = max(batch.gas or _estimate(batch, run.sender), run.least_gas)
    if gas * fees.max_fee > run.funds:
        return _wait_for_money(run.sender)
    try:
        attempt = _save(run, batch, fees, gas)
    except _Taken:
        return True
    run.funds, run.least_gas = run.funds - gas * fees.max_fee, gas
    broadcast(attempt, head.number)
    return True


def _look_ahead(run: _Run, batch: Batch, room: int) -> None:
    """Read what comes after a full batch; it is kept if it is full too, since then nothing can come to it."""
    if room >= _LEAST_GAS:
        acts, full = next_batch(run.lanes, room - ACT_GAS, after=batch.acts)
        run.ahead = (acts, full) if full else None


def _wait_for_money(sender: Sender) -> bool:
    """Paused, unless what is under way only reserves the money it may not need."""
    if not Transaction.objects.filter(sender=sender, state=TransactionState.SENDING).exists():
        raise Paused(f"The relayer {sender.address} has too little money for gas.")
    return False


def _is_held(sender: Sender) -> bool:
    return Sender.objects.filter(pk=sender.pk, held=True).exists()


def _estimate(batch: Batch, sender: Sender) -> int:
    estimated = client.estimate_gas(deployment().address, batch.calldata, sender.address)
    return min(estimated * 11 // 10 + ACT_GAS, GAS_CEILING)


def _wait_left(batch: Batch) -> float:
    """Seconds until the oldest act of a batch has waited for company long enough."""
    wait = timedelta(seconds=settings.CHAIN_BATCH_WAIT)
    age = timezone.now() - batch.acts[0].created_at
    return (wait - age).total_seconds() if age >= timedelta() else 0.0  # else of a clock that is ahead


def _save(run: _Run, batch: Batch, fees: Fees, gas: int) -> Attempt:
    """Save the transaction, its signed bytes and its acts, in one commit that holds only with the lease."""
    sender = run.sender
    with transaction.atomic():
        run.lease.renew()
        last = Transaction.objects.filter(sender=sender).aggregate(last=Max("nonce"))["last"]
        nonce = run.mined if last is None else max(last + 1, run.mined)
        row = Transaction.objects.create(sender=sender, nonce=nonce, act_count=len(batch.acts))
        acts = Act.objects.waiting().filter(pk__in=[a.pk for a in batch.acts], transaction=None, event=None)
        if acts.update(transaction=row, refused_block=None, error="", error_code="") != len(batch.acts):
            raise _Taken("Another process took an act of this batch.")
        return save_attempt(row, run.key, batch.calldata, fees, gas)


def _pause(sender: Sender, reason: str) -> None:
    if sender.paused_reason != reason:
        log.warning("Sending waits: %s", reason)
        since = sender.paused_at or timezone.now()
        Sender.objects.filter(pk=sender.pk).update(paused_reason=reason, paused_at=since)


def _resume(sender: Sender) -> None:
    if sender.paused_reason:
        log.info("Sending again.")
        Sender.objects.filter(pk=sender.pk).update(paused_reason="", paused_at=None)
