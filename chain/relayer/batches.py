"""Batches: which acts go into the next transaction, with how much gas."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from chain.contract.abi import function_selector
from chain.contract.encoding import encode_list
from chain.contract.slots import ZERO_ADDRESS
from chain.models import Act
from chain.models.acts import LONGEST_PAUSE
from chain.outbox.lanes import ALL_LANES
from chain.support.shared_clock import ended

# Gas that an act's execution takes at most in a relayed batch, as measured; its calldata comes on top.
GAS_BOUND = {
    "GrantAccess": 43_000,
    "RevokeAccess": 38_000,
    "NewRecord": 50_000,
    "ModifyRecord": 45_000,
    "RequestAccess": 42_000,
    "PublishKey": 69_000,
    "ReplaceKeys": 80_000,
}
GAS_USUAL = 60_000
# Where it is done through an institution, whose admission and affiliation are looked up.
GAS_VIA = {"GrantAccess": 3_000, "RevokeAccess": 0, "RequestAccess": 0}
GAS_VIA_USUAL = 10_000
# The contract forwards 1,000,000 to an act or reverts; with the 1/64 kept back, a call needs this to spare.
ACT_GAS = 1_022_000
BASE_GAS = 22_100  # a transaction's 21,000, and relay()'s own words
_WINDOW = 200  # acts read at once
_LOOK_AT = 5_000  # acts of the queue looked at for one batch


@dataclass(frozen=True)
class Batch:
    """Acts in their order, with their calldata. `gas` suffices by a simulation; 0 where none has said so."""

    acts: list[Act]
    calls: list[bytes]
    gas: int = 0

    @cached_property
    def calldata(self) -> bytes:
        """Return the call of relay()."""
        return function_selector("relay") + encode_list(self.calls)

    @property
    def gas_bound(self) -> int:
        """Return what the transaction takes at most, as far as is known of its acts."""
        acts = zip(self.acts, self.calls, strict=True)
        return BASE_GAS + ACT_GAS + sum(gas_of(act, call) for act, call in acts)

    def without(self, refused: Iterable[int]) -> "Batch":
        """Return the batch less the acts at these places."""
        dropped = set(refused)
        indexes = [index for index in range(len(self.acts)) if index not in dropped]
        return Batch([self.acts[i] for i in indexes], [self.calls[i] for i in indexes])

    def halves(self) -> tuple["Batch", "Batch"]:
        """Return the batch in two."""
        middle = len(self.acts) // 2
        return Batch(self.acts[:middle], self.calls[:middle]), Batch(self.acts[middle:], self.calls[middle:])


def gas_of(act: Act, call: bytes) -> int:
    """Gas that an act adds to its transaction at most: its execution, and its calldata (EIP-2028)."""
    padding = 64 + -len(call) % 32  # its place, its length, the rest of its last word
    calldata = 16 * len(call) - 12 * call.count(0) + 4 * padding + 16 * 8
    if act.contract_signed:
        return calldata + ACT_GAS
    via = GAS_VIA.get(act.kind, GAS_VIA_USUAL) if act.fields.get("via", ZERO_ADDRESS) != ZERO_ADDRESS else 0
    return calldata + GAS_BOUND.get(act.kind, GAS_USUAL) + via


def next_batch(
    lanes: range = ALL_LANES, gas_limit: int | None = None, *, after: Sequence[Act] = ()
) -> tuple[Batch, bool]:
    """Return the acts of some lanes that may go now, oldest first, and whether the batch is full.

    An act goes when what it builds on is settled or seen on the chain, or goes before it in the same batch.
    `after` are acts that are about to go: neither they nor what builds on them is in this one.
    """
    limit = settings.CHAIN_BATCH_GAS if gas_limit is None else min(gas_limit, settings.CHAIN_BATCH_GAS)
    batch, size, gas = Batch([], []), 4 + 64, BASE_GAS
    seen: set[object] = set()
    for act, needs in _candidates(lanes, after):
        if not needs <= seen:
            continue
        if act.contract_signed:
            if batch.acts:
                continue  # alone, in a transaction of its own
            return Batch([act], [act.calldata]), True
        call = act.calldata
        size += 64 + (len(call) + 31) // 32 * 32
        gas += gas_of(act, call)
        if batch.acts and (size > settings.CHAIN_BATCH_BYTES or gas > limit):
            return batch, True
        batch.acts.append(act)
        batch.calls.append(call)
        seen.add(act.pk)
    return batch, False


def _candidates(lanes: range, after: Sequence[Act]) -> Iterator[tuple[Act, set[object]]]:
    """Due acts, oldest first, each with the acts that have to go before it; none of those before."""
    builds_on_some = Exists(_needs().filter(from_act=OuterRef("pk")))
    queue = Act.objects.due().exclude(_blocked()).annotate(builds_on_some=builds_on_some)
    if lanes != ALL_LANES:
        queue = queue.filter(lane__gte=lanes.start, lane__lt=lanes.stop)
    going = {act.pk for act in after}
    # The acts before are the queue's first, but for some that could not go with them, nor can now.
    for start in range(len(going), _LOOK_AT, _WINDOW):
        acts: list[Any] = list(queue[start : start + _WINDOW])
        needs = _open_needs([act for act in acts if act.builds_on_some])
        for act in acts:
            if act.pk not in going:
                yield act, needs.get(act.pk, set())
        if len(acts) < _WINDOW:
            return


def _open_needs(acts: Sequence[Act]) -> dict[object, set[object]]:
    """By act: what it builds on that is neither settled nor seen on the chain."""
    if not acts:
        return {}
    pairs = list(_needs().filter(from_act__in=[act.pk for act in acts]).values_list("from_act", "to_act"))
    unseen = Act.objects.waiting().filter(event=None)
    waiting = set(unseen.filter(pk__in={need for _, need in pairs}).values_list("pk", flat=True))
    needs: dict[object, set[object]] = {}
    for act, need in pairs:
        if need in waiting:
            needs.setdefault(act, set()).add(need)
    return needs


def _blocked() -> Exists:
    """Acts that build on one which is under way, or put off. Looked up act by act: most build on none."""
    waits = Q(transaction__isnull=False) | ~ended("retry_tick", LONGEST_PAUSE)
    waiting = Act.objects.waiting().filter(waits, event=None, pk=OuterRef("to_act"))
    return Exists(_needs().filter(Exists(waiting), from_act=OuterRef("pk")))


def _needs() -> QuerySet[Any]:
    """Pairs of an act and one it builds on."""
    through: Any = Act.needs.through
    links: QuerySet[Any] = through.objects.all()
    return links
