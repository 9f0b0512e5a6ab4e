"""Simulation: what the contract would say to a batch now, and what becomes of the acts it refuses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.db import transaction

from chain.contract.abi import decode_result
from chain.contract.refusals import Refusal, explain_revert
from chain.errors import RpcRefused
from chain.indexer.reorg import is_read_chain
from chain.models import Act, ActState, Cursor, Event
from chain.node import rpc
from chain.node.deployment import deployment
from chain.outbox.precedence import link_to_taken_back
from chain.outbox.settle import link_act, refuse_act
from chain.relayer.batches import Batch
from chain.support.shared_clock import SharedNow

GAS_CEILING = 16_700_000  # EIP-7825 takes no more than 16,777,216 in one transaction
_AGAIN = timedelta(seconds=1)
_ASKING = ThreadPoolExecutor(thread_name_prefix="simulation")  # waits for the node, does nothing else


def simulate(batch: Batch, sender: str, at: int, *, meanwhile: Callable[[], None] | None = None) -> Batch:
    """Return the acts that the contract would take at a block, with their gas; those it refuses are judged.

    The gas is first what such acts are known to take: where that suffices, nothing has to be estimated.
    `meanwhile` is done once while the node is at it.
    """
    gas = min(batch.gas_bound, GAS_CEILING)
    if any(act.tries for act in batch.acts):
        return _simulate(batch, sender, at)  # one of them may have been what ran out of gas
    try:
        refused = _refusals(batch, sender, at, gas, meanwhile)
    except RpcRefused:
        return _simulate(batch, sender, at)
    if not refused:
        return replace(batch, gas=gas)
    _judge_all(batch, refused, at)
    rest = batch.without(refused)
    return simulate(rest, sender, at) if rest.acts else rest


def _simulate(batch: Batch, sender: str, at: int) -> Batch:
    """Simulate with all the gas there can be; a batch that fails as a whole is tried in halves."""
    try:
        refused = _refusals(batch, sender, at, GAS_CEILING)
    except RpcRefused as problem:
        if not problem.data:
            raise  # not the contract's refusal, but some trouble of the node's
        if len(batch.acts) == 1:
            judge(batch.acts[0], problem.data, at)
            return Batch([], [])
        first, second = batch.halves()
        rest = _simulate(first, sender, at)
        # What the second half builds on may be in the first: it is simulated when that is on the chain.
        return rest if rest.acts else _simulate(second, sender, at)
    _judge_all(batch, refused, at)
    return batch.without(refused)


def _refusals(
    batch: Batch, sender: str, at: int, gas: int, meanwhile: Callable[[], None] | None = None
) -> dict[int, bytes]:
    """By place in the batch: why the contract would refuse an act. RpcRefused if the whole call fails.

    `meanwhile` is done, in this thread, while the node is asked.
    """
    ask = partial(rpc.call, deployment().address, batch.calldata, sender=sender, gas=gas, at=at)
    if meanwhile is None:
        answer = ask()
    else:
        future = _ASKING.submit(ask)
        meanwhile()
        answer = future.result()
    (refusals,) = decode_result("relay", answer)
    return {index: reason for index, reason in enumerate(refusals) if reason}


def _judge_all(batch: Batch, refused: dict[int, bytes], at: int) -> None:
    for index, reason in refused.items():
        judge(batch.acts[index], reason, at)


def judge(act: Act, reason: bytes, at: int) -> None:
    """Decide what becomes of an act that the contract refuses at a block.

    It fails (or comes back to its author, having lost a race) once all it builds on is settled, and
    everything that had happened on the chain when it was first refused is known: had it been there already,
    its event would have confirmed it. Where the node has another chain than the one that was read, the
    indexer comes first.
    """
    refusal = explain_revert(reason)
    if (event := Event.objects.filter(act_digest=act.digest).first()) is not None:
        link_act(act, event)  # it was on the chain before its row was here
        return
    knows_chain = act.refused_block is not None and is_read_chain()
    with transaction.atomic():
        # No rewind comes between what is read here and what follows from it.
        Cursor.objects.select_for_update(no_key=True).first()
        act.refresh_from_db(fields=["refused_block", "state"])
        builds_on_waiting = act.needs.waiting().exists() or link_to_taken_back(act)
        if builds_on_waiting or act.refused_block is None or act.refused_block > at:
            _put_off(act, refusal, None if builds_on_waiting else at)
        elif knows_chain and _all_known(act.refused_block):
            refuse_act(act, ActState.RETURNED if refusal.is_race else ActState.FAILED, refusal)
        else:
            _put_off(act, refusal, act.refused_block)


def _put_off(act: Act, refusal: Refusal, refused_block: int | None) -> None:
    """Have a refused act judged again later.

    `refused_block` is where it was first refused with all it builds on settled, if it was.
    """
    settled = refused_block is not None
    Act.objects.waiting().filter(pk=act.pk).update(
        refused_block=refused_block,
        retry_tick=SharedNow(_AGAIN),
        error_code=refusal.code if settled else "",
        error=refusal.text if settled else "",
    )


def _all_known(block: int) -> bool:
    """Return whether every event up to a block is read and applied."""
    read = Cursor.objects.filter(seen__gte=block).exists()
    return read and not Event.objects.pending().filter(block_number__lte=block).exists()
