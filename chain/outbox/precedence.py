"""Precedence: which waiting acts go before an act.

An act is linked (`Act.needs`) to the waiting acts that it builds on when it is accepted. What was confirmed
then may wait again later, when the chain has lost it. Acts that wait again keep the chain's order as their
`replay_place`. They go before everything that was accepted and never on the chain. No link points the other
way, so the links have no circle.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Min, Q, QuerySet

from chain.acts.messages import PreparedAct
from chain.contract.slots import folder_of_scope, folder_scope
from chain.models import Act, ActState
from chain.models.bulk import BATCH, batches
from chain.support.shared_clock import SharedNow

Limits = list[tuple[str, int | None]]

# In the order in which the chain had them: by their events, or where the archive has been emptied, by what
# carried them.
BY_EVENT = ("event__block_number", "event__log_index")
BY_TRANSACTION = ("transaction__block_number", "transaction__nonce", "settled_at", "created_at", "id")

_WRITES = ("NewRecord", "ModifyRecord")


def acts_before(act: PreparedAct) -> list[Act]:
    """Return the waiting acts that go before an act that is accepted now, oldest first."""
    limits = act.builds_on
    conditions = Q(slot__in={slot for slot, _ in limits}) | _spoilt_by(act)
    return [row for row in Act.objects.waiting().filter(conditions) if _goes_first(row, limits)]


def link_to_taken_back(act: Act) -> bool:
    """Link a waiting act to those before it that wait again. Returns whether there are any.

    A reorganisation links everything that it sees waiting. An act that is being accepted meanwhile is linked
    here, when it is first refused.
    """
    limits = act.prepared.builds_on
    back = Act.objects.waiting().exclude(replay_place=None).exclude(pk=act.pk)
    if act.replay_place is not None:
        back = back.filter(replay_place__lt=act.replay_place)
    conditions = Q(slot__in={slot for slot, _ in limits}) | _spoilt_by(act.prepared)
    conditions |= Q(author=act.author, kind="ReplaceKeys")
    before = [row for row in back.filter(conditions) if _goes_first(row, limits)]
    act.needs.add(*before)
    return bool(before)


def take_back(acts: QuerySet[Act], order: tuple[str, ...]) -> int:
    """Let confirmed acts wait again that the chain has lost; returns how many. In the caller's transaction.

    Every waiting act is linked to those of them that it builds on, whatever was known when it was accepted.
    """
    lost = list(acts.order_by(*order).values_list("pk", flat=True))
    if not lost:
        return 0
    lowest = Act.objects.aggregate(least=Min("replay_place"))["least"]
    first = min(lowest or 0, 0) - len(lost)  # before those that were lost earlier and are not back yet
    rows = [Act(pk=pk, replay_place=first + place) for place, pk in enumerate(lost)]
    Act.objects.bulk_update(rows, ["replay_place"], batch_size=BATCH // 3)
    for chunk in batches(lost):
        Act.objects.filter(pk__in=chunk).update(
            state=ActState.WAITING, settled_at=None, waiting_tick=SharedNow()
        )
        _links().filter(from_act__in=chunk).delete()
    _link_waiting()
    return len(lost)


def _link_waiting() -> None:
    """Link every waiting act to those before it that wait again."""
    foundations = _Foundations()
    waiting = Act.objects.waiting().values_list("pk", "kind", "fields", "replay_place")
    links = []
    for pk, kind, fields, place in waiting.iterator(chunk_size=BATCH):
        act = PreparedAct(kind, fields)
        links += [_links().model(from_act_id=pk, to_act_id=need) for need in foundations.before(act, place)]
        if len(links) >= BATCH:
            _links().bulk_create(links, ignore_conflicts=True, batch_size=BATCH // 2)
            links = []
    _links().bulk_create(links, ignore_conflicts=True, batch_size=BATCH // 2)


@dataclass(frozen=True)
class _LostAct:
    """An act that waits again."""

    pk: Any
    kind: str
    number: int
    place: int


class _Foundations:
    """The acts that wait again, by what may build on them; each list in the chain's order."""

    def __init__(self) -> None:
        self._by_slot: dict[str, list[_LostAct]] = defaultdict(list)
        self._by_epoch: dict[tuple[str, str, int], list[_LostAct]] = defaultdict(list)
        self._by_author: dict[str, list[_LostAct]] = defaultdict(list)
        self._written: dict[str, list[_LostAct]] = defaultdict(list)
        back = Act.objects.waiting().exclude(replay_place=None).order_by("replay_place")
        for act in back.defer("signature").iterator(chunk_size=BATCH):
            fields, lost = act.fields, _LostAct(act.pk, act.kind, act.number, act.replay_place or 0)
            self._by_slot[act.slot].append(lost)
            self._by_author[act.author].append(lost)
            if act.kind in _WRITES:
                scope = folder_scope(fields["folder"])
                self._by_epoch[act.subject, scope, fields["epoch"]].append(lost)
                self._written[act.subject].append(lost)
            elif act.kind == "GrantAccess" and folder_of_scope(fields["scope"]) is not None:
                self._by_epoch[act.author, fields["scope"], fields["epoch"]].append(lost)

    def before(self, act: PreparedAct, place: int | None) -> set[Any]:
        """Return the keys of those that go before an act with this place (None: never on the chain)."""
        needs = {lost.pk for slot, limit in act.builds_on for lost in self._newest(slot, limit, place)}
        keys = [row for row in self._by_author[act.author] if row.kind == "ReplaceKeys"]
        spoilt = self._spoilt_by(act) + keys
        return needs | {lost.pk for lost in spoilt if place is None or lost.place < place}

    def _newest(self, slot: str, limit: int | None, place: int | None) -> Iterator[_LostAct]:
        """Yield the newest of a slot, which itself builds on those before it; a revoke builds on none."""
        for lost in reversed(self._by_slot.get(slot, ())):
            if (limit is None or lost.number <= limit) and (place is None or lost.place < place):
                yield lost
                if lost.kind != "RevokeAccess":
                    return

    def _spoilt_by(self, act: PreparedAct) -> list[_LostAct]:
        """As the other `_spoilt_by`; of one epoch alone, since the moves before it have those before it."""
        if act.kind == "RekeyFolder":
            scope = folder_scope(act.fields["folder"])
            return self._by_epoch.get((act.author, scope, act.fields["fromEpoch"]), [])
        return self._by_author[act.author] + self._written[act.author] if act.kind == "ReplaceKeys" else []


def _goes_first(act: Act, limits: Limits) -> bool:
    """Return whether a waiting act is within the limits of its slot, if it has any."""
    numbers = [at_most for slot, at_most in limits if slot == act.slot]
    return not numbers or any(at_most is None or act.number <= at_most for at_most in numbers)


def _spoilt_by(act: PreparedAct) -> Q:
    """Return the acts that the chain would refuse once it has this one, by their epoch or signer."""
    writes = Q(subject=act.subject, kind__in=_WRITES)
    if act.kind == "RekeyFolder":
        folder = act.fields["folder"]
        grants = Q(author=act.author, kind="GrantAccess", fields__scope=folder_scope(folder))
        return (writes & Q(fields__folder=folder) | grants) & Q(fields__epoch__lte=act.fields["fromEpoch"])
    # A new generation of keys is one of every folder's epochs too.
    return Q(author=act.author) | writes if act.kind == "ReplaceKeys" else Q()


def _links() -> QuerySet[Any]:
    """Pairs of an act and one it builds on."""
    through: Any = Act.needs.through
    pairs: QuerySet[Any] = through.objects.all()
    return pairs
