"""Batches: which acts go into the next transaction, and what their simulation says."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from chain import client
from chain.abi import decode_result, encode_call
from chain.deployment import deployment
from chain.errors import RpcRefused
from chain.models import Act, ActState, Cursor, Event
from chain.refusals import explain
from chain.settling import link_act, refuse_act

# Gas an act takes in a relayed batch, at most, as measured; it only decides where a batch closes.
_GAS_BOUND = {"GrantAccess": 60_000, "RevokeAccess": 40_000, "PublishKey": 130_000, "ReplaceKeys": 160_000}
_GAS_USUAL = 75_000
# The contract forwards this much to an act or reverts (ACT_GAS), so a call needs it to spare.
ACT_GAS = 200_000
_SIMULATION_GAS = 16_500_000  # below EIP-7825's 16,777,216
_LOOK_AT = 1_000  # acts of the queue looked at for one batch
_AGAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Batch:
    """Acts in their order, with their calldata."""

    acts: list[Act]
    calls: list[bytes]

    @property
    def calldata(self) -> bytes:
        """The call of relay()."""
        return encode_call("relay", self.calls)

    def without(self, refused: Iterable[int]) -> "Batch":
        """The batch less the acts at these places."""
        gone = set(refused)
        kept = [index for index in range(len(self.acts)) if index not in gone]
        return Batch([self.acts[i] for i in kept], [self.calls[i] for i in kept])

    def halves(self) -> tuple["Batch", "Batch"]:
        """The batch in two."""
        middle = len(self.acts) // 2
        return Batch(self.acts[:middle], self.calls[:middle]), Batch(self.acts[middle:], self.calls[middle:])


def next_batch() -> tuple[Batch, bool]:
    """The acts that may go now, oldest first, and whether the batch is full.

    An act goes when what it builds on is settled or seen on the chain, or goes before it in the same batch.
    """
    batch, size, gas = Batch([], []), 4, 0
    taken: set[object] = set()
    queue = Act.objects.due().exclude(_blocked()).prefetch_related("needs")[:_LOOK_AT]
    for act in queue:
        if not all(_is_done(need) or need.pk in taken for need in act.needs.all()):
            continue
        if act.contract_signed:
            if batch.acts:
                continue  # alone, in a transaction of its own
            return Batch([act], [act.calldata]), True
        call = act.calldata
        size += 64 + (len(call) + 31) // 32 * 32
        gas += _GAS_BOUND.get(act.kind, _GAS_USUAL)
        if batch.acts and (size > settings.CHAIN_BATCH_BYTES or gas > settings.CHAIN_BATCH_GAS):
            return batch, True
        batch.acts.append(act)
        batch.calls.append(call)
        taken.add(act.pk)
    return batch, False


def _blocked() -> Q:
    """Acts that build on one which is under way."""
    under_way = Act.objects.waiting().filter(event=None).exclude(transaction=None)
    return Q(pk__in=Act.needs.through.objects.filter(to_act__in=under_way).values("from_act"))


def _is_done(need: Act) -> bool:
    return need.state != ActState.WAITING or need.event_id is not None


def simulate(batch: Batch, sender: str, at: int) -> Batch:
    """The acts that the contract would take at a block; those it refuses are judged."""
    try:
        answer = client.call(deployment().address, batch.calldata, sender=sender, gas=_SIMULATION_GAS, at=at)
    except RpcRefused as problem:
        if not problem.data:
            raise  # not the contract's refusal, but some trouble of the node's
        if len(batch.acts) == 1:
            judge(batch.acts[0], problem.data, at)
            return Batch([], [])
        first, second = batch.halves()
        kept = simulate(first, sender, at)
        # What the second half builds on may be in the first: it is simulated when that is on the chain.
        return kept if kept.acts else simulate(second, sender, at)
    (refusals,) = decode_result("relay", answer)
    refused = {index: reason for index, reason in enumerate(refusals) if reason}
    for index, reason in refused.items():
        judge(batch.acts[index], reason, at)
    return batch.without(refused)


def judge(act: Act, reason: bytes, at: int) -> None:
    """What becomes of an act that the contract refuses at a block.

    It fails (or comes back to its author, having lost a race) once all it builds on is settled, and
    everything that had happened on the chain when it was first refused is known: had it been there already,
    its event would have confirmed it.
    """
    refusal = explain(reason)
    if (event := Event.objects.filter(act_digest=act.digest).first()) is not None:
        link_act(act, event)  # it was on the chain before its row was here
        return
    if act.needs.waiting().exists():
        Act.objects.filter(pk=act.pk).update(retry_at=timezone.now() + _AGAIN)
        return
    refused_block = at if act.refused_block is None else act.refused_block
    if act.refused_block is not None and _all_known(refused_block):
        refuse_act(act, ActState.RETURNED if refusal.is_race else ActState.FAILED, refusal)
        return
    Act.objects.filter(pk=act.pk).update(
        refused_block=refused_block,
        retry_at=timezone.now() + _AGAIN,
        error_code=refusal.code,
        error=refusal.words,
    )


def _all_known(block: int) -> bool:
    """Whether every event up to a block is read and applied."""
    read = Cursor.objects.filter(seen__gte=block).exists()
    return read and not Event.objects.pending().filter(block_number__lte=block).exists()
